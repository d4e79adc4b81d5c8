//! How the colors of decoded pictures are described, and transparency.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gst::{PadProbeData, PadProbeReturn, PadProbeType};
use gst_video::{VideoColorMatrix, VideoColorRange, VideoColorimetry, VideoInfo};

use super::notes::Notes;

/// The field of caps with the luminance and colors of the display on which a film was mastered.
const MASTERING_DISPLAY: &str = "mastering-display-info";

/// The field of caps with the largest luminance of a pixel and of a whole picture.
const LIGHT_LEVEL: &str = "content-light-level";

/// The numbers of HDR10 metadata; none if there are no metadata.
#[derive(Debug, Default)]
pub struct Hdr10 {
    /// The mastering display: x and y of red, green, blue and white, in 1/50000, and its largest and smallest luminance,
    /// in 1/10000 cd/m2.
    pub display: Vec<u32>,
    /// The light level, in cd/m2.
    pub level: Vec<u32>,
}

impl Hdr10 {
    /// The metadata in caps.
    pub fn of(caps: &gst::Caps) -> Self {
        let text = |name: &str| caps.structure(0)?.get::<String>(name).ok();
        let [display, level] = [MASTERING_DISPLAY, LIGHT_LEVEL].map(|name| {
            text(name).iter().flat_map(|text| text.split(':')).filter_map(|number| number.parse().ok()).collect()
        });
        Self { display, level }
    }
}

/// Makes a parser take the colors from the stream in place of the container, which may not give the range, if the
/// stream describes them.
pub fn prefer_stream(parser: &gst::Element) {
    let (Some(sink), Some(source)) = (parser.static_pad("sink"), parser.static_pad("src")) else { return };
    let container = Arc::new(Mutex::new(None::<String>));
    let kept = container.clone();
    change_caps(&sink, move |caps| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = caps.structure(0).and_then(|structure| structure.get("colorimetry").ok());
        for structure in caps.iter_mut() {
            structure.remove_field("colorimetry");
        }
    });
    change_caps(&source, move |caps| {
        let kept = container.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(colors), Some(structure)) = (kept.as_ref(), caps.structure_mut(0))
            && !structure.has_field("colorimetry")
        {
            structure.set("colorimetry", colors);
        }
    });
}

/// Makes `encoder`, a `vp9enc`, name the matrix of the colors. GStreamer 1.22 does so only beside the transfer function
/// and the primaries that it expects with the matrix, so the encoder is shown these. At `end`, a pad after the encoder,
/// the described colors return: the file names them, while VP9 itself names only the matrix and the range.
pub fn name_matrix(encoder: &gst::Element, end: &gst::Pad) {
    let Some(sink) = encoder.static_pad("sink") else { return };
    let described = Arc::new(Mutex::new(None::<String>));
    let kept = described.clone();
    change_caps(&sink, move |caps| {
        let Some(structure) = caps.structure_mut(0) else { return };
        let colors = structure.get::<String>("colorimetry").ok();
        if let Some(expected) = colors.as_deref().and_then(expected) {
            structure.set("colorimetry", expected);
        }
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = colors;
    });
    change_caps(end, move |caps| {
        let described = described.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(colors), Some(structure)) = (described.as_ref(), caps.structure_mut(0)) {
            structure.set("colorimetry", colors);
        }
    });
}

/// Colors of the same matrix and range with the transfer function and the primaries that GStreamer expects with them.
fn expected(colors: &str) -> Option<String> {
    let colors = VideoColorimetry::from_str(colors).ok()?;
    let name = match colors.matrix() {
        VideoColorMatrix::Bt601 => "bt601",
        VideoColorMatrix::Bt709 => "bt709",
        VideoColorMatrix::Smpte240m => "smpte240m",
        VideoColorMatrix::Bt2020 => "bt2020",
        _ => return None,
    };
    let usual = VideoColorimetry::from_str(name).ok()?;
    let expected = VideoColorimetry::new(colors.range(), usual.matrix(), usual.transfer(), usual.primaries());
    Some(expected.to_string())
}

/// Calls `change` with the caps of all caps events that pass `pad`.
pub fn change_caps(pad: &gst::Pad, change: impl Fn(&mut gst::CapsRef) + Send + Sync + 'static) {
    pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(PadProbeData::Event(event)) = &mut info.data
            && let gst::EventView::Caps(caps) = event.view()
        {
            let mut changed = caps.caps_owned();
            change(changed.make_mut());
            *event = gst::event::Caps::builder(&changed).seqnum(event.seqnum()).build();
        }
        PadProbeReturn::Ok
    });
}

/// Corrects the luminance of the mastering display for GStreamer 1.22's Matroska muxer, which writes a fifth of it.
pub fn correct_luminance(pad: &gst::Pad) {
    change_caps(pad, |caps| {
        let Some(structure) = caps.structure_mut(0) else { return };
        let Ok(display) = structure.get::<String>(MASTERING_DISPLAY) else { return };
        let mut numbers: Vec<u64> = display.split(':').filter_map(|number| number.parse().ok()).collect();
        if let [.., max, min] = numbers.as_mut_slice() {
            *max *= 5;
            *min *= 5;
            let numbers: Vec<_> = numbers.iter().map(u64::to_string).collect();
            structure.set(MASTERING_DISPLAY, numbers.join(":"));
        }
    });
}

/// Adds the usual matrix to the description of colors with the full range. GStreamer ignores the range without it.
pub fn complete(caps: &mut gst::CapsRef) {
    let Ok(info) = VideoInfo::from_caps(caps) else { return };
    let Some(structure) = caps.structure_mut(0) else { return };
    let colors = structure.get::<&str>("colorimetry").ok().and_then(|text| VideoColorimetry::from_str(text).ok());
    let Some(colors) = colors.filter(|_| info.is_yuv()) else { return };
    if colors.matrix() == VideoColorMatrix::Unknown && colors.range() == VideoColorRange::Range0_255 {
        let matrix = if info.height() > 576 { VideoColorMatrix::Bt709 } else { VideoColorMatrix::Bt601 };
        let colors = VideoColorimetry::new(colors.range(), matrix, colors.transfer(), colors.primaries());
        structure.set("colorimetry", colors.to_string());
    }
}

/// The format, RGBA of 8 or 16 bits, in which [`over_black`] reads pictures.
pub fn with_alpha(depth: u32) -> &'static str {
    if depth > 8 { "RGBA64_LE" } else { "RGBA" }
}

/// Puts the pictures that pass `pad`, in the format of [`with_alpha`], over black.
pub fn over_black(pad: &gst::Pad, depth: u32, notes: &Arc<Notes>) {
    let notes = notes.clone();
    pad.add_probe(PadProbeType::BUFFER, move |_, info| {
        if let Some(PadProbeData::Buffer(buffer)) = &mut info.data
            && let Ok(mut bytes) = buffer.make_mut().map_writable()
        {
            let is_transparent = if depth > 8 { blend_deep(&mut bytes) } else { blend(&mut bytes) };
            if is_transparent {
                notes.changed("transparent places are black");
            }
        }
        PadProbeReturn::Ok
    });
}

/// Multiplies colors of 8 bits by their alpha; returns whether one was transparent.
fn blend(bytes: &mut [u8]) -> bool {
    let mut is_transparent = false;
    for [red, green, blue, alpha] in bytes.as_chunks_mut().0 {
        if *alpha < u8::MAX {
            is_transparent = true;
            for color in [red, green, blue] {
                *color = (u32::from(*color) * u32::from(*alpha) / u32::from(u8::MAX)) as u8;
            }
            *alpha = u8::MAX;
        }
    }
    is_transparent
}

/// Multiplies colors of 16 bits by their alpha; returns whether one was transparent.
fn blend_deep(bytes: &mut [u8]) -> bool {
    let mut is_transparent = false;
    for pixel in bytes.as_chunks_mut::<8>().0 {
        let alpha = u16::from_le_bytes([pixel[6], pixel[7]]);
        if alpha < u16::MAX {
            is_transparent = true;
            for color in pixel[..6].as_chunks_mut().0 {
                let value = u32::from(u16::from_le_bytes(*color)) * u32::from(alpha) / u32::from(u16::MAX);
                *color = (value as u16).to_le_bytes();
            }
            pixel[6..].copy_from_slice(&[u8::MAX; 2]);
        }
    }
    is_transparent
}
