//! Tests styletransfer in real pipelines, with libtorch.

use std::path::{Path, PathBuf};

use common::random::Random;
use common::{Frame, Line, start_error};
use gst::prelude::*;
use gst_video::VideoFormat;

/// A frame with gradients, edges and a little noise.
fn frame(format: VideoFormat, width: u32, height: u32) -> Frame {
    let mut random = Random(5);
    let mut rgba = Frame { format: VideoFormat::Rgba, width, height, bytes: Vec::new() };
    for y in 0..height {
        for x in 0..width {
            let noise = random.number() as u8 % 16;
            let red = if (x / 16 + y / 16) % 2 == 0 { 200 } else { 60 };
            rgba.bytes.extend([red + noise, (x * 200 / width) as u8, (y * 200 / height) as u8, 255 - noise]);
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
    // Tests run in parallel: renaming the finished file keeps others from reading half of it.
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
#[ignore = "needs scripts/build"]
fn common_formats_of_cameras_and_sinks_are_painted() {
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
            assert_ne!(result.bytes, frame.bytes, "{format} {size:?} is not painted");
        }
        assert_eq!((stat::<u64>(&line, "frames"), stat::<u64>(&line, "steps")), (3, 1));
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn more_steps_reduce_the_style_loss() {
    let frame = frame(VideoFormat::Rgb, 96, 64);
    let loss = |steps: u64| {
        let mut line = Line::playing(&element(&format!("first-iterations={steps}")));
        line.push_pull(&frame);
        assert_eq!(stat::<u64>(&line, "steps"), steps);
        stat::<f64>(&line, "style-loss")
    };
    let (before, after) = (loss(1), loss(40));
    assert!(after < before * 0.3, "40 steps: {before} -> {after}");
}

#[test]
#[ignore = "needs scripts/build"]
fn loss_weights_change_the_balance_of_the_losses() {
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
#[ignore = "needs scripts/build"]
fn a_frame_starts_from_the_last_result() {
    let frame = frame(VideoFormat::Rgb, 64, 48);
    let mut line = Line::playing(&element("first-iterations=30 iterations=0"));
    let first = line.push_pull(&frame).bytes;
    assert_eq!(line.push_pull(&frame).bytes, first, "a still frame keeps its paint");

    line.element.set_property_from_str("warm-start", "previous");
    let second = line.push_pull(&frame).bytes;
    // Without steps of its own, a frame is its content with nine tenths of the last frame's paint.
    for ((first, second), content) in first.iter().zip(&second).zip(&frame.bytes) {
        let expected = f64::from(*content) + 0.9 * (f64::from(*first) - f64::from(*content));
        assert!((expected - f64::from(*second)).abs() <= 1.0, "{content} {first} {second}");
    }

    line.element.set_property_from_str("warm-start", "none");
    line.element.set_property("first-iterations", 0i32);
    assert_eq!(line.push_pull(&frame).bytes, frame.bytes, "without a warm start a frame starts from its content");
}

/// Pushes a frame and returns the number of its steps.
fn steps(line: &mut Line, sample: &gst::Sample) -> u64 {
    line.push_pull_sample(sample);
    stat(line, "steps")
}

#[test]
#[ignore = "needs scripts/build"]
fn jumps_flushes_and_new_sizes_restart_the_painting() {
    const FIRST: u64 = 3;
    const NEXT: u64 = 1;
    let small = frame(VideoFormat::Rgb, 32, 24);
    let at = |milliseconds| small.sample(gst::ClockTime::from_mseconds(milliseconds));
    let mut line = Line::playing(&element(&format!("first-iterations={FIRST} iterations={NEXT}")));
    assert_eq!(steps(&mut line, &at(0)), FIRST);
    assert_eq!(steps(&mut line, &at(40)), NEXT);
    assert_eq!(steps(&mut line, &at(240)), NEXT, "a few dropped frames are no jump");
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

    line.pipeline.set_state(gst::State::Null).expect("the pipeline stops");
    line.pipeline.set_state(gst::State::Playing).expect("the pipeline starts again");
    assert_eq!(steps(&mut line, &large), FIRST, "a restart");
}

#[test]
#[ignore = "needs scripts/build"]
fn a_new_style_starts_from_the_last_result() {
    let frame = frame(VideoFormat::Rgb, 48, 32);
    let other = Path::new(env!("CARGO_TARGET_TMPDIR")).join("other-style.png");
    image::RgbImage::from_pixel(32, 32, image::Rgb([0, 200, 0])).save(&other).expect("the style is written");
    let mut line = Line::playing(&element("first-iterations=20 iterations=5"));
    line.push_pull(&frame);
    line.push_pull(&frame);
    let settled: f64 = stat(&line, "style-loss");
    line.element.set_property("style", other.to_str());
    line.push_pull(&frame);
    assert_eq!(stat::<u64>(&line, "steps"), 5);
    assert!(stat::<f64>(&line, "style-loss") > settled, "the loss is measured against the new style");

    line.element.set_property("style", "nowhere.png");
    line.push_pull(&frame);
    let warning = line.message(gst::MessageType::Warning).expect("a warning");
    let gst::MessageView::Warning(warning) = warning.view() else { unreachable!("filtered") };
    assert!(warning.error().message().contains("nowhere.png"), "{}", warning.error());
}

/// A style picture of one color.
fn plain_style(name: &str, color: [u8; 3]) -> String {
    let path = common::scratch(&format!("style-{name}")).join("style.png");
    image::RgbImage::from_pixel(64, 48, image::Rgb(color)).save(&path).expect("the style is written");
    path.display().to_string()
}

#[test]
#[ignore = "needs scripts/build"]
fn several_styles_are_blended_in_proportion_to_their_shares() {
    let frame = frame(VideoFormat::Rgb, 64, 48);
    let (red, blue) = (plain_style("red", [220, 40, 30]), plain_style("blue", [30, 40, 220]));
    let paint = |styles: &str| {
        let line = format!("styletransfer device=cpu first-iterations=160 tv-weight=0 content-weight=0.01 {styles}");
        Line::playing(&line).push_pull(&frame).bytes
    };
    let mean = |bytes: &[u8], channel: usize| {
        bytes.iter().skip(channel).step_by(3).map(|&byte| f64::from(byte)).sum::<f64>() * 3.0 / bytes.len() as f64
    };
    let both = format!("style={red},{blue}");
    let (only_red, only_blue) = (paint(&format!("style={red}")), paint(&format!("style={blue}")));
    assert_eq!(paint(&format!("{both} style-blend=1,0")), only_red);
    assert_eq!(paint(&format!("{both} style-blend=0,2")), only_blue);
    let (even, mostly_red) = (paint(&both), paint(&format!("{both} style-blend=0.9,0.1")));
    assert!(mean(&only_red, 0) > mean(&mostly_red, 0) && mean(&mostly_red, 0) > mean(&even, 0));
    assert!(mean(&even, 0) > mean(&only_blue, 0) && mean(&only_blue, 2) > mean(&even, 2));

    for (blend, words) in
        [("0.5", "1 weights for 2 styles"), ("a,b", "'a' is not a weight"), ("0,0", "all weights are 0")]
    {
        let error = start_error(&format!("styletransfer device=cpu {both} style-blend={blend}"));
        assert!(error.matches(gst::ResourceError::Settings) && error.message().contains(words), "{error}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_styles_file_name_may_contain_a_comma() {
    let style = plain_style("red, of one color", [220, 40, 30]);
    Line::playing(&format!("styletransfer device=cpu first-iterations=1 style=\"{style}\"")).push_pull(&frame(
        VideoFormat::Rgb,
        32,
        24,
    ));
}

#[test]
#[ignore = "needs scripts/build"]
fn original_colors_keeps_or_matches_the_frames_colors() {
    let frame = frame(VideoFormat::Rgb, 64, 48);
    let green = plain_style("green", [10, 230, 20]);
    let paint = |settings: &str| {
        let line =
            format!("styletransfer device=cpu style={green} first-iterations=120 content-weight=0.01 {settings}");
        Line::playing(&line).push_pull(&frame).bytes
    };
    let pixels = |bytes: &[u8], of: fn([f64; 3]) -> f64| -> Vec<f64> {
        bytes.chunks_exact(3).map(|pixel| of([pixel[0], pixel[1], pixel[2]].map(f64::from))).collect()
    };
    let distance = |bytes: &[u8], of: fn([f64; 3]) -> f64| {
        pixels(bytes, of).iter().zip(pixels(&frame.bytes, of)).map(|(painted, own)| (painted - own).abs()).sum::<f64>()
    };
    let shift = |bytes: &[u8], of: fn([f64; 3]) -> f64| {
        (pixels(bytes, of).iter().sum::<f64>() - pixels(&frame.bytes, of).iter().sum::<f64>()).abs()
    };
    let luma = |[r, g, b]: [f64; 3]| 0.299 * r + 0.587 * g + 0.114 * b;
    let chroma = |[r, g, b]: [f64; 3]| b - (0.299 * r + 0.587 * g + 0.114 * b);
    let (none, only_luma, matched) = (paint(""), paint("original-colors=luma"), paint("original-colors=match"));
    assert!(distance(&only_luma, chroma) < distance(&none, chroma) * 0.2, "luma: chroma is not kept");
    assert!(distance(&only_luma, luma) > distance(&none, luma) * 0.5, "luma: brightness is not repainted");
    assert!(shift(&matched, chroma) < shift(&none, chroma) * 0.3, "match: the colors are not the frame's");
    assert_ne!(matched, frame.bytes);
}

#[test]
#[ignore = "needs scripts/build"]
fn strength_blends_with_the_original() {
    let frame = frame(VideoFormat::Rgb, 48, 32);
    let paint = |strength: f64| {
        Line::playing(&element(&format!("first-iterations=10 strength={strength}"))).push_pull(&frame).bytes
    };
    assert_eq!(paint(0.0), frame.bytes);
    for ((half, full), original) in paint(0.5).iter().zip(paint(1.0)).zip(&frame.bytes) {
        let mean = (f64::from(full) + f64::from(*original)) / 2.0;
        assert!((f64::from(*half) - mean).abs() <= 1.0, "{half} {full} {original}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn options_change_the_result() {
    let frame = frame(VideoFormat::Rgb, 64, 48);
    let paint =
        |settings: &str| Line::playing(&element(&format!("first-iterations=20 {settings}"))).push_pull(&frame).bytes;
    let plain = paint("");
    for settings in [
        "style-scale=0.5",
        "style-loss=gram",
        "style-loss=sliced-wasserstein",
        "pooling=average",
        "optimizer=lbfgs",
        "style-layers=relu1_1",
        "content-layers=6",
    ] {
        assert_ne!(paint(settings), plain, "{settings}");
    }
    assert_eq!(paint("pooling=max optimizer=adam style-scale=1 style-loss=mean-covariance"), plain);
    let keras = "recipe=keras content-layers=relu2_1 style-layers=relu1_1,relu2_1";
    assert_eq!(paint(&format!("{keras} seed=1")), paint(&format!("{keras} seed=1")));
    assert_ne!(paint(&format!("{keras} seed=1")), paint(&format!("{keras} seed=2")));
}

#[test]
#[ignore = "needs scripts/build"]
fn the_error_for_a_missing_layer_names_it() {
    let cases =
        [("recipe=torch-early-stop", "conv5_2"), ("content-layers=relu9_9", "relu9_9"), ("style-layers=77", "77")];
    for (settings, layer) in cases {
        let error = start_error(&element(settings));
        assert!(error.matches(gst::ResourceError::Settings), "{error:?}");
        assert!(error.message().contains(&format!("no layer {layer}")), "{error}");
    }
    let frame = frame(VideoFormat::Rgb, 32, 24);
    let mut line = Line::playing(&element("iterations=1 first-iterations=1"));
    line.push_pull(&frame);
    line.element.set_property("style-layers", "relu9_9");
    line.push_pull(&frame);
    assert!(line.warning().expect("a warning").message().contains("relu9_9"));
    line.element.set_property("style-layers", "relu1_1, relu2_1");
    line.push_pull(&frame);
}

#[test]
#[ignore = "needs scripts/build"]
fn statistics_are_posted_on_request() {
    let frame = frame(VideoFormat::Rgb, 32, 24);
    let mut line = Line::playing(&element("iterations=2 first-iterations=3 stats-interval=2"));
    let bus = line.pipeline.bus().expect("a bus");
    for _ in 0..5 {
        line.push_pull(&frame);
    }
    let posted: Vec<_> = bus.iter_filtered(&[gst::MessageType::Element]).collect();
    let frames: Vec<u64> = posted
        .iter()
        .filter_map(|message| message.structure())
        .filter(|structure| structure.name() == "styletransfer-stats")
        .map(|structure| {
            assert!(structure.get::<f64>("style-loss").expect("a loss") > 0.0);
            assert_eq!(structure.get::<u64>("steps").expect("steps"), 2);
            structure.get("frames").expect("frames")
        })
        .collect();
    assert_eq!(frames, [2, 4]);
}

#[test]
#[ignore = "needs scripts/build"]
fn a_slow_first_frame_reports_progress_and_can_be_stopped() {
    let line = Line::playing(&element("first-iterations=100000"));
    let frame = frame(VideoFormat::Rgb, 64, 48);
    line.push(&frame);
    let message = line.message(gst::MessageType::Progress).expect("a progress message");
    let gst::MessageView::Progress(progress) = message.view() else { unreachable!("filtered") };
    let (kind, code, text) = progress.get();
    assert_eq!((kind, code), (gst::ProgressType::Start, "first-frame"));
    assert!(text.contains("of 100000"), "{text}");
    // The whole frame would take hours.
    line.pipeline.set_state(gst::State::Null).expect("the pipeline stops");
}

#[test]
#[ignore = "needs scripts/build"]
fn a_photograph_can_be_painted() {
    common::init();
    let folder = common::scratch("still");
    let picture = image::RgbImage::from_fn(80, 60, |x, y| image::Rgb([(x * 3) as u8, (y * 4) as u8, 90]));
    picture.save(folder.join("photo.jpg")).expect("the photograph is written");
    for painted in ["painted.jpg", "painted.png"] {
        let encoder = if painted.ends_with("png") { "videoconvert ! pngenc" } else { "jpegenc" };
        let line = format!(
            "filesrc location=photo.jpg ! jpegdec ! styletransfer style={} device=cpu first-iterations=10 ! {encoder} \
             ! filesink location={painted}",
            style().display()
        );
        let plugins = common::stage().join("lib/gstreamer-1.0");
        let output = common::program("gst-launch-1.0", &plugins, &folder.join("registry.bin"))
            .args(line.split_whitespace())
            .current_dir(&folder)
            .output()
            .expect("gst-launch-1.0 runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let painted = image::open(folder.join(painted)).expect("a picture").into_rgb8();
        assert_eq!(painted.dimensions(), picture.dimensions());
        assert_ne!(painted, picture);
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn deep_frames_keep_their_bits() {
    common::init();
    for format in [VideoFormat::Rgba64Le, VideoFormat::Gray16Le] {
        let mut frame = convert(&frame(VideoFormat::Rgba, 48, 32), format);
        // Changes the lower bits, which 8-bit samples do not have.
        frame.bytes.iter_mut().step_by(2).zip(0..).for_each(|(byte, index)| *byte ^= index as u8);
        if format == VideoFormat::Rgba64Le {
            frame.bytes.chunks_exact_mut(8).for_each(|pixel| pixel[6..].fill(255));
        }
        let paint = |strength| Line::playing(&element(&format!("first-iterations=5 {strength}"))).push_pull(&frame);
        assert!(paint("strength=0").bytes == frame.bytes, "{format}: strength=0 changes the frame");
        if format == VideoFormat::Rgba64Le {
            assert!(paint("first-iterations=0").bytes == frame.bytes, "the engine loses bits");
        }
        let painted = paint("strength=1").bytes;
        let is_color = |index: usize| format == VideoFormat::Gray16Le || index % 4 < 3;
        let samples = painted.chunks_exact(2).enumerate().filter(|&(index, _)| is_color(index));
        let deep = samples.clone().filter(|(_, sample)| sample[0] != sample[1]).count();
        assert!(deep > samples.count() / 2, "{format}: painted in 8 bits");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn interlaced_frames_are_painted_as_their_first_field() {
    common::init();
    let progressive = frame(VideoFormat::Rgbx, 48, 32);
    let row = 48 * 4;
    for (order, first) in [("top-field-first", 0), ("bottom-field-first", 1)] {
        // The second field is inverted.
        let mut interlaced = progressive.clone();
        let rows = interlaced.bytes.chunks_exact_mut(row).skip(1 - first).step_by(2);
        rows.flatten().for_each(|sample| *sample = 255 - *sample);
        let mut caps = interlaced.info().to_caps().expect("valid caps");
        let fields = caps.make_mut();
        fields.set("interlace-mode", "interleaved");
        fields.set("field-order", order);
        let buffer = gst::Buffer::from_slice(interlaced.bytes.clone());
        let sample = gst::Sample::builder().buffer(&buffer).caps(&caps).build();
        // Without a step, a frame is painted as it is read.
        let result = Line::playing(&element("first-iterations=0")).push_pull_sample(&sample);
        let rows: Vec<_> = result.bytes.chunks_exact(row).collect();
        for y in (first..32).step_by(2) {
            assert_eq!(
                rows[y],
                &interlaced.bytes[y * row..][..row],
                "{order}: row {y}, of the first field, has changed"
            );
        }
        for y in (2..30).filter(|y| y % 2 != first) {
            let mean = |x: usize| rows[y - 1][x].midpoint(rows[y + 1][x]);
            assert!((0..row).all(|x| rows[y][x] == mean(x)), "{order}: row {y} is not the mean of its neighbors");
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn alpha_is_kept() {
    let frame = frame(VideoFormat::Bgra, 40, 30);
    let result = Line::playing(&element("first-iterations=5")).push_pull(&frame);
    let alpha = |frame: &Frame| frame.bytes.iter().skip(3).step_by(4).copied().collect::<Vec<_>>();
    assert_eq!(alpha(&result), alpha(&frame));
    assert_ne!(result.bytes, frame.bytes);
}

#[test]
#[ignore = "needs scripts/build"]
fn a_smaller_working_size_gives_frames_of_the_same_size() {
    let frame = frame(VideoFormat::Rgb, 96, 64);
    let result = Line::playing(&element("first-iterations=5 size=48")).push_pull(&frame);
    assert_eq!((result.width, result.height), (96, 64));
    assert_ne!(result.bytes, frame.bytes);
}

#[test]
#[ignore = "needs scripts/build"]
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
        (format!("styletransfer style={no_picture}"), Read, vec!["notes.jpg", "not a readable picture"]),
        (element(&format!("weights={folder}/no.safetensors")), NotFound, vec!["no.safetensors", "no such file"]),
        (element(&format!("weights={no_tensors}")), Read, vec!["text.safetensors", "not a safetensors"]),
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

#[test]
#[ignore = "needs scripts/build"]
fn max_frame_time_limits_the_number_of_steps() {
    let mut line = Line::playing(&element("iterations=20 first-iterations=30 max-frame-time=0.001"));
    let frame = frame(VideoFormat::Rgb, 64, 48);
    for _ in 0..3 {
        line.push_pull(&frame);
        assert_eq!(stat::<u64>(&line, "steps"), 1);
    }
    line.element.set_property("max-frame-time", 0.0);
    line.push_pull(&frame);
    assert!(stat::<u64>(&line, "steps") >= 20);
}

/// The latencies that a pipeline reports until its end: whether it is live, and the minimum.
fn latencies(pipeline: &str) -> Vec<(bool, gst::ClockTime)> {
    let pipeline = gst::parse::launch(pipeline).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    pipeline.set_state(gst::State::Playing).expect("the pipeline plays");
    let bus = pipeline.bus().expect("a bus");
    let mut reported = Vec::new();
    for message in bus.iter_timed(gst::ClockTime::from_seconds(60)) {
        match message.view() {
            gst::MessageView::Latency(_) => {
                pipeline.recalculate_latency().expect("the latency is set");
                let mut query = gst::query::Latency::new();
                assert!(pipeline.query(&mut query));
                let (is_live, minimum, _) = query.result();
                reported.push((is_live, minimum));
            }
            gst::MessageView::Error(error) => panic!("{error:?}"),
            gst::MessageView::Eos(_) => break,
            _ => {}
        }
    }
    pipeline.set_state(gst::State::Null).expect("the pipeline stops");
    reported
}

#[test]
#[ignore = "needs scripts/build"]
fn the_size_follows_the_time_limit() {
    let frame = frame(VideoFormat::Rgb, 400, 300);
    let sizes = |settings: &str, frames: u32| {
        let mut line = Line::playing(&element(&format!("first-iterations=1 iterations=1 {settings}")));
        (0..frames).for_each(|_| drop(line.push_pull(&frame)));
        (stat::<u64>(&line, "width"), stat::<u64>(&line, "height"))
    };
    assert_eq!(sizes("max-frame-time=0", 1), (400, 300), "without a limit, the frame's own");
    assert_eq!(sizes("max-frame-time=1", 20), (192, 144), "in too little time, the smallest");
    assert_eq!(sizes("max-frame-time=60000", 20), (400, 300), "in plenty of time, the frame's own in the end");
    assert_eq!(sizes("max-frame-time=1 size=100", 1), (100, 75), "or the one that is set");
}

#[test]
#[ignore = "needs scripts/build"]
fn latency_is_reported_for_live_sources() {
    common::init();
    let reported = latencies(&format!(
        "videotestsrc is-live=true num-buffers=20 ! video/x-raw,width=64,height=48,framerate=10/1 ! {} ! fakesink sync=true",
        element("")
    ));
    // A frame may take its duration, 100 ms. The source's own latency is added to this.
    let expected = gst::ClockTime::from_mseconds(100);
    assert!(reported.iter().any(|&(is_live, latency)| is_live && latency >= expected), "{reported:?}");
}

#[test]
#[ignore = "needs scripts/build"]
fn late_frames_are_dropped_and_the_painting_continues() {
    let small = frame(VideoFormat::Rgb, 32, 24);
    let at = |milliseconds| small.sample(gst::ClockTime::from_mseconds(milliseconds));
    let mut line = Line::playing(&element("first-iterations=3 iterations=1"));
    assert_eq!(steps(&mut line, &at(0)), 3);
    // A sink reports that the first frame was five seconds late, so frames of the next five seconds are dropped.
    let late = gst::event::Qos::new(gst::QOSType::Underflow, 1.0, 5_000_000_000, gst::ClockTime::ZERO);
    assert!(line.element.static_pad("src").expect("a pad").send_event(late));
    for milliseconds in (40..=5000).step_by(40) {
        line.source.push_sample(&at(milliseconds)).expect("the frame is accepted");
    }
    assert_eq!(steps(&mut line, &at(5040)), 1, "a warm start");
    assert_eq!(stat::<u64>(&line, "frames"), 2, "late frames were painted");
    assert_eq!(steps(&mut line, &at(20_000)), 3, "a jump still restarts the painting");
}
