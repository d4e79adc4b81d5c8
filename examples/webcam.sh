#!/usr/bin/env bash
# examples/webcam.sh [ELEMENT [PROPERTY=VALUE ...]]: shows the camera's picture, filtered or repainted and mirrored, in
# a window.
#
#   examples/webcam.sh
#   examples/webcam.sh convfilter filter=gaussian-blur radius=6
#   examples/webcam.sh styletransfer style=painting.jpg
#
# SOURCE and SINK replace the camera and the window, as for gst-launch-1.0. FLIP is videoflip's video-direction:
#
#   SOURCE="v4l2src device=/dev/video2" FLIP=identity examples/webcam.sh
#   SOURCE="v4l2src ! image/jpeg ! jpegdec" examples/webcam.sh
#   SOURCE="videotestsrc is-live=true" SINK=fpsdisplaysink examples/webcam.sh
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/env"

[ $# -gt 0 ] || set -- convfilter filter=contour

# Nearly every camera supports uncompressed 640x480 at its full rate; another size is scaled to it without distortion.
# The queue keeps only the newest frame: if painting is slower than the camera, frames are dropped instead of delayed.
# shellcheck disable=SC2086 # word splitting is intended
exec gst-launch-1.0 ${SOURCE:-v4l2src} \
    ! videoconvertscale ! video/x-raw,width=640,height=480,pixel-aspect-ratio=1/1 \
    ! videoflip video-direction="${FLIP:-horiz}" \
    ! queue leaky=downstream max-size-buffers=1 ! "$@" \
    ! ${SINK:-autovideosink}
