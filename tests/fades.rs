//! Tests styletransfer's fades and `style-list` in real pipelines.

use std::path::PathBuf;

use common::{Frame, Line, scratch, start_error};
use gst::prelude::*;
use gst_controller::prelude::*;
use gst_controller::{DirectControlBinding, InterpolationControlSource, InterpolationMode};
use gst_video::VideoFormat;

/// The duration of a frame, in milliseconds.
const FRAME: u64 = 40;

const MODELS: [&str; 3] = ["starry-night", "the-scream", "shipwreck"];

/// A still film: each frame has the same shapes.
fn frame() -> Frame {
    let color =
        |x: u32, y: u32| [(x * 4) as u8, (y * 5) as u8, if (x / 8 + y / 8).is_multiple_of(2) { 190 } else { 60 }];
    let bytes = (0..48).flat_map(|y| (0..64).flat_map(move |x| color(x, y))).collect();
    Frame { format: VideoFormat::Rgb, width: 64, height: 48, bytes }
}

/// Paints by models, without regard to the last frame.
fn of_models(settings: &str) -> Line {
    Line::playing(&format!("styletransfer device=cpu temporal-weight=0 precision=f32 {settings}"))
}

/// The pictures of the models alone.
fn alone() -> [Vec<u8>; 3] {
    MODELS.map(|model| of_models(&format!("model={model}")).push_pull(&frame()).bytes)
}

fn frames(line: &mut Line, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| line.push_pull(&frame()).bytes).collect()
}

/// Fails unless each sample of a frame is the weighted mean of those of others, up to one level of rounding.
fn assert_mean(painted: &[u8], parts: &[(&Vec<u8>, f64)], what: &str) {
    for (index, &sample) in painted.iter().enumerate() {
        let expected: f64 = parts.iter().map(|(own, weight)| f64::from(own[index]) * weight).sum();
        assert!((f64::from(sample) - expected).abs() <= 1.01, "{what}, sample {index}: {sample}, not {expected}");
    }
}

#[test]
#[should_panic(expected = "sample 0")]
fn another_mean_is_noticed() {
    assert_mean(&[10, 20], &[(&vec![0, 20], 0.5), (&vec![14, 20], 0.5)], "a test");
}

/// A style picture of one color.
fn plain_style(folder: &str, color: [u8; 3]) -> PathBuf {
    let path = scratch(&format!("{folder}-{}", color[0])).join("style.png");
    image::RgbImage::from_pixel(64, 48, image::Rgb(color)).save(&path).expect("the style is written");
    path
}

/// How much more red than blue a frame has, on average.
fn redness(bytes: &[u8]) -> f64 {
    let sum: f64 = bytes.chunks_exact(3).map(|pixel| f64::from(pixel[0]) - f64::from(pixel[2])).sum();
    sum / (bytes.len() / 3) as f64
}

#[test]
#[ignore = "needs scripts/build"]
fn strength_goes_linearly_and_comes_from_0() {
    let [painted, ..] = alone();
    let mut line = of_models("model=starry-night strength=0 style-fade=400");
    assert_eq!(frames(&mut line, 2), [frame().bytes, frame().bytes]);
    line.element.set_property("strength", 1.0);
    for step in 0..=12 {
        let part = f64::from(step.min(10)) / 10.0;
        let result = line.push_pull(&frame()).bytes;
        assert_mean(&result, &[(&frame().bytes, 1.0 - part), (&painted, part)], &format!("step {step}"));
    }
    // Turned back on its way, it goes back from there.
    line.element.set_property("strength", 0.0);
    frames(&mut line, 5);
    line.element.set_property("strength", 1.0);
    for step in 0..=10 {
        let part = 0.5 + 0.5 * f64::from(step) / 10.0;
        let result = line.push_pull(&frame()).bytes;
        assert_mean(&result, &[(&frame().bytes, 1.0 - part), (&painted, part)], &format!("step {step} back"));
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn models_fade_by_their_weighted_mean_and_an_interrupted_fade_goes_on_from_there() {
    let [first, second, third] = alone();
    let mut line = of_models("model=starry-night style-fade=400");
    let steps = |line: &Line| {
        let stats = line.element.property::<gst::Structure>("stats");
        stats.get::<u64>("steps").expect("steps")
    };
    frames(&mut line, 2);
    line.element.set_property("model", "the-scream");
    for step in 0..=6 {
        let part = f64::from(step) / 10.0;
        let result = line.push_pull(&frame()).bytes;
        assert_mean(&result, &[(&first, 1.0 - part), (&second, part)], &format!("step {step}"));
        assert_eq!(steps(&line), if step == 0 { 1 } else { 2 }, "both networks run");
    }
    // At 0.7, another one takes over.
    line.element.set_property("model", "shipwreck");
    for step in 0..=12 {
        let part = f64::from(step.min(10)) / 10.0;
        let result = line.push_pull(&frame()).bytes;
        let parts = [(&first, 0.3 * (1.0 - part)), (&second, 0.7 * (1.0 - part)), (&third, part)];
        assert_mean(&result, &parts, &format!("step {step} of the second fade"));
    }
    assert_eq!(steps(&line), 1, "only the last one runs");
    let network: String = line.element.property("network");
    assert!(network.contains("shipwreck") && !network.contains("the-scream"), "{network}");

    line.element.set_property("style-fade", 0u32);
    line.element.set_property("model", "starry-night");
    assert_mean(&line.push_pull(&frame()).bytes, &[(&first, 1.0)], "at once");
    line.element.set_property("model", "missing.pth");
    assert_mean(&line.push_pull(&frame()).bytes, &[(&first, 1.0)], "the one before stays");
    let warning = line.warning().expect("a warning");
    assert!(warning.message().contains("missing.pth"), "{warning}");
}

#[test]
#[ignore = "needs scripts/build"]
fn jumps_flushes_and_new_caps_end_a_fade_but_a_gap_does_not() {
    let [first, second, _] = alone();
    let at = |milliseconds| frame().sample(gst::ClockTime::from_mseconds(milliseconds));
    let begun = || {
        let mut line = of_models("model=starry-night style-fade=4000");
        line.push_pull_sample(&at(0));
        line.element.set_property("model", "the-scream");
        line.push_pull_sample(&at(40));
        let result = line.push_pull_sample(&at(440)).bytes;
        assert_mean(&result, &[(&first, 0.9), (&second, 0.1)], "the fade has begun");
        line
    };
    let mut line = begun();
    let gap = gst::event::Gap::new(gst::ClockTime::from_mseconds(480), gst::ClockTime::from_mseconds(360));
    line.element.static_pad("sink").expect("a pad").send_event(gap);
    assert_mean(&line.push_pull_sample(&at(840)).bytes, &[(&first, 0.8), (&second, 0.2)], "a gap");
    assert_mean(&line.push_pull_sample(&at(9000)).bytes, &[(&second, 1.0)], "a jump");

    let mut line = begun();
    line.element.send_event(gst::event::FlushStart::new());
    line.element.send_event(gst::event::FlushStop::new(false));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    line.element.static_pad("sink").expect("a pad").send_event(gst::event::Segment::new(&segment));
    assert_mean(&line.push_pull_sample(&at(480)).bytes, &[(&second, 1.0)], "a flush");

    let mut line = begun();
    let larger = Frame { width: 48, height: 64, ..frame() };
    let expected = of_models("model=the-scream").push_pull(&larger).bytes;
    let result = line.push_pull_sample(&larger.sample(gst::ClockTime::from_mseconds(480))).bytes;
    assert_mean(&result, &[(&expected, 1.0)], "new caps");
}

#[test]
#[ignore = "needs scripts/build"]
fn styles_fade_steadily() {
    let [red, blue] = [[220, 40, 30], [30, 40, 220]].map(|color| plain_style("fades-styles", color));
    let mut line = Line::playing(&format!("styletransfer device=cpu style-fade=800 style={}", red.display()));
    let before = redness(&frames(&mut line, 10)[9]);
    line.element.set_property("style", blue.to_str());
    let fade: Vec<_> = frames(&mut line, 21).iter().map(|bytes| redness(bytes)).collect();
    let after = redness(&frames(&mut line, 20)[19]);
    assert!(before > 30.0 && after < -30.0, "{before} {after}");
    let largest = fade.windows(2).map(|pair| (pair[0] - pair[1]).abs()).fold((before - fade[0]).abs(), f64::max);
    assert!(largest < 0.25 * (before - after), "no jump: {before} {fade:?} {after}");
    assert!(fade.windows(2).all(|pair| pair[1] < pair[0] + 1.0), "one way: {fade:?}");
    let half = (before + after) / 2.0;
    assert!(fade[5] > half && fade[19] < half, "not before its time, and not much later: {before} {fade:?} {after}");
}

#[test]
#[ignore = "needs scripts/build"]
fn a_list_of_models_plays_in_a_loop_by_running_time() {
    let [first, second, third] = alone();
    let mut line = of_models(&format!("style-list={} style-duration=120 style-fade=80", MODELS.join(",")));
    // Frames of 40 ms: the fade begins at the end of a hold, at its fourth frame, and is half done at the fifth.
    let shown: [&[(&Vec<u8>, f64)]; 17] = [
        &[(&first, 1.0)],
        &[(&first, 1.0)],
        &[(&first, 1.0)],
        &[(&first, 1.0)],
        &[(&first, 0.5), (&second, 0.5)],
        &[(&second, 1.0)],
        &[(&second, 1.0)],
        &[(&second, 1.0)],
        &[(&second, 1.0)],
        &[(&second, 0.5), (&third, 0.5)],
        &[(&third, 1.0)],
        &[(&third, 1.0)],
        &[(&third, 1.0)],
        &[(&third, 1.0)],
        &[(&third, 0.5), (&first, 0.5)],
        &[(&first, 1.0)],
        &[(&first, 1.0)],
    ];
    for (index, parts) in shown.into_iter().enumerate() {
        assert_mean(&line.push_pull(&frame()).bytes, parts, &format!("frame {index}"));
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_list_of_pictures_plays_by_running_time_and_leaves_out_what_cannot_be_read() {
    let [red, blue] = [[220, 40, 30], [30, 40, 220]].map(|color| plain_style("fades-list", color));
    let broken = scratch("fades-broken").join("broken.png");
    std::fs::write(&broken, "no picture").expect("written");
    let list = [&red, &blue, &broken].map(|path| path.display().to_string()).join(",");
    let mut line =
        Line::playing(&format!("styletransfer device=cpu iterations=20 style-duration=400 style-list={list}"));
    let mut turn = || redness(&frames(&mut line, 10)[9]);
    let turns = [turn(), turn(), turn(), turn(), turn()];
    let [first, second, in_place, again, last] = turns;
    let (red, blue) = (first.min(again), second.max(in_place).max(last));
    assert!(red > blue + 40.0, "blue stays in place of the broken one: {turns:?}");
    let warning = line.warning().expect("a warning");
    assert!(warning.message().contains("broken.png"), "{warning}");
    assert!(line.pipeline.bus().expect("a bus").pop_filtered(&[gst::MessageType::Warning]).is_none(), "one is enough");
}

#[test]
#[ignore = "needs scripts/build"]
fn a_controller_drives_the_shares_by_their_position() {
    let [first, second, third] = alone();
    // A fade of its own would come too late.
    let mut line = of_models(&format!("model={} style-fade=5000", MODELS.join(",")));
    let curve = InterpolationControlSource::new();
    curve.set_mode(InterpolationMode::Linear);
    curve.set(gst::ClockTime::ZERO, 0.0);
    curve.set(gst::ClockTime::from_mseconds(10 * FRAME), 2.0);
    let binding = DirectControlBinding::new_absolute(&line.element, "style-position", &curve);
    line.element.add_control_binding(&binding).expect("it can be controlled");
    for index in 0..=10 {
        let position = f64::from(index) / 5.0;
        let share = |own: f64| (1.0 - (position - own).abs()).max(0.0);
        let parts = [(&first, share(0.0)), (&second, share(1.0)), (&third, share(2.0))];
        assert_mean(&line.push_pull(&frame()).bytes, &parts, &format!("position {position}"));
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_list_beside_what_it_replaces_and_missing_files_are_errors() {
    let red = plain_style("fades-errors", [220, 40, 30]);
    let red = red.display();
    for (settings, part) in [
        (format!("style-list={red} style={red}"), "takes the place of style"),
        (format!("style-list={red} style-blend=1"), "takes the place of style-blend"),
        (format!("style-list={red},starry-night"), "starry-night is a model"),
        ("style-list=starry-night model=the-scream".into(), "model is set"),
    ] {
        let error = start_error(&format!("styletransfer device=cpu {settings}"));
        assert!(error.matches(gst::ResourceError::Settings) && error.message().contains(part), "{error}");
    }
    let error = start_error(&format!("styletransfer device=cpu style-list={red},nowhere.png"));
    assert!(error.matches(gst::ResourceError::NotFound) && error.message().contains("nowhere.png"), "{error}");
}
