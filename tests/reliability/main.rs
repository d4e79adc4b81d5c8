//! Tests failures of both elements: they must not crash the host program, hang or show garbage.
//!
//! `scripts/reliability` writes each test's description, number of cases and result to docs/reliability.md.

mod buffers;
mod caps;
mod failing;
mod leaks;
mod many;
mod settings;
mod states;
mod styles;

use std::path::{Path, PathBuf};
use std::sync::{Once, OnceLock};

use gst::glib;
use gst::prelude::*;
use gst_video::prelude::*;
use gst_video::{VideoFormat, VideoInfo};

/// Prints a row of the table in docs/reliability.md.
fn report(test: &str, cases: usize, outcome: &str) {
    println!("| {test} | {cases} | {outcome} |");
}

/// Starts GStreamer. A critical message from it or from GLib ends the test.
fn init() {
    static ONCE: Once = Once::new();
    common::init();
    ONCE.call_once(|| {
        glib::log_set_always_fatal(glib::LogLevels::LEVEL_CRITICAL | glib::LogLevels::LEVEL_ERROR);
    });
}

/// Both elements as for gst-launch-1.0, with fast settings: convfilter on the CPU and on a GPU, and styletransfer.
fn elements() -> [String; 3] {
    init();
    let style = style().display();
    [
        "convfilter filter=gaussian-blur backend=cpu".into(),
        "convfilter filter=gaussian-blur backend=gpu".into(),
        format!("styletransfer style={style} size=48 first-iterations=1 iterations=1 device=cpu"),
    ]
}

/// An element by itself.
fn element(description: &str) -> gst::Element {
    init();
    let bin = gst::parse::bin_from_description(description, false).expect(description);
    let element = bin.children().remove(0);
    bin.remove(&element).expect("the element is in the bin");
    element
}

/// A style picture.
fn style() -> &'static Path {
    static STYLE: OnceLock<PathBuf> = OnceLock::new();
    STYLE.get_or_init(|| {
        let path = common::scratch("reliability-style").join("style.png");
        common::write_style(&path);
        path
    })
}

fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    init();
    let builder = VideoInfo::builder(format, width, height).fps(gst::Fraction::new(30, 1));
    builder.build().expect("a valid format")
}

/// A frame of noise.
fn noise(info: &VideoInfo) -> gst::Buffer {
    let bytes = common::random::Random(7).bytes(info.size());
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    buffer.get_mut().expect("new").set_pts(gst::ClockTime::ZERO);
    buffer
}

/// The bytes of a frame's rows, without padding.
fn rows(info: &VideoInfo, buffer: &gst::BufferRef) -> Vec<u8> {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).expect("a frame");
    let mut rows = Vec::new();
    for component in 0..info.n_components() {
        let plane = info.format_info().plane()[component as usize];
        let (data, stride) = (frame.plane_data(plane).expect("a plane"), frame.plane_stride()[plane as usize] as usize);
        let bytes = (info.comp_width(component as u8) * info.comp_pstride(component as u8) as u32) as usize;
        for row in 0..info.comp_height(component as u8) as usize {
            let row = &data[row * stride..];
            rows.extend_from_slice(&row[..bytes.min(row.len())]);
        }
    }
    rows
}
