//! Compares films made by several Ray workers with the same films made in one run.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::film::{Bench, packets};
use common::{app, real, root, write_style};

/// Fast settings with a lossless encoder, so that frames can be compared byte for byte.
const PAINTING: &str = "--style style.png --set size=128 --set first-iterations=8 --set iterations=2 --quality 0";

/// The number of frames of each shot.
const FRAMES: [usize; 7] = [30, 25, 20, 25, 15, 25, 10];

/// The maximum wait for a shot. scripts/cluster may have to compile first.
const PATIENCE: Duration = Duration::from_secs(600);

/// A film of seven shots with sound and subtitles, and a style.
fn bench(name: &str) -> Bench {
    let bench = Bench::new(&format!("cluster-{name}"));
    let sources = ["testsrc2", "smptehdbars", "testsrc2", "mandelbrot", "rgbtestsrc", "testsrc", "yuvtestsrc"];
    let (mut inputs, mut filters, mut names) = (String::new(), String::new(), String::new());
    for (index, (source, frames)) in sources.iter().zip(FRAMES).enumerate() {
        inputs += &format!("-f lavfi -i {source}=size=320x240:rate=25 ");
        filters += &format!(
            "[{index}:v]fps=25,scale=320:240,setsar=1,format=yuv420p,trim=end_frame={frames},setpts=PTS-STARTPTS[{index}v];"
        );
        names += &format!("[{index}v]");
    }
    std::fs::write(bench.path("words.srt"), "1\n00:00:00,500 --> 00:00:04,000\nTea\n").expect("written");
    // The only key frame is the first frame, so shots must be found from the frames' contents.
    bench.ffmpeg(&format!(
        "{inputs} -f lavfi -i sine=440:duration=6 -i words.srt -filter_complex {filters}{names}concat=n=7[v] \
         -map [v] -map 7:a -map 8:s -c:v libx264 -g 1000 -x264-params scenecut=0 -c:a aac -c:s srt film.mkv"
    ));
    write_style(&bench.path("style.png"));
    bench
}

fn cluster(bench: &Bench, arguments: &str) -> Command {
    let mut command = bench.program(&root().join("scripts/cluster"), arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Waits for a transcode process of `running`; returns its id and that of the worker that started it.
fn wait_for_shot(running: &mut Child, bench: &Bench) -> (String, String) {
    let begun = Instant::now();
    loop {
        for process in std::fs::read_dir("/proc").expect("/proc exists").flatten() {
            let Ok(line) = std::fs::read_to_string(process.path().join("cmdline")) else { continue };
            let is_shot =
                line.contains("/transcode\0") && line.contains(bench.path("film.mkv").to_str().expect("UTF-8"));
            let Ok(status) = std::fs::read_to_string(process.path().join("status")) else { continue };
            let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).map(|id| id.trim().to_owned());
            if let Some(parent) = parent.filter(|_| is_shot) {
                return (process.file_name().to_string_lossy().into_owned(), parent);
            }
        }
        assert!(running.try_wait().expect("its state").is_none(), "scripts/cluster ended before a shot was seen");
        assert!(begun.elapsed() < PATIENCE, "no shot was started");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn kill(signal: &str, process: &str) {
    assert!(Command::new("kill").args(["-s", signal, process]).status().expect("kill runs").success());
}

fn is_alive(process: &str) -> bool {
    Path::new("/proc").join(process).join("exe").exists()
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn after_a_worker_was_killed_the_film_is_complete() {
    let bench = bench("killed");
    let mut running = cluster(&bench, &format!("film.mkv out.mkv {PAINTING}")).spawn().expect("scripts/cluster runs");
    let (shot, worker) = wait_for_shot(&mut running, &bench);
    // Stopped, so that the shot cannot end by itself before the worker is killed.
    kill("STOP", &shot);
    kill("KILL", &worker);
    let begun = Instant::now();
    while is_alive(&shot) {
        assert!(begun.elapsed() < Duration::from_secs(10), "transcode survives its worker");
        std::thread::sleep(Duration::from_millis(10));
    }
    let (shot, _) = wait_for_shot(&mut running, &bench);
    kill("KILL", &shot);
    let output = running.wait_with_output().expect("scripts/cluster ends");
    let text = words(&output);
    assert!(output.status.success() && text.contains("film.mkv: 7 shots, 150 frames"), "{text}");

    // One thread, as each shot had: another number of threads changes the order of sums.
    let whole = bench.command(&format!("film.mkv whole.mkv {PAINTING}")).env("OMP_NUM_THREADS", "1").output();
    let whole = whole.expect("transcode runs");
    assert!(whole.status.success(), "{}", words(&whole));
    let [joined, whole] = ["out.mkv", "whole.mkv"].map(|film| {
        bench.ffmpeg(&format!("-i {film} -map 0:v -fps_mode passthrough -f framemd5 {film}.md5"));
        let hashes = std::fs::read_to_string(bench.path(&format!("{film}.md5"))).expect("written");
        let hash = |line: &str| line.rsplit(", ").next().map(str::to_owned);
        let frames: Vec<_> = hashes.lines().filter(|line| !line.starts_with('#')).filter_map(hash).collect();
        (frames, bench.probe(film))
    });
    assert_eq!(whole.0.len(), 150);
    for (index, (mine, others)) in joined.0.iter().zip(&whole.0).enumerate() {
        assert_eq!(mine, others, "frame {index}");
    }
    assert_eq!(joined.0.len(), whole.0.len());
    joined.1.keeps_times_of(&bench.probe("film.mkv"));
    assert_eq!(joined.1.codecs("subtitle"), ["subrip"]);
    let sound = packets(&bench.path("film.mkv"), "a:0");
    assert!(!sound.is_empty() && packets(&bench.path("out.mkv"), "a:0") == sound);
    assert!(!bench.path("out.shots").exists(), "shots are left");
}

/// The number of a film's shots.
fn shots(bench: &Bench, film: &str) -> usize {
    let output = bench.program(&app("cluster"), &format!("shots {film}")).output().expect("cluster runs");
    let text = words(&output);
    assert!(output.status.success(), "{text}");
    text.matches("begin").count()
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn films_that_begin_late_are_joined_as_one_run_makes_them() {
    let bench = Bench::new("cluster-late");
    bench.ffmpeg(
        "-f lavfi -i testsrc2=size=160x120:rate=25:duration=2 -f lavfi -i smptebars=size=160x120:rate=25:duration=2 \
         -f lavfi -i mandelbrot=size=160x120:rate=25 -f lavfi -i sine=440:duration=7 -filter_complex \
         [2]trim=duration=2[m];[0][1][m]concat=n=3[v] -map [v] -map 3 -c:v libx264 -c:a aac both.mkv",
    );
    bench.ffmpeg("-itsoffset 1 -i both.mkv -i both.mkv -map 0:v -map 1:a -c copy late-pictures.mkv");
    bench.ffmpeg("-itsoffset 10 -i both.mkv -c copy late-film.mkv");
    for input in ["late-pictures.mkv", "late-film.mkv"] {
        for output in ["out.mkv", "out.mp4"] {
            let run = cluster(&bench, &format!("{input} {output} --filter none --overwrite")).output();
            let run = run.expect("scripts/cluster runs");
            assert!(run.status.success() && words(&run).contains("3 shots, 150 frames"), "{input}: {}", words(&run));
            let whole = bench.transcode(&format!("{input} whole-{output} --filter none --overwrite"));
            let joined = bench.probe(output);
            assert_eq!((joined.frames(), joined.times.len()), (150, 150), "{input} to {output}");
            for (index, (mine, right)) in joined.times.iter().zip(&whole.times).enumerate() {
                assert!((mine - right).abs() < 0.0015, "{input} to {output}: frame {index} at {mine}, not {right}");
            }
            assert_eq!(joined.sound_packets(), whole.sound_packets(), "{input} to {output}");
            let late = if input == "late-pictures.mkv" { 1.0 } else { whole.times[0] };
            assert!((joined.times[0] - late).abs() < 0.1, "{input} to {output} begins at {}", joined.times[0]);
        }
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn a_jerk_of_the_camera_is_no_cut() {
    let bench = Bench::new("cluster-jerk");
    bench.ffmpeg(
        "-f lavfi -i testsrc=size=640x480:rate=25:duration=2 -vf crop=320:240:x=if(lt(n\\,25)\\,0\\,24):y=0 -c:v libx264 jerk.mkv",
    );
    assert_eq!(shots(&bench, "jerk.mkv"), 1);
}

#[test]
#[ignore = "needs scripts/build, scripts/setup --tests and real films"]
fn a_real_shot_has_no_cut() {
    let bench = Bench::new("cluster-shot");
    assert_eq!(shots(&bench, real("video/cockatoo.mp4").to_str().expect("UTF-8")), 1);
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn ray_accepts_the_configurations() {
    let script = "import sys, yaml; from ray.autoscaler._private.util import fillout_defaults, validate_config; \
        validate_config(fillout_defaults(yaml.safe_load(open(sys.argv[1])))); yaml.safe_load(open(sys.argv[2]))";
    let mut python = Command::new(root().join(".deps/python/bin/python"));
    python.args(["-c", script]).args(["aws.yaml", "kuberay.yaml"]).current_dir(root().join("apps/cluster"));
    let output = python.output().expect("scripts/setup --tests installs Ray");
    assert!(output.status.success(), "{}", words(&output));
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn a_stopped_film_continues_with_the_same_command() {
    let bench = bench("stopped");
    let arguments = "film.mkv out.mp4 --filter median --set size=5";
    let mut running = cluster(&bench, &format!("{arguments} --workers 1")).spawn().expect("scripts/cluster runs");
    let begun = Instant::now();
    while !bench.path("out.shots/00000.mp4").exists() {
        assert!(begun.elapsed() < PATIENCE && running.try_wait().expect("its state").is_none());
        std::thread::sleep(Duration::from_millis(10));
    }
    kill("TERM", &running.id().to_string());
    let output = running.wait_with_output().expect("scripts/cluster ends");
    let text = words(&output);
    assert!(!output.status.success() && text.contains("continues from there"), "{text}");
    let finished = std::fs::read_dir(bench.path("out.shots")).expect("a folder").flatten();
    let finished = finished.filter(|file| file.path().extension().is_some_and(|extension| extension == "mp4")).count();
    assert!((1..7).contains(&finished), "{finished} shots");

    let output = cluster(&bench, arguments).output().expect("scripts/cluster runs");
    let text = words(&output);
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("the shot at").count(), 7 - finished, "{text}");
    let film = bench.probe("out.mp4");
    assert_eq!((film.frames(), film.codecs("audio")), (150, vec!["aac"]));

    // Each error names its cause, without a traceback.
    std::fs::hard_link(bench.path("film.mkv"), bench.path("hard.mkv")).expect("linked");
    std::fs::create_dir(bench.path("mine.shots")).expect("made");
    for (arguments, expected) in [
        (arguments, "out.mp4 already exists"),
        ("missing.mkv new.mp4 --filter blur", "missing.mkv"),
        ("film.mkv new.mp4 --filter blur --start 1", "--start"),
        ("film.mkv new.mp4 --filter swirl --retries 1", "swirl"),
        ("film.mkv new.avi --filter blur --retries 0", "new.avi"),
        ("film.mkv film.mkv --filter blur --overwrite", "is the input, too"),
        ("film.mkv hard.mkv --filter blur --overwrite", "is the input, too"),
        ("film.mkv mine.mkv --filter blur", "mine.shots is in the way"),
    ] {
        let output = cluster(&bench, arguments).output().expect("scripts/cluster runs");
        let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let last = text.lines().last().unwrap_or_default();
        assert!(!output.status.success() && last.contains(expected), "{arguments}: {text}");
        assert!(!text.contains("Traceback"), "{arguments}: {text}");
        assert!(!bench.path("new.mp4").exists());
    }
    assert!(bench.path("film.mkv").metadata().is_ok_and(|file| file.len() > 0) && bench.path("mine.shots").exists());
}
