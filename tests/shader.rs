//! Tests filter=shader, which runs the user's own WGSL.

use common::random::Random;
use common::{Frame, Line, root, start_error};
use gst::prelude::*;
use gst_video::VideoFormat;

fn frame(format: VideoFormat, width: u32, height: u32) -> Frame {
    common::init();
    let mut frame = Frame { format, width, height, bytes: Vec::new() };
    frame.bytes = Random(5).bytes(frame.info().size());
    frame
}

/// An element with a shader whose function `shade` has this body.
fn shading(settings: &str, body: &str) -> Line {
    let line = Line::new(&format!("convfilter filter=shader {settings}"));
    line.element.set_property("shader", format!("fn shade(component: u32, x: i32, y: i32) -> f32 {{ {body} }}"));
    line.pipeline.set_state(gst::State::Playing).expect("the pipeline starts");
    line
}

#[test]
#[ignore = "needs scripts/build"]
fn a_shader_can_read_samples_and_the_frames_size() {
    let gray = frame(VideoFormat::Gray8, 30, 20);
    let invert = "return 1.0 - sample(component, x, y);";
    let inverted: Vec<u8> = gray.bytes.iter().map(|sample| 255 - sample).collect();
    // Rows of 30 samples are 32 bytes long; the padding is not compared.
    let picture = |bytes: &[u8]| bytes.chunks(32).flat_map(|row| row[..30].to_vec()).collect::<Vec<_>>();
    assert_eq!(picture(&shading("", invert).push_pull(&gray).bytes), picture(&inverted));

    let flipped = shading("", "return sample(component, width(component) - 1 - x, y);").push_pull(&gray);
    let expected: Vec<u8> =
        gray.bytes.chunks(32).flat_map(|row| row[..30].iter().rev().copied().collect::<Vec<_>>()).collect();
    assert_eq!(picture(&flipped.bytes), expected);

    let deep = frame(VideoFormat::Gray16Le, 32, 8);
    let inverted: Vec<u8> = deep.bytes.iter().map(|byte| 255 - byte).collect();
    assert_eq!(shading("", invert).push_pull(&deep).bytes, inverted);
}

#[test]
#[ignore = "needs scripts/build"]
fn a_shader_can_read_other_components() {
    let colors = frame(VideoFormat::Rgba, 16, 4);
    let result = shading("", "return sample((component + 1u) % 3u, x, y);").push_pull(&colors);
    for (before, after) in colors.bytes.chunks(4).zip(result.bytes.chunks(4)) {
        assert_eq!(after, [before[1], before[2], before[0], before[3]]);
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn border_applies_to_samples_outside_the_frame() {
    let gray = frame(VideoFormat::Gray8, 16, 4);
    let left_of = |border: &str| {
        shading(&format!("border={border}"), "return sample(component, x - 2, y);").push_pull(&gray).bytes[..4].to_vec()
    };
    let row = &gray.bytes;
    assert_eq!(left_of("auto"), [row[0], row[0], row[0], row[1]]);
    assert_eq!(left_of("zero"), [0, 0, row[0], row[1]]);
    assert_eq!(left_of("mirror"), [row[2], row[1], row[0], row[1]]);
}

#[test]
#[ignore = "needs scripts/build"]
fn seconds_is_the_frames_time() {
    let mut line = shading("", "return seconds();");
    let gray = frame(VideoFormat::Gray8, 16, 4);
    let levels: Vec<u8> = (0..3).map(|_| line.push_pull(&gray).bytes[0]).collect();
    assert_eq!(levels, [0, 10, 20], "40 ms per frame");
}

#[test]
#[ignore = "needs scripts/build"]
fn the_examples_run_on_every_kind_of_format() {
    for name in ["ripple", "bilateral", "kuwahara"] {
        let path = root().join(format!("examples/shaders/{name}.wgsl")).display().to_string();
        let mut line = Line::playing(&format!("convfilter filter=shader shader-location={path}"));
        for format in [VideoFormat::Rgbx, VideoFormat::I420, VideoFormat::Yuy2, VideoFormat::P01010le] {
            let frame = frame(format, 70, 50);
            assert!(line.push_pull(&frame).bytes != frame.bytes, "{name} on {format}");
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_shader_can_be_part_of_a_chain() {
    let gray = frame(VideoFormat::Gray8, 32, 16);
    let path = root().join("examples/shaders/kuwahara.wgsl").display().to_string();
    let mut line = Line::new("convfilter");
    line.element.set_property("chain", format!("median; shader, shader-location=\"{path}\"; blur"));
    line.pipeline.set_state(gst::State::Playing).expect("the pipeline starts");
    let separate =
        format!("convfilter filter=median ! convfilter filter=shader shader-location={path} ! convfilter filter=blur");
    assert_eq!(line.push_pull(&gray).bytes, Line::playing(&separate).push_pull(&gray).bytes);
}

#[test]
#[ignore = "needs scripts/build"]
fn a_software_gpu_runs_shaders_only() {
    let adapter = |line: &Line| line.element.property::<Option<String>>("adapter-name").expect("convfilter runs");
    let gray = frame(VideoFormat::Gray8, 16, 4);
    let mut other = Line::playing("convfilter filter=blur");
    other.push_pull(&gray);
    let mut line = shading("", "return sample(component, x, y);");
    line.push_pull(&gray);
    assert!(!adapter(&line).starts_with("CPU, "), "{}", adapter(&line));
    line.element.set_property_from_str("filter", "blur");
    line.push_pull(&gray);
    assert_eq!(adapter(&line), adapter(&other));
    line.element.set_property_from_str("filter", "shader");
    line.push_pull(&gray);
    assert!(!adapter(&line).starts_with("CPU, "));
}

#[test]
#[ignore = "needs scripts/build"]
fn a_shader_set_while_playing_on_the_cpu_gives_a_warning() {
    let mut line = Line::playing("convfilter backend=cpu filter=emboss");
    let gray = frame(VideoFormat::Gray8, 16, 4);
    let embossed = line.push_pull(&gray).bytes;
    line.element.set_property("shader", "fn shade(component: u32, x: i32, y: i32) -> f32 { return 0.5; }");
    line.element.set_property_from_str("filter", "shader");
    assert_eq!(line.push_pull(&gray).bytes, embossed);
    let warning = line.warning().expect("a warning");
    assert!(warning.message().contains("GPU"), "{warning}");
}

#[test]
#[ignore = "needs scripts/build"]
fn errors_name_the_cause() {
    let error = start_error(
        "convfilter filter=shader shader=\"fn shade(component: u32, x: i32, y: i32) -> f32 { return color; }\"",
    );
    assert!(error.matches(gst::ResourceError::Settings), "{error}");
    assert!(error.message().contains("color") && error.message().contains("shader:1:"), "{error}");
    let error = start_error("convfilter filter=shader shader-location=/nowhere.wgsl");
    assert!(error.message().contains("/nowhere.wgsl"), "{error}");
    let error = start_error("convfilter filter=shader");
    assert!(error.message().contains("fn shade("), "{error}");
    let good = "fn shade(component: u32, x: i32, y: i32) -> f32 { return 0.5; }";
    let error = start_error(&format!("convfilter filter=shader backend=cpu shader=\"{good}\""));
    assert!(error.message().contains("backend"), "{error}");
}

/// Bodies of `shade` that do not end.
const ENDLESS: [&str; 2] = [
    "loop { if x < -1 { break; } } return 0.5;",
    "var a = 0.0; while a < 1.0 { for (var i = 0; i >= 0; i = (i + 1) % 1000) { a = 0.0; } } return a;",
];

#[test]
#[ignore = "needs scripts/build"]
fn a_shader_that_does_not_end_is_skipped_with_a_warning() {
    let gray = frame(VideoFormat::Gray8, 640, 480);
    for body in ENDLESS {
        let mut line = shading("", "return 1.0 - sample(component, x, y);");
        let inverted = line.push_pull(&gray).bytes;
        line.element.set_property("shader", format!("fn shade(component: u32, x: i32, y: i32) -> f32 {{ {body} }}"));
        assert!(line.push_pull(&gray).bytes == inverted, "{body}");
        let warning = line.warning().expect("a warning");
        assert!(warning.message().contains("does not end"), "{warning}");
        assert!(line.push_pull(&gray).bytes == inverted, "{body}");
        // A correct shader runs afterwards.
        line.element.set_property("shader", "fn shade(component: u32, x: i32, y: i32) -> f32 { return 1.0; }");
        assert!(line.push_pull(&gray).bytes.iter().all(|&sample| sample == 255));
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_shader_that_does_not_end_from_the_start_ends_the_stream() {
    let gray = frame(VideoFormat::Gray8, 640, 480);
    for body in ENDLESS {
        let line = shading("", body);
        line.push(&gray);
        let error = line.error().expect("an error");
        assert!(error.message().contains("does not end"), "{error}");
        assert!(line.sink.try_pull_sample(gst::ClockTime::ZERO).is_none(), "a frame passed unfiltered");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn directives_and_texts_of_other_editors_run() {
    let shade = "fn shade(component: u32, x: i32, y: i32) -> f32 {\n return level;\n}\n";
    let gray = frame(VideoFormat::Gray8, 16, 4);
    for text in [
        format!("requires pointer_composite_access;\nconst level = 0.2;\n{shade}"),
        format!("// mine\ndiagnostic(off, derivative_uniformity);\nconst level = 0.2;\n{shade}"),
        format!("\u{feff}const level = 0.2;\n{shade}").replace('\n', "\r\n"),
    ] {
        let mut line = Line::new("convfilter filter=shader");
        line.element.set_property("shader", &text);
        line.pipeline.set_state(gst::State::Playing).expect(&text);
        assert!(line.push_pull(&gray).bytes.iter().all(|&sample| sample == 51), "{text}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn what_cannot_run_is_refused_at_the_start_with_the_users_line() {
    let shade = |body: &str| format!("fn shade(component: u32, x: i32, y: i32) -> f32 {{\n{body}\n}}\n");
    for (text, place, words) in [
        (format!("enable warp;\n{}", shade("return 1.0;")), "shader:1:8: ", "in the line: enable warp;"),
        (format!("enable f16;\n{}", shade("return f32(f16(x));")), "shader:1:8: ", "`f16` extension is not supported"),
        (shade("return f32(f16(x));"), "shader:2:12: ", "in the line: return f32(f16(x));"),
        (shade("return 1.0 / 0.0;"), "shader:2:8: ", "in the line: return 1.0 / 0.0;"),
        (shade("let large = 1e30;\nreturn large * large;"), "shader:3:8: ", "in the line: return large * large;"),
        (shade("return 1.0;") + "fn min(a: f32) -> f32 { return a; }", "shader:4:4: ", "the name `min` is taken"),
        ("\nfn shade() -> f32 { return 1.0; }".into(), "shader:2:1: ", "must be `fn shade(component: u32"),
        ("fn shader() -> f32 { return 1.0; }".into(), "", "no function `shade`; it must have `fn shade(component: u32"),
    ] {
        let line = Line::new("convfilter filter=shader");
        line.element.set_property("shader", &text);
        assert!(line.pipeline.set_state(gst::State::Playing).is_err(), "{text} starts");
        let error = line.error().expect("an error");
        assert!(error.matches(gst::ResourceError::Settings), "{error:?}");
        assert!(error.message().contains(place) && error.message().contains(words), "{text}:\n{error}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn accesses_out_of_range_are_harmless() {
    let gray = frame(VideoFormat::Gray8, 64, 48);
    for body in [
        "var few = array<f32, 3>(0.1, 0.2, 0.3); few[x * 100000] = 1.0; return few[y * 100000];",
        "return sample(4000000000u, -2000000000, 2000000000) + f32(width(99u));",
        "return f32(src[4000000000u] / u32(x - x));",
        "let nothing = f32(x - x); return nothing / nothing;",
    ] {
        shading("", body).push_pull(&gray);
    }
}
