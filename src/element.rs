//! Work that both elements do for every buffer: controlled properties, the time in the stream, the check of its memory.

use gst::prelude::*;
use gst_base::prelude::*;

use crate::layout::{Layout, Plane};

/// Sets an element's controlled properties to their values at the time of `buffer`; logs to the element's category.
pub fn sync_values(element: &gst_base::BaseTransform, category: gst::DebugCategory, buffer: &gst::BufferRef) {
    if let Some(time) = stream_time(element, buffer)
        && let Err(error) = element.sync_values(time)
    {
        gst::debug!(category, obj = element, "no controlled values at {time}: {error}");
    }
}

/// Where `buffer` stands in the stream.
pub fn stream_time(element: &gst_base::BaseTransform, buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
    element.segment().downcast_ref::<gst::format::Time>()?.to_stream_time(buffer.pts())
}

/// Fails, with a message from the element, if one of the buffers does not hold its frame: GStreamer would only warn and
/// give out whatever is in the output.
pub fn check_both(
    element: &gst_base::BaseTransform,
    layout: Option<&Layout>,
    input: &gst::BufferRef,
    output: &gst::BufferRef,
) -> Result<(), gst::FlowError> {
    let layout = layout.ok_or(gst::FlowError::NotNegotiated)?;
    check(layout, input).and_then(|()| check(layout, output)).map_err(|message| {
        element.post_error_message(message);
        gst::FlowError::Error
    })
}

/// Fails where a buffer's memory does not hold its frame, whatever the buffer says of itself.
fn check(layout: &Layout, buffer: &gst::BufferRef) -> Result<(), gst::ErrorMessage> {
    let is_whole = match buffer.meta::<gst_video::VideoMeta>() {
        // GStreamer maps such a buffer as one.
        None => buffer.size() >= layout.bytes,
        Some(meta) => {
            let is_as_large = meta.width() as usize >= layout.width && meta.height() as usize >= layout.height;
            let mut places = layout.planes.iter().zip(meta.offset().iter().zip(meta.stride()));
            is_as_large && places.all(|(plane, (&offset, &stride))| lies_within(buffer, plane, offset, stride))
        }
    };
    if is_whole {
        return Ok(());
    }
    let (bytes, Layout { width, height, .. }) = (buffer.size(), layout);
    Err(gst::error_msg!(
        gst::StreamError::Format,
        ("a buffer of {bytes} bytes does not hold its {width}x{height} frame; what is before the element is broken")
    ))
}

/// Whether a plane's rows lie in a buffer, and in one memory of it: GStreamer maps each plane by itself.
fn lies_within(buffer: &gst::BufferRef, plane: &Plane, offset: usize, stride: i32) -> bool {
    let Some(stride) = usize::try_from(stride).ok().filter(|&stride| stride >= plane.row_bytes) else {
        return false;
    };
    let rows = stride.checked_mul(plane.height.saturating_sub(1));
    let end = rows.and_then(|rows| rows.checked_add(plane.row_bytes)?.checked_add(offset));
    let memories = end.and_then(|end| buffer.find_memory(offset..end));
    memories.is_some_and(|(memories, _)| memories.len() == 1)
}
