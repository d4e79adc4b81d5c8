//! Shows both elements on a film: `demo [VIDEO] [STYLE]` writes `target/demo/filtered.mp4`, `styled.mp4` and
//! `contact-sheet.png`. Without arguments it generates a film and a style picture.

mod contact_sheet;
mod material;
mod scene;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use contact_sheet::Strip;
use film::Film;
use film::bar::Bar;
use gst::prelude::*;

/// The filters of the filtered film, each for an equal part of its duration, and the properties for the caption.
const FILTERS: [(&str, &str); 5] = [
    ("contour", ""),
    ("emboss", ""),
    ("kernel", "\"1 1 0; 1 1 -1; 0 -1 -1\""),
    ("gaussian-blur", "radius=6"),
    ("edge-enhance-more", ""),
];

/// styletransfer's `size` on a CPU, where the film's own size would take too long.
const CPU_SIZE: i32 = 480;

fn main() -> Result<(), Box<dyn Error>> {
    gst::init()?;
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = Path::new("target/demo");
    std::fs::create_dir_all(folder)?;
    let video = match arguments.next() {
        Some(video) => video,
        None => material::clip(folder)?,
    };
    let style = match arguments.next() {
        Some(style) => style,
        None => material::style(folder)?,
    };

    let convfilter = gst::ElementFactory::make("convfilter")
        .property("kernel", "1 1 0; 1 1 -1; 0 -1 -1")
        .property("radius", 6.0)
        .build()?;
    on_time(&convfilter, |convfilter, share| convfilter.set_property_from_str("filter", filter_at(share).0));
    let filtered = folder.join("filtered.mp4");
    let filtering = make(&video, &filtered, &convfilter)?;

    let styletransfer = gst::ElementFactory::make("styletransfer").property("style", style.to_str()).build()?;
    on_time(&styletransfer, |styletransfer, _| {
        if device(styletransfer) == "cpu" {
            styletransfer.set_property("size", CPU_SIZE);
        }
    });
    let styled = folder.join("styled.mp4");
    let styling = make(&video, &styled, &styletransfer)?;

    let sheet = folder.join("contact-sheet.png");
    let style_name = style.file_name().unwrap_or_default().to_string_lossy();
    contact_sheet::write(
        &sheet,
        FILTERS.len(),
        &[
            Strip { film: &video, caption: &|_| "source".into() },
            Strip { film: &filtered, caption: &|share| format!("{} {}", filter_at(share).0, filter_at(share).1) },
            Strip { film: &styled, caption: &|_| format!("styletransfer: {style_name}") },
        ],
    )?;

    println!("\nconvfilter    {filtering}, on {}", convfilter.property::<String>("adapter-name"));
    println!(
        "styletransfer {styling}, on {}, with {}",
        device(&styletransfer),
        styletransfer.property::<String>("network")
    );
    println!("contact sheet {}", sheet.display());
    Ok(())
}

/// Converts a film with a progress bar; returns a line with the measurements.
fn make(video: &Path, path: &Path, element: &gst::Element) -> Result<String, Box<dyn Error>> {
    let bar = Bar::new(path)?;
    let made = Film::new(video, path.to_owned(), element).make(|progress| bar.show(progress), &AtomicBool::new(false));
    drop(bar);
    let made = made?;
    let summary = format!("{}: {made}", path.display());
    println!("{summary}");
    Ok(summary)
}

/// Calls `change` before each frame, with the frame's position in the film (0..1).
fn on_time(element: &gst::Element, change: impl Fn(&gst::Element, f64) + Send + Sync + 'static) {
    let (Some(pad), target) = (element.static_pad("sink"), element.downgrade()) else { return };
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let duration = pad.peer_query_duration::<gst::ClockTime>();
        if let (Some(target), Some(duration), Some(time)) =
            (target.upgrade(), duration, info.buffer().and_then(|buffer| buffer.pts()))
        {
            change(&target, time.nseconds() as f64 / duration.nseconds().max(1) as f64);
        }
        gst::PadProbeReturn::Ok
    });
}

/// The filter at a position in the film (0..1).
fn filter_at(share: f64) -> (&'static str, &'static str) {
    FILTERS[((share * FILTERS.len() as f64) as usize).min(FILTERS.len() - 1)]
}

/// The device of a running styletransfer.
fn device(styletransfer: &gst::Element) -> String {
    styletransfer.property::<gst::Structure>("stats").get("device").unwrap_or_default()
}
