//! Tests of convfilter's numbers: their limits, offsets and thresholds in every range, the middle of even kernels, quotes
//! in chains.

use common::{BACKENDS, Frame, Line, start_error};
use gst::prelude::*;
use gst_video::VideoFormat;

/// A gray frame that is black but for one sample.
fn dot(x: usize, y: usize) -> Frame {
    let mut frame = Frame { format: VideoFormat::Gray8, width: 8, height: 8, bytes: vec![0; 64] };
    frame.bytes[y * 8 + x] = 10;
    frame
}

/// The positions and values of the samples that are not black.
fn bright(frame: &Frame) -> Vec<(usize, usize, u8)> {
    let samples = frame.bytes.iter().enumerate().filter(|&(_, &sample)| sample > 0);
    samples.map(|(index, &sample)| (index % 8, index / 8, sample)).collect()
}

#[test]
#[ignore = "needs scripts/build"]
fn the_middle_of_an_even_side_is_its_second_half_s_first_number() {
    common::init();
    for backend in BACKENDS {
        let run = |settings: &str| {
            let line = format!("convfilter backend={backend} filter=kernel scale=1 border=zero {settings}");
            bright(&Line::playing(&line).push_pull(&dot(4, 4)))
        };
        // The number 4 weighs the sample itself, 1 the one above on the left; so the dot comes out at the lower right, too.
        assert_eq!(run("kernel=\"1 2; 3 4\""), [(4, 4, 40), (5, 4, 30), (4, 5, 20), (5, 5, 10)], "{backend}");
        let upside_down = run("kernel=\"1 2; 3 4\" kernel-order=bottom-up");
        assert_eq!(upside_down, [(4, 3, 20), (5, 3, 10), (4, 4, 40), (5, 4, 30)], "{backend}");
        assert_eq!(run("kernel=\"1 2 3 4\""), [(3, 4, 40), (4, 4, 30), (5, 4, 20), (6, 4, 10)], "{backend}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn numbers_that_32_bits_cannot_hold_are_refused() {
    common::init();
    for kernel in ["1e39", "1e-46 1e-46", "1e999", "nan", "-inf"] {
        let error = start_error(&format!("convfilter filter=kernel kernel=\"{kernel}\""));
        assert!(error.matches(gst::ResourceError::Settings), "{kernel}: {error:?}");
    }
}

/// A frame of 10 bits, of this luma.
fn deep(luma: u16) -> Frame {
    let mut frame = Frame { format: VideoFormat::I42010le, width: 16, height: 16, bytes: Vec::new() };
    frame.bytes = [luma.to_le_bytes().repeat(256), 512u16.to_le_bytes().repeat(128)].concat();
    assert_eq!(frame.bytes.len(), frame.info().size());
    frame
}

const LIMITED: &str = "bt709";
const FULL: &str = "1:3:5:1";

/// The luma of the pixel (8, 8) of a filtered frame whose colorimetry is `range`.
fn filtered_luma(frame: &Frame, range: &str, settings: &str) -> u16 {
    let mut caps = frame.info().to_caps().expect("valid caps");
    caps.make_mut().set("colorimetry", range);
    let buffer = gst::Buffer::from_slice(frame.bytes.clone());
    let sample = gst::Sample::builder().buffer(&buffer).caps(&caps).build();
    let result = Line::playing(&format!("convfilter {settings}")).push_pull_sample(&sample);
    u16::from_le_bytes([result.bytes[PIXEL], result.bytes[PIXEL + 1]])
}

/// The pixel (8, 8), in bytes.
const PIXEL: usize = 2 * (8 * 16 + 8);

#[test]
#[ignore = "needs scripts/build"]
fn offsets_are_8_bit_levels_in_10_bits_too() {
    common::init();
    for backend in BACKENDS {
        let luma = |luma: u16, range: &str, settings: &str| {
            filtered_luma(&deep(luma), range, &format!("backend={backend} filter=kernel scale=1 {settings}"))
        };
        // A negative: black becomes white, white black.
        assert_eq!(luma(64, LIMITED, "kernel=-1 offset=251"), 940, "{backend}");
        assert_eq!(luma(940, LIMITED, "kernel=-1 offset=251"), 64, "{backend}");
        assert_eq!(luma(500, LIMITED, "kernel=1 offset=-25"), 400, "{backend}");
        assert_eq!(luma(0, FULL, "kernel=-1 offset=255"), 1023, "{backend}");
        assert_eq!(luma(1023, FULL, "kernel=-1 offset=255"), 0, "{backend}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn thresholds_are_8_bit_levels_in_10_bits_too() {
    common::init();
    for backend in BACKENDS {
        let is_sharpened = |difference: u16, range: &str, threshold: u32| {
            let mut frame = deep(0);
            frame.bytes[PIXEL..][..2].copy_from_slice(&difference.to_le_bytes());
            // The blur is so wide that nothing is left of a single pixel.
            let settings =
                format!("backend={backend} filter=unsharp-mask radius=1000 percent=10 threshold={threshold}");
            filtered_luma(&frame, range, &settings) != difference
        };
        for (range, threshold, largest) in
            [(LIMITED, 100, 400), (LIMITED, 250, 1000), (FULL, 85, 341), (FULL, 250, 1002)]
        {
            assert!(!is_sharpened(largest, range, threshold), "{backend}: {range}, {threshold}");
            assert!(is_sharpened(largest + 1, range, threshold), "{backend}: {range}, {threshold}");
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn quoted_values_in_a_chain_mean_what_they_mean_outside() {
    common::init();
    let mut frame = dot(4, 4);
    frame.bytes.iter_mut().zip(0..).for_each(|(sample, index)| *sample += index);
    let expected = Line::playing("convfilter filter=kernel kernel=\"1 1; 1 -2\" scale=2").push_pull(&frame).bytes;
    for chain in [
        r#"kernel, kernel="1 1; 1 -2", scale=2"#,
        r#"kernel, kernel=(string)"1 1; 1 -2", scale=2.0;"#,
        r#"  kernel , kernel = "1,1;1,-2" , scale = 2 ; none"#,
        r#"kernel, kernel="1 1\; 1 -2", scale=2"#,
    ] {
        let mut line = Line::new("convfilter");
        line.element.set_property("chain", chain);
        line.pipeline.set_state(gst::State::Playing).unwrap_or_else(|_| panic!("{chain}: {:?}", line.error()));
        assert_eq!(line.push_pull(&frame).bytes, expected, "{chain}");
    }
    // As a shell passes it to gst-launch-1.0.
    let launched = Line::playing(r#"convfilter chain="kernel,\ kernel=\"1\ 1;\ 1\ -2\",\ scale=2""#).push_pull(&frame);
    assert_eq!(launched.bytes, expected);
    for chain in ["kernel, kernel=\"1 1; 1 -2", "kernel, kernel='1 1; 1 -2'", "kernel, kernel=1 1; 1 -2"] {
        let line = Line::new("convfilter");
        line.element.set_property("chain", chain);
        assert!(line.pipeline.set_state(gst::State::Playing).is_err(), "{chain} starts");
        assert!(line.error().expect("an error").message().contains("chain: "), "{chain}");
    }
}
