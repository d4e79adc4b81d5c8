//! What the fuzz targets share: the elements, files with any content, frames with any caps and any layout.
//!
//! libFuzzer's own hook ends the process at every panic, also at those that the elements would catch.

use std::path::{Path, PathBuf};
use std::sync::Once;

use gst::glib;
use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrameFlags, VideoInfo, VideoInterlaceMode, VideoMeta};
use libfuzzer_sys::arbitrary::{Result, Unstructured};

/// The longest side of a frame, in pixels: what goes wrong at a size, goes wrong at a small one.
const LONGEST: u32 = 48;

/// Starts GStreamer with the plugin, and lets what it or GLib call a mistake of the program's end the process.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().expect("GStreamer starts");
        gststylefilter::plugin_register_static().expect("the plugin registers");
        glib::log_set_always_fatal(glib::LogLevels::LEVEL_CRITICAL | glib::LogLevels::LEVEL_ERROR);
        // Of warnings about what is set there is no end.
        glib::log_set_default_handler(|domain, level, words| {
            if matches!(level, glib::LogLevel::Error | glib::LogLevel::Critical) {
                eprintln!("{}: {words}", domain.unwrap_or_default());
            }
        });
    });
}

/// A new element of the plugin's.
pub fn element(name: &str) -> gst::Element {
    init();
    gst::ElementFactory::make(name).build().expect("the plugin has it")
}

/// A file with this content, for as long as this process writes no other.
pub fn file(content: &[u8]) -> PathBuf {
    // Memory, where that is a folder.
    let folder = Path::new("/dev/shm");
    let folder = if folder.is_dir() { folder.to_owned() } else { std::env::temp_dir() };
    let path = folder.join(format!("stylefilter-fuzz-{}", std::process::id()));
    std::fs::write(&path, content).expect("a small file can be written");
    path
}

/// Starts the element; where that fails, it must have said why.
pub fn starts(element: &gst::Element) -> bool {
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let started = element.set_state(gst::State::Playing).is_ok();
    assert!(started || bus.pop_filtered(&[gst::MessageType::Error]).is_some(), "it fails and does not say why");
    if !started {
        element.set_state(gst::State::Null).expect("it stops");
    }
    // Messages hold their element, which holds its bus.
    element.set_bus(None);
    started
}

/// Has the element make a few frames of any caps and layouts.
pub fn frames(element: &gst::Element, input: &mut Unstructured) -> Result<()> {
    if !starts(element) {
        return Ok(());
    }
    let mut harness = gst_check::Harness::with_element(element, Some("sink"), Some("src"));
    for _ in 0..3 {
        let info = info(element, input)?;
        harness.set_src_caps(info.to_caps().expect("caps"));
        for _ in 0..input.int_in_range(1..=3)? {
            let frame = buffer(&info, input)?;
            // What does nothing passes everything on.
            if harness.push(frame.clone()).is_ok()
                && let Some(result) = harness.try_pull()
                && result.as_ptr() != frame.as_ptr()
            {
                gst_video::VideoFrame::from_buffer_readable(result, &info).expect("a whole frame comes out");
            }
        }
    }
    Ok(())
}

/// One of the formats that the element takes, of any size and kind.
fn info(element: &gst::Element, input: &mut Unstructured) -> Result<VideoInfo> {
    let template = element.pad_template("sink").expect("a template");
    let formats = template.caps().structure(0).expect("a structure").get::<gst::List>("format").expect("formats");
    let format: String = input.choose(&formats)?.get().expect("a name");
    let format: VideoFormat = format.parse().expect("a format");
    let [width, height] = [input.int_in_range(1..=LONGEST)?, input.int_in_range(1..=LONGEST)?];
    let modes = [VideoInterlaceMode::Progressive, VideoInterlaceMode::Interleaved, VideoInterlaceMode::Mixed];
    let rate = gst::Fraction::new(input.int_in_range(0..=120)?, 1);
    let info = VideoInfo::builder(format, width, height).fps(rate).interlace_mode(*input.choose(&modes)?);
    Ok(info.build().expect("a valid description"))
}

/// A frame that lies in its memory as a camera's might, or as nothing should.
fn buffer(info: &VideoInfo, input: &mut Unstructured) -> Result<gst::Buffer> {
    let length = match input.ratio(1, 4)? {
        true => input.int_in_range(0..=2 * info.size())?,
        false => info.size(),
    };
    // Samples matter little; as the last bytes of a whole frame are what is left of the input, some vary.
    let value = input.arbitrary::<u8>()?;
    let mut buffer = gst::Buffer::from_mut_slice(vec![value; length]);
    if input.ratio(1, 2)? {
        let (mut offsets, mut strides) = (Vec::new(), Vec::new());
        for plane in 0..info.n_planes() as usize {
            let (offset, stride) = (info.offset()[plane], info.stride()[plane]);
            offsets.push(if input.ratio(1, 4)? { input.arbitrary()? } else { offset });
            strides.push(match input.int_in_range(0..=7u8)? {
                0 => input.arbitrary()?,
                1 => stride + input.int_in_range(-64..=64)?,
                _ => stride,
            });
        }
        let to = buffer.get_mut().expect("new");
        // Refused where GStreamer itself sees that it cannot be.
        let _ = VideoMeta::add_full(
            to,
            VideoFrameFlags::empty(),
            info.format(),
            info.width(),
            info.height(),
            &offsets,
            &strides,
        );
    }
    Ok(buffer)
}

/// Sets any of the element's properties to anything that it takes, but for those `kept`.
pub fn set_properties(element: &gst::Element, kept: &[&str], input: &mut Unstructured) -> Result<()> {
    let is_ours = |pspec: &glib::ParamSpec| {
        pspec.flags().contains(glib::ParamFlags::WRITABLE)
            && pspec.owner_type() == element.type_()
            && !kept.contains(&pspec.name())
    };
    let properties: Vec<_> = element.list_properties().iter().filter(|pspec| is_ours(pspec)).cloned().collect();
    for _ in 0..input.int_in_range(1..=6)? {
        let pspec = input.choose(&properties)?;
        element.set_property_from_value(pspec.name(), &value(pspec, input)?);
    }
    Ok(())
}

fn value(pspec: &glib::ParamSpec, input: &mut Unstructured) -> Result<glib::Value> {
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecInt>() {
        return Ok(input.int_in_range(pspec.minimum()..=pspec.maximum())?.to_value());
    }
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecUInt>() {
        return Ok(input.int_in_range(pspec.minimum()..=pspec.maximum())?.to_value());
    }
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecUInt64>() {
        return Ok(input.int_in_range(pspec.minimum()..=pspec.maximum())?.to_value());
    }
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecDouble>() {
        // Most of all numbers are beyond any range, or next to 0: eighths up to 16 try more, and in less time than large radii.
        let number = match input.ratio(1, 8)? {
            true => input.arbitrary()?,
            false => f64::from(input.arbitrary::<i8>()?) / 8.0,
        };
        // GObject refuses what is no number; max takes the other then.
        return Ok(number.max(pspec.minimum()).min(pspec.maximum()).to_value());
    }
    if pspec.is::<glib::ParamSpecBoolean>() {
        return Ok(input.arbitrary::<bool>()?.to_value());
    }
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecEnum>() {
        let class = pspec.enum_class();
        let values = class.values();
        return Ok(input.choose(values)?.to_value(&class));
    }
    Ok(text(input.arbitrary()?).to_value())
}

/// Text as a C string can hold it.
pub fn text(text: &str) -> String {
    text.replace('\0', "")
}
