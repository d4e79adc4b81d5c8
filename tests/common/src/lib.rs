//! Shared by the tests of the plugin and of apps/: the built files, pipelines that frames are pushed through, and
//! Pillow.
#![allow(missing_docs, reason = "names are enough in tests")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

use gst::prelude::*;
use gst_video::VideoFormat;

mod built;
pub mod documents;
pub mod film;
pub mod random;

use random::Random;

pub use built::{app, example, plugin, real, root, scratch, stage};

/// convfilter's backends. Without a GPU, `gpu` is a software driver.
pub const BACKENDS: [&str; 2] = ["gpu", "cpu"];

/// Writes a small style picture, a color gradient.
pub fn write_style(path: &Path) {
    let picture = image::RgbImage::from_fn(32, 32, |x, y| image::Rgb([(x * 8) as u8, (y * 8) as u8, 90]));
    picture.save(path).expect("the style is written");
}

/// Loads the built plugin into this process.
pub fn init() {
    static ONCE: Once = Once::new();
    // Forced: if it fails, each test shows the reason.
    ONCE.call_once_force(|_| {
        // Not unset here: changing the environment while other tests' threads run would be a race.
        let weights = std::env::var_os("STYLEFILTER_WEIGHTS").unwrap_or_default();
        assert!(weights.is_empty(), "unset STYLEFILTER_WEIGHTS: tests paint with the built-in network");
        gst::init().expect("GStreamer starts");
        gst::Plugin::load_file(plugin()).expect("the plugin loads");
    });
}

/// A command with GStreamer's own plugins, the plugin in `plugins`, and its own registry file.
pub fn program(name: &str, plugins: &Path, registry: &Path) -> Command {
    let mut command = Command::new(name);
    command.env("GST_PLUGIN_PATH", plugins).env("GST_REGISTRY", registry);
    command.env("GST_PRESET_PATH", root().join("presets"));
    // cargo sets the first two, but a user's shell does not.
    command.env_remove("LIBTORCH").env_remove("LD_LIBRARY_PATH").env_remove("STYLEFILTER_WEIGHTS");
    command
}

/// A frame in GStreamer's default layout.
#[derive(Clone)]
pub struct Frame {
    pub format: VideoFormat,
    pub width: u32,
    pub height: u32,
    pub bytes: Vec<u8>,
}

impl Frame {
    /// A frame of noise.
    pub fn random(format: VideoFormat, (width, height): (u32, u32)) -> Self {
        let mut frame = Self { format, width, height, bytes: Vec::new() };
        frame.bytes = Random(u64::from(width * height) + 1).bytes(frame.info().size());
        let (bits, shift) = (frame.info().format_info().depth()[0], frame.info().format_info().shift()[0]);
        if bits > 8 {
            for sample in frame.bytes.as_chunks_mut().0 {
                *sample = ((u16::from_le_bytes(*sample) >> (16 - bits)) << shift).to_le_bytes();
            }
        }
        frame
    }

    /// The largest value of a sample.
    pub fn largest(&self) -> u32 {
        (1 << self.info().format_info().depth()[0]) - 1
    }

    /// A component's samples, row by row, those of more than 8 bits as two bytes.
    pub fn component(&self, index: u8) -> Vec<u8> {
        let info = self.info();
        let format = info.format_info();
        let (plane, shift) = (format.plane()[usize::from(index)] as usize, format.shift()[0]);
        let sample_bytes = if self.largest() > 255 { 2 } else { 1 };
        // For P010, GStreamer's offset of V is not a multiple of the sample's size.
        let start =
            info.offset()[plane] + (format.poffset()[usize::from(index)] as usize).next_multiple_of(sample_bytes);
        let stride = info.stride()[plane] as usize;
        let (width, height) = (info.comp_width(index) as usize, info.comp_height(index) as usize);
        let step = info.comp_pstride(index) as usize;
        let places = (0..height).flat_map(|y| (0..width).map(move |x| start + y * stride + x * step));
        match sample_bytes {
            1 => places.map(|at| self.bytes[at]).collect(),
            _ => places
                .flat_map(|at| (u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]) >> shift).to_le_bytes())
                .collect(),
        }
    }

    pub fn info(&self) -> gst_video::VideoInfo {
        init();
        // Hosts that push single frames use a frame rate of 0/1.
        let builder = gst_video::VideoInfo::builder(self.format, self.width, self.height).fps(gst::Fraction::new(0, 1));
        builder.build().expect("a valid format")
    }

    pub fn sample(&self, pts: gst::ClockTime) -> gst::Sample {
        let mut buffer = gst::Buffer::from_slice(self.bytes.clone());
        buffer.get_mut().expect("a new buffer is writable").set_pts(pts);
        sample(buffer, &self.info())
    }

    /// The rows of an RGB or GRAY8 frame without padding, as in Pillow.
    pub fn tight(&self) -> Vec<u8> {
        let info = self.info();
        let row = (info.width() * info.comp_pstride(0) as u32) as usize;
        let rows = self.bytes.chunks(info.stride()[0] as usize).take(self.height as usize);
        rows.flat_map(|line| &line[..row]).copied().collect()
    }
}

pub fn sample(buffer: gst::Buffer, info: &gst_video::VideoInfo) -> gst::Sample {
    gst::Sample::builder().buffer(&buffer).caps(&info.to_caps().expect("valid caps")).build()
}

/// An element between an appsrc and an appsink.
pub struct Line {
    pub pipeline: gst::Pipeline,
    pub element: gst::Element,
    pub source: gst_app::AppSrc,
    pub sink: gst_app::AppSink,
    frames: u64,
    /// Whether the frames must come from a GPU. If it fails, the CPU takes over, which the results do not show.
    on_gpu: bool,
}

impl Line {
    /// `description` is as for gst-launch-1.0. Set the pipeline to Playing before pushing.
    pub fn new(description: &str) -> Self {
        init();
        let pipeline = gst::parse::launch(&format!(
            "appsrc name=source format=time ! {description} name=element ! appsink name=sink sync=false"
        ));
        let pipeline = pipeline.expect(description).downcast::<gst::Pipeline>().expect("a pipeline");
        let by_name = |name| pipeline.by_name(name).expect("an element of this name");
        Self {
            element: by_name("element"),
            source: by_name("source").downcast().expect("an appsrc"),
            sink: by_name("sink").downcast().expect("an appsink"),
            frames: 0,
            on_gpu: description.contains("backend=gpu"),
            pipeline,
        }
    }

    pub fn playing(description: &str) -> Self {
        let line = Self::new(description);
        line.pipeline.set_state(gst::State::Playing).unwrap_or_else(|_| panic!("{description}: {:?}", line.error()));
        line
    }

    /// Pushes one frame and waits for its result, like a host program that works frame by frame.
    pub fn push_pull(&mut self, frame: &Frame) -> Frame {
        let pts = gst::ClockTime::from_mseconds(40) * self.frames;
        self.frames += 1;
        self.push_pull_sample(&frame.sample(pts))
    }

    /// Pushes a first frame without waiting for its result.
    pub fn push(&self, frame: &Frame) {
        self.source.push_sample(&frame.sample(gst::ClockTime::ZERO)).expect("the frame is accepted");
    }

    pub fn push_pull_sample(&mut self, sample: &gst::Sample) -> Frame {
        self.source.push_sample(sample).expect("the frame is accepted");
        let sample = self.sink.try_pull_sample(gst::ClockTime::from_seconds(120));
        let sample = sample.unwrap_or_else(|| panic!("no frame came out: {:?}", self.error()));
        if self.on_gpu {
            let adapter: Option<String> = self.element.property("adapter-name");
            assert!(!adapter.is_some_and(|name| name.starts_with("CPU, ")), "the GPU failed");
        }
        let info = gst_video::VideoInfo::from_caps(sample.caps().expect("caps")).expect("video");
        let buffer = sample.buffer().expect("a buffer");
        let map = buffer.map_readable().expect("readable");
        Frame { format: info.format(), width: info.width(), height: info.height(), bytes: map.to_vec() }
    }

    /// The error on the bus, if one comes within ten seconds.
    pub fn error(&self) -> Option<gst::glib::Error> {
        self.message(gst::MessageType::Error).map(|message| match message.view() {
            gst::MessageView::Error(error) => error.error(),
            _ => unreachable!("filtered"),
        })
    }

    /// The warning on the bus, if one comes within ten seconds.
    pub fn warning(&self) -> Option<gst::glib::Error> {
        self.message(gst::MessageType::Warning).map(|message| match message.view() {
            gst::MessageView::Warning(warning) => warning.error(),
            _ => unreachable!("filtered"),
        })
    }

    pub fn message(&self, kind: gst::MessageType) -> Option<gst::Message> {
        self.pipeline.bus().expect("a bus").timed_pop_filtered(gst::ClockTime::from_seconds(10), &[kind])
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // After a failed start, this may fail, too.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Starts the element, which must fail, and returns its error.
pub fn start_error(description: &str) -> gst::glib::Error {
    let line = Line::new(description);
    assert!(line.pipeline.set_state(gst::State::Playing).is_err(), "{description} starts");
    line.error().expect("an error message")
}

/// A picture and a filter for Pillow: `request` is a JSON object for `tests/oracle.py`, without mode and size.
pub struct Case<'a> {
    pub request: String,
    pub mode: &'a str,
    pub width: u32,
    pub height: u32,
    pub bytes: Vec<u8>,
}

/// Pillow's results. The variable ORACLE, which scripts/gpu-check sets, names a program that has recorded them instead.
pub fn pillow(cases: &[Case]) -> Vec<Vec<u8>> {
    let python = std::env::var_os("ORACLE").map_or(root().join(".deps/python/bin/python"), PathBuf::from);
    let mut python = Command::new(python)
        .arg(root().join("tests/oracle.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("scripts/setup --tests installs Pillow");
    let (mut input, mut output) = (python.stdin.take().expect("piped"), python.stdout.take().expect("piped"));
    let results = std::thread::scope(|scope| {
        scope.spawn(move || {
            for Case { request, mode, width, height, bytes } in cases {
                let request = request.trim_end_matches('}');
                writeln!(input, "{request}, \"mode\": \"{mode}\", \"size\": [{width}, {height}]}}")
                    .expect("Pillow reads");
                input.write_all(bytes).expect("Pillow reads");
            }
        });
        cases
            .iter()
            .map(|case| {
                let mut result = vec![0; case.bytes.len()];
                output.read_exact(&mut result).unwrap_or_else(|error| panic!("{}: {error}", case.request));
                result
            })
            .collect()
    });
    assert!(python.wait().expect("Pillow ends").success());
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "needs scripts/build"]
    #[should_panic(expected = "identity starts")]
    fn an_element_that_starts_has_no_start_error() {
        start_error("identity");
    }

    #[test]
    #[ignore = "needs scripts/build"]
    #[should_panic(expected = "the GPU failed")]
    fn a_frame_from_the_cpu_does_not_pass_as_the_gpus() {
        let gray = Frame { format: VideoFormat::Gray8, width: 16, height: 16, bytes: vec![0; 256] };
        // The second value applies, as if the CPU had taken over.
        Line::playing("convfilter filter=blur backend=gpu backend=cpu").push_pull(&gray);
    }

    #[test]
    #[ignore = "needs scripts/setup --tests"]
    #[should_panic(expected = "sepia")]
    fn a_filter_that_pillow_does_not_have_is_noticed() {
        let request = "{\"filter\": \"sepia\"}".to_owned();
        pillow(&[Case { request, mode: "L", width: 1, height: 1, bytes: vec![0] }]);
    }
}
