//! Runs both elements for long and often, and tells what the process holds: `soak [MINUTES]`, rows for docs/reliability.md.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gst::prelude::*;

/// Starts and stops of each element.
const STARTS: u64 = 1000;

/// When what the process holds is looked at: early, but warm, in the middle, and at the end.
const HELD_AT: [f64; 3] = [0.1, 0.5, 1.0];

/// What the process holds.
struct Held {
    mebibytes: u64,
    files: u64,
    threads: u64,
}

impl Held {
    fn now() -> Result<Self, Box<dyn Error>> {
        let status = fs::read_to_string("/proc/self/status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such field")?;
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

/// At full speed.
fn run_long(name: &str, element: &str, time: Duration) -> Result<(), Box<dyn Error>> {
    let source = "videotestsrc pattern=ball ! video/x-raw,width=320,height=240";
    let line = format!("{source} ! {element} ! fakesink name=end sync=false");
    let pipeline = gst::parse::launch(&line)?;
    pipeline.set_state(gst::State::Playing)?;
    let begin = Instant::now();
    let mut held = Vec::new();
    for share in HELD_AT {
        std::thread::sleep(time.mul_f64(share).saturating_sub(begin.elapsed()));
        held.push(Held::now()?);
    }
    let end = pipeline.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("end")).ok_or("no sink")?;
    let frames = end.property::<gst::Structure>("stats").get::<u64>("rendered")?;
    let error = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    pipeline.set_state(gst::State::Null)?;
    if let Some(error) = error {
        return Err(format!("{name}: {error:?}").into());
    }
    tell(&format!("{name} at full speed for {} s, frames", time.as_secs()), frames, &held);
    Ok(())
}

/// From nothing to a frame and back.
fn start_often(name: &str, element: &str) -> Result<(), Box<dyn Error>> {
    let line = format!("videotestsrc ! video/x-raw,width=64,height=48 ! {element} ! fakesink");
    let begin = Instant::now();
    let mut starts = 0;
    let mut held = Vec::new();
    for share in HELD_AT {
        while (starts as f64) < STARTS as f64 * share {
            starts += 1;
            let pipeline = gst::parse::launch(&line)?;
            pipeline.set_state(gst::State::Paused)?;
            // The first frame is made.
            pipeline.state(gst::ClockTime::from_seconds(60)).0?;
            pipeline.set_state(gst::State::Null)?;
        }
        held.push(Held::now()?);
    }
    eprintln!("{name}: {STARTS} starts in {:?}", begin.elapsed());
    tell(&format!("{name} started and stopped"), STARTS, &held);
    Ok(())
}

fn tell(tried: &str, cases: u64, held: &[Held]) {
    let of_each =
        |what: fn(&Held) -> u64| held.iter().map(|held| what(held).to_string()).collect::<Vec<_>>().join(", ");
    let (mebibytes, files, threads) =
        (of_each(|held| held.mebibytes), of_each(|held| held.files), of_each(|held| held.threads));
    println!("| {tried} | {cases} | MiB: {mebibytes}; files: {files}; threads: {threads} |");
}

/// A style picture in a file of its own.
fn style() -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("soak-{}.png", std::process::id()));
    image::RgbImage::from_fn(32, 32, |x, y| image::Rgb([(x * 8) as u8, (y * 8) as u8, 90])).save(&path)?;
    Ok(path)
}
