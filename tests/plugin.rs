//! Tests the plugin with GStreamer's own programs.

use std::os::unix::fs::symlink;
use std::path::Path;

use common::{plugin, program, scratch, stage};
use gst::glib;
use gst::prelude::*;

/// Runs a program; returns its output (both streams), and whether it succeeded.
fn output(command: &mut std::process::Command) -> (String, bool) {
    let output = command.output().expect("GStreamer's tools are installed");
    (String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(), output.status.success())
}

#[test]
#[ignore = "needs scripts/build"]
fn inspecting_opens_no_gpu_and_no_libtorch() {
    let folder = scratch("inspect");
    let plugins = stage().join("lib/gstreamer-1.0");
    let mut inspect = program("gst-inspect-1.0", &plugins, &folder.join("registry.bin"));
    // Only this plugin is loaded, since GStreamer's own plugins may open these libraries.
    inspect.env("GST_PLUGIN_SYSTEM_PATH", &folder);
    let (text, success) = output(inspect.arg("stylefilter").env("LD_DEBUG", "files"));
    assert!(success && text.contains("convfilter: ") && text.contains("styletransfer: "), "{text}");
    let opened = |library: &str| text.lines().any(|line| line.contains("calling init") && line.contains(library));
    assert!(opened("libgststylefilter.so"), "LD_DEBUG does not show opened libraries");
    for library in ["libvulkan", "libtorch", "libstyle_engine", "libcuda"] {
        assert!(!opened(library), "{library} is opened");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn every_property_is_described() {
    common::init();
    for name in ["convfilter", "styletransfer"] {
        let element = gst::ElementFactory::make(name).build().expect(name);
        for pspec in element.list_properties().iter().filter(|pspec| pspec.owner_type() == element.type_()) {
            let property = format!("{name}: {}", pspec.name());
            assert!(pspec.blurb().is_some_and(|blurb| blurb.len() > 10), "{property} has no blurb");
            assert_ne!(pspec.nick(), pspec.name(), "{property} has no nick");
            let mutable = [gst::PARAM_FLAG_MUTABLE_READY, gst::PARAM_FLAG_MUTABLE_PLAYING];
            if pspec.flags().contains(glib::ParamFlags::WRITABLE) {
                let says_when = mutable.iter().any(|&flag| pspec.flags().contains(flag));
                assert!(says_when, "{property} has no flag that says when it can be set");
                assert_eq!(
                    format!("{:?}", element.property_value(pspec.name())),
                    format!("{:?}", pspec.default_value()),
                    "{property} does not start with its default"
                );
            }
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn the_log_tells_what_was_chosen_and_why() {
    let folder = scratch("log");
    let style = folder.join("style.png");
    common::write_style(&style);
    let logged = |category: &str, source: &str, element: &str| {
        let mut launch = program("gst-launch-1.0", &stage().join("lib/gstreamer-1.0"), &folder.join("registry.bin"));
        launch.args(format!("-q {source} ! {element} ! fakesink").split(' '));
        // Without any Vulkan driver.
        launch.envs([("GST_DEBUG", category), ("VK_DRIVER_FILES", "none"), ("VK_ICD_FILENAMES", "none")]);
        let (text, success) = output(&mut launch);
        assert!(success, "{text}");
        text
    };
    let assert_lines = |text: &str, lines: &[&str]| {
        for line in lines {
            assert!(text.contains(line), "'{line}' is not in {text}");
        }
    };

    let source = "videotestsrc num-buffers=1 ! video/x-raw,format=RGBA,width=64,height=48";
    let text = logged("convfilter:5", source, "convfilter filter=gaussian-blur mask-from=alpha");
    assert_lines(
        &text,
        &[
            "filter=gaussian-blur: passes 6, chroma Filter, alpha Keep",
            "no GPU is used: no Vulkan device was found",
            "filters run on CPU",
            "masks of 64x48 are made from the frame's alpha",
        ],
    );
    // Enough steps for a report of progress.
    let element = format!("styletransfer device=auto size=32 first-iterations=300 style={}", style.display());
    let text = logged("styletransfer:5", source, &element);
    assert_lines(
        &text,
        &[
            ", features in ",
            "a source that is not live: a frame has no time limit",
            "a first frame: painted from scratch in ",
            "frames are painted at 32x24: by the property size",
            "frame 1: 32x24, 300 steps, ",
        ],
    );
    assert!(text.contains("on cuda") || text.contains("on cpu (no CUDA: "), "{text}");
}

/// The engine's bytes, with the path where it looks for libtorch made invalid.
fn without_libtorch(engine: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(engine).expect("the engine is built");
    let needle = b"site-packages/torch/lib\0";
    let at =
        bytes.windows(needle.len()).position(|window| window == needle).expect("the engine names libtorch's folder");
    bytes[at] = b'X';
    bytes
}

#[test]
#[ignore = "needs scripts/build"]
fn convfilter_works_without_libtorch_and_styletransfer_once_it_is_installed() {
    common::init();
    let folder = scratch("without-libtorch");
    let plugins = folder.join("lib/gstreamer-1.0");
    std::fs::create_dir_all(&plugins).expect("a folder is made");
    std::fs::create_dir_all(folder.join("lib/stylefilter")).expect("a folder is made");
    symlink(plugin().canonicalize().expect("the plugin is built"), plugins.join("libgststylefilter.so"))
        .expect("linked");
    let engine = folder.join("lib/stylefilter/libstyle_engine.so");
    let style = folder.join("style.png");
    image::RgbImage::from_pixel(16, 16, image::Rgb([200, 100, 0])).save(&style).expect("the style is written");
    let command = |name: &str, arguments: &str| {
        let mut command = program(name, &plugins, &folder.join("registry.bin"));
        command.args(arguments.split(' '));
        command
    };
    let run = |name: &str, arguments: &str| output(&mut command(name, arguments));
    let paint = format!(
        "videotestsrc num-buffers=2 ! video/x-raw,width=32,height=24 ! styletransfer style={} first-iterations=1 ! fakesink",
        style.display()
    );

    // First neither engine nor libtorch, then the engine without libtorch.
    for has_engine in [false, true] {
        if has_engine {
            let whole = stage().join("lib/stylefilter/libstyle_engine.so");
            std::fs::write(&engine, without_libtorch(&whole)).expect("the engine is written");
        }
        let (text, success) = run("gst-inspect-1.0", "stylefilter");
        assert!(success && text.contains("convfilter: ") && text.contains("styletransfer: "), "{text}");
        let (text, success) = run("gst-launch-1.0", "videotestsrc num-buffers=2 ! convfilter filter=blur ! fakesink");
        assert!(success, "{text}");
        let (text, success) = run("gst-launch-1.0", &paint);
        let missing = if has_engine { "libtorch_cpu.so" } else { "libstyle_engine.so" };
        assert!(!success && text.contains(missing) && text.contains("scripts/setup"), "{text}");
    }

    // First the libtorch that a variable names, then the engine's own.
    let libtorch = Path::new(env!("CARGO_MANIFEST_DIR")).join(env!("LIBTORCH"));
    let (text, success) = output(command("gst-launch-1.0", &paint).env("LIBTORCH", libtorch));
    assert!(success, "{text}");
    std::fs::remove_file(&engine).expect("removed");
    symlink(stage().join("lib/stylefilter/libstyle_engine.so").canonicalize().expect("built"), &engine)
        .expect("linked");
    let (text, success) = run("gst-launch-1.0", &paint);
    assert!(success, "{text}");
}

#[test]
#[ignore = "needs scripts/build"]
fn gst_launch_plays_common_formats_and_sizes() {
    common::init();
    let folder = scratch("as-typed");
    let style = folder.join("style.png");
    common::write_style(&style);
    let style = format!("styletransfer style={} first-iterations=2 iterations=1", style.display());
    for element in [style.as_str(), "convfilter filter=emboss", "convfilter filter=median"] {
        for format in ["YUY2", "I420", "NV12", "BGRx", "RGB"] {
            for size in ["width=320,height=240", "width=321,height=241"] {
                let line =
                    format!("videotestsrc num-buffers=3 ! video/x-raw,format={format},{size} ! {element} ! fakesink");
                let plugins = stage().join("lib/gstreamer-1.0");
                let mut launch = program("gst-launch-1.0", &plugins, &folder.join("registry.bin"));
                let (text, success) = output(launch.args(line.split(' ')));
                assert!(success && text.contains("Got EOS"), "{line}: {text}");
            }
        }
    }
}
