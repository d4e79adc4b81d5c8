//! The video of an earlier film, to which the rest is added.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gst::prelude::*;
use gst::{PadProbeData, PadProbeReturn, PadProbeType};

use super::branch::pad;
use super::{Outcome, container, cut};

/// Ends the stream at `pad` after this number of buffers.
pub fn limit(pad: &gst::Pad, buffers: usize) {
    let passed = AtomicUsize::new(0);
    cut::end_at(pad, move |_, info| info.buffer().is_some() && passed.fetch_add(1, Ordering::Relaxed) >= buffers);
}

/// The fields of encoded video's caps that describe its layout.
pub fn layout(caps: &gst::Caps) -> gst::Caps {
    let mut layout = gst::Caps::new_empty_simple(container::name(caps));
    for (structure, of) in layout.make_mut().iter_mut().zip(caps.iter()) {
        for field in ["alignment", "stream-format"] {
            if let Ok(value) = of.value(field) {
                structure.set_value(field, value.clone());
            }
        }
    }
    layout
}

/// Replaces the caps of the video from `layout` by those of the video from `made`, since muxers do not accept new caps.
/// If the headers in the caps differ, this is an error: a file has only one header.
pub fn keep_caps(layout: &gst::Element, made: &gst::Pad) -> Outcome<()> {
    let (made, element, is_different) = (made.clone(), layout.clone(), AtomicBool::new(false));
    pad(layout, "src")?.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info.buffer().is_some() && is_different.load(Ordering::Relaxed) {
            return PadProbeReturn::Handled;
        }
        if let Some(PadProbeData::Event(event)) = &mut info.data
            && let gst::EventView::Caps(caps) = event.view()
            && let Some(made) = made.current_caps()
        {
            if header(caps.caps()) != header(&made) && !is_different.swap(true, Ordering::Relaxed) {
                let text = "the existing output has other encoder settings: resume with the options of the first run";
                gst::element_error!(element, gst::StreamError::Format, ("{}", text));
            }
            *event = gst::event::Caps::new(&made);
        }
        PadProbeReturn::Ok
    });
    Ok(())
}

/// The parts of encoded video's caps that are stored in a file's header; None if they are unknown.
pub fn header(caps: &gst::CapsRef) -> Option<(Option<Vec<u8>>, i32, i32)> {
    let structure = caps.structure(0)?;
    let data = structure.get::<gst::Buffer>("codec_data").ok();
    let data = data.and_then(|data| Some(data.map_readable().ok()?.to_vec()));
    Some((data, structure.get::<i32>("width").ok()?, structure.get::<i32>("height").ok()?))
}
