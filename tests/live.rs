//! Tests live video: the scripts in examples/, and the pipelines in docs/obs.md for OBS, where the test takes the place
//! of the plugin obs-gstreamer. Only the camera and the window are replaced.

use std::path::PathBuf;
use std::process::{Command, Output};

use common::random::Random;
use common::{Frame, Line, root, scratch};
use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};

const TIMEOUT: gst::ClockTime = gst::ClockTime::from_seconds(120);

/// The picture's size in both scripts.
const SIZE: (u32, u32) = (640, 480);

/// The fastest settings for styletransfer.
const FAST: &str = "first-iterations=2 iterations=1 size=64";

#[test]
#[ignore = "needs scripts/build"]
fn a_window_shows_a_mirrored_picture() {
    let bench = Bench::new("mirrored");
    for (flip, is_mirrored) in [(None, true), (Some("identity"), false)] {
        let shown = bench.webcam("videotestsrc num-buffers=2", "convfilter filter=none", flip);
        assert_eq!((shown.info.width(), shown.info.height()), SIZE);
        let row = &shown.frames[0][..3 * SIZE.0 as usize];
        let is_blue = |pixel: &[u8]| pixel[0] < pixel[2];
        // The test card's first row goes from white to blue.
        assert_eq!((is_blue(&row[..3]), is_blue(&row[row.len() - 3..])), (is_mirrored, !is_mirrored));
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_window_shows_the_elements_result() {
    let bench = Bench::new("elements");
    let source = "videotestsrc pattern=checkers-8 num-buffers=2";
    let plain = bench.webcam(source, "identity", None);
    let chain = "convfilter filter=blur ! convfilter filter=emboss";
    for element in ["", "convfilter filter=emboss", &format!("styletransfer style=painting.jpg {FAST}"), chain] {
        let shown = bench.webcam(source, element, None);
        assert_eq!((shown.info.width(), shown.info.height()), SIZE, "{element}");
        assert!(shown.frames[0] != plain.frames[0], "{element} changes nothing");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_slow_element_gets_the_newest_frame() {
    let bench = Bench::new("slow");
    let shown = bench.webcam("videotestsrc num-buffers=30", "identity sleep-time=300000", None);
    assert!(shown.frames.len() < 30, "no frames are dropped before a slow element");
    assert_eq!(shown.times.last().map(|time| time.mseconds()), Some(29 * 1000 / 30), "the last frame is dropped");
}

#[test]
#[ignore = "needs scripts/build"]
fn a_virtual_camera_gives_a_format_that_programs_accept() {
    let bench = Bench::new("virtual-camera");
    let emboss = "convfilter filter=emboss";
    let paint = format!("styletransfer style=painting.jpg {FAST}");
    for (rate, element) in [("10/1", emboss), ("60/1", emboss), ("30000/1001", &paint)] {
        let source = format!("videotestsrc is-live=true num-buffers=9 ! video/x-raw,framerate={rate}");
        let Shown { info, times, .. } = bench.virtual_camera(&source, element);
        assert_eq!((info.format(), info.width(), info.height()), (VideoFormat::Yuy2, SIZE.0, SIZE.1), "{rate}");
        assert_eq!((info.fps(), info.par()), (gst::Fraction::new(30, 1), gst::Fraction::new(1, 1)), "{rate}");
        assert!(times.len() > 1, "{rate}");
        assert!(times.windows(2).all(|pair| (pair[1] - pair[0]).mseconds() == 33), "{rate}: {times:?}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_virtual_camera_neither_mirrors_nor_distorts() {
    let bench = Bench::new("undistorted");
    let source = "videotestsrc num-buffers=2 ! video/x-raw,width=320,height=180";
    let shown = bench.virtual_camera(source, "convfilter filter=none");
    let luma = |x: usize, y: usize| shown.frames[0][(y * SIZE.0 as usize + x) * 2];
    // The test card is white at the left and blue at the right, between black bars.
    let corners = [luma(2, 30), luma(2, 240), luma(637, 240), luma(2, 450)];
    assert!(matches!(corners, [0..20, 150..=255, 20..60, 0..20]), "{corners:?}");
}

#[test]
#[ignore = "needs scripts/build"]
fn a_virtual_camera_without_its_device_explains_how_to_create_it() {
    let bench = Bench::new("no-device");
    let output = bench.script("virtual-camera.sh", "", &[("DEVICE", "/dev/video99")]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && output.stdout.is_empty(), "something was played");
    assert!(text.contains("/dev/video99 does not exist"), "{text}");
    assert!(text.contains("sudo modprobe v4l2loopback video_nr=99 ") && text.contains("exclusive_caps=1"), "{text}");
}

#[test]
#[ignore = "needs scripts/build"]
fn obs_filters_frame_by_frame() {
    let bench = Bench::new("obs-filter");
    let mut random = Random(7);
    for pipeline in bench.pipelines("As a filter") {
        for format in [
            VideoFormat::I420,
            VideoFormat::Nv12,
            VideoFormat::Y42b,
            VideoFormat::Yvyu,
            VideoFormat::Yuy2,
            VideoFormat::Uyvy,
            VideoFormat::Rgba,
            VideoFormat::Bgra,
            VideoFormat::Bgrx,
        ] {
            let mut filter = ObsFilter { pipeline: &pipeline, line: None };
            // The source's size changes after three frames.
            for (number, (width, height)) in [(64, 48); 3].into_iter().chain([(80, 60); 3]).enumerate() {
                let mut frame = Frame { format, width, height, bytes: Vec::new() };
                frame.bytes = random.bytes(frame.info().size());
                // OBS's timestamps count from the start of the machine.
                let time = gst::ClockTime::from_useconds(86_400_000_000 + 33_367 * number as u64);
                let result = filter.filter(&frame, time);
                let result = result.buffer().expect("a buffer");
                assert_eq!(result.pts(), Some(time), "{pipeline}: {format:?}");
                assert_eq!(result.size(), frame.bytes.len(), "{pipeline}: {format:?}");
                assert!(bytes(result) != frame.bytes, "{pipeline}: {format:?}: not filtered");
            }
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn obs_can_use_the_pipelines_as_sources() {
    let bench = Bench::new("obs-source");
    for pipeline in bench.pipelines("As a source") {
        let camera = "videotestsrc is-live=true num-buffers=5 ! video/x-raw,framerate=30/1,width=320,height=180";
        // obs-gstreamer puts these elements before the pipeline.
        let shown = Shown::at(&format!(
            "videoconvert name=video ! video/x-raw,format={{I420,NV12,BGRA,BGRx,RGBx,RGBA,YUY2,YVYU,UYVY}} \
             ! appsink name=sink {}",
            pipeline.replace("v4l2src", camera)
        ));
        assert_eq!((shown.info.width(), shown.info.height()), SIZE, "{pipeline}");
        assert_eq!(shown.info.par(), gst::Fraction::new(1, 1), "{pipeline}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn obs_can_use_the_virtual_camera() {
    let bench = Bench::new("obs-virtual-camera");
    let lines = bench.pipelines("As a virtual camera");
    let line = lines.iter().find_map(|line| line.strip_prefix("examples/virtual-camera.sh "));
    let shown = bench.virtual_camera("videotestsrc num-buffers=2", line.expect("the page calls the script"));
    assert_eq!((shown.info.width(), shown.info.height()), SIZE);
}

/// A folder with a style picture, in which the scripts are run.
struct Bench {
    folder: PathBuf,
}

impl Bench {
    fn new(name: &str) -> Self {
        common::init();
        let folder = scratch(&format!("live-{name}"));
        let picture = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([(x * 4) as u8, (y * 5) as u8, 90]));
        picture.save(folder.join("painting.jpg")).expect("the picture is written");
        Self { folder }
    }

    /// The frames that webcam.sh shows, in RGB.
    fn webcam(&self, source: &str, element: &str, flip: Option<&str>) -> Shown {
        let mut variables =
            vec![("SOURCE", source), ("SINK", "video/x-raw,format=RGB ! gdppay ! filesink location=gdp")];
        variables.extend(flip.map(|flip| ("FLIP", flip)));
        self.shown("webcam.sh", element, &variables)
    }

    /// The frames that virtual-camera.sh gives to programs.
    fn virtual_camera(&self, source: &str, element: &str) -> Shown {
        self.shown("virtual-camera.sh", element, &[("SOURCE", source), ("SINK", "gdppay ! filesink location=gdp")])
    }

    /// The frames that a script writes to a file, with their caps and timestamps.
    fn shown(&self, script: &str, element: &str, variables: &[(&str, &str)]) -> Shown {
        let output = self.script(script, element, variables);
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && text.contains("Got EOS"), "{script} {element}: {text}");
        let file = self.folder.join("gdp");
        Shown::at(&format!("filesrc location={} ! gdpdepay ! appsink name=sink sync=false", file.display()))
    }

    fn script(&self, name: &str, element: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(root().join("examples").join(name));
        command.args(element.split_whitespace()).current_dir(&self.folder);
        // Variables that the user may have set, and two that cargo sets.
        for variable in ["SOURCE", "SINK", "FLIP", "DEVICE", "STYLEFILTER_WEIGHTS", "LIBTORCH", "LD_LIBRARY_PATH"] {
            command.env_remove(variable);
        }
        command.env("GST_REGISTRY", self.folder.join("registry.bin")).envs(variables.iter().copied());
        command.output().expect("bash runs")
    }

    /// The blocks of code below a heading of docs/obs.md, with this folder's style picture.
    fn pipelines(&self, heading: &str) -> Vec<String> {
        let page = std::fs::read_to_string(root().join("docs/obs.md")).expect("the page exists");
        let (_, section) = page.split_once(&format!("\n## {heading}\n\n")).expect("the page has the heading");
        let section = section.split("\n## ").next().expect("a section");
        let blocks = section.split("\n\n").filter(|block| block.starts_with("    "));
        let painting = self.folder.join("painting.jpg");
        let painting = painting.to_str().expect("a path in UTF-8");
        let blocks: Vec<_> = blocks.map(|block| block.trim().replace("/home/me/painting.jpg", painting)).collect();
        assert!(!blocks.is_empty(), "there is code under {heading}");
        blocks
    }
}

/// The frames that reached a sink.
struct Shown {
    info: VideoInfo,
    frames: Vec<Vec<u8>>,
    times: Vec<gst::ClockTime>,
}

impl Shown {
    /// Plays a pipeline with an appsink named sink to its end.
    fn at(description: &str) -> Self {
        let pipeline = gst::parse::launch(description).expect(description);
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
        let sink = pipeline.by_name("sink").expect("a sink").downcast::<gst_app::AppSink>().expect("an appsink");
        pipeline.set_state(gst::State::Playing).expect("the pipeline plays");
        let samples: Vec<_> = std::iter::from_fn(|| sink.try_pull_sample(TIMEOUT)).collect();
        let end = pipeline
            .bus()
            .expect("a bus")
            .timed_pop_filtered(TIMEOUT, &[gst::MessageType::Error, gst::MessageType::Eos]);
        pipeline.set_state(gst::State::Null).expect("the pipeline stops");
        assert!(end.as_ref().is_some_and(|end| end.type_() == gst::MessageType::Eos), "{end:?}");
        let caps = samples.first().expect("a frame").caps().expect("caps");
        assert!(samples.iter().all(|sample| sample.caps() == Some(caps)), "the caps change");
        let buffers: Vec<_> = samples.iter().map(|sample| sample.buffer().expect("a buffer")).collect();
        Self {
            info: VideoInfo::from_caps(caps).expect("video"),
            frames: buffers.iter().map(|buffer| bytes(buffer)).collect(),
            times: buffers.iter().map(|buffer| buffer.pts().expect("a time")).collect(),
        }
    }
}

fn bytes(buffer: &gst::BufferRef) -> Vec<u8> {
    buffer.map_readable().expect("readable").to_vec()
}

/// Works like obs-gstreamer's filter: it makes a new pipeline whenever the caps change, and waits for each frame's
/// result before it pushes the next frame.
struct ObsFilter<'a> {
    pipeline: &'a str,
    line: Option<(String, Line)>,
}

impl ObsFilter<'_> {
    fn filter(&mut self, frame: &Frame, time: gst::ClockTime) -> gst::Sample {
        let Self { pipeline, line } = self;
        let Frame { format, width, height, bytes } = frame;
        let caps = format!("video/x-raw,format={format},width={width},height={height},framerate=0/1");
        if line.as_ref().is_none_or(|(before, _)| *before != caps) {
            let whole = format!("{caps} ! videoconvert ! {pipeline} ! videoconvert ! capsfilter caps={caps}");
            *line = Some((caps, Line::playing(&whole)));
        }
        let (_, line) = line.as_ref().expect("the pipeline was just made");

        let mut buffer = gst::Buffer::from_slice(bytes.clone());
        buffer.get_mut().expect("a new buffer is writable").set_pts(time);
        line.source.push_buffer(buffer).expect("the frame is accepted");
        let sample = line.sink.try_pull_sample(TIMEOUT);
        sample.unwrap_or_else(|| panic!("{pipeline}: no frame came out: {:?}", line.error()))
    }
}
