//! Films that are not as simple as most: each must come out right, or with a word on what is different.

use std::process::Command;

use common::film::{Bench, Film, H264};

const PICTURES: &str = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=2";
const SOUND: &str = "-f lavfi -i sine=440:duration=2";
const OUTPUTS: [&str; 3] = ["out.mp4", "out.mkv", "out.webm"];

/// Converts a film without a filter; returns it, and the closing line.
fn converted(bench: &Bench, input: &str, output: &str) -> (Film, String) {
    let run = bench.run(&format!("{input} {output} --filter none --overwrite"));
    let text = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
    assert!(run.status.success(), "{input} to {output}: {text}");
    (bench.probe(output), text)
}

/// Checks that a film has this number of pictures, at a constant distance from its first one.
fn assert_regular(film: &Film, pictures: usize, distance: f64, name: &str) {
    assert_eq!((film.times.len(), film.frames()), (pictures, pictures), "{name}: {:?}", film.times);
    for (index, time) in film.times.iter().enumerate() {
        let expected = film.times[0] + index as f64 * distance;
        assert!((time - expected).abs() < 0.0015, "{name}: picture {index} is at {time} instead of {expected}");
    }
}

/// The red, green and blue of a pixel of a film's first picture, as ffmpeg shows it.
fn pixel(bench: &Bench, film: &str, x: u32, y: u32) -> [u8; 3] {
    let filter = format!("format=rgb24,crop=1:1:{x}:{y}");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-loglevel", "error", "-i", film, "-frames:v", "1", "-vf", &filter]);
    let run = ffmpeg.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]).current_dir(&bench.folder).output();
    run.expect("ffmpeg runs").stdout.try_into().expect("a pixel")
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn pictures_of_files_without_times_are_regular() {
    let bench = Bench::new("kinds-b-frames");
    for (input, options) in [
        ("b2.vob", "-c:v mpeg2video -bf 2 -q:v 6 -c:a ac3 -f vob"),
        ("b1.vob", "-c:v mpeg2video -bf 1 -q:v 6 -c:a ac3 -f vob"),
        ("b2.mpg", "-c:v mpeg2video -bf 2 -q:v 6 -c:a mp2 -f mpeg"),
        ("b2.avi", "-c:v mpeg4 -bf 2 -q:v 6 -vtag XVID -c:a libmp3lame"),
        ("b1.avi", "-c:v mpeg4 -bf 1 -q:v 6 -vtag XVID -c:a libmp3lame"),
        ("h264.avi", "-c:v libx264 -bf 3 -c:a libmp3lame"),
    ] {
        bench.ffmpeg(&format!("{PICTURES} {SOUND} {options} {input}"));
        for output in OUTPUTS {
            assert_regular(&converted(&bench, input, output).0, 50, 0.04, &format!("{input} to {output}"));
        }
    }
    // A part, and the rest of it.
    let part = bench.transcode("b1.vob part.mp4 --filter none --start 0.5 --duration 0.6");
    assert_regular(&part, 15, 0.04, "a part");
    let part = bench.transcode("b1.vob part.mp4 --filter none --start 0.5 --resume");
    assert_regular(&part, 37, 0.04, "the rest");
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn the_first_field_of_interlaced_pictures_is_shown() {
    let bench = Bench::new("kinds-fields");
    let fields =
        |order: &str| format!("-f lavfi -i testsrc2=size=160x120:rate=50:duration=2 -vf interlace=scan={order}");
    bench.ffmpeg(&format!("{} -c:v mpeg2video -flags +ilme+ildct -top 0 -q:v 6 bottom.mkv", fields("bff")));
    bench.ffmpeg(&format!("{} -c:v libx264 -flags +ilme+ildct -x264opts bff=1 bottom.mp4", fields("bff")));
    bench.ffmpeg(&format!("{} -c:v mpeg2video -flags +ilme+ildct -top 1 -q:v 6 top.mkv", fields("tff")));
    bench.ffmpeg(&format!("{} -target pal-dv pal.dv", fields("bff").replace("160x120", "720x576")));
    bench.ffmpeg("-i pal.dv -c copy pal.avi");
    bench.ffmpeg("-i pal.dv -c copy pal.mov");
    for input in ["bottom.mkv", "bottom.mp4", "top.mkv", "pal.dv", "pal.avi", "pal.mov"] {
        for output in OUTPUTS {
            let name = format!("{input} to {output}");
            let (film, _) = converted(&bench, input, output);
            assert_regular(&film, 50, 0.04, &name);
            assert!(film.times[0].abs() < 0.001, "{name} begins at {}", film.times[0]);
        }
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn equal_pictures_keep_their_times() {
    let bench = Bench::new("kinds-still");
    bench.ffmpeg("-f lavfi -i color=red:size=160x120:rate=25:duration=1 -pix_fmt rgb24 -c:v qtrle still.mov");
    for output in OUTPUTS {
        assert_regular(&converted(&bench, "still.mov", output).0, 25, 0.04, output);
    }
    bench.ffmpeg(
        "-f lavfi -i testsrc2=size=160x120:rate=10:duration=1 -vf setpts='if(lt(N,5),N*0.1,0.5+(N-5)*0.5)/TB' \
         -f gif delays.gif",
    );
    for output in OUTPUTS {
        let (film, _) = converted(&bench, "delays.gif", output);
        let times: Vec<_> = film.times.iter().map(|time| (time * 10.0).round() as u32).collect();
        assert_eq!(times, [0, 1, 2, 3, 4, 5, 10, 15, 20, 25], "{output}: {:?}", film.times);
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn trimmed_clips_are_whole() {
    let bench = Bench::new("kinds-trimmed");
    let long = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=4 -f lavfi -i sine=440:duration=4";
    bench.ffmpeg(&format!("{long} -c:v libx264 -g 12 -bf 2 -c:a aac short-gop.mp4"));
    bench.ffmpeg(&format!("{long} -c:v libx264 -g 50 -bf 2 -c:a aac long-gop.mp4"));
    for (film, options, length) in
        [("short-gop", "-ss 1.3", 2.7), ("long-gop", "-ss 1.3", 2.7), ("long-gop", "-ss 1.3 -t 1.5", 1.5)]
    {
        bench.ffmpeg(&format!("{options} -i {film}.mp4 -c copy trimmed.mp4"));
        for output in ["out.mp4", "out.mkv"] {
            let name = format!("{film}, {options}, to {output}");
            let (film, _) = converted(&bench, "trimmed.mp4", output);
            let (pictures, sound) = (film.frames() as f64 / 25.0, film.sound_packets() * 1024.0 / 44_100.0);
            assert!((pictures - length).abs() < 0.11, "{name}: {pictures} s of pictures");
            assert!((sound - length).abs() < 0.1, "{name}: {sound} s of sound");
        }
    }
    // The end of a part of it.
    let part = bench.transcode("trimmed.mp4 part.mkv --filter none --start 0.5 --duration 0.8");
    assert_eq!(part.frames(), 20);
    assert!((part.sound_packets() * 1024.0 / 44_100.0 - 0.8).abs() < 0.06, "{}", part.sound_packets());
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn the_full_range_keeps_its_colors() {
    let bench = Bench::new("kinds-range");
    for (matrix, description) in
        [("bt709", "-colorspace bt709 -color_primaries bt709 -color_trc bt709"), ("smpte170m", "")]
    {
        bench.ffmpeg(&format!(
            "-f lavfi -i color=black:size=256x64:rate=25:duration=0.4 -vf \
             format=gray,geq=lum=X,scale=in_range=full:out_range=full:out_color_matrix={matrix},format=yuvj420p \
             -c:v libx264 -qp 0 -color_range pc {description} ramp.mp4"
        ));
        bench.ffmpeg("-i ramp.mp4 -c copy ramp.mkv");
        for input in ["ramp.mp4", "ramp.mkv"] {
            for output in OUTPUTS {
                bench.transcode(&format!("{input} {output} --filter none --quality 0 --overwrite"));
                for x in [8, 64, 128, 250] {
                    let (came, right) = (pixel(&bench, output, x, 30), pixel(&bench, input, x, 30));
                    let is_right = came.iter().zip(right).all(|(came, right)| came.abs_diff(right) <= 1);
                    assert!(is_right, "{input}, {matrix}, to {output} at {x}: {came:?} instead of {right:?}");
                }
            }
        }
    }
}

/// Joins two transport streams, made with these options.
fn join(bench: &Bench, first: &str, second: &str, joined: &str) {
    let mut bytes = Vec::new();
    for (offset, options) in [first, second].into_iter().enumerate() {
        bench.ffmpeg(&format!("{options} -bf 0 -g 25 -output_ts_offset {offset} part.ts"));
        bytes.extend(std::fs::read(bench.path("part.ts")).expect("written"));
    }
    std::fs::write(bench.path(joined), bytes).expect("written");
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn a_film_has_the_size_and_shape_that_it_begins_with() {
    let bench = Bench::new("kinds-changes");
    let pictures =
        |size: &str, more: &str| format!("-f lavfi -i testsrc2=size={size}:rate=25:duration=1 {more} -c:v libx264");
    join(&bench, &pictures("160x120", ""), &pictures("320x180", ""), "size.ts");
    join(&bench, &pictures("160x120", "-vf setsar=1"), &pictures("160x120", "-vf setsar=4/3"), "shape.ts");
    join(&bench, &pictures("320x240", ""), &pictures("160x120", ""), "smaller.ts");
    for (input, size) in [("size.ts", ("160", "120")), ("shape.ts", ("160", "120")), ("smaller.ts", ("320", "240"))] {
        for output in OUTPUTS {
            let (film, text) = converted(&bench, input, output);
            assert_regular(&film, 50, 0.04, &format!("{input} to {output}"));
            assert_eq!(film.size(), size, "{input} to {output}");
            assert!(text.contains("scaled"), "{input} to {output}: {text}");
            // The last picture can be decoded, and is as wide as the first: with bars above and below, if it is wider.
            bench.ffmpeg(&format!("-sseof -0.5 -i {output} -frames:v 1 -y last.png"));
            let last = pixel(&bench, "last.png", 80, 4);
            assert_eq!(last.iter().all(|value| *value < 12), input != "smaller.ts", "{input} to {output}: {last:?}");
        }
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn sound_is_whole_where_its_channels_change() {
    let bench = Bench::new("kinds-channels");
    let both = |channels: u32| {
        format!(
            "-f lavfi -i testsrc2=size=160x120:rate=25:duration=1 -f lavfi -i sine=440:duration=1:sample_rate=48000 \
             -c:v libx264 -c:a ac3 -b:a 96k -ac {channels}"
        )
    };
    join(&bench, &both(2), &both(6), "more.ts");
    join(&bench, &both(6), &both(1), "fewer.ts");
    for input in ["more.ts", "fewer.ts"] {
        for output in OUTPUTS {
            let (film, _) = converted(&bench, input, output);
            let packet = if output == "out.webm" { 0.02 } else { 0.032 };
            assert!(film.sound_packets() * packet > 1.9, "{input} to {output}: {} packets", film.sound_packets());
        }
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn every_channel_is_kept() {
    let bench = Bench::new("kinds-speakers");
    for (layout, channels, codec) in [
        ("5.1(side)", 6, "eac3"),
        ("5.1(side)", 6, "truehd -strict -2"),
        ("5.0(side)", 5, "eac3"),
        ("stereo", 2, "truehd -strict -2"),
        ("2.1", 6, "eac3"),
    ] {
        let source = "-f lavfi -i anoisesrc=duration=1:sample_rate=48000";
        let all = ["FL", "FR", "FC", "LFE", "SL", "SR"].map(|name| format!("|{name}=c0"));
        let names = match layout {
            "stereo" => all[..2].concat(),
            "2.1" => [&all[..2], &all[3..4]].concat().concat(),
            "5.0(side)" => [&all[..3], &all[4..]].concat().concat(),
            _ => all.concat(),
        };
        bench.ffmpeg(&format!(
            "-f lavfi -i testsrc2=size=160x120:rate=25:duration=1 {source} -af pan={layout}{names} {H264} \
             -c:a {codec} film.mkv"
        ));
        for output in OUTPUTS {
            let (film, _) = converted(&bench, "film.mkv", output);
            let sound = film.of_type("audio")[0];
            let copied = sound["codec_name"] == codec;
            let expected = if copied && layout == "2.1" { 3 } else { channels };
            assert_eq!(sound["channels"], expected.to_string(), "{layout} of {codec} to {output}: {sound:?}");
            assert_ne!(sound["channel_layout"], "unknown", "{layout} of {codec} to {output}");
        }
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn a_thumbnail_is_not_the_film() {
    let bench = Bench::new("kinds-thumbnail");
    bench.ffmpeg("-f lavfi -i testsrc=size=64x48 -frames:v 1 small.jpg");
    bench.ffmpeg(&format!("{PICTURES} {SOUND} {H264} -c:a aac film.mp4"));
    bench.ffmpeg("-i small.jpg -i film.mp4 -map 0 -map 1:v -map 1:a -c copy -disposition:v:0 0 thumbnail.mkv");
    for output in OUTPUTS {
        let (film, text) = converted(&bench, "thumbnail.mkv", output);
        assert_eq!((film.frames(), film.size()), (50, ("160", "120")), "{output}");
        assert!(text.contains("left out: a further video track"), "{output}: {text}");
    }
    // Motion JPEG alone is a film.
    bench.ffmpeg(&format!("{PICTURES} -c:v mjpeg camera.mov"));
    assert_eq!(converted(&bench, "camera.mov", "out.mkv").0.frames(), 50);
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn what_is_left_out_is_said() {
    let bench = Bench::new("kinds-unknown");
    bench.ffmpeg(&format!(
        "{PICTURES} {SOUND} -f lavfi -i sine=880:duration=2 -map 0 -map 1 -map 2 {H264} -c:a aac two.mp4"
    ));
    let film = std::fs::read(bench.path("two.mp4")).expect("written");
    let places: Vec<_> =
        film.windows(4).enumerate().filter(|(_, word)| word == b"mp4a").map(|(place, _)| place).collect();
    let mut unknown = film.clone();
    unknown[places[places.len() - 1]..][..4].copy_from_slice(b"apac");
    std::fs::write(bench.path("second.mp4"), &unknown).expect("written");
    for place in places {
        unknown[place..place + 4].copy_from_slice(b"zz4a");
    }
    std::fs::write(bench.path("both.mp4"), &unknown).expect("written");
    for output in OUTPUTS {
        for (input, kept) in [("second.mp4", 1), ("both.mp4", 0)] {
            let (film, text) = converted(&bench, input, output);
            assert_eq!(film.of_type("audio").len(), kept, "{input} to {output}");
            assert!(text.contains("left out: audio/"), "{input} to {output}: {text}");
        }
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn transparency_becomes_black_and_is_said() {
    let bench = Bench::new("kinds-alpha");
    // The right half is transparent, and red where it cannot be seen.
    let source = "-f lavfi -i color=red:size=160x120:rate=25:duration=0.4,format=rgba,geq=r=255:g=0:b=0:\
        a='if(lt(X\\,80)\\,255\\,0)'";
    for (input, options) in [
        ("alpha.webm", "-c:v libvpx-vp9 -pix_fmt yuva420p -auto-alt-ref 0"),
        ("alpha.mov", "-c:v prores_ks -profile:v 4 -pix_fmt yuva444p10le"),
        ("png.mov", "-c:v png"),
        ("alpha.mkv", "-c:v ffv1 -pix_fmt bgra"),
    ] {
        bench.ffmpeg(&format!("{source} {options} {input}"));
        for output in OUTPUTS {
            let (_, text) = converted(&bench, input, output);
            let (hidden, shown) = (pixel(&bench, output, 140, 60), pixel(&bench, output, 40, 60));
            assert!(hidden.iter().all(|value| *value < 4), "{input} to {output}: {hidden:?}");
            assert!(shown[0] > 240 && shown[1] < 12, "{input} to {output}: {shown:?}");
            assert!(text.contains("transparent"), "{input} to {output}: {text}");
        }
    }
    bench.ffmpeg(&format!("{PICTURES} -c:v ffv1 -pix_fmt bgra opaque.mkv"));
    assert!(!converted(&bench, "opaque.mkv", "out.mkv").1.contains("transparent"));
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn films_that_begin_late_are_whole() {
    let bench = Bench::new("kinds-late");
    bench.ffmpeg(&format!("{PICTURES} {SOUND} {H264} -c:a aac both.mp4"));
    bench.ffmpeg("-itsoffset 10 -i both.mp4 -c copy late.mkv");
    bench.ffmpeg("-i both.mp4 -itsoffset 1 -i both.mp4 -map 1:v -map 0:a -c copy late-pictures.mkv");
    for output in OUTPUTS {
        let (film, _) = converted(&bench, "late.mkv", output);
        assert_regular(&film, 50, 0.04, output);
        let (film, _) = converted(&bench, "late-pictures.mkv", output);
        assert!((film.times[0] - 1.0).abs() < 0.05, "{output} begins at {}", film.times[0]);
        bench.transcode(&format!("late-pictures.mkv {output} --filter none --duration 1.5 --overwrite"));
        let sound = first_sound(&bench, output);
        assert!(sound.abs() < 0.05, "{output}: the sound begins at {sound}");
    }
}

/// The time of the first sound.
fn first_sound(bench: &Bench, film: &str) -> f64 {
    let packets = common::film::sections_of(&bench.path(film), &["-select_streams", "a", "-show_packets"], "PACKET");
    packets.iter().map(|packet| common::film::number(packet, "pts_time")).fold(f64::MAX, f64::min)
}
