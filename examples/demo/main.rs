//! The elements at work on a film: `demo [VIDEO] [STYLE]` writes `target/demo/filtered.mp4`, `styled.mp4` and
//! `contact-sheet.png`. Without arguments it films a scene and paints a style of its own.

mod contact_sheet;
mod film;
mod material;
mod noise;
mod painting;
mod scene;

use std::error::Error;
use std::path::{Path, PathBuf};

use contact_sheet::Strip;
use film::Film;
use gst::prelude::*;

/// The filters that the filtered film walks through, each for an equal share of its duration, with what they use.
const FILTERS: [(&str, &str); 5] = [
    ("contour", ""),
    ("emboss", ""),
    ("kernel", "\"1 1 0; 1 1 -1; 0 -1 -1\""),
    ("gaussian-blur", "radius=6"),
    ("edge-enhance-more", ""),
];

/// The longer side at which a CPU paints in bearable time.
const CPU_SIZE: u32 = 480;

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
    let filtered = Film::new(&video, folder.join("filtered.mp4"), &convfilter)?;
    filtered.on_time(&convfilter, |convfilter, share| {
        convfilter.set_property_from_str("filter", filter_at(share).0);
    });
    let filtered = filtered.run()?;

    let styletransfer = gst::ElementFactory::make("styletransfer").property("style", style.to_str()).build()?;
    let styled = Film::new(&video, folder.join("styled.mp4"), &styletransfer)?;
    styled.on_time(&styletransfer, |styletransfer, _| {
        if device(styletransfer) == "cpu" {
            styletransfer.set_property("size", CPU_SIZE);
        }
    });
    let styled = styled.run()?;

    let sheet = folder.join("contact-sheet.png");
    let style_name = style.file_name().unwrap_or_default().to_string_lossy();
    contact_sheet::write(
        &sheet,
        FILTERS.len(),
        &[
            Strip { film: &video, caption: &|_| "source".into() },
            Strip { film: &filtered.path, caption: &|share| format!("{} {}", filter_at(share).0, filter_at(share).1) },
            Strip { film: &styled.path, caption: &|_| format!("styletransfer: {style_name}") },
        ],
    )?;

    println!("\nconvfilter    {filtered}, on {}", convfilter.property::<String>("adapter-name"));
    println!(
        "styletransfer {styled}, on {}, with {}",
        device(&styletransfer),
        styletransfer.property::<String>("network")
    );
    println!("contact sheet {}", sheet.display());
    Ok(())
}

/// The filter at a share (0..1) of the film's duration.
fn filter_at(share: f64) -> (&'static str, &'static str) {
    FILTERS[((share * FILTERS.len() as f64) as usize).min(FILTERS.len() - 1)]
}

/// Where a running styletransfer computes.
fn device(styletransfer: &gst::Element) -> String {
    styletransfer.property::<gst::Structure>("stats").get("device").unwrap_or_default()
}
