complete -c stylefilter-studio -l listen -d 'Address to listen on; other machines can reach any address but 127.0.0.1, without a password' -r
complete -c stylefilter-studio -l size -d 'Size to which all sources are scaled' -r
complete -c stylefilter-studio -l osc-listen -d 'Address to receive OSC on, by UDP; other machines can reach any address but 127.0.0.1, without a password' -r
complete -c stylefilter-studio -l audio -d 'Listens to the level and the beat of audio, from a source given as for gst-launch-1.0' -r
complete -c stylefilter-studio -l folder -d 'Folder for styles, models, masks, films, mappings and settings [default: stylefilter/studio in the user\'s data folder]' -r -F
complete -c stylefilter-studio -s h -l help -d 'Print help'
complete -c stylefilter-studio -s V -l version -d 'Print version'
