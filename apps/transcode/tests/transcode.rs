//! Tests the transcoder on clips of all kinds; ffprobe examines the results.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::film::{Bench, Film, H264, packets};
use common::{app, real, root, write_style};

/// Four seconds of a test pattern with a frame counter.
const PICTURES: &str = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=4";
const SOUND: &str = "-f lavfi -i sine=440:duration=4";

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn a_film_keeps_its_frames_times_colors_sound_and_subtitles() {
    let bench = Bench::new("tracks");
    std::fs::write(
        bench.path("words.srt"),
        "1\n00:00:00,500 --> 00:00:01,500\n<i>Tea</i> & toast\n\n2\n00:00:02,000 --> 00:00:03,000\nSecond\n",
    )
    .expect("written");
    let tags = "-metadata title=Breakfast -metadata artist=Someone -metadata:s:a:0 language=deu \
        -metadata:s:a:1 language=fra -metadata:s:s:0 language=nld";
    bench.ffmpeg(&format!(
        "{PICTURES} {SOUND} -f lavfi -i sine=880:duration=4 -i words.srt -map 0 -map 1 -map 2 -map 3 {H264} \
         -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv \
         -c:a:0 aac -c:a:1 libvorbis -c:s srt {tags} film.mkv"
    ));
    let before = bench.probe("film.mkv");
    // The codecs of sound, video and subtitles in each container.
    for (output, sound, pictures, subtitles) in [
        ("film.mp4", ["aac", "aac"], "h264", vec!["mov_text"]),
        ("filtered.mkv", ["aac", "vorbis"], "h264", vec!["subrip"]),
        ("film.webm", ["opus", "vorbis"], "vp9", vec![]),
    ] {
        let after = bench.transcode(&format!("film.mkv {output} --filter blur"));
        assert_eq!((after.frames(), after.size()), (100, ("160", "120")), "{output}");
        after.keeps_times_of(&before);
        assert_eq!(after.codecs("audio"), sound, "{output}");
        assert_eq!(after.codecs("video"), [pictures], "{output}");
        assert_eq!(after.codecs("subtitle"), subtitles, "{output}");
        let (german, french) = if output == "film.mp4" { ("deu", "fra") } else { ("ger", "fre") };
        assert_eq!(after.languages("audio"), [german, french], "{output}");
        assert_eq!((after.tag("title"), after.tag("artist")), (Some("Breakfast"), Some("Someone")), "{output}");
        for field in ["color_space", "color_primaries", "color_transfer", "color_range"] {
            assert_eq!(after.video()[field], before.video()[field], "{output}: {field}");
        }
    }

    // Subtitles are plain text, at the same times.
    let words = |film: &str| {
        bench.ffmpeg(&format!("-i {film} -map 0:s -c:s copy words-of-{film}.srt"));
        std::fs::read_to_string(bench.path(&format!("words-of-{film}.srt"))).expect("written")
    };
    assert_eq!(words("filtered.mkv"), words("film.mkv").replace("<i>", "").replace("</i>", ""));
    // Sound that the container can hold is copied, packet for packet.
    let (before, after) = (packets(&bench.path("film.mkv"), "a:0"), packets(&bench.path("filtered.mkv"), "a:0"));
    assert!(!before.is_empty() && before == after, "{} and {} packets", before.len(), after.len());
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn films_of_every_kind_are_converted() {
    let bench = Bench::new("kinds");
    bench.ffmpeg(&format!("{PICTURES} {H264} silent.mp4"));
    bench.ffmpeg(&format!("{PICTURES} -vf select='if(lt(t,2),1,not(mod(n,3)))' -fps_mode vfr {H264} varying.mp4"));
    bench.ffmpeg(&format!("{PICTURES} -c:v libx264 -preset ultrafast -pix_fmt yuv420p10le deep.mkv"));
    bench.ffmpeg(&format!("{PICTURES} -vf format=rgb24,crop=159:119,format=yuv420p -c:v ffv1 odd.mkv"));
    bench.ffmpeg("-i silent.mp4 -c copy -metadata:s:v rotate=90 rotated.mp4");
    bench.ffmpeg(&format!(
        "-f lavfi -i testsrc2=size=160x120:rate=50:duration=4 -vf interlace {H264} -flags +ilme+ildct interlaced.mp4"
    ));
    bench.ffmpeg(&format!("{PICTURES} {SOUND} -c:v mpeg4 -c:a pcm_s16le film.avi"));
    bench.ffmpeg(&format!("{PICTURES} {SOUND} {H264} -c:a aac film.ts"));
    bench.ffmpeg(&format!("{PICTURES} {SOUND} -c:v libvpx -c:a libvorbis film.webm"));
    for (input, output, frames, size, format) in [
        ("silent.mp4", "out.mp4", 100, ("160", "120"), "yuv420p"),
        ("varying.mp4", "out.mp4", 67, ("160", "120"), "yuv420p"),
        ("varying.mp4", "out.mkv", 67, ("160", "120"), "yuv420p"),
        ("varying.mp4", "out.webm", 67, ("160", "120"), "yuv420p"),
        ("deep.mkv", "out.mp4", 100, ("160", "120"), "yuv420p10le"),
        ("deep.mkv", "out.webm", 100, ("160", "120"), "yuv420p10le"),
        ("odd.mkv", "out.mp4", 100, ("158", "118"), "yuv420p"),
        ("odd.mkv", "out.webm", 100, ("159", "119"), "yuv420p"),
        ("rotated.mp4", "out.mp4", 100, ("120", "160"), "yuv420p"),
        ("interlaced.mp4", "out.mp4", 100, ("160", "120"), "yuv420p"),
        ("film.avi", "out.mkv", 100, ("160", "120"), "yuv420p"),
        ("film.ts", "out.mp4", 100, ("160", "120"), "yuv420p"),
        ("film.webm", "out.mkv", 100, ("160", "120"), "yuv420p"),
    ] {
        let after = bench.transcode(&format!("{input} {output} --filter blur --overwrite"));
        assert_eq!((after.frames(), after.size()), (frames, size), "{input} to {output}");
        assert_eq!(after.video()["pix_fmt"], format, "{input} to {output}");
        assert_eq!(after.video()["field_order"], "progressive", "{input} to {output}");
        after.keeps_times_of(&bench.probe(input));
        assert_eq!(after.of_type("audio").len(), bench.probe(input).of_type("audio").len(), "{input} to {output}");
    }
}

#[test]
#[ignore = "needs scripts/build, scripts/setup --tests and real films"]
fn clips_from_real_cameras_keep_frames_times_and_sound() {
    let bench = Bench::new("camera");
    for (clip, frames, sound) in [("cockatoo", 280, "mp3"), ("realshort", 36, "aac")] {
        let path = real(&format!("video/{clip}.mp4"));
        let before = Film::probe(&path);
        for output in ["out.mp4", "out.mkv"] {
            let after = bench.transcode(&format!("{} {output} --filter blur --overwrite", path.display()));
            assert_eq!((after.frames(), after.size()), (frames, before.size()), "{clip}");
            after.keeps_times_of(&before);
            assert_eq!(after.codecs("audio"), [sound], "{clip}");
            // One packet may be missing: it begins before the video.
            assert!(after.sound_packets() + 1.0 >= before.sound_packets(), "{clip}");
        }
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn effects_encoders_and_parts_can_be_chosen() {
    let bench = Bench::new("options");
    bench.ffmpeg(&format!("{PICTURES} {SOUND} {H264} -g 50 -c:a aac film.mp4"));
    write_style(&bench.path("style.png"));
    let size = |film: &str| std::fs::metadata(bench.path(film)).expect("the film exists").len();

    let chain = bench.command("film.mp4 chain.mp4 --duration 0.2").args(["--chain", "median, size=3; emboss"]).output();
    assert!(chain.expect("transcode runs").status.success());
    assert_eq!(bench.probe("chain.mp4").frames(), 5);
    let style = "--style style.png --set first-iterations=2 --set iterations=1 --set size=64";
    assert_eq!(bench.transcode(&format!("film.mp4 style.mkv {style} --duration 0.2")).frames(), 5);

    for (encoder, codec) in [("x265", "hevc"), ("vp8", "vp8"), ("vp9", "vp9")] {
        let film = bench.transcode(&format!("film.mp4 {encoder}.mkv --filter blur --encoder {encoder} --duration 1"));
        assert_eq!((film.frames(), film.codecs("video")), (25, vec![codec]));
    }
    let own = bench.command("film.mp4 own.mkv --filter blur").args(["--encoder", "theoraenc quality=40"]).output();
    assert!(own.expect("transcode runs").status.success());
    assert_eq!(bench.probe("own.mkv").codecs("video"), ["theora"]);
    for encoder in ["x264", "vp9"] {
        for quality in [15, 45] {
            let output = format!("{encoder}-{quality}.mkv");
            bench.transcode(&format!("film.mp4 {output} --filter none --encoder {encoder} --quality {quality}"));
        }
        assert!(size(&format!("{encoder}-15.mkv")) > 2 * size(&format!("{encoder}-45.mkv")), "{encoder}");
    }

    // A part that does not start at a key frame has the right frames and sound.
    let part = bench.transcode("film.mp4 part.mkv --filter none --quality 1 --start 0:01.2 --duration 1.6");
    assert_eq!(part.frames(), 40);
    bench.ffmpeg("-i film.mp4 -vf trim=start=1.2:duration=1.6,setpts=PTS-STARTPTS -f rawvideo expected.raw");
    bench.ffmpeg("-i part.mkv -f rawvideo part.raw");
    let difference = difference(&bench.path("part.raw"), &bench.path("expected.raw"));
    assert!(difference < 1.5, "wrong part: the mean difference is {difference}");
    let sound = part.sound_packets() * 1024.0 / 44_100.0;
    assert!((sound - 1.6).abs() < 0.06, "{sound} s of sound");
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn consecutive_parts_have_every_frame_once() {
    let bench = Bench::new("parts");
    // Matroska rounds times, so that frames overlap.
    bench.ffmpeg("-f lavfi -i testsrc2=size=160x120:rate=24:duration=4 -c:v libx264 -g 30 film.mkv");
    let times = bench.probe("film.mkv").times;
    for span in [0, 1, 11, 31, 50, 72, 96].windows(2) {
        let [begin, end] = [span[0], span[1]].map(|index| times.get(index).copied().unwrap_or(4.0));
        let part = format!("film.mkv part.mp4 --overwrite --filter none --start {begin} --duration {}", end - begin);
        assert_eq!(bench.transcode(&part).frames(), span[1] - span[0], "{span:?}");
    }
}

/// The mean difference between the bytes of two files of the same length.
fn difference(one: &Path, other: &Path) -> f64 {
    let [one, other] = [one, other].map(|path| std::fs::read(path).expect("readable"));
    assert_eq!(one.len(), other.len());
    one.iter().zip(&other).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / one.len() as f64
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn each_error_is_one_line_that_names_the_cause() {
    let bench = Bench::new("errors");
    bench.ffmpeg(&format!("{PICTURES} {SOUND} {H264} -c:a aac -movflags +faststart film.mp4"));
    bench.ffmpeg(&format!("{PICTURES} -frames:v 0 {H264} empty.mp4"));
    bench.ffmpeg(&format!("{SOUND} -c:a aac sound.mp4"));
    let film = std::fs::read(bench.path("film.mp4")).expect("readable");
    std::fs::write(bench.path("cut.mp4"), &film[..film.len() / 2]).expect("written");
    std::fs::write(bench.path("cut-early.mp4"), &film[..60]).expect("written");
    std::fs::write(bench.path("existing.mp4"), "something").expect("written");
    for (arguments, words) in [
        ("missing.mp4 out.mp4 --filter blur", vec!["missing.mp4"]),
        ("empty.mp4 out.mp4 --filter blur", vec!["empty.mp4"]),
        ("sound.mp4 out.mp4 --filter blur", vec!["sound.mp4", "no video"]),
        ("cut-early.mp4 out.mp4 --filter blur", vec!["cut-early.mp4"]),
        ("film.mp4 out.avi --filter blur", vec!["out.avi", ".mkv"]),
        ("film.mp4 nowhere/out.mp4 --filter blur", vec!["nowhere/out.mp4"]),
        ("film.mp4 existing.mp4 --filter blur", vec!["existing.mp4", "--overwrite"]),
        ("film.mp4 film.mp4 --filter blur --overwrite", vec!["film.mp4"]),
        ("film.mp4 out.mp4 --filter swirl", vec!["swirl"]),
        ("film.mp4 out.mp4 --filter blur --set radios=2", vec!["radios"]),
        ("film.mp4 out.mp4 --style nothing.png", vec!["nothing.png"]),
        ("film.mp4 out.webm --filter blur --encoder x264", vec!["webm", "x-h264"]),
        ("film.mp4 out.mp4 --filter blur --encoder nonsense", vec!["nonsense"]),
        ("film.mp4 out.mp4 --filter blur --start 1:00", vec!["film.mp4", "1:00"]),
    ] {
        let text = bench.failure(arguments);
        assert!(words.iter().all(|word| text.contains(word)), "{arguments}: {text}");
        assert!(!bench.path("out.mp4").exists() && !bench.path("out.webm").exists(), "{arguments} leaves a file");
    }
    assert_eq!(std::fs::read(bench.path("existing.mp4")).expect("readable"), b"something");
    assert_eq!(std::fs::read(bench.path("film.mp4")).expect("readable"), film);

    // A truncated film is converted as far as it goes, and reported as an error.
    let text = bench.failure("cut.mp4 cut-filtered.mp4 --filter blur");
    assert!(text.contains("cut.mp4 is truncated"), "{text}");
    let made = bench.probe("cut-filtered.mp4");
    assert!((40..100).contains(&made.frames()), "{} frames", made.frames());
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn a_stopped_film_plays_and_can_be_resumed() {
    const FRAMES: usize = 500;
    for (output, signal) in [("out.mp4", "INT"), ("out.mkv", "TERM"), ("out.webm", "INT"), ("killed.mkv", "KILL")] {
        let bench = Bench::new(&format!("stop-{output}"));
        bench.ffmpeg(&format!(
            "-f lavfi -i testsrc2=size=320x240:rate=25:duration=20 -f lavfi -i sine=440:duration=20 {H264} -c:a aac film.mp4"
        ));
        let filtering = format!("film.mp4 {output} --filter median --set size=5");
        let running = bench.command(&filtering).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut running = running.expect("transcode runs");
        let begun = Instant::now();
        // While a film is made, it lies beside its place.
        let draft = output.replace('.', ".unfinished.");
        while std::fs::metadata(bench.path(&draft)).map_or(0, |file| file.len()) < 150_000 {
            assert!(begun.elapsed() < Duration::from_secs(60), "{output}: too little was written");
            std::thread::sleep(Duration::from_millis(5));
        }
        let kill = Command::new("kill").args(["-s", signal, &running.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
        let status = running.wait().expect("transcode ends");
        let left = if signal == "KILL" { &draft } else { output };
        if signal != "KILL" {
            assert_eq!(status.code(), Some(130), "{output}");
        }
        let stopped = bench.probe(left);
        if output == "out.mp4" {
            // Sound and video end together.
            let (sound, video) = (stopped.sound_packets() * 1024.0 / 44_100.0, stopped.frames() as f64 / 25.0);
            assert!((sound - video).abs() < 0.1, "{sound} s of sound, {video} s of video");
        }
        assert!((1..FRAMES).contains(&stopped.frames()), "{output}: {} frames", stopped.frames());
        let existing = packets(&bench.path(left), "v");

        // Other encoder settings are refused, and leave the film as it is.
        if output == "out.mp4" {
            let text = bench.failure(&format!("{filtering} --resume --encoder x264 --quality 40"));
            assert!(text.contains("other encoder settings"), "{text}");
            assert_eq!(bench.probe(output).frames(), stopped.frames());
        }
        let whole = bench.transcode(&format!("{filtering} --resume"));
        assert_eq!(whole.frames(), FRAMES, "{output}, which had {}", stopped.frames());
        whole.keeps_times_of(&bench.probe("film.mp4"));
        // The existing video is copied, except for the end of what a crash left, and the sound is complete.
        let copied = existing.len() - if signal == "KILL" { 12 } else { 0 };
        assert_eq!(packets(&bench.path(output), "v")[..copied], existing[..copied], "{output}");
        if !output.ends_with("webm") {
            assert!((whole.sound_packets() - bench.probe("film.mp4").sound_packets()).abs() <= 1.0, "{output}");
        }
        let files = std::fs::read_dir(&bench.folder).expect("a folder").flatten();
        let part = files.map(|file| file.file_name()).find(|name| name.to_string_lossy().contains(".unfinished."));
        assert_eq!(part, None, "{output} leaves a file");
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn a_full_disk_ends_the_transcoder_with_one_error() {
    let bench = Bench::new("disk");
    bench.ffmpeg(&format!("-f lavfi -i testsrc2=size=320x240:rate=25:duration=8 {H264} film.mp4"));
    let transcode = app("transcode");
    let outputs = ["out.mp4", "out.mkv", "out.webm"];
    for output in outputs {
        // With a limit on file sizes, here in KiB, a write fails as on a full disk.
        let line = format!("trap '' XFSZ; ulimit -f 30; exec {} film.mp4 {output} --filter blur", transcode.display());
        let run = bench.program(Path::new("bash"), "-c").arg(&line).output().expect("bash runs");
        let text = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
        assert_eq!(run.status.code(), Some(1), "{output}: {text}");
        let errors: Vec<_> = text.lines().filter(|line| line.starts_with("transcode: ")).collect();
        assert_eq!(errors.len(), 1, "{output}: {text}");
    }
    // scripts/reliability writes this row to docs/reliability.md.
    println!("| a full disk while a film is written | {} | the transcoder ends with one error |", outputs.len());
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn lines_in_the_readme_run() {
    let bench = Bench::new("readme");
    bench.ffmpeg(&format!("-f lavfi -i testsrc2=size=32x24:rate=25:duration=0.1 {H264} film.mp4"));
    write_style(&bench.path("painting.jpg"));
    let page = std::fs::read_to_string(root().join("README.md")).expect("the page exists");
    let lines: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("    cargo run --release -p transcode -- ")).collect();
    assert!(lines.len() >= 2, "only {} lines were found", lines.len());
    for line in lines {
        bench.transcode(&line.replace("--preview", ""));
    }
}
