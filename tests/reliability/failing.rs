//! Missing or broken requirements: GPU drivers, the engine, libtorch, memory.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{program, scratch, stage};

use crate::report;

/// A gst-launch-1.0 command with the plugin.
pub fn launch(folder: &Path, line: &str) -> Command {
    let mut command = program("gst-launch-1.0", &stage().join("lib/gstreamer-1.0"), &folder.join("registry.bin"));
    command.args(["-v"]).args(line.split(' ')).env("XDG_RUNTIME_DIR", folder);
    command
}

/// Runs a program; also returns its output (both streams) as text.
pub fn run(command: &mut Command) -> (String, Output) {
    let output = command.output().expect("the program runs");
    (format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)), output)
}

/// Checks that a program fails with an error that has these words, and not by a signal.
fn assert_error(command: &mut Command, words: &[&str]) {
    let (text, output) = run(command);
    // The code is None if a signal ended the program.
    assert!(output.status.code().is_some_and(|code| code != 0), "{text}");
    assert!(text.contains("ERROR") && words.iter().all(|word| text.contains(word)), "{words:?}: {text}");
}

fn painting() -> String {
    let style = crate::style().display();
    format!(
        "videotestsrc num-buffers=2 ! video/x-raw,width=32,height=24 ! styletransfer style={style} first-iterations=1 ! fakesink"
    )
}

#[test]
#[ignore = "needs scripts/build"]
fn without_vulkan_only_backend_gpu_fails() {
    let folder = scratch("reliability-vulkan");
    let filtering =
        |backend| format!("videotestsrc num-buffers=2 ! convfilter filter=blur backend={backend} ! fakesink");
    let without = |mut command: Command| {
        command.env("VK_DRIVER_FILES", "/nothing.json").env("VK_ICD_FILENAMES", "/nothing.json");
        command
    };
    assert_error(&mut without(launch(&folder, &filtering("gpu"))), &["Vulkan"]);
    for backend in ["auto", "cpu"] {
        let (text, output) = run(&mut without(launch(&folder, &filtering(backend))));
        assert!(output.status.success(), "{text}");
    }
    report("no Vulkan driver", 3, "backend=gpu gives an error; otherwise the CPU filters");
}

/// Compiles C code to a shared library.
fn library(folder: &Path, name: &str, code: &str) -> PathBuf {
    let (source, library) = (folder.join(name).with_extension("c"), folder.join(name));
    std::fs::write(&source, code).expect("written");
    let soname = format!("-Wl,-soname,{name}");
    let built = Command::new("cc").args(["-shared", "-fPIC", &soname, "-o"]).arg(&library).arg(&source).status();
    assert!(built.expect("a C compiler is installed").success());
    library
}

#[test]
#[ignore = "needs scripts/build"]
fn invalid_engine_files_are_errors() {
    let folder = scratch("reliability-engines");
    std::fs::write(folder.join("text.so"), "not a library").expect("written");
    std::fs::write(folder.join("empty.so"), "").expect("written");
    symlink(folder.join("loop.so"), folder.join("loop.so")).expect("made");
    let versioned = "static const unsigned table[64] = {999}; const void *style_engine_table(void) { return table; }";
    let cases = [
        (folder.join("nothing.so"), "nothing.so"),
        (folder.join("text.so"), "text.so"),
        (folder.join("empty.so"), "empty.so"),
        (folder.join("loop.so"), "loop.so"),
        (folder.clone(), "reliability-engines"),
        (library(&folder, "other.so", "int other(void) { return 0; }"), "style_engine_table"),
        (library(&folder, "version.so", versioned), "version 999"),
        (library(&folder, "null.so", "const void *style_engine_table(void) { return 0; }"), "null.so"),
    ];
    for (engine, words) in &cases {
        let mut command = launch(&folder, &painting());
        command.env("STYLEFILTER_ENGINE", engine);
        assert_error(&mut command, &[words, "scripts/setup"]);
        // An engine brings libtorch along, which cannot be unloaded. So an opened engine must stay open.
        let (text, _) = run(command.env("LD_DEBUG", "files"));
        let engine = engine.display().to_string();
        let closes = |line: &str| line.contains(&engine) && line.contains("destroying link map");
        assert!(!text.lines().any(closes), "{engine} is closed");
    }
    report(
        "engine files that are missing, empty, not libraries, other libraries, of another version",
        cases.len(),
        "an error that names the file",
    );
}

#[test]
#[ignore = "needs scripts/build"]
fn another_libtorch_is_an_error_that_names_the_version() {
    let folder = scratch("reliability-libtorch");
    std::fs::create_dir_all(folder.join("lib")).expect("made");
    // Like another version, this library lacks symbols that the engine needs.
    library(&folder.join("lib"), "libtorch_cpu.so", "int other(void) { return 0; }");
    assert_error(launch(&folder, &painting()).env("LIBTORCH", &folder), &["libtorch 2.11.0", "scripts/setup"]);
    std::fs::write(folder.join("lib/libtorch_cpu.so"), "not a library").expect("written");
    // The loader skips such a file and finds the engine's own libtorch.
    let (text, output) = run(launch(&folder, &painting()).env("LIBTORCH", &folder));
    assert!(output.status.success(), "{text}");
    report(
        "a libtorch of another version, and a libtorch that is not a library",
        2,
        "an error that names the required version; the engine's own libtorch is used",
    );
}

#[test]
#[ignore = "needs scripts/build"]
fn device_cuda_without_a_gpu_is_an_error() {
    let folder = scratch("reliability-cuda");
    for device in ["cuda", "cuda:7"] {
        let line = painting().replace("first-iterations=1", &format!("first-iterations=1 device={device}"));
        // With this variable, CUDA finds no GPU on a machine that has one.
        assert_error(launch(&folder, &line).env("CUDA_VISIBLE_DEVICES", ""), &["device cuda"]);
    }
    report("device=cuda without a GPU or its driver", 2, "an error that names what is missing");
}

#[test]
#[ignore = "needs scripts/build"]
fn with_too_little_memory_frames_are_painted_smaller() {
    let folder = scratch("reliability-memory");
    let style = crate::style().display();
    // In KiB: what libtorch itself needs, and some memory for frames.
    let line = format!(
        "ulimit -v 2500000; exec gst-launch-1.0 videotestsrc num-buffers=2 ! video/x-raw,format=RGBA,width=2560,height=1440 \
         ! styletransfer style={style} size=0 first-iterations=1 iterations=1 warm-start=none ! fakesink"
    );
    let mut command = program("bash", &stage().join("lib/gstreamer-1.0"), &folder.join("registry.bin"));
    let (text, output) = run(command.args(["-c", &line]).env("OMP_NUM_THREADS", "2"));
    assert!(output.status.success() && text.contains("not enough memory"), "{text}");
    // The element must remember the smaller size, and not try the requested size again for each frame.
    assert!(text.matches("painting at").count() <= 3, "{text}");
    report("too little memory for the frames' size", 1, "painted smaller, with a warning");
}
