//! Dreams in real pipelines: recipe=deepdream. engine/tests/dream.rs compares them with PyTorch.

use common::{Frame, Line, scratch, start_error, write_style};
use gst::prelude::*;
use gst_video::VideoFormat;

const SMALL: &str = "styletransfer recipe=deepdream device=cpu octaves=2 first-iterations=2 iterations=1";

/// A frame with gradients and edges.
fn frame(format: VideoFormat) -> Frame {
    let pixel =
        |x: u32, y: u32| [if (x / 16 + y / 16).is_multiple_of(2) { 180 } else { 70 }, (x * 2) as u8, (y * 3) as u8];
    let bytes = (0..64).flat_map(|y| (0..96).flat_map(move |x| pixel(x, y))).collect();
    let frame = Frame { format: VideoFormat::Rgb, width: 96, height: 64, bytes };
    let mut line = Line::playing(&format!("videoconvert ! video/x-raw,format={format} ! identity"));
    line.push_pull(&frame)
}

fn steps(line: &Line) -> u64 {
    line.element.property::<gst::Structure>("stats").get("steps").expect("steps")
}

/// The mean difference of the samples.
fn difference(one: &Frame, other: &Frame) -> f64 {
    let sum: u64 = one.bytes.iter().zip(&other.bytes).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
    sum as f64 / one.bytes.len() as f64
}

#[test]
#[ignore = "needs scripts/build"]
fn frames_are_dreamt_without_a_style() {
    common::init();
    for format in ["RGB", "YUY2", "NV12", "BGRA", "GRAY8", "RGBA64_LE", "I420_10LE"] {
        let frame = frame(VideoFormat::from_string(format));
        let mut line = Line::playing(SMALL);
        let dreams = [(); 2].map(|()| line.push_pull(&frame));
        for dream in &dreams {
            assert_eq!((dream.format, dream.width, dream.height), (frame.format, 96, 64));
            assert!(difference(dream, &frame) > 0.5, "{format}: {}", difference(dream, &frame));
        }
        assert_eq!(steps(&line), 2, "a step in each octave");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_still_zooms() {
    common::init();
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc num-buffers=1 pattern=smpte ! video/x-raw,format=RGB,width=96,height=64 \
         ! imagefreeze num-buffers=3 ! {SMALL} iterations=0 temporal-weight=1000 zoom=1.7320508 \
         ! appsink name=sink sync=false"
    ));
    let pipeline = pipeline.expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    let sink = pipeline.by_name("sink").and_downcast::<gst_app::AppSink>().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("the pipeline plays");
    let dreams = [(); 3].map(|()| {
        let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(120)).expect("a frame");
        sample.buffer().expect("a buffer").map_readable().expect("readable").to_vec()
    });
    pipeline.set_state(gst::State::Null).expect("the pipeline stops");
    let red = |bytes: &[u8], x: i64, y: i64| i64::from(bytes[(3 * (y * 96 + x)) as usize]);
    let moved = |from: &[u8], to: &[u8], zoom: i64| -> i64 {
        // From the center, which lies between pixels, so that a zoom of 3 takes pixels to pixels.
        let places = (-9..9).flat_map(|y| (-14..14).map(move |x| (x, y)));
        let place = |center: i64, at: i64, zoom: i64| center + (zoom * (2 * at + 1) - 1) / 2;
        let pairs = places.map(|(x, y)| {
            (red(from, place(48, x, 1), place(32, y, 1)) - red(to, place(48, x, zoom), place(32, y, zoom))).abs()
        });
        pairs.sum::<i64>() / 504
    };
    // Two frames later, 1.732 has become 3.
    let [by_zoom, unmoved] = [3, 1].map(|zoom| moved(&dreams[0], &dreams[2], zoom));
    assert!(unmoved > 10 && by_zoom < unmoved / 2, "{by_zoom} {unmoved}");
}

#[test]
#[ignore = "needs scripts/build"]
fn properties_change_while_playing() {
    common::init();
    let frame = frame(VideoFormat::Rgb);
    let mut line = Line::playing(&format!("{SMALL} warm-start=none"));
    let plain = line.push_pull(&frame);
    assert_eq!(line.push_pull(&frame).bytes, plain.bytes, "nothing changed");
    let guide = scratch("dream-guide").join("guide.png");
    write_style(&guide);
    for (property, value, default) in [
        ("octaves", "1", "2"),
        ("octave-scale", "1.3", "1.4"),
        ("jitter", "3", "32"),
        ("seed", "9", "0"),
        ("channels", "5, 11", ""),
        ("content-layers", "relu2_1", ""),
        ("learning-rate", "4", "-1"),
        ("style", guide.to_str().expect("UTF-8"), ""),
    ] {
        line.element.set_property_from_str(property, value);
        assert!(difference(&line.push_pull(&frame), &plain) > 0.1, "{property}={value} has no effect");
        line.element.set_property_from_str(property, default);
        assert_eq!(line.push_pull(&frame).bytes, plain.bytes, "{property}={default} again");
    }

    line.element.set_property_from_str("warm-start", "flow");
    let moves = [("zoom", "1.1", "1"), ("rotate", "9", "0"), ("shift-x", "0.1", "0"), ("shift-y", "-0.1", "0")];
    for (index, (property, value, default)) in (1..).zip(moves) {
        let still = line.push_pull(&frame);
        line.element.set_property_from_str(property, value);
        assert!(difference(&line.push_pull(&frame), &still) > 5.0, "{property}={value} has no effect");
        line.element.set_property_from_str(property, default);
        // A jump in time: the next frame starts anew.
        let anew = line.push_pull_sample(&frame.sample(gst::ClockTime::from_seconds(100 * index)));
        assert_eq!(anew.bytes, plain.bytes, "{property}={default} again");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_stream_follows_changes_of_channels() {
    common::init();
    const LISTS: [&str; 4] = ["1,6", "14", "39,53", ""];
    let frame = frame(VideoFormat::Rgb);
    let playing = |channels: &str| {
        Line::playing(&format!("{SMALL} content-layers=conv3_1 temporal-weight=1 channels=\"{channels}\""))
    };
    // Half of the last dream is kept, so that few frames lead from one dream to another.
    let settled = |line: &mut Line| (0..8).map(|_| line.push_pull(&frame)).last().expect("frames");
    let dreams = LISTS.map(|channels| settled(&mut playing(channels)));
    let nearest = |dream: &Frame| {
        let distances = dreams.each_ref().map(|other| difference(dream, other));
        let nearest = (0..LISTS.len()).min_by(|&one, &other| distances[one].total_cmp(&distances[other]));
        LISTS[nearest.expect("there are lists")]
    };
    let mut line = playing(LISTS[0]);
    for channels in ["14", "1,6", "", "39,53", "14", ""] {
        line.element.set_property("channels", channels);
        assert_eq!(nearest(&settled(&mut line)), channels);
    }
    // A change at any time during a frame.
    let element = line.element.clone();
    std::thread::scope(|scope| {
        let changes = scope.spawn(|| {
            for channels in LISTS.iter().cycle().take(400) {
                element.set_property("channels", channels);
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        while !changes.is_finished() {
            assert!(difference(&line.push_pull(&frame), &frame) > 0.5, "a frame without a dream");
        }
    });
    line.element.set_property("channels", "14");
    assert_eq!(nearest(&settled(&mut line)), "14");
    let kinds = [gst::MessageType::Warning, gst::MessageType::Error];
    let message = line.pipeline.bus().expect("a bus").pop_filtered(&kinds);
    assert!(message.is_none(), "{message:?}");
}

#[test]
#[ignore = "needs scripts/build"]
fn wrong_layers_and_channels_are_named() {
    common::init();
    for (settings, words) in [
        ("content-layers=relu9_1", ["no layer relu9_1", "relu3_1"]),
        ("channels=5,x", ["channels=\"5,x\"", "'x' is not a number"]),
        ("channels=40000", ["no channel 40000", "relu3_1"]),
    ] {
        let error = start_error(&format!("{SMALL} {settings}"));
        assert!(error.matches(gst::ResourceError::Settings), "{settings}: {error:?}");
        words.iter().for_each(|word| assert!(error.message().contains(word), "{settings}: {error}"));
    }
    // While playing, they are warnings, and the dream goes on.
    let frame = frame(VideoFormat::Rgb);
    let mut line = Line::playing(&format!("{SMALL} warm-start=none"));
    let before = line.push_pull(&frame).bytes;
    for (property, value, default, word) in [
        ("content-layers", "relu9_1", "", "relu9_1"),
        ("channels", "40000", "", "40000"),
        ("recipe", "video", "deepdream", "need a style"),
    ] {
        line.element.set_property_from_str(property, value);
        assert_eq!(line.push_pull(&frame).bytes, before);
        let warning = line.warning().expect("a warning");
        assert!(warning.message().contains(word) && warning.message().contains("stay"), "{warning}");
        line.element.set_property_from_str(property, default);
        assert_eq!(line.push_pull(&frame).bytes, before);
    }
}
