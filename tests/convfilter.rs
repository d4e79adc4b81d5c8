//! Tests convfilter in real pipelines.

use common::random::Random;
use common::{BACKENDS, Case, Frame, Line, pillow, start_error};
use gst::prelude::*;
use gst_controller::prelude::*;
use gst_video::VideoFormat;

fn frame(width: u32, height: u32) -> Frame {
    let mut frame = Frame { format: VideoFormat::Rgba, width, height, bytes: Vec::new() };
    frame.bytes = Random(3).bytes(frame.info().size());
    frame
}

#[test]
#[ignore = "needs scripts/build"]
fn filter_none_passes_the_same_buffer_through() {
    let line = Line::playing("convfilter");
    // A frame's bytes and their address.
    let contents = |sample: &gst::Sample| {
        let map = sample.buffer().expect("a buffer").map_readable().expect("readable");
        (map.as_ptr(), map.to_vec())
    };
    let sample = frame(16, 9).sample(gst::ClockTime::ZERO);
    line.source.push_sample(&sample).expect("the frame is accepted");
    assert_eq!(contents(&line.sink.pull_sample().expect("a frame comes out")), contents(&sample));
    assert_eq!(line.element.property::<Option<String>>("adapter-name"), None, "no GPU is opened");
}

#[test]
#[ignore = "needs scripts/build"]
fn the_filter_changes_while_playing() {
    let frame = frame(40, 30);
    for backend in BACKENDS {
        let mut line = Line::playing(&format!("convfilter backend={backend}"));
        let mut results = Vec::new();
        for filter in ["none", "emboss", "blur", "gaussian-blur", "median", "contour", "none"] {
            line.element.set_property_from_str("filter", filter);
            results.push(line.push_pull(&frame).bytes);
        }
        assert_eq!(results[0], frame.bytes);
        assert_eq!(results.last(), results.first());
        for (index, result) in results[..6].iter().enumerate() {
            assert!(!results[index + 1..6].contains(result), "result {index} is repeated");
        }
        let adapter: Option<String> = line.element.property("adapter-name");
        assert_eq!(adapter.expect("convfilter runs").starts_with("CPU, "), backend == "cpu");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn every_filter_but_none_changes_the_frame() {
    let mut line = Line::playing("convfilter kernel=\"1 2; 3 4\"");
    let frame = frame(20, 20);
    let filters = line.element.find_property("filter").expect("a property").value_type();
    for filter in gst::glib::EnumClass::with_type(filters).expect("an enumeration").values() {
        line.element.set_property_from_str("filter", filter.nick());
        let unchanged = line.push_pull(&frame).bytes == frame.bytes;
        assert_eq!(unchanged, filter.nick() == "none", "{}", filter.nick());
    }
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn alpha_is_filtered_only_on_request() {
    let frame = frame(20, 10);
    let alpha = |bytes: &[u8]| bytes.iter().skip(3).step_by(4).copied().collect::<Vec<_>>();
    let filter = "find-edges";
    for (backend, all) in BACKENDS.iter().flat_map(|&backend| [(backend, "false"), (backend, "true")]) {
        let line = format!("convfilter backend={backend} filter={filter} alpha={all}");
        let result = Line::playing(&line).push_pull(&frame).bytes;
        assert_eq!(alpha(&result) == alpha(&frame.bytes), all == "false");
        if all == "true" {
            let request = format!("{{\"filter\": \"{filter}\"}}");
            let case = Case { request, mode: "RGBA", width: 20, height: 10, bytes: frame.bytes.clone() };
            assert_eq!(result, pillow(&[case])[0]);
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn planes_selects_the_components_to_filter() {
    let mut yuv = Frame { format: VideoFormat::Y444, width: 24, height: 16, bytes: Vec::new() };
    yuv.bytes = Random(8).bytes(yuv.info().size());
    let plane = yuv.bytes.len() / 3;
    let run = |settings: &str| {
        let [gpu, cpu] =
            BACKENDS.map(|backend| Line::playing(&format!("convfilter backend={backend} {settings}")).push_pull(&yuv));
        assert_eq!(gpu.bytes, cpu.bytes, "{settings}");
        gpu.bytes
    };
    let luma = run("filter=contour planes=luma");
    assert_eq!(luma[plane..], yuv.bytes[plane..]);
    assert!(run("filter=contour")[plane..].iter().all(|&chroma| chroma == 128));
    let all = run("filter=contour planes=all");
    assert!(all[plane..] != yuv.bytes[plane..] && all[plane..].iter().any(|&chroma| chroma != 128));
    assert!(all[..plane] == luma[..plane] && luma[..plane] != yuv.bytes[..plane]);
}

#[test]
#[ignore = "needs scripts/build"]
fn mix_blends_with_the_original() {
    let frame = frame(30, 20);
    let run = |settings: &str| {
        let line = |backend| Line::playing(&format!("convfilter backend={backend} filter=emboss {settings}"));
        let [gpu, cpu] = BACKENDS.map(|backend| line(backend).push_pull(&frame).bytes);
        assert_eq!(gpu, cpu, "{settings}");
        gpu
    };
    let filtered = run("");
    assert_eq!(run("mix=0"), frame.bytes);
    for ((mixed, filtered), original) in run("mix=0.25").iter().zip(&filtered).zip(&frame.bytes) {
        let expected = 0.25 * f64::from(*filtered) + 0.75 * f64::from(*original);
        assert!((f64::from(*mixed) - expected).abs() <= 0.5, "{mixed} {expected}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_chain_gives_the_result_of_its_filters_in_order() {
    let frame = frame(50, 40);
    let chain = "median, size=5; unsharp-mask, percent=200, radius=1.5; kernel, kernel=\"1 1; 1 -2\", border=mirror; none; mode";
    let [chained, on_cpu] = BACKENDS.map(|backend| {
        let mut line = Line::playing(&format!("convfilter backend={backend}"));
        line.element.set_property("chain", chain);
        line.push_pull(&frame).bytes
    });
    assert_eq!(chained, on_cpu);
    let separate = "convfilter filter=median size=5 ! convfilter filter=unsharp-mask percent=200 radius=1.5 \
        ! convfilter filter=kernel kernel=\"1 1; 1 -2\" border=mirror ! convfilter filter=mode";
    assert_eq!(Line::playing(separate).push_pull(&frame).bytes, chained);

    for (chain, word) in [
        ("sepia", "sepia"),
        ("blur, taste=3", "taste"),
        ("median, size=99", "size=99"),
        ("median, size=4", "size=4"),
        ("median, mix=0.5", "mix"),
        ("median size", "median size"),
        ("median(size)", "median(size)"),
    ] {
        let error = start_error(&format!("convfilter chain=\"{chain}\""));
        assert!(error.message().contains("chain: ") && error.message().contains(word), "{chain}: {error}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn properties_follow_a_controller() {
    let mut line = Line::playing("convfilter filter=box-blur radius-y=0");
    let frame = frame(40, 30);
    let blurred: Vec<_> = [0.0, 5.0]
        .map(|radius| {
            line.element.set_property("radius", radius);
            line.push_pull(&frame).bytes
        })
        .into();
    let ramp = gst_controller::InterpolationControlSource::new();
    ramp.set_mode(gst_controller::InterpolationMode::Linear);
    // Two frames were pushed, so the timestamp of the next one is 80 ms.
    assert!(ramp.set(gst::ClockTime::ZERO, 1.0) && ramp.set(gst::ClockTime::from_mseconds(160), 9.0));
    let binding = gst_controller::DirectControlBinding::new_absolute(&line.element, "radius", &ramp);
    line.element.add_control_binding(&binding).expect("radius is controllable");
    assert_eq!(line.push_pull(&frame).bytes, blurred[1]);
    assert_ne!(blurred[0], blurred[1]);
}

#[test]
#[ignore = "needs scripts/build"]
fn the_error_for_a_bad_kernel_has_the_reason() {
    let error = start_error("convfilter filter=kernel kernel=\"1 2; 3\"");
    assert!(error.matches(gst::ResourceError::Settings), "{error}");
    assert!(error.message().contains("kernel row 2 has 1 numbers"), "{error}");
    let error = start_error("convfilter filter=rank rank=9");
    assert!(error.message().contains("the maximum for size=3 is 8"), "{error}");
    let error = start_error("convfilter filter=kernel");
    assert!(error.message().contains("the kernel is empty"), "{error}");
    // These numbers, or their sums, exceed the range of 32-bit floats.
    for backend in BACKENDS {
        for kernel in [
            "kernel=\"1e39\"",
            "kernel=\"-1e38 1e38\"",
            "kernel=1 scale=1e-40",
            "kernel=3e38 scale=0.5",
            "kernel=1 offset=3e38",
        ] {
            let error = start_error(&format!("convfilter backend={backend} filter=kernel {kernel}"));
            assert!(error.message().contains("too large"), "{kernel}: {error}");
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn an_adapter_can_be_selected_by_a_part_of_its_name() {
    let name = |settings: &str| {
        let mut line = Line::playing(&format!("convfilter filter=blur {settings}"));
        line.push_pull(&frame(8, 8));
        line.element.property::<Option<String>>("adapter-name").expect("convfilter runs")
    };
    let found = name("backend=gpu");
    let part: String = found.chars().take(4).collect::<String>().to_uppercase();
    assert_eq!(name(&format!("adapter={part}")), found);
    let error = start_error("convfilter filter=blur adapter=abacus");
    assert!(
        error.message().contains("abacus") && error.message().contains(found.split(' ').next().unwrap()),
        "{error}"
    );
}

#[test]
#[ignore = "needs scripts/build"]
fn a_bad_kernel_while_playing_gives_a_warning_and_keeps_the_last_filter() {
    let mut line = Line::playing("convfilter filter=kernel kernel=\"0 0 0; 0 -1 0; 0 0 0\" offset=255 scale=1");
    let frame = frame(8, 8);
    let inverted = line.push_pull(&frame).bytes;
    line.element.set_property("kernel", "1 oops");
    assert_eq!(line.push_pull(&frame).bytes, inverted);
    let warning = line.warning().expect("a warning");
    assert!(warning.message().contains("'oops'"), "{warning}");
}

#[test]
#[ignore = "needs scripts/build"]
fn two_elements_give_the_same_result_after_a_restart() {
    let mut line = Line::playing("convfilter filter=emboss ! convfilter filter=blur");
    let frame = frame(33, 17);
    let first = line.push_pull(&frame).bytes;
    line.pipeline.set_state(gst::State::Null).expect("the pipeline stops");
    line.pipeline.set_state(gst::State::Playing).expect("the pipeline starts again");
    assert_eq!(line.push_pull(&frame).bytes, first);
}

/// Controls a property: it changes from `from` to `to` within a second.
fn control(line: &Line, property: &str, from: f64, to: f64) {
    let ramp = gst_controller::InterpolationControlSource::new();
    ramp.set_mode(gst_controller::InterpolationMode::Linear);
    assert!(ramp.set(gst::ClockTime::ZERO, from) && ramp.set(gst::ClockTime::from_seconds(1), to));
    let binding = gst_controller::DirectControlBinding::new_absolute(&line.element, property, &ramp);
    line.element.add_control_binding(&binding).expect("the property is controllable");
}

#[test]
#[ignore = "needs scripts/build"]
fn a_shader_file_is_read_once_while_other_properties_follow_a_controller() {
    common::init();
    let path = common::scratch("shader-file").join("shader.wgsl");
    let write = |level: &str| {
        let text = format!("fn shade(component: u32, x: i32, y: i32) -> f32 {{ return {level}; }}");
        std::fs::write(&path, text).expect("the file is written");
    };
    let frame = frame(16, 8);
    for (setting, value) in [
        ("shader-location", path.display().to_string()),
        ("chain", format!("shader, shader-location=\"{}\"", path.display())),
    ] {
        write("1.0");
        let mut line = Line::new("convfilter filter=shader");
        control(&line, "radius", 1.0, 9.0);
        line.element.set_property(setting, &value);
        line.pipeline.set_state(gst::State::Playing).expect("the pipeline starts");
        let white = line.push_pull(&frame).bytes;
        write("0.0");
        assert!(line.push_pull(&frame).bytes == white, "{setting} is read for every frame");
        // A new value is read again.
        line.element.set_property(setting, value.replace("shader.wgsl", "./shader.wgsl"));
        assert!(line.push_pull(&frame).bytes != white, "{setting}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_controller_without_values_is_logged_under_the_elements_name() {
    let mut line = Line::playing("convfilter filter=blur");
    let nothing = gst_controller::InterpolationControlSource::new();
    let binding = gst_controller::DirectControlBinding::new_absolute(&line.element, "radius", &nothing);
    line.element.add_control_binding(&binding).expect("radius is controllable");
    gst::log::set_threshold_for_name("convfilter", gst::DebugLevel::Debug);
    let (send, logged) = std::sync::mpsc::channel();
    let logger = gst::log::add_log_function(move |category, _, _, _, _, _, message| {
        if category.name() == "convfilter" {
            // Fails after this test has ended: other tests log to this category, too.
            let _ = send.send(message.get().map(|text| text.to_string()).unwrap_or_default());
        }
    });
    line.push_pull(&frame(16, 8));
    gst::log::remove_log_function(logger);
    assert!(logged.try_iter().any(|text| text.contains("no controlled values")), "nothing is logged");
}

#[test]
#[ignore = "needs scripts/build"]
fn rounding_can_be_set_independently_of_the_border() {
    common::init();
    let mut frame = Frame { format: VideoFormat::Gray8, width: 16, height: 16, bytes: Vec::new() };
    frame.bytes = (0..=255).collect();
    let halves =
        |added: u32| frame.bytes.iter().map(|&sample| ((u32::from(sample) + added) / 2) as u8).collect::<Vec<_>>();
    let (up, down) = (halves(1), halves(0));
    for (border, rounding, expected) in [
        ("auto", "auto", &up),
        ("clamp", "auto", &up),
        ("zero", "auto", &down),
        ("clamp", "down", &down),
        ("zero", "half-up", &up),
    ] {
        for backend in BACKENDS {
            let settings = format!("backend={backend} kernel=0.5 scale=1 border={border} rounding={rounding}");
            let result = Line::playing(&format!("convfilter filter=kernel {settings}")).push_pull(&frame);
            assert!(result.bytes == *expected, "{settings}");
        }
        let mut line = Line::new("convfilter");
        let chain = format!("kernel, kernel=(string)0.5, scale=1.0, border={border}, rounding={rounding}");
        line.element.set_property("chain", chain);
        line.pipeline.set_state(gst::State::Playing).expect("the pipeline starts");
        assert!(line.push_pull(&frame).bytes == *expected, "in a chain: {border} {rounding}");
    }
}
