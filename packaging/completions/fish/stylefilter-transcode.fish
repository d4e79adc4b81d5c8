complete -c stylefilter-transcode -l chain -d 'Several filters of convfilter, in order: "median, size=3; unsharp-mask, percent=200"' -r
complete -c stylefilter-transcode -l style -d 'A style picture for styletransfer; several are separated by commas' -r -F
complete -c stylefilter-transcode -l set -d 'Set a property of the element: --set radius=6; can be repeated' -r
complete -c stylefilter-transcode -l encoder -d 'x264, x265, vp8, vp9, or elements as for gst-launch-1.0: "nvh264enc preset=hq ! h264parse" [default: x264; for .webm vp9]' -r
complete -c stylefilter-transcode -l quality -d 'Quality, smaller is better: 0 to 50 for x264 [20] and x265 [23], 0 to 63 for vp8 [16] and vp9 [28]' -r
complete -c stylefilter-transcode -l start -d 'Where to start: seconds, or 1:02:03.5' -r
complete -c stylefilter-transcode -l duration -d 'How much to convert: seconds, or 1:02:03.5' -r
complete -c stylefilter-transcode -l filter -d 'A filter of convfilter' -r -f -a "none\t''
blur\t''
contour\t''
detail\t''
edge-enhance\t''
edge-enhance-more\t''
emboss\t''
find-edges\t''
smooth\t''
smooth-more\t''
sharpen\t''
gaussian-blur\t''
box-blur\t''
unsharp-mask\t''
kernel\t''
rank\t''
median\t''
min\t''
max\t''
mode\t''
shader\t''"
complete -c stylefilter-transcode -l preview -d 'Show the result in a window while converting'
complete -c stylefilter-transcode -l resume -d 'Continue where an earlier run of this program ended, if there was one'
complete -c stylefilter-transcode -l overwrite -d 'Replace OUTPUT, if it exists'
complete -c stylefilter-transcode -s h -l help -d 'Print help'
complete -c stylefilter-transcode -s V -l version -d 'Print version'
