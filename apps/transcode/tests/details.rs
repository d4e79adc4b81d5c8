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
#[ignore = "needs scripts/build and scripts/setup --tests"]
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
#[ignore = "needs scripts/build and scripts/setup --tests"]
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
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn chapters_move_with_the_beginning() {
    let bench = Bench::new("details-chapters");
    std::fs::write(
        bench.path("chapters.txt"),
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=One\n\
         [CHAPTER]\nTIMEBASE=1/1000\nSTART=2000\nEND=4000\ntitle=Two\n",
    )
    .expect("written");
    let chapters = |film: &str| {
        let chapters = sections_of(&bench.path(film), &["-show_chapters"], "CHAPTER");
        let times = |chapter| (number(chapter, "start_time"), number(chapter, "end_time"));
        chapters.iter().map(|chapter| (times(chapter), chapter["TAG:title"].clone())).collect::<Vec<_>>()
    };
    let [one, two] = ["One", "Two"].map(str::to_owned);
    for input in ["film.mkv", "film.mp4"] {
        bench.ffmpeg(&format!("{PICTURES} -i chapters.txt -map 0 -map_chapters 1 {H264} {input}"));
        for output in ["out.mkv", "out.mp4"] {
            for (part, expected) in [
                ("", vec![((0.0, 2.0), one.clone()), ((2.0, 4.0), two.clone())]),
                ("--start 1 --duration 2", vec![((0.0, 1.0), one.clone()), ((1.0, 2.0), two.clone())]),
                ("--start 2.4", vec![((0.0, 1.6), two.clone())]),
            ] {
                bench.transcode(&format!("{input} {output} --filter none --overwrite {part}"));
                assert_eq!(chapters(output), expected, "{input} to {output} {part}");
            }
        }
        let run = bench.run(&format!("{input} out.webm --filter none --overwrite"));
        assert!(String::from_utf8_lossy(&run.stdout).contains("left out: chapters"), "{input}: {run:?}");
    }
    // MP4 with chapters only in a track of text, which are not read.
    bench.ffmpeg("-i film.mp4 -c copy -movflags disable_chpl track.mp4");
    let run = bench.run("track.mp4 out.mkv --filter none --overwrite");
    assert!(String::from_utf8_lossy(&run.stdout).contains("left out: chapters"), "{run:?}");
    assert_eq!(bench.probe("out.mkv").of_type("subtitle").len(), 0, "chapters are no subtitles");
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn hdr10_metadata_is_kept() {
    let bench = Bench::new("details-hdr10");
    bench.ffmpeg(
        "-f lavfi -i testsrc2=size=160x120:rate=25:duration=0.4 -pix_fmt yuv420p10le -c:v libx265 -x265-params \
         log-level=none:hdr10=1:repeat-headers=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:\
         master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400 \
         -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -tag:v hvc1 film.mp4",
    );
    for (output, encoder) in [
        ("x264.mkv", "x264"),
        ("x265.mkv", "x265"),
        ("vp9.webm", "vp9"),
        ("x264.mp4", "x264"),
        ("x265.mp4", "x265"),
        ("vp9.mp4", "vp9"),
    ] {
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
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn vp9_names_the_matrix_of_wide_colors() {
    let bench = Bench::new("details-matrix");
    for transfer in ["smpte2084", "arib-std-b67", "bt2020-10"] {
        bench.ffmpeg(&format!(
            "-f lavfi -i testsrc2=size=160x120:rate=25:duration=0.4 -pix_fmt yuv420p10le -c:v libx265 -x265-params \
             log-level=none -color_primaries bt2020 -color_trc {transfer} -colorspace bt2020nc film.mkv"
        ));
        for output in ["out.webm", "out.mkv"] {
            let film = bench.transcode(&format!("film.mkv {output} --filter none --encoder vp9 --overwrite"));
            let colors = ["color_space", "color_transfer", "color_primaries"].map(|name| film.video()[name].as_str());
            assert_eq!(colors, ["bt2020nc", transfer, "bt2020"], "{output}");
        }
    }
}

/// Makes `film.mkv` with a commentary and forced subtitles, `film.mp4` of it, and a text with spaces in each place.
fn bench_with_marks(name: &str) -> Bench {
    let bench = Bench::new(name);
    std::fs::write(bench.path("lines.srt"), LINES).expect("written");
    std::fs::write(bench.path("font.ttf"), vec![7; 1000]).expect("written");
    let sound = "-f lavfi -i sine=440:duration=4";
    let long = format!("title=Erzähltes {}", "und Wiedererzähltes ".repeat(20));
    for (output, subtitles, attachment) in
        [("film.mkv", "srt", "-attach font.ttf -metadata:s:t mimetype=font/ttf"), ("film.mp4", "mov_text", "")]
    {
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args("-nostdin -loglevel error".split(' ')).args(PICTURES.split(' '));
        ffmpeg.args(sound.split(' ')).args(sound.split(' '));
        ffmpeg.args("-i lines.srt -i lines.srt -map 0 -map 1 -map 2 -map 3 -map 4 -c:v libx264 -c:a aac".split(' '));
        ffmpeg
            .args(["-c:s", subtitles])
            .args("-disposition:v default -disposition:a:0 default -disposition:a:1 comment".split(' '));
        ffmpeg.args("-disposition:s:0 default+forced -disposition:s:1 0".split(' '));
        ffmpeg.args(["-metadata:s:a:1", "title=Director's commentary", "-metadata:s:s:0", &long]);
        ffmpeg.args(["-metadata", "title=A film: it's \"quoted\"", "-metadata", "artist=Jöhn Doe"]);
        ffmpeg.args(attachment.split_whitespace()).arg(output);
        assert!(ffmpeg.current_dir(&bench.folder).status().expect("ffmpeg runs").success());
    }
    bench
}

/// The marks of each track: default, forced, comment.
fn marks(bench: &Bench, film: &str) -> Vec<[String; 3]> {
    let streams = bench.probe(film).streams;
    let tracks = streams.iter().filter(|stream| stream["codec_type"] != "attachment");
    tracks
        .map(|track| ["default", "forced", "comment"].map(|name| track[&format!("DISPOSITION:{name}")].clone()))
        .collect()
}

/// The name of each track.
fn titles(bench: &Bench, film: &str) -> Vec<Option<String>> {
    let streams = bench.probe(film).streams;
    let tracks = streams.iter().filter(|stream| stream["codec_type"] != "attachment");
    tracks.map(|track| track.get("TAG:title").cloned()).collect()
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn tracks_keep_their_names_and_marks() {
    let bench = bench_with_marks("details-marks");
    let (names, right) = (titles(&bench, "film.mkv"), marks(&bench, "film.mkv"));
    assert_eq!(names.iter().flatten().count(), 2, "{names:?}");
    let expected = [["1", "0", "0"], ["1", "0", "0"], ["0", "0", "1"], ["1", "1", "0"], ["0", "0", "0"]];
    assert_eq!(right, expected);
    for input in ["film.mkv", "film.mp4"] {
        for output in ["out.mkv", "out.mp4", "out.webm"] {
            let name = format!("{input} to {output}");
            let run = bench.run(&format!("{input} {output} --filter none --overwrite"));
            let text = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
            assert!(run.status.success() && !text.contains("marks"), "{name}: {text}");
            assert_eq!(text.contains("left out: attachments"), input == "film.mkv", "{name}: {text}");
            // WebM holds no subtitles here.
            let tracks = if output == "out.webm" { 3 } else { 5 };
            assert_eq!(marks(&bench, output), right[..tracks], "{name}");
            let film = bench.probe(output);
            assert_eq!(
                (film.tag("title"), film.tag("artist")),
                (Some("A film: it's \"quoted\""), Some("Jöhn Doe")),
                "{name}"
            );
            assert_eq!(film.frames(), 100, "{name}");
            if output == "out.mp4" {
                // ffprobe does not read names of MP4.
                bench.transcode("out.mp4 names.mkv --filter none --overwrite");
                assert_eq!(titles(&bench, "names.mkv"), names, "{name}");
            } else {
                assert_eq!(titles(&bench, output), names[..tracks], "{name}");
            }
        }
    }
    // Marks that MP4 does not have, and a film without a title, which must not get that of a track.
    bench.ffmpeg("-i film.mkv -map 0:v -map 0:a -c copy -metadata title= -disposition:a:1 visual_impaired seen.mkv");
    let run = bench.run("seen.mkv out.mp4 --filter none --overwrite");
    assert!(String::from_utf8_lossy(&run.stdout).contains("left out: marks of tracks"), "{run:?}");
    assert_eq!(bench.probe("out.mp4").tag("title"), None);
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn subtitles_that_are_left_out_may_end_a_film() {
    let bench = bench_with_marks("details-words");
    bench.ffmpeg("-t 2 -i film.mkv -i lines.srt -map 0:v -map 0:a -map 1 -c copy long-words.mkv");
    bench.transcode("long-words.mkv words.webm --filter none");
}
