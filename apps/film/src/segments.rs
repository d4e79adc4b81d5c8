//! The segments of streams, which give the times of buffers a place in the film.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gst::prelude::*;
use gst::{ClockTime, FormattedSegment, PadProbeData, PadProbeReturn, PadProbeType};

/// Timestamps in files are rounded: times that differ by less than this are equal.
pub const ROUNDING: ClockTime = ClockTime::from_mseconds(2);

/// A buffer's segment, beginning and end.
pub fn span(
    pad: &gst::Pad,
    buffer: Option<&gst::Buffer>,
) -> Option<(FormattedSegment<ClockTime>, ClockTime, ClockTime)> {
    let (start, duration) = buffer.and_then(|buffer| Some((buffer.pts()?, buffer.duration())))?;
    let event = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = event.segment().downcast_ref::<ClockTime>()?.clone();
    Some((segment, start, start + duration.unwrap_or_default()))
}

/// Stores in `end` the end of the last buffer that passed a pad: a running time in nanoseconds.
pub fn measure(pad: &gst::Pad, end: &Arc<AtomicU64>) {
    let noted = end.clone();
    pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
        let reached = span(pad, info.buffer()).and_then(|(segment, _, end)| segment.to_running_time(end));
        noted.fetch_max(reached.unwrap_or_default().nseconds(), Ordering::Relaxed);
        PadProbeReturn::Ok
    });
}

/// Calls `change` with all segments that pass a pad.
pub fn change(pad: &gst::Pad, change: impl Fn(&mut FormattedSegment<ClockTime>) + Send + Sync + 'static) {
    pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(PadProbeData::Event(event)) = &mut info.data
            && let gst::EventView::Segment(segment) = event.view()
            && let Some(mut changed) = segment.segment().downcast_ref::<ClockTime>().cloned()
        {
            change(&mut changed);
            *event = gst::event::Segment::builder(&changed).seqnum(event.seqnum()).build();
        }
        PadProbeReturn::Ok
    });
}
