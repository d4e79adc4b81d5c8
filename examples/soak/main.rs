//! Runs both elements for long and often, and tells what the process holds: `soak [MINUTES]`, rows for docs/reliability.md.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gst::prelude::*;

/// Starts and stops of each element.
const STARTS: usize = 1000;

/// What the process holds.
#[derive(Clone, Copy)]
struct Held {
    mebibytes: u64,
    files: usize,
    threads: usize,
}

impl Held {
    fn now() -> Result<Self, Box<dyn Error>> {
        let status = fs::read_to_string("/proc/self/status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such field")?;
            Ok::<u64, Box<dyn Error>>(line.trim().trim_end_matches(" kB").parse()?)
        };
        let files = fs::read_dir("/proc/self/fd")?.count();
        Ok(Self { mebibytes: field("VmRSS:")? >> 10, files, threads: field("Threads:")? as usize })
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

/// At full speed; what is held is compared once the first tenth is over.
fn run_long(name: &str, element: &str, time: Duration) -> Result<(), Box<dyn Error>> {
    let source = "videotestsrc pattern=ball ! video/x-raw,width=320,height=240";
    let line = format!("{source} ! {element} ! fakesink name=end sync=false");
    let pipeline = gst::parse::launch(&line)?;
    pipeline.set_state(gst::State::Playing)?;
    std::thread::sleep(time / 10);
    let before = Held::now()?;
    std::thread::sleep(time - time / 10);
    let after = Held::now()?;
    let end = pipeline.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("end")).ok_or("no sink")?;
    let frames = end.property::<gst::Structure>("stats").get::<u64>("rendered")?;
    let error = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    pipeline.set_state(gst::State::Null)?;
    if let Some(error) = error {
        return Err(format!("{name}: {error:?}").into());
    }
    tell(&format!("{name} at full speed for {} s, frames", time.as_secs()), frames, before, after);
    Ok(())
}

/// From nothing to a frame and back; what is held is compared once the first tenth is over.
fn start_often(name: &str, element: &str) -> Result<(), Box<dyn Error>> {
    let line = format!("videotestsrc ! video/x-raw,width=64,height=48 ! {element} ! fakesink");
    let mut before = Held::now()?;
    let begin = Instant::now();
    for round in 0..STARTS {
        if round == STARTS / 10 {
            before = Held::now()?;
        }
        let pipeline = gst::parse::launch(&line)?;
        pipeline.set_state(gst::State::Paused)?;
        // The first frame is made.
        pipeline.state(gst::ClockTime::from_seconds(60)).0?;
        pipeline.set_state(gst::State::Null)?;
    }
    eprintln!("{name}: {STARTS} starts in {:?}", begin.elapsed());
    tell(&format!("{name} started and stopped"), STARTS as u64, before, Held::now()?);
    Ok(())
}

fn tell(tried: &str, cases: u64, before: Held, after: Held) {
    let Held { mebibytes, files, threads } = after;
    println!(
        "| {tried} | {cases} | {} to {mebibytes} MiB, {} to {files} files, {} to {threads} threads |",
        before.mebibytes, before.files, before.threads
    );
}

/// A style picture in a file of its own.
fn style() -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("soak-{}.png", std::process::id()));
    image::RgbImage::from_fn(32, 32, |x, y| image::Rgb([(x * 8) as u8, (y * 8) as u8, 90])).save(&path)?;
    Ok(path)
}
