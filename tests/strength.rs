//! Tests that styletransfer's `strength` leaves the share of a frame that is not painted as it is, in every format.

use common::{Frame, Line, scratch};
use gst::prelude::*;
use gst_video::VideoFormat;

/// The formats that the element takes.
fn formats() -> Vec<VideoFormat> {
    let element = gst::ElementFactory::make("styletransfer").build().expect("the plugin has it");
    let caps = element.pad_template("sink").expect("a template").caps().to_owned();
    let formats = caps.structure(0).expect("a structure").get::<gst::List>("format").expect("formats");
    formats.iter().map(|format| VideoFormat::from_string(&format.get::<String>().expect("a name"))).collect()
}

/// A frame of noise: most of its YUV colors are none of RGB's.
fn noise(format: VideoFormat) -> Frame {
    Frame::random(format, (48, 32))
}

fn paint(frame: &Frame, settings: &str) -> Vec<u8> {
    let style = scratch(&format!("strength-{:?}", std::thread::current().id())).join("style.png");
    common::write_style(&style);
    let line = format!("styletransfer style={} device=cpu first-iterations=2 {settings}", style.display());
    Line::playing(&line).push_pull(frame).bytes
}

#[test]
#[ignore = "needs scripts/build"]
fn strength_0_gives_the_frame_back_and_next_to_nothing_changes_nothing() {
    common::init();
    let formats = formats();
    assert_eq!(formats.len(), 28);
    for format in formats {
        let frame = noise(format);
        assert!(paint(&frame, "strength=0") == frame.bytes, "{format}");
        assert!(paint(&frame, "strength=1e-7") == frame.bytes, "{format}");
        assert!(paint(&frame, "strength=1") != frame.bytes, "{format}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_part_of_the_strength_keeps_the_rest_of_every_sample() {
    common::init();
    for format in
        [VideoFormat::I420, VideoFormat::Yuy2, VideoFormat::I42010le, VideoFormat::P01010le, VideoFormat::Ayuv]
    {
        let frame = noise(format);
        let (painted, blended) = (paint(&frame, "strength=1"), paint(&frame, "strength=0.25"));
        let (depth, shift) = (frame.info().format_info().depth()[0], frame.info().format_info().shift()[0]);
        let samples = |bytes: &[u8]| -> Vec<f64> {
            match depth {
                8 => bytes.iter().copied().map(f64::from).collect(),
                _ => bytes.as_chunks().0.iter().map(|&bytes| f64::from(u16::from_le_bytes(bytes) >> shift)).collect(),
            }
        };
        let (before, painted, blended) = (samples(&frame.bytes), samples(&painted), samples(&blended));
        for (index, ((before, painted), blended)) in before.iter().zip(painted).zip(blended).enumerate() {
            let expected = before + (painted - before) * 0.25;
            assert!((blended - expected).abs() <= 0.51, "{format}, sample {index}: {before} {painted} {blended}");
        }
    }
}
