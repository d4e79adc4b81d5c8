//! No file of a user is lost: the transcoder replaces what it was asked to replace, when the new film is good.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::film::{Bench, Film, H264};
use common::{app, stage};

/// A bench with `film.mp4`, two seconds with sound.
fn bench(name: &str) -> Bench {
    let bench = Bench::new(&format!("files-{name}"));
    bench.ffmpeg(&format!(
        "-f lavfi -i testsrc2=size=160x120:rate=25:duration=2 -f lavfi -i sine=440:duration=2 {H264} -c:a aac film.mp4"
    ));
    bench
}

fn bytes(bench: &Bench, name: &str) -> Vec<u8> {
    fs::read(bench.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of the files in the bench, except for those that GStreamer and the tests themselves make.
fn names(bench: &Bench) -> Vec<String> {
    let files = fs::read_dir(&bench.folder).expect("a folder").flatten();
    let mut names: Vec<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.contains("clip") || name.contains("unfinished") || name.contains("earlier"));
    names.sort();
    names
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn the_input_is_never_the_output() {
    let bench = bench("same");
    let film = bytes(&bench, "film.mp4");
    fs::hard_link(bench.path("film.mp4"), bench.path("hard.mp4")).expect("linked");
    std::os::unix::fs::symlink("film.mp4", bench.path("soft.mp4")).expect("linked");
    fs::hard_link(bench.path("film.mp4"), bench.path("clip.unfinished.mp4")).expect("linked");
    for output in ["film.mp4", "./film.mp4", "hard.mp4", "soft.mp4", "clip.mp4"] {
        for option in ["--overwrite", "--resume"] {
            let text = bench.failure(&format!("film.mp4 {output} --filter none {option}"));
            assert!(text.contains("is the input, too"), "{output} {option}: {text}");
        }
    }
    assert_eq!(bytes(&bench, "film.mp4"), film);
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn an_output_survives_every_failure() {
    let bench = bench("survives");
    fs::write(bench.path("junk.mp4"), vec![0; 3000]).expect("written");
    fs::write(bench.path("bad.png"), "x").expect("written");
    bench.ffmpeg("-f lavfi -i sine=440:duration=1 sound.mp4");
    let film = bytes(&bench, "film.mp4");
    fs::write(bench.path("cut.mkv"), {
        bench.ffmpeg("-i film.mp4 -c copy whole.mkv");
        let whole = bytes(&bench, "whole.mkv");
        whole[..whole.len() / 2].to_vec()
    })
    .expect("written");
    for arguments in [
        "junk.mp4 clip.mp4 --filter none",
        "sound.mp4 clip.mp4 --filter none",
        "film.mp4 clip.mp4 --style bad.png",
        "film.mp4 clip.mp4 --filter none --encoder nosuch",
        "film.mp4 clip.mp4 --filter none --start 100",
        "cut.mkv clip.mp4 --filter none",
    ] {
        fs::write(bench.path("clip.mp4"), &film).expect("written");
        let text = bench.failure(&format!("{arguments} --overwrite"));
        assert_eq!(bytes(&bench, "clip.mp4"), film, "{arguments}: {text}");
        // Only of the torn film there is something to keep.
        let expected =
            if arguments.starts_with("cut") { vec!["clip.mp4", "clip.unfinished.mp4"] } else { vec!["clip.mp4"] };
        assert_eq!(names(&bench), expected, "{arguments}: {text}");
    }
    assert_eq!(bench.transcode("film.mp4 clip.mp4 --filter none --overwrite").frames(), 50);
    assert_eq!(names(&bench), ["clip.mp4"]);
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn only_films_of_this_program_are_resumed() {
    let bench = bench("resume");
    bench.ffmpeg("-i film.mp4 -c copy clip-of-others.mkv");
    fs::write(bench.path("clip-notes.mkv"), "my notes on stylefilter transcode").expect("written");
    for name in ["clip-of-others.mkv", "clip-notes.mkv"] {
        let before = bytes(&bench, name);
        let text = bench.failure(&format!("film.mp4 {name} --filter none --resume"));
        assert!(text.contains(name) && text.contains("nothing to resume"), "{text}");
        assert_eq!(bytes(&bench, name), before);
    }
    // Files of a user with the names of drafts, or like them.
    for name in ["clip.part.mkv", "clip.unfinished.mkv", "clip.earlier.mkv"] {
        let others = bytes(&bench, "clip-of-others.mkv");
        fs::write(bench.path(name), &others).expect("written");
        for option in ["--resume", "--overwrite"] {
            let run = bench.run(&format!("film.mp4 clip.mkv --filter none {option}"));
            assert_eq!(bytes(&bench, name), others);
            let text = String::from_utf8_lossy(&run.stderr);
            if name == "clip.part.mkv" {
                assert!(run.status.success(), "{text}");
                assert_eq!(bench.probe("clip.mkv").frames(), 50);
            } else {
                assert!(!run.status.success() && text.contains(name), "{text}");
            }
        }
        fs::remove_file(bench.path(name)).expect("removed");
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn what_a_crash_left_is_not_replaced_by_accident() {
    let bench = bench("left");
    bench.transcode("film.mp4 clip.mkv --filter none --duration 1");
    fs::rename(bench.path("clip.mkv"), bench.path("clip.unfinished.mkv")).expect("renamed");
    let text = bench.failure("film.mp4 clip.mkv --filter none");
    assert!(text.contains("clip.unfinished.mkv") && text.contains("--resume"), "{text}");
    let film = bench.transcode("film.mp4 clip.mkv --filter none --resume");
    assert_eq!(film.frames(), 50);
    assert_eq!(names(&bench), ["clip.mkv"]);
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn names_need_not_be_utf8() {
    let bench = bench("names");
    let [input, output] =
        [&b"Am\xe9lie.mp4"[..], b"caf\xe9.mkv"].map(|name| bench.folder.join(OsStr::from_bytes(name)));
    fs::copy(bench.path("film.mp4"), &input).expect("copied");
    let mut transcode = common::program(
        app("transcode").to_str().expect("UTF-8"),
        &stage().join("lib/gstreamer-1.0"),
        &bench.path("registry.bin"),
    );
    let run = transcode.arg(&input).arg(&output).args(["--filter", "none"]).output().expect("transcode runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(Film::probe(&output).frames(), 50);
}

/// A running transcoder, which is killed if a test fails.
struct Running(Child);

impl Running {
    fn signal(&self, name: &str) {
        assert!(
            Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().expect("kill runs").success()
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if it has ended.
        let _ = self.0.kill();
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn two_runs_do_not_write_one_output() {
    let bench = Bench::new("files-lock");
    bench.ffmpeg(&format!("-f lavfi -i testsrc2=size=160x120:rate=25:duration=12 {H264} film.mp4"));
    for output in ["clip.mkv", "clip.mp4"] {
        let mut command = bench.command(&format!("film.mp4 {output} --filter median --set size=5"));
        let first = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("transcode runs");
        let mut first = Running(first);
        while !bench.path(&output.replace('.', ".unfinished.")).exists() {
            assert_eq!(first.0.try_wait().expect("its state"), None, "{output}");
            std::thread::sleep(Duration::from_millis(5));
        }
        // It must not end before the others begin.
        first.signal("STOP");
        for option in ["", "--overwrite", "--resume"] {
            let text = bench.failure(&format!("film.mp4 {output} --filter none {option}"));
            assert!(text.contains("another run is writing") && text.contains(output), "{option}: {text}");
        }
        bench.transcode("film.mp4 other.mkv --filter none --duration 1 --overwrite");
        first.signal("CONT");
        assert!(first.0.wait().expect("transcode ends").success(), "{output}");
        assert_eq!(bench.probe(output).frames(), 300, "{output}");
    }
    assert_eq!(names(&bench), ["clip.mkv", "clip.mp4"]);

    // A lock file that a crash left does not lock; a user's file with this name is kept.
    fs::write(bench.path("clip.mkv.lock"), "").expect("written");
    bench.transcode("film.mp4 clip.mkv --filter none --duration 1 --overwrite");
    assert_eq!(names(&bench), ["clip.mkv", "clip.mp4"]);
    fs::write(bench.path("clip.mkv.lock"), "my notes").expect("written");
    let text = bench.failure("film.mp4 clip.mkv --filter none --overwrite");
    assert!(text.contains("clip.mkv.lock is in the way"), "{text}");
    assert_eq!(bytes(&bench, "clip.mkv.lock"), b"my notes");
}
