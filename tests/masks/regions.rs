//! Several styles or models, each in its own region.

use std::path::{Path, PathBuf};

use common::random::Random;
use common::{Frame, Line, start_error};
use gst::prelude::*;
use gst_video::VideoFormat;

use crate::write_mask;

/// A folder with a red and a blue style, and masks of the left and the right half.
fn folder(name: &str) -> PathBuf {
    common::init();
    let folder = common::scratch(&format!("regions-{name}"));
    for (name, bright, dark) in [("red.png", [240, 60, 50], [60, 0, 0]), ("blue.png", [50, 70, 240], [0, 0, 60])] {
        let stripes = |x: u32, y: u32| image::Rgb(if ((x + y) / 4).is_multiple_of(2) { bright } else { dark });
        image::RgbImage::from_fn(64, 64, stripes).save(folder.join(name)).expect("the style is written");
    }
    write_mask(&folder.join("left.png"), (96, 64), |x, _| if x < 48 { 255 } else { 0 });
    write_mask(&folder.join("right.png"), (96, 64), |x, _| if x < 48 { 0 } else { 255 });
    folder
}

/// `styles` and `masks` are names, separated by commas.
fn element(folder: &Path, styles: &str, masks: &str) -> String {
    let paths = |names: &str| {
        let paths: Vec<_> = names.split(',').map(|name| folder.join(name).display().to_string()).collect();
        paths.join(",")
    };
    let masks = if masks.is_empty() { String::new() } else { format!("mask={}", paths(masks)) };
    format!("styletransfer style={} {masks} device=cpu first-iterations=30 iterations=8", paths(styles))
}

fn frame() -> Frame {
    let mut random = Random(8);
    let pixel =
        |at: u32| [at % 96 + 60, at / 96 + 80, at % 96 + 60].map(|value| value as u8 + random.number() as u8 % 30);
    let bytes = (0..96 * 64).flat_map(pixel);
    Frame { format: VideoFormat::Rgb, width: 96, height: 64, bytes: bytes.collect() }
}

/// How much more red than blue the left and the right part of a frame are.
fn redness(frame: &Frame) -> [i64; 2] {
    [4..44usize, 52..92].map(|columns| {
        let pixels = || frame.bytes.chunks(288).flat_map(|row| row[3 * columns.start..3 * columns.end].chunks(3));
        pixels().map(|pixel| i64::from(pixel[0]) - i64::from(pixel[2])).sum::<i64>() / pixels().count() as i64
    })
}

fn check(name: &str, frame: &Frame, is_red: [bool; 2]) {
    for (redness, is_red) in redness(frame).into_iter().zip(is_red) {
        assert!(if is_red { redness > 30 } else { redness < -30 }, "{name}: {redness}, red: {is_red}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn each_style_has_its_region_and_the_last_takes_the_rest() {
    let folder = folder("rest");
    let frame = frame();
    let mut line = Line::playing(&element(&folder, "red.png,blue.png", "left.png"));
    check("left", &line.push_pull(&frame), [true, false]);
    line.element.set_property("mask", folder.join("right.png").to_str());
    let results: Vec<_> = (0..10).map(|_| line.push_pull(&frame)).collect();
    check("right, while playing", &results[9], [false, true]);
    line.element.set_property("mask-invert", true);
    let results: Vec<_> = (0..10).map(|_| line.push_pull(&frame)).collect();
    check("inverted", &results[9], [true, false]);
}

#[test]
#[ignore = "needs scripts/build"]
fn with_a_mask_for_each_style_the_rest_stays() {
    let folder = folder("each");
    write_mask(&folder.join("edge.png"), (96, 64), |x, _| if x < 10 { 255 } else { 0 });
    let frame = frame();
    let result = Line::playing(&element(&folder, "red.png,blue.png", "edge.png,right.png")).push_pull(&frame);
    for (before, after) in frame.bytes.chunks(288).zip(result.bytes.chunks(288)) {
        assert!(before[30..144] == after[30..144] && before[..30] != after[..30] && before[144..] != after[144..]);
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn styles_and_masks_that_do_not_fit_are_refused() {
    let folder = folder("count");
    let error = start_error(&element(&folder, "red.png,blue.png,red.png", "left.png"));
    assert!(error.matches(gst::ResourceError::Settings) && error.message().contains("1, does not fit 3"), "{error}");
    let frame = frame();
    let mut line = Line::playing(&element(&folder, "red.png,blue.png", "left.png"));
    check("before", &line.push_pull(&frame), [true, false]);
    line.element.set_property_from_str("style-loss", "sliced-wasserstein");
    check("after", &line.push_pull(&frame), [true, false]);
    assert!(line.warning().expect("a warning").message().contains("gram or mean-covariance"));
}

#[test]
#[ignore = "needs scripts/build"]
fn a_second_style_may_come_while_playing() {
    let folder = folder("more");
    let frame = frame();
    let mut line = Line::playing(&element(&folder, "red.png", "left.png"));
    let first = line.push_pull(&frame);
    assert!(redness(&first)[1] == redness(&frame)[1], "the right half stays");
    let styles = ["red.png", "blue.png"].map(|name| folder.join(name).display().to_string()).join(",");
    line.element.set_property("style", styles);
    let results: Vec<_> = (0..10).map(|_| line.push_pull(&frame)).collect();
    check("two styles", &results[9], [true, false]);
}

#[test]
#[ignore = "needs scripts/build"]
fn the_pads_mask_divides_frames_between_two_styles() {
    let folder = folder("pad");
    let line = Line::new(&element(&folder, "red.png,blue.png", ""));
    let masks = gst_app::AppSrc::builder().format(gst::Format::Time).build();
    line.pipeline.add(&masks).expect("added");
    let pad = line.element.request_pad_simple("mask").expect("a pad");
    masks.static_pad("src").expect("a pad").link(&pad).expect("linked");
    line.pipeline.set_state(gst::State::Playing).expect("the pipeline starts");
    let left =
        Frame { format: VideoFormat::Gray8, width: 96, height: 64, bytes: [[255; 48], [0; 48]].concat().repeat(64) };
    masks.push_sample(&left.sample(gst::ClockTime::ZERO)).expect("taken");
    masks.end_of_stream().expect("taken");
    let mut line = line;
    check("pad", &line.push_pull(&frame()), [true, false]);
}

#[test]
#[ignore = "needs scripts/build"]
fn each_model_has_its_region() {
    let folder = folder("models");
    let frame = frame();
    let painted = |models: &str, mask: &str| {
        let mask = if mask.is_empty() { String::new() } else { format!("mask={}", folder.join(mask).display()) };
        Line::playing(&format!("styletransfer model={models} {mask} device=cpu precision=f32")).push_pull(&frame)
    };
    let alone = ["starry-night", "the-scream"].map(|model| painted(model, ""));
    let both = painted("starry-night,the-scream", "left.png");
    let half = |frame: &Frame, left: bool| -> Vec<u8> {
        frame.bytes.chunks(288).flat_map(|row| if left { row[..144].to_vec() } else { row[144..].to_vec() }).collect()
    };
    assert!(half(&alone[0], true) != half(&alone[1], true));
    assert_eq!([half(&both, true), half(&both, false)], [half(&alone[0], true), half(&alone[1], false)]);

    let error = start_error(
        &element(&folder, "red.png,blue.png,red.png", "left.png,right.png")
            .replace("styletransfer ", "styletransfer model=starry-night,the-scream "),
    );
    assert!(error.message().contains("2 models do not fit 3 styles"), "{error}");
}

/// Writes an indexed picture of one row, enlarged by frames, whose palette has colors.
fn write_indexed(path: &Path, row: &[u8]) {
    let file = std::fs::File::create(path).expect("a file");
    let mut encoder = png::Encoder::new(file, row.len() as u32, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(&[200, 0, 0, 0, 200, 0, 0, 0, 200, 90, 90, 0][..]);
    encoder.write_header().expect("a header").write_image_data(row).expect("a row");
}

#[test]
#[ignore = "needs scripts/build"]
fn an_indexed_picture_has_the_region_of_each_style() {
    let folder = folder("indexed");
    let frame = frame();
    write_indexed(&folder.join("left.png"), &[0, 1]);
    let mut line = Line::playing(&element(&folder, "red.png,blue.png", "left.png"));
    check("0 and 1", &line.push_pull(&frame), [true, false]);
    write_indexed(&folder.join("swapped.png"), &[1, 0]);
    line.element.set_property("mask", folder.join("swapped.png").to_str());
    let results: Vec<_> = (0..10).map(|_| line.push_pull(&frame)).collect();
    check("1 and 0, while playing", &results[9], [false, true]);

    // Index 3 belongs to none of three styles.
    write_indexed(&folder.join("rest.png"), &[2, 3, 3, 0]);
    let result = Line::playing(&element(&folder, "red.png,blue.png,blue.png", "rest.png")).push_pull(&frame);
    for (before, after) in frame.bytes.chunks(288).zip(result.bytes.chunks(288)) {
        assert!(before[108..180] == after[108..180] && before[..108] != after[..108] && before[180..] != after[180..]);
    }

    // Between two regions, stretched edges leave nothing of the frame: the mean of both models.
    write_indexed(&folder.join("soft.png"), &[0, 1]);
    let painted = |models: &str, mask: &str| {
        let line = format!("styletransfer model={models} {mask} device=cpu precision=f32 warm-start=none");
        Line::playing(&line).push_pull(&frame).bytes
    };
    let [first, second] = ["starry-night", "the-scream"].map(|model| painted(model, ""));
    let both = painted("starry-night,the-scream", &format!("mask={}", folder.join("soft.png").display()));
    let middle = [47, 48].map(|x| x * 3);
    for (row, (first, second)) in both.chunks(288).zip(first.chunks(288).zip(second.chunks(288))) {
        for at in middle.into_iter().flat_map(|x| x..x + 3) {
            let mean = (f32::from(first[at]) + f32::from(second[at])) / 2.0;
            assert!((f32::from(row[at]) - mean).abs() < 4.0, "{} of {} and {}", row[at], first[at], second[at]);
        }
    }
}
