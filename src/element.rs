//! Work that both elements do for every buffer: controlled properties, stream time, and the check of the buffer's
//! memory.

use gst::prelude::*;
use gst_base::prelude::*;

use crate::layout::{Layout, Plane};

/// Sets an element's controlled properties to their values at the time of `buffer`.
pub fn sync_values(element: &gst_base::BaseTransform, category: gst::DebugCategory, buffer: &gst::BufferRef) {
    if let Some(time) = stream_time(element, buffer)
        && let Err(error) = element.sync_values(time)
    {
        gst::debug!(category, obj = element, "no controlled values at {time}: {error}");
    }
}

/// The stream time of `buffer`.
pub fn stream_time(element: &gst_base::BaseTransform, buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
    element.segment().downcast_ref::<gst::format::Time>()?.to_stream_time(buffer.pts())
}

/// Fails and posts an error if one of the buffers is too small for its frame. GStreamer itself would only warn and push
/// an output buffer with undefined content.
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

/// Whether a buffer's memory is large enough for its frame. The offsets and strides in the buffer's metadata are not
/// trusted.
pub fn is_whole(layout: &Layout, buffer: &gst::BufferRef) -> bool {
    match buffer.meta::<gst_video::VideoMeta>() {
        // Without metadata, GStreamer maps the whole buffer, with default offsets and strides.
        None => buffer.size() >= layout.bytes,
        Some(meta) => {
            let is_large_enough = meta.width() as usize >= layout.width && meta.height() as usize >= layout.height;
            let mut planes = layout.planes.iter().zip(meta.offset().iter().zip(meta.stride()));
            is_large_enough && planes.all(|(plane, (&offset, &stride))| contains_plane(buffer, plane, offset, stride))
        }
    }
}

/// Fails if a buffer's memory is too small for its frame.
fn check(layout: &Layout, buffer: &gst::BufferRef) -> Result<(), gst::ErrorMessage> {
    if is_whole(layout, buffer) {
        return Ok(());
    }
    let (bytes, Layout { width, height, .. }) = (buffer.size(), layout);
    Err(gst::error_msg!(
        gst::StreamError::Format,
        ("a buffer of {bytes} bytes is too small for its {width}x{height} frame; an upstream element is broken")
    ))
}

/// Whether a buffer contains all rows of a plane in one memory: GStreamer maps each plane separately.
fn contains_plane(buffer: &gst::BufferRef, plane: &Plane, offset: usize, stride: i32) -> bool {
    let Some(stride) = usize::try_from(stride).ok().filter(|&stride| stride >= plane.row_bytes) else {
        return false;
    };
    let rows = stride.checked_mul(plane.height.saturating_sub(1));
    let end = rows.and_then(|rows| rows.checked_add(plane.row_bytes)?.checked_add(offset));
    let memories = end.and_then(|end| buffer.find_memory(offset..end));
    memories.is_some_and(|(memories, _)| memories.len() == 1)
}
