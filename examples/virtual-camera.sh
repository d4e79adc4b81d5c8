#!/usr/bin/env bash
# examples/virtual-camera.sh [ELEMENT [PROPERTY=VALUE ...]]: a camera for browsers and meeting programs that gives
# the real one's picture, filtered or repainted. Start it before them and choose "stylefilter" there.
#
#   examples/virtual-camera.sh styletransfer style=painting.jpg size=256
#
# It does what examples/webcam.sh does, into v4l2loopback's DEVICE in place of a window. SOURCE, SINK and FLIP are as
# there.
set -euo pipefail

device=${DEVICE:-/dev/video10}
if [ -z "${SINK:-}" ] && [ ! -e "$device" ]; then
    cat >&2 <<END
examples/virtual-camera.sh: there is no $device. v4l2loopback (Debian and Ubuntu: v4l2loopback-dkms) makes it:
    sudo modprobe v4l2loopback video_nr=${device#/dev/video} card_label=stylefilter exclusive_caps=1
Chrome sees it only with exclusive_caps=1, and only while this runs.
END
    exit 1
fi

# Others see one as one is; programs mirror what they show to oneself.
export FLIP=${FLIP:-identity}
# libtorch's threads would keep the cores busy while they wait; the program that sends the picture needs some.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
# YUY2 is what most webcams give and OBS's virtual camera, too; a fixed rate, as programs ask for one. v4l2sink's own
# buffers fail with v4l2loopback: drop-allocation keeps them from the elements before.
export SINK="videorate ! video/x-raw,format=YUY2,framerate=30/1 \
    ! identity drop-allocation=true ! ${SINK:-v4l2sink device=$device sync=false}"
exec "$(dirname "${BASH_SOURCE[0]}")/webcam.sh" "$@"
