#!/usr/bin/env bash
# examples/virtual-camera.sh [ELEMENT [PROPERTY=VALUE ...]]: a virtual camera for browsers and video calls that shows
# the real camera's picture, filtered or repainted. Start it before the browser, and choose the camera "stylefilter"
# there.
#
#   examples/virtual-camera.sh styletransfer style=painting.jpg
#
# This is examples/webcam.sh with the v4l2loopback device DEVICE instead of a window. SOURCE, SINK and FLIP are the
# same.
set -euo pipefail

device=${DEVICE:-/dev/video10}
if [ -z "${SINK:-}" ] && [ ! -e "$device" ]; then
    cat >&2 <<END
examples/virtual-camera.sh: $device does not exist. v4l2loopback (Debian and Ubuntu: v4l2loopback-dkms) creates it:
    sudo modprobe v4l2loopback video_nr=${device#/dev/video} card_label=stylefilter exclusive_caps=1
Chrome finds the camera only with exclusive_caps=1, and only while this script runs.
END
    exit 1
fi

# Not mirrored: video call programs mirror the user's own view themselves.
export FLIP=${FLIP:-identity}
# By default, libtorch's threads keep the cores busy while they wait, but the video call needs cores, too.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
# YUY2 is what most webcams and OBS's virtual camera give. Programs expect a fixed frame rate. v4l2sink's own buffers
# fail with v4l2loopback; drop-allocation keeps the elements before it from using them.
export SINK="videorate ! video/x-raw,format=YUY2,framerate=30/1 \
    ! identity drop-allocation=true ! ${SINK:-v4l2sink device=$device sync=false}"
exec "$(dirname "${BASH_SOURCE[0]}")/webcam.sh" "$@"
