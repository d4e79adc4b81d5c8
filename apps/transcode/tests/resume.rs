//! A film that is resumed is the film of one run.

use common::film::{Bench, Film, H264};

/// Makes a film in one run and in two; both must have the same times.
fn resumed(bench: &Bench, input: &str, kind: &str, first: &str, both: &str) {
    let whole = bench.transcode(&format!("{input} whole.{kind} --filter none --overwrite {both}"));
    bench.transcode(&format!("{input} parts.{kind} --filter none --overwrite {first}"));
    let parts = bench.transcode(&format!("{input} parts.{kind} --filter none --resume {both}"));
    assert_same(&parts, &whole, &format!("{input} to {kind}, {first}"));
}

fn assert_same(one: &Film, other: &Film, name: &str) {
    assert_eq!(one.times.len(), other.times.len(), "{name}");
    for (index, (one, other)) in one.times.iter().zip(&other.times).enumerate() {
        assert!((one - other).abs() < 0.0011, "{name}: picture {index} is at {one} instead of {other}");
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn every_rate_is_continued_at_the_next_picture() {
    let bench = Bench::new("resume-rates");
    for rate in ["30000/1001", "24000/1001", "60000/1001", "25"] {
        bench.ffmpeg(&format!("-f lavfi -i testsrc2=size=64x48:rate={rate}:duration=3 -c:v libx264 film.mp4"));
        bench.ffmpeg("-i film.mp4 -c copy film.mkv");
        for length in ["1.01", "1.34", "2.2"] {
            resumed(&bench, "film.mp4", "mp4", &format!("--duration {length}"), "");
        }
        resumed(&bench, "film.mkv", "mp4", "--duration 1.501", "");
        resumed(&bench, "film.mp4", "mkv", "--duration 1.51", "");
        resumed(&bench, "film.mp4", "webm", "--duration 1.51", "");
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn varying_rates_and_parts_are_continued() {
    let bench = Bench::new("resume-varying");
    bench.ffmpeg(
        "-f lavfi -i testsrc2=size=64x48:rate=25:duration=8 -vf select='lt(t,3)+not(mod(n,3))' -fps_mode vfr \
         -c:v libx264 film.mkv",
    );
    for kind in ["mp4", "mkv"] {
        for length in ["2.9", "3.5", "5.05"] {
            resumed(&bench, "film.mkv", kind, &format!("--duration {length}"), "");
        }
        resumed(&bench, "film.mkv", kind, "--start 1.21 --duration 2", "--start 1.21 --duration 4");
    }
    // Twice.
    let whole = bench.transcode("film.mkv whole.mp4 --filter none --overwrite");
    bench.transcode("film.mkv parts.mp4 --filter none --overwrite --duration 3.3");
    bench.transcode("film.mkv parts.mp4 --filter none --resume --duration 5");
    assert_same(&bench.transcode("film.mkv parts.mp4 --filter none --resume"), &whole, "resumed twice");
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn late_pictures_stay_late() {
    let bench = Bench::new("resume-late");
    bench.ffmpeg(&format!(
        "-f lavfi -i testsrc2=size=64x48:rate=25:duration=4 -f lavfi -i sine=440:duration=5 {H264} -c:a aac both.mp4"
    ));
    bench.ffmpeg("-i both.mp4 -itsoffset 1 -i both.mp4 -map 1:v -map 0:a -c copy film.mkv");
    for kind in ["mkv", "mp4", "webm"] {
        resumed(&bench, "film.mkv", kind, "--duration 3.5", "");
    }
    let film = bench.probe("parts.mkv");
    assert!((film.times[0] - 1.0).abs() < 0.05 && film.frames() == 100, "{:?}", film.times.first());
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn what_a_crash_left_is_continued_without_holes() {
    let bench = Bench::new("resume-torn");
    bench.ffmpeg("-f lavfi -i testsrc2=size=160x120:rate=25:duration=6 -c:v libx264 film.mp4");
    for kind in ["mkv", "webm"] {
        let whole = bench.transcode(&format!("film.mp4 whole.{kind} --filter none"));
        let bytes = std::fs::read(bench.path(&format!("whole.{kind}"))).expect("written");
        for percent in [20, 29, 37, 45, 58, 71, 83] {
            let torn = format!("torn.{kind}");
            std::fs::write(bench.path(&torn), &bytes[..bytes.len() * percent / 100]).expect("written");
            let there = bench.probe(&torn).times.len();
            let run = bench.run(&format!("film.mp4 {torn} --filter none --resume"));
            let text = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
            assert!(run.status.success(), "{text}");
            assert_same(&bench.probe(&torn), &whole, &format!("{kind}, {percent} %"));
            // Only the last few pictures are made again.
            let made: usize =
                text.split_once(": ").and_then(|(_, text)| text.split(' ').next()?.parse().ok()).expect(&text);
            assert!(made <= 150 - there + 12, "{made} pictures were made where {there} of 150 were there");
        }
    }
}
