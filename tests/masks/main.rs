//! Tests the masks of both elements in real pipelines.

mod blend;
mod moving;
mod pad;
mod person;
mod regions;
mod settings;

use std::path::{Path, PathBuf};

use common::{Frame, Line};
use gst::prelude::*;
use gst_video::VideoFormat;

/// The formats that the elements take.
fn formats() -> Vec<VideoFormat> {
    common::init();
    let element = gst::ElementFactory::make("styletransfer").build().expect("the plugin has it");
    let caps = element.pad_template("sink").expect("a template").caps().to_owned();
    let formats = caps.structure(0).expect("a structure").get::<gst::List>("format").expect("formats");
    let formats: Vec<_> =
        formats.iter().map(|format| VideoFormat::from_string(&format.get::<String>().expect("a name"))).collect();
    assert_eq!(formats.len(), 28);
    formats
}

/// Writes a gray picture.
fn write_mask(path: &Path, (width, height): (u32, u32), level: impl Fn(u32, u32) -> u8) {
    image::GrayImage::from_fn(width, height, |x, y| image::Luma([level(x, y)]))
        .save(path)
        .expect("the mask is written");
}

/// A folder with a style, and the elements as for gst-launch-1.0, with fast settings.
fn elements(name: &str) -> (PathBuf, [String; 3]) {
    common::init();
    let folder = common::scratch(&format!("masks-{name}"));
    let style = folder.join("style.png");
    common::write_style(&style);
    let elements = [
        "convfilter filter=emboss backend=cpu".into(),
        "convfilter filter=emboss backend=gpu".into(),
        format!("styletransfer style={} first-iterations=2 iterations=1 device=cpu", style.display()),
    ];
    (folder, elements)
}

/// The result of a first frame.
fn first(line: &str, frame: &Frame) -> Frame {
    Line::playing(line).push_pull(frame)
}
