//! Runs both elements for a long time, starts them many times, and reports the process's memory, files and threads:
//! `soak [MINUTES]` prints rows for docs/reliability.md.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gst::prelude::*;

/// The number of times each element is started and stopped.
const STARTS: u64 = 1000;

/// When resources are measured, as shares of the run: early, but after caches were filled, in the middle, and at the
/// end.
const MEASURED_AT: [f64; 3] = [0.1, 0.5, 1.0];

/// The process's resources.
struct Resources {
    mebibytes: u64,
    files: u64,
    threads: u64,
}

impl Resources {
    fn now() -> Result<Self, Box<dyn Error>> {
        let status = fs::read_to_string("/proc/self/status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let line = line.ok_or_else(|| format!("/proc/self/status has no {name}"))?;
            Ok::<u64, Box<dyn Error>>(line.trim().trim_end_matches(" kB").parse()?)
        };
        let files = fs::read_dir("/proc/self/fd")?.count() as u64;
        Ok(Self { mebibytes: field("VmRSS:")? >> 10, files, threads: field("Threads:")? })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let minutes = std::env::args().nth(1).map_or(Ok(10.0), |minutes| minutes.parse::<f64>())?;
    gst::init()?;
    let style = style()?;
    let painting = format!("styletransfer style={} size=96 first-iterations=2 iterations=1", style.display());
    for (name, element) in [
        ("convfilter on the CPU", "convfilter filter=median size=5 backend=cpu"),
        ("convfilter on a GPU", "convfilter filter=gaussian-blur backend=gpu"),
        ("styletransfer", &painting),
    ] {
        run_long(name, element, Duration::from_secs_f64(minutes * 60.0))?;
        start_often(name, element)?;
    }
    fs::remove_file(style)?;
    Ok(())
}

/// Runs an element at full speed for a time.
fn run_long(name: &str, element: &str, time: Duration) -> Result<(), Box<dyn Error>> {
    let source = "videotestsrc pattern=ball ! video/x-raw,width=320,height=240";
    let line = format!("{source} ! {element} ! fakesink name=end sync=false");
    let pipeline = gst::parse::launch(&line)?;
    pipeline.set_state(gst::State::Playing)?;
    let begin = Instant::now();
    let mut measured = Vec::new();
    for share in MEASURED_AT {
        std::thread::sleep(time.mul_f64(share).saturating_sub(begin.elapsed()));
        measured.push(Resources::now()?);
    }
    let end = pipeline.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("end")).ok_or("no sink")?;
    let frames = end.property::<gst::Structure>("stats").get::<u64>("rendered")?;
    let error = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    pipeline.set_state(gst::State::Null)?;
    if let Some(error) = error {
        return Err(format!("{name}: {error:?}").into());
    }
    report(&format!("{name} at full speed for {} s, frames", time.as_secs()), frames, &measured);
    Ok(())
}

/// Starts and stops an element many times, each time with one frame.
fn start_often(name: &str, element: &str) -> Result<(), Box<dyn Error>> {
    let line = format!("videotestsrc ! video/x-raw,width=64,height=48 ! {element} ! fakesink");
    let begin = Instant::now();
    let mut starts = 0;
    let mut measured = Vec::new();
    for share in MEASURED_AT {
        while (starts as f64) < STARTS as f64 * share {
            starts += 1;
            let pipeline = gst::parse::launch(&line)?;
            pipeline.set_state(gst::State::Paused)?;
            // Waits for the first frame.
            pipeline.state(gst::ClockTime::from_seconds(60)).0?;
            pipeline.set_state(gst::State::Null)?;
        }
        measured.push(Resources::now()?);
    }
    eprintln!("{name}: {STARTS} starts in {:?}", begin.elapsed());
    report(&format!("{name} started and stopped"), STARTS, &measured);
    Ok(())
}

/// Prints a row of the table in docs/reliability.md.
fn report(test: &str, cases: u64, measured: &[Resources]) {
    let list =
        |of: fn(&Resources) -> u64| measured.iter().map(|now| of(now).to_string()).collect::<Vec<_>>().join(", ");
    let (mebibytes, files, threads) = (list(|now| now.mebibytes), list(|now| now.files), list(|now| now.threads));
    println!("| {test} | {cases} | MiB: {mebibytes}; files: {files}; threads: {threads} |");
}

/// Writes a style picture to a temporary file.
fn style() -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("soak-{}.png", std::process::id()));
    image::RgbImage::from_fn(32, 32, |x, y| image::Rgb([(x * 8) as u8, (y * 8) as u8, 90])).save(&path)?;
    Ok(path)
}
