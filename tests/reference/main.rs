//! Compares convfilter on the CPU and on the GPU, byte for byte, with a reference in plain Rust: each filter is written
//! down from its definition and from the arithmetic that Pillow documents, without regard to speed.
//!
//! The elements are compiled into this test, which needs neither a build nor Pillow. Without a Vulkan driver, the tests
//! of the shaders are reported as ignored, which Rust's own test harness cannot do.

mod blur;
mod cases;
mod convolution;
mod frame;
mod plane;
mod rank;

use std::process::ExitCode;

use common::random::Random;
use gst::prelude::*;
use gst_video::VideoFormat::{self, Gray8, Gray16Le, I420, P01010le, Rgb, Rgba64Le, Rgbx};
use libtest_mimic::{Arguments, Failed, Trial};

use cases::Case;
use convolution::fixed;
use frame::{Chroma, Frame, Options, by_fields};
use plane::{Border, Plane};

/// One sample; rows and columns that are shorter than windows; odd sides; more than a row of workgroups and than the
/// samples that the CPU processes at a time; more rows than a job of the CPU.
const SIZES: [(u32, u32); 7] = [(1, 1), (7, 1), (3, 5), (13, 9), (70, 67), (2113, 4), (5, 140)];

/// Planar and interleaved samples of one byte and of two.
const LAYOUTS: [VideoFormat; 4] = [Gray8, Rgb, Gray16Le, Rgba64Le];

/// A test of one backend.
type Test = fn(backend: &str) -> Result<(), Failed>;

const TESTS: [(&str, Test); 10] = [
    ("fixed_kernels", |backend| compare_all(backend, cases::fixed_kernels())),
    ("kernels", |backend| compare_all(backend, cases::kernels())),
    ("blurs", |backend| compare_all(backend, cases::blurs())),
    ("unsharp_masks", |backend| compare_all(backend, cases::unsharp_masks())),
    ("ranks", |backend| compare_all(backend, cases::ranks())),
    ("modes", |backend| compare_all(backend, cases::modes())),
    ("chains", |backend| compare_all(backend, cases::chains())),
    ("formats", formats),
    ("interlaced_frames", interlaced_frames),
    ("a_wrong_sample_is_noticed", a_wrong_sample_is_noticed),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    gst::init().expect("GStreamer starts");
    gststylefilter::plugin_register_static().expect("the elements register");
    // Started until the end: otherwise each test would open the GPU anew.
    let gpu = Filter::start("gpu", "filter=blur");
    let has_driver = !matches!(&gpu, Err(reason) if reason.contains("no Vulkan device"));
    if !has_driver {
        eprintln!("The tests of the shaders are ignored: there is no Vulkan driver; scripts/setup installs one.");
    }
    let trial = |backend, name, test: Test| {
        let is_ignored = backend == "gpu" && !has_driver;
        Trial::test(format!("{backend}::{name}"), move || test(backend)).with_ignored_flag(is_ignored)
    };
    let both = TESTS.iter().flat_map(|&(name, test)| ["cpu", "gpu"].map(|backend| trial(backend, name, test)));
    let only_gpu = trial("gpu", "users_shaders", |backend| compare_all(backend, cases::shaders()));
    let conclusion = libtest_mimic::run(&arguments, both.chain([only_gpu]).collect());
    drop(gpu);
    conclusion.exit_code()
}

/// A started convfilter.
struct Filter {
    harness: gst_check::Harness,
    is_on_gpu: bool,
}

impl Filter {
    /// `settings` are as for gst-launch-1.0.
    fn start(backend: &str, settings: &str) -> Result<Self, String> {
        let bin = gst::parse::bin_from_description(&format!("convfilter backend={backend} {settings}"), false);
        let bin = bin.expect(settings);
        let element = bin.children().remove(0);
        bin.remove(&element).expect("the element is in the bin");
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        if element.set_state(gst::State::Playing).is_err() {
            let message = bus.pop_filtered(&[gst::MessageType::Error]).expect("an error message");
            element.set_state(gst::State::Null).expect("the element stops");
            let gst::MessageView::Error(error) = message.view() else { unreachable!("filtered") };
            return Err(format!("{settings}: {}", error.error()));
        }
        element.set_bus(None);
        let harness = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
        Ok(Self { harness, is_on_gpu: backend == "gpu" })
    }

    fn run(&mut self, frame: &Frame) -> Frame {
        self.harness.set_src_caps(frame.info.to_caps().expect("valid caps"));
        let result = self.harness.push_and_pull(gst::Buffer::from_slice(frame.bytes.clone()));
        let result = result.expect("the frame is filtered");
        let adapter: Option<String> = self.harness.element().expect("the element").property("adapter-name");
        // If a GPU fails, the CPU takes over, which the results do not show.
        let is_on_cpu = adapter.is_some_and(|name| name.starts_with("CPU, "));
        assert_ne!(is_on_cpu, self.is_on_gpu, "the backend is another one");
        Frame { info: frame.info.clone(), bytes: result.map_readable().expect("readable").to_vec() }
    }
}

/// Compares the results for frames that are pushed one after the other with the reference.
fn compare(backend: &str, settings: &str, frames: &[Frame], reference: impl Fn(&Frame) -> Frame) -> Result<(), Failed> {
    let mut filter = Filter::start(backend, settings)?;
    for frame in frames {
        let (result, expected) = (filter.run(frame), reference(frame));
        for component in 0..frame.components() {
            let (result, expected) = (result.plane(component), expected.plane(component));
            let mut pairs = result.samples.iter().zip(&expected.samples);
            let Some(index) = pairs.position(|(result, expected)| result != expected) else { continue };
            let (format, width, height) = (frame.info.format(), frame.info.width(), frame.info.height());
            let (x, y) = (index % result.width, index / result.width);
            let (sample, expected) = (result.samples[index], expected.samples[index]);
            return Err(format!(
                "{settings}: {format} {width}x{height}, component {component}: {sample} at {x}, {y} instead of {expected}"
            )
            .into());
        }
    }
    Ok(())
}

/// Compares cases on frames of every layout and size.
fn compare_all(backend: &str, cases: Vec<Case>) -> Result<(), Failed> {
    let mut random = Random(11);
    let kinds = LAYOUTS.iter().flat_map(|&format| SIZES.map(|size| (format, size)));
    let frames: Vec<_> =
        kinds.map(|(format, (width, height))| Frame::random(format, width, height, &mut random)).collect();
    for Case { settings, filter } in cases {
        compare(backend, &settings, &frames, |frame| frame.filtered(Options::default(), &filter))?;
    }
    Ok(())
}

fn formats(backend: &str) -> Result<(), Failed> {
    let all = Options::default();
    let cases = [
        ("smooth", "", all),
        ("smooth", "alpha=true mix=0.3", Options { alpha: true, mix: 0.3, ..all }),
        ("smooth", "planes=luma", Options { chroma: Chroma::Kept, ..all }),
        ("emboss", "mix=0.6", Options { chroma: Chroma::Gray, mix: 0.6, ..all }),
        ("emboss", "planes=all", all),
    ];
    let mut random = Random(12);
    let sizes = [(1, 1), (13, 7), (66, 20)];
    let factory = gst::ElementFactory::find("convfilter").expect("the element is registered");
    let pads = factory.static_pad_templates();
    let caps = pads.iter().next().expect("a pad").caps();
    let formats = caps.structure(0).expect("a structure").get::<gst::List>("format").expect("a list");
    let formats = formats.iter().map(|format| format.get::<String>().expect("a name").parse().expect("a format"));
    let frames: Vec<_> = formats
        .flat_map(|format: VideoFormat| sizes.map(|(width, height)| (format, width, height)))
        .map(|(format, width, height)| Frame::random(format, width, height, &mut random))
        .collect();
    for (filter, settings, options) in cases {
        let reference = |frame: &Frame| frame.filtered(options, |plane| fixed(filter).apply(plane, Border::Copy));
        compare(backend, &format!("filter={filter} {settings}"), &frames, reference)?;
    }
    Ok(())
}

fn interlaced_frames(backend: &str) -> Result<(), Failed> {
    let mut random = Random(13);
    let kinds = [(Gray8, 20, 15), (I420, 24, 20), (P01010le, 18, 16), (Rgbx, 10, 1)];
    let frames = kinds.map(|(format, width, height)| Frame::random(format, width, height, &mut random).interlaced());
    let filter = |plane: &Plane| by_fields(plane, |field| fixed("blur").apply(field, Border::Copy));
    compare(backend, "filter=blur", &frames, |frame| frame.filtered(Options::default(), filter))
}

/// The comparison must fail if a single sample differs by 1.
fn a_wrong_sample_is_noticed(backend: &str) -> Result<(), Failed> {
    let frame = Frame::random(Rgb, 13, 9, &mut Random(14));
    let with_a_wrong_sample = |frame: &Frame| {
        let mut expected = frame.filtered(Options::default(), |plane| fixed("blur").apply(plane, Border::Copy));
        let mut blue = expected.plane(2);
        blue.samples[100] ^= 1;
        expected.set_plane(2, &blue);
        expected
    };
    match compare(backend, "filter=blur", &[frame], with_a_wrong_sample) {
        Err(reason) if reason.message().is_some_and(|text| text.contains("component 2: ")) => Ok(()),
        Err(reason) => Err(reason),
        Ok(()) => Err("a wrong sample is not noticed".into()),
    }
}
