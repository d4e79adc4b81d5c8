//! How styletransfer behaves in a pipeline, with real libtorch.

mod common;

use std::path::{Path, PathBuf};

use common::random::Random;
use common::{Frame, Line, start_error};
use gst::prelude::*;
use gst_video::VideoFormat;

/// A frame with something in it: soft colours, edges, a little noise.
fn frame(format: VideoFormat, width: u32, height: u32) -> Frame {
    let mut random = Random(5);
    let mut rgba = Frame { format: VideoFormat::Rgba, width, height, bytes: Vec::new() };
    for y in 0..height {
        for x in 0..width {
            let noise = random.next() as u8 % 16;
            let bright = if (x / 16 + y / 16) % 2 == 0 { 200 } else { 60 };
            rgba.bytes.extend([bright + noise, (x * 200 / width) as u8, (y * 200 / height) as u8, 255 - noise]);
        }
    }
    if format == VideoFormat::Rgba { rgba } else { convert(&rgba, format) }
}

fn convert(frame: &Frame, format: VideoFormat) -> Frame {
    let mut line = Line::playing(&format!("videoconvert ! video/x-raw,format={format} ! identity"));
    line.push_pull(frame)
}

/// A style picture: diagonal strokes.
fn style() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("style.png");
    let picture = image::RgbImage::from_fn(96, 64, |x, y| match (x + y) / 4 % 3 {
        0 => image::Rgb([20, 40, 160]),
        1 => image::Rgb([240, 200, 40]),
        _ => image::Rgb([200, 60, 20]),
    });
    // Written whole, then renamed: tests run side by side.
    let own = path.with_extension(format!("{:?}.png", std::thread::current().id()));
    picture.save(&own).expect("the style is written");
    std::fs::rename(&own, &path).expect("the style is moved");
    path
}

fn element(settings: &str) -> String {
    format!("styletransfer style={} device=cpu {settings}", style().display())
}

fn stat<T>(line: &Line, name: &str) -> T
where
    for<'a> T: gst::glib::value::FromValue<'a> + 'static,
{
    line.element.property::<gst::Structure>("stats").get(name).expect(name)
}

#[test]
fn takes_and_gives_what_cameras_and_sinks_speak() {
    common::init();
    let formats = ["YUY2", "I420", "NV12", "BGRx", "RGBA", "BGRA", "RGBx", "RGB", "BGR", "GRAY8"];
    for (index, format) in formats.iter().enumerate() {
        let size = [(320, 240), (321, 241), (17, 5), (1, 1)][index % 4];
        let format = VideoFormat::from_string(format);
        let mut line = Line::playing(&element("iterations=1 first-iterations=3"));
        for _ in 0..3 {
            let frame = frame(format, size.0, size.1);
            let result = line.push_pull(&frame);
            assert_eq!((result.format, result.width, result.height), (format, size.0, size.1));
            assert_ne!(result.bytes, frame.bytes, "{format} {size:?} was not painted");
        }
        assert_eq!((stat::<u64>(&line, "frames"), stat::<u32>(&line, "steps")), (3, 1));
    }
}

#[test]
fn steps_bring_the_losses_down() {
    let frame = frame(VideoFormat::Rgb, 96, 64);
    let loss = |steps: u32| {
        let mut line = Line::playing(&element(&format!("first-iterations={steps}")));
        line.push_pull(&frame);
        assert_eq!(stat::<u32>(&line, "steps"), steps);
        stat::<f64>(&line, "style-loss")
    };
    let (before, after) = (loss(1), loss(40));
    assert!(after < before * 0.3, "40 steps: {before} -> {after}");
}

#[test]
fn weights_choose_between_content_and_style() {
    let frame = frame(VideoFormat::Rgb, 96, 64);
    let losses = |settings: &str| {
        let mut line = Line::playing(&element(&format!("first-iterations=40 {settings}")));
        line.push_pull(&frame);
        ["style-loss", "content-loss", "tv-loss"].map(|name| stat::<f64>(&line, name))
    };
    let plain = losses("");
    let content = losses("content-weight=1000");
    let smooth = losses("tv-weight=100000");
    assert!(content[1] < plain[1] * 0.5 && content[0] > plain[0], "{plain:?} {content:?}");
    assert!(smooth[2] < plain[2] * 0.5, "{plain:?} {smooth:?}");
}

#[test]
fn a_frame_starts_from_the_last_result() {
    let frame = frame(VideoFormat::Rgb, 64, 48);
    let mut line = Line::playing(&element("first-iterations=30 iterations=0"));
    let first = line.push_pull(&frame).bytes;
    let second = line.push_pull(&frame).bytes;
    // Without steps of its own the second frame shows nine tenths of the first one's paint.
    for ((first, second), content) in first.iter().zip(&second).zip(&frame.bytes) {
        let expected = f64::from(*content) + 0.9 * (f64::from(*first) - f64::from(*content));
        assert!((expected - f64::from(*second)).abs() <= 1.0, "{content} {first} {second}");
    }

    line.element.set_property_from_str("warm-start", "none");
    line.element.set_property("first-iterations", 0u32);
    assert_eq!(line.push_pull(&frame).bytes, frame.bytes, "without a warm start a frame starts from its content");
}

/// How many steps the next frame took.
fn steps(line: &mut Line, sample: &gst::Sample) -> u32 {
    line.push_pull_sample(sample);
    stat(line, "steps")
}

#[test]
fn what_parts_frames_starts_afresh() {
    const FIRST: u32 = 3;
    const NEXT: u32 = 1;
    let small = frame(VideoFormat::Rgb, 32, 24);
    let at = |milliseconds| small.sample(gst::ClockTime::from_mseconds(milliseconds));
    let mut line = Line::playing(&element(&format!("first-iterations={FIRST} iterations={NEXT}")));
    assert_eq!(steps(&mut line, &at(0)), FIRST);
    assert_eq!(steps(&mut line, &at(40)), NEXT);
    assert_eq!(steps(&mut line, &at(240)), NEXT, "a few dropped frames part nothing");
    assert_eq!(steps(&mut line, &at(5000)), FIRST, "a jump in time");
    assert_eq!(steps(&mut line, &at(5040)), NEXT);
    assert_eq!(steps(&mut line, &at(1000)), FIRST, "a jump back");

    let large = frame(VideoFormat::Rgb, 48, 24).sample(gst::ClockTime::from_mseconds(1040));
    assert_eq!(steps(&mut line, &large), FIRST, "another size");
    assert_eq!(steps(&mut line, &large), NEXT);

    line.element.send_event(gst::event::FlushStart::new());
    line.element.send_event(gst::event::FlushStop::new(false));
    line.element
        .static_pad("sink")
        .expect("a pad")
        .send_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    assert_eq!(steps(&mut line, &large), FIRST, "a flush");

    line.pipeline.set_state(gst::State::Null).expect("it stops");
    line.pipeline.set_state(gst::State::Playing).expect("it starts again");
    assert_eq!(steps(&mut line, &large), FIRST, "a stop");
}

#[test]
fn a_new_style_goes_on_from_the_last_result() {
    let frame = frame(VideoFormat::Rgb, 48, 32);
    let other = Path::new(env!("CARGO_TARGET_TMPDIR")).join("other-style.png");
    image::RgbImage::from_pixel(32, 32, image::Rgb([0, 200, 0])).save(&other).expect("the style is written");
    let mut line = Line::playing(&element("first-iterations=20 iterations=5"));
    line.push_pull(&frame);
    line.push_pull(&frame);
    let settled: f64 = stat(&line, "style-loss");
    line.element.set_property("style", other.to_str());
    line.push_pull(&frame);
    assert_eq!(stat::<u32>(&line, "steps"), 5);
    assert!(stat::<f64>(&line, "style-loss") > settled, "the new style is followed");

    line.element.set_property("style", "nowhere.png");
    line.push_pull(&frame);
    let warning = line.message(gst::MessageType::Warning).expect("a warning");
    let gst::MessageView::Warning(warning) = warning.view() else { unreachable!("filtered") };
    assert!(warning.error().message().contains("nowhere.png"), "{}", warning.error());
}

#[test]
fn alpha_is_kept() {
    let frame = frame(VideoFormat::Bgra, 40, 30);
    let result = Line::playing(&element("first-iterations=5")).push_pull(&frame);
    let alpha = |frame: &Frame| frame.bytes.iter().skip(3).step_by(4).copied().collect::<Vec<_>>();
    assert_eq!(alpha(&result), alpha(&frame));
    assert_ne!(result.bytes, frame.bytes);
}

#[test]
fn a_smaller_working_size_gives_frames_of_the_same_size() {
    let frame = frame(VideoFormat::Rgb, 96, 64);
    let result = Line::playing(&element("first-iterations=5 size=48")).push_pull(&frame);
    assert_eq!((result.width, result.height), (96, 64));
    assert_ne!(result.bytes, frame.bytes);
}

#[test]
fn errors_name_the_file_and_the_reason() {
    common::init();
    let folder = common::scratch("errors");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("a file is written");
        path.display().to_string()
    };
    let no_picture = write("notes.jpg", b"this is text");
    let no_tensors = write("text.safetensors", b"this is text, too");
    let header = br#"{"layer.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let other_network =
        write("other.safetensors", &[&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat());

    use gst::ResourceError::{NotFound, OpenRead, Read, Settings};
    let folder = folder.display();
    let cases = [
        ("styletransfer".to_owned(), Settings, vec!["style is not set"]),
        (format!("styletransfer style={folder}/no.jpg"), NotFound, vec!["no.jpg", "No such file"]),
        (format!("styletransfer style={folder}"), OpenRead, vec!["errors", "directory"]),
        (format!("styletransfer style={no_picture}"), Read, vec!["notes.jpg", "not a picture"]),
        (element(&format!("weights={folder}/no.safetensors")), NotFound, vec!["no.safetensors", "no such file"]),
        (element(&format!("weights={no_tensors}")), Read, vec!["text.safetensors", "cannot be read as safetensors"]),
        (
            element(&format!("weights={other_network}")),
            Read,
            vec!["other.safetensors", "not a VGG", "features.N.weight"],
        ),
        (element("device=abacus"), Settings, vec!["abacus", "cuda:N"]),
    ];
    for (description, code, words) in cases {
        let error = start_error(&description);
        assert!(error.matches(code), "{description}: {error:?}");
        for word in words {
            assert!(error.message().contains(word), "{description}: {error}");
        }
    }
}
