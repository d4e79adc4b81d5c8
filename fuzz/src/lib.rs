//! Shared by the fuzz targets: elements, files with any content, frames with any caps and layout.
//!
//! libFuzzer's panic hook ends the process at every panic, even at those that the elements would catch.

use std::path::{Path, PathBuf};
use std::sync::Once;

use gst::glib;
use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrameFlags, VideoInfo, VideoInterlaceMode, VideoMeta};
use libfuzzer_sys::arbitrary::{Result, Unstructured};

/// The maximum width and height of a frame: large frames are slower, and do not find more.
const MAX_SIDE: u32 = 48;

/// Starts GStreamer with the plugin. A critical message from it or from GLib ends the process.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().expect("GStreamer starts");
        gststylefilter::plugin_register_static().expect("the plugin registers");
        glib::log_set_always_fatal(glib::LogLevels::LEVEL_CRITICAL | glib::LogLevels::LEVEL_ERROR);
        // Warnings are not printed: random values cause too many of them.
        glib::log_set_default_handler(|domain, level, words| {
            if matches!(level, glib::LogLevel::Error | glib::LogLevel::Critical) {
                eprintln!("{}: {words}", domain.unwrap_or_default());
            }
        });
    });
}

/// A new element of the plugin.
pub fn element(name: &str) -> gst::Element {
    init();
    gst::ElementFactory::make(name).build().expect("the plugin has this element")
}

/// Writes a file. The next call in this process overwrites it.
pub fn file(content: &[u8]) -> PathBuf {
    // In memory, if possible.
    let folder = Path::new("/dev/shm");
    let folder = if folder.is_dir() { folder.to_owned() } else { std::env::temp_dir() };
    let path = folder.join(format!("stylefilter-fuzz-{}", std::process::id()));
    std::fs::write(&path, content).expect("a small file can be written");
    path
}

/// Starts the element. If that fails, the element must have posted an error.
pub fn starts(element: &gst::Element) -> bool {
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let started = element.set_state(gst::State::Playing).is_ok();
    assert!(started || bus.pop_filtered(&[gst::MessageType::Error]).is_some(), "the element fails without an error");
    if !started {
        element.set_state(gst::State::Null).expect("the element stops");
    }
    // Breaks a reference cycle: the bus holds messages, which hold the element, which holds the bus.
    element.set_bus(None);
    started
}

/// Pushes a few frames with any caps and layouts through the element.
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
            // A filter that does nothing passes the input buffer on, which need not be a whole frame.
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

/// A frame's description: one of the element's formats, with any size, frame rate and interlace mode.
fn info(element: &gst::Element, input: &mut Unstructured) -> Result<VideoInfo> {
    let template = element.pad_template("sink").expect("a template");
    let formats = template.caps().structure(0).expect("a structure").get::<gst::List>("format").expect("formats");
    let format: String = input.choose(&formats)?.get().expect("a name");
    let format: VideoFormat = format.parse().expect("a format");
    let [width, height] = [input.int_in_range(1..=MAX_SIDE)?, input.int_in_range(1..=MAX_SIDE)?];
    let modes = [VideoInterlaceMode::Progressive, VideoInterlaceMode::Interleaved, VideoInterlaceMode::Mixed];
    let rate = gst::Fraction::new(input.int_in_range(0..=120)?, 1);
    let info = VideoInfo::builder(format, width, height).fps(rate).interlace_mode(*input.choose(&modes)?);
    Ok(info.build().expect("a valid description"))
}

/// A frame with a valid or invalid size, strides and offsets.
fn buffer(info: &VideoInfo, input: &mut Unstructured) -> Result<gst::Buffer> {
    let length = match input.ratio(1, 4)? {
        true => input.int_in_range(0..=2 * info.size())?,
        false => info.size(),
    };
    // One value for all samples: their values matter little, and the input is better used for the layout.
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
        // Fails if GStreamer itself detects that the layout is invalid.
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

/// Sets random properties of the element, except for those in `kept`, to random values in their ranges.
pub fn set_properties(element: &gst::Element, kept: &[&str], input: &mut Unstructured) -> Result<()> {
    let is_settable = |pspec: &glib::ParamSpec| {
        pspec.flags().contains(glib::ParamFlags::WRITABLE)
            && pspec.owner_type() == element.type_()
            && !kept.contains(&pspec.name())
    };
    let properties: Vec<_> = element.list_properties().iter().filter(|pspec| is_settable(pspec)).cloned().collect();
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
        // Most random doubles are out of range or close to 0. Multiples of 1/8 up to 16 reach more code, and are faster
        // than large radii.
        let number = match input.ratio(1, 8)? {
            true => input.arbitrary()?,
            false => f64::from(input.arbitrary::<i8>()?) / 8.0,
        };
        // GObject refuses NaN, for which `max` returns the minimum.
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

/// A text without NUL, which a C string cannot contain.
pub fn text(text: &str) -> String {
    text.replace('\0', "")
}
