//! Subtitles, chapters, and what else belongs to a film.

use common::film::{Bench, H264, number, sections_of};

const PICTURES: &str = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=4";
const LINES: &str = "1\n00:00:00,500 --> 00:00:02,000\nOne\n\n2\n00:00:01,000 --> 00:00:03,000\nTwo overlaps\n\n\
    3\n00:00:03,200 --> 00:00:03,800\nThree <i>it</i>\n";

/// The beginning, the end and the text of each subtitle.
fn lines(bench: &Bench, film: &str) -> Vec<(f64, f64, String)> {
    bench.ffmpeg(&format!("-i {film} -map 0:s -c:s srt lines.srt"));
    let text = std::fs::read_to_string(bench.path("lines.srt")).expect("written");
    let seconds = |time: &str| {
        let parts = time.trim().replace(',', ".");
        parts.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().expect("a number"))
    };
    let blocks = text.trim().split("\n\n").filter(|block| !block.is_empty());
    let line = |block: &str| {
        let mut rows = block.lines().skip(1);
        let (begin, end) = rows.next().and_then(|row| row.split_once("-->")).expect("times");
        // ffmpeg adds a font to texts of MP4.
        let text = rows.collect::<Vec<_>>().join(" ");
        let text = text.rsplit_once("\">").map_or(text.as_str(), |(_, text)| text).replace("</font>", "");
        (seconds(begin), seconds(end), text)
    };
    blocks.map(line).filter(|(_, _, text)| !text.trim().is_empty()).collect()
}

fn assert_lines(bench: &Bench, film: &str, expected: &[(f64, f64, &str)], name: &str) {
    let came = lines(bench, film);
    let is_right = came.len() == expected.len()
        && came.iter().zip(expected).all(|((begin, end, text), (right_begin, right_end, right_text))| {
            (begin - right_begin).abs() < 0.011 && (end - right_end).abs() < 0.011 && text == right_text
        });
    assert!(is_right, "{name}: {came:?} instead of {expected:?}");
}

#[test]
fn subtitles_keep_their_times_and_end_with_the_film() {
    let bench = Bench::new("details-subtitles");
    std::fs::write(bench.path("lines.srt"), LINES).expect("written");
    bench.ffmpeg(&format!("{PICTURES} -i lines.srt -map 0 -map 1 {H264} -c:s srt film.mkv"));
    bench.transcode("film.mkv whole.mkv --filter none");
    let three = (3.2, 3.8, "Three it");
    assert_lines(&bench, "whole.mkv", &[(0.5, 2.0, "One"), (1.0, 3.0, "Two overlaps"), three], "Matroska");
    // MP4 shows one line at a time.
    let run = bench.run("film.mkv whole.mp4 --filter none");
    assert!(String::from_utf8_lossy(&run.stdout).contains("one subtitle at a time"), "{run:?}");
    assert_lines(&bench, "whole.mp4", &[(0.5, 1.0, "One"), (1.0, 3.0, "Two overlaps"), three], "MP4");
    for (part, expected) in [
        ("--start 1.5 --duration 1.5", vec![(0.0, 0.5, "One"), (0.0, 1.5, "Two overlaps")]),
        ("--start 0.9 --duration 0.5", vec![(0.0, 0.5, "One"), (0.1, 0.5, "Two overlaps")]),
        ("--start 2.5", vec![(0.0, 0.5, "Two overlaps"), (0.7, 1.3, "Three it")]),
        ("--duration 0.8", vec![(0.5, 0.8, "One")]),
    ] {
        bench.transcode(&format!("film.mkv part.mkv --filter none --overwrite {part}"));
        assert_lines(&bench, "part.mkv", &expected, part);
    }
}

#[test]
fn subtitles_of_an_unknown_kind_are_left_out_and_named() {
    let bench = Bench::new("details-webvtt");
    std::fs::write(bench.path("words.vtt"), "WEBVTT\n\n00:00.500 --> 00:01.500\nHi <b>there</b>\n").expect("written");
    bench.ffmpeg(&format!("{PICTURES} -i words.vtt -map 0 -map 1 -c:v libvpx -c:s webvtt film.webm"));
    bench.ffmpeg("-i film.webm -map 0 -c copy film.mkv");
    for input in ["film.webm", "film.mkv"] {
        for output in ["out.mp4", "out.mkv", "out.webm"] {
            let run = bench.run(&format!("{input} {output} --filter none --overwrite"));
            let text = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
            assert!(
                run.status.success() && text.contains("left out: application/x-subtitle"),
                "{input} to {output}: {text}"
            );
            assert_eq!(bench.probe(output).frames(), 100, "{input} to {output}");
        }
    }
}

#[test]
fn chapters_move_with_the_beginning() {
    let bench = Bench::new("details-chapters");
    std::fs::write(
        bench.path("chapters.txt"),
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=One\n\
         [CHAPTER]\nTIMEBASE=1/1000\nSTART=2000\nEND=4000\ntitle=Two\n",
    )
    .expect("written");
    bench.ffmpeg(&format!("{PICTURES} -i chapters.txt -map 0 -map_chapters 1 {H264} film.mkv"));
    let chapters = |film: &str| {
        let chapters = sections_of(&bench.path(film), &["-show_chapters"], "CHAPTER");
        chapters.iter().map(|chapter| (number(chapter, "start_time"), number(chapter, "end_time"))).collect::<Vec<_>>()
    };
    bench.transcode("film.mkv whole.mkv --filter none");
    assert_eq!(chapters("whole.mkv"), [(0.0, 2.0), (2.0, 4.0)]);
    bench.transcode("film.mkv part.mkv --filter none --start 1 --duration 2");
    assert_eq!(chapters("part.mkv"), [(0.0, 1.0), (1.0, 2.0)]);
    bench.transcode("film.mkv end.mkv --filter none --start 2.5");
    assert_eq!(chapters("end.mkv"), [(0.0, 1.5)]);
    for output in ["out.mp4", "out.webm"] {
        let run = bench.run(&format!("film.mkv {output} --filter none"));
        assert!(String::from_utf8_lossy(&run.stdout).contains("left out: chapters"), "{output}: {run:?}");
    }
}

#[test]
fn hdr10_metadata_is_kept_or_left_out_with_a_word() {
    let bench = Bench::new("details-hdr10");
    bench.ffmpeg(
        "-f lavfi -i testsrc2=size=160x120:rate=25:duration=0.4 -pix_fmt yuv420p10le -c:v libx265 -x265-params \
         log-level=none:hdr10=1:repeat-headers=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:\
         master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400 \
         -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -tag:v hvc1 film.mp4",
    );
    for (output, encoder) in [("x264.mkv", "x264"), ("x265.mkv", "x265"), ("vp9.webm", "vp9")] {
        bench.transcode(&format!("film.mp4 {output} --filter none --encoder {encoder}"));
        let mut ffprobe = std::process::Command::new("ffprobe");
        let entries = "stream_side_data=min_luminance,max_luminance,max_content,max_average";
        ffprobe.args(["-loglevel", "error", "-show_entries", entries, "-of", "default=nw=1", output]);
        let run = ffprobe.current_dir(&bench.folder).output().expect("ffprobe runs");
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        let value = |name: &str| {
            let text = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).expect(&text);
            let (number, of) = text.split_once('/').unwrap_or((text, "1"));
            number.parse::<f64>().expect("a number") / of.parse::<f64>().expect("a number")
        };
        assert!((value("max_luminance") - 1000.0).abs() < 0.1, "{output}: {text}");
        assert!((value("min_luminance") - 0.0001).abs() < 1e-6, "{output}: {text}");
        assert_eq!((value("max_content"), value("max_average")), (1000.0, 400.0), "{output}");
    }
    let run = bench.run("film.mp4 x264.mp4 --filter none");
    assert!(String::from_utf8_lossy(&run.stdout).contains("left out: HDR10 metadata"), "{run:?}");
}

#[test]
fn tracks_keep_their_marks_and_texts_their_spaces() {
    let bench = Bench::new("details-marks");
    std::fs::write(bench.path("lines.srt"), LINES).expect("written");
    std::fs::write(bench.path("font.ttf"), vec![7; 1000]).expect("written");
    let sound = "-f lavfi -i sine=440:duration=4";
    let mut ffmpeg = std::process::Command::new("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-loglevel", "error"])
        .args(PICTURES.split(' '))
        .args(sound.split(' '))
        .args(sound.split(' '));
    ffmpeg
        .args("-i lines.srt -i lines.srt -map 0 -map 1 -map 2 -map 3 -map 4 -c:v libx264 -c:a aac -c:s srt".split(' '));
    ffmpeg.args("-disposition:a:0 default -disposition:a:1 0 -disposition:s:0 forced -disposition:s:1 0".split(' '));
    ffmpeg.args(["-metadata", "title=A film: it's \"quoted\"", "-metadata", "artist=Jöhn Doe"]);
    ffmpeg.args("-attach font.ttf -metadata:s:t mimetype=font/ttf marks.mkv".split(' '));
    assert!(ffmpeg.current_dir(&bench.folder).status().expect("ffmpeg runs").success());
    let marks = |film: &str| {
        let streams = bench.probe(film).streams;
        let tracks = streams.iter().filter(|stream| stream["codec_type"] != "attachment");
        tracks
            .map(|track| (track["DISPOSITION:default"].clone(), track["DISPOSITION:forced"].clone()))
            .collect::<Vec<_>>()
    };
    let run = bench.run("marks.mkv out.mkv --filter none");
    assert!(String::from_utf8_lossy(&run.stdout).contains("left out: attachments"), "{run:?}");
    assert_eq!(marks("out.mkv"), marks("marks.mkv"));
    let film = bench.probe("out.mkv");
    assert_eq!((film.tag("title"), film.tag("artist")), (Some("A film: it's \"quoted\""), Some("Jöhn Doe")));
    assert_eq!(film.frames(), 100);
    // Subtitles that are left out may be the last thing in a film.
    bench.ffmpeg("-t 2 -i marks.mkv -i lines.srt -map 0:v -map 0:a -map 1 -c copy long-words.mkv");
    bench.transcode("long-words.mkv words.webm --filter none");
    bench.transcode("marks.mkv out.webm --filter none");
    assert_eq!(marks("out.webm"), marks("marks.mkv")[..3]);
}
