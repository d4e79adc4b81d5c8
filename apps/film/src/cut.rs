//! Restricts streams to a part of the film.

use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;
use gst::{ClockTime, PadProbeData, PadProbeInfo, PadProbeReturn, PadProbeType};

use super::segments::{ROUNDING, span};

/// Ends the stream at `pad` before the first buffer or event for which `is_after` holds. What follows is dropped here:
/// beyond the end, a pad would take it for an error.
pub fn end_at(pad: &gst::Pad, is_after: impl Fn(&gst::Pad, &PadProbeInfo) -> bool + Send + Sync + 'static) {
    let has_ended = AtomicBool::new(false);
    pad.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        if !has_ended.load(Ordering::Relaxed) && !is_after(pad, info) {
            return PadProbeReturn::Ok;
        }
        if !has_ended.swap(true, Ordering::Relaxed)
            && let Some(peer) = pad.peer()
        {
            peer.send_event(gst::event::Eos::new());
        }
        if info.buffer().is_some() {
            info.flow_res = Err(gst::FlowError::Eos);
        }
        PadProbeReturn::Handled
    });
}

/// Drops the buffers for whose beginning `is_before` holds, a stream time, and ends the stream at `to`.
pub fn buffers(pad: &gst::Pad, is_before: impl Fn(ClockTime) -> bool + Send + Sync + 'static, to: Option<ClockTime>) {
    let begin = |pad: &gst::Pad, buffer: Option<&gst::Buffer>| {
        span(pad, buffer).map(|(segment, begin, _)| segment.to_stream_time(begin))
    };
    pad.add_probe(PadProbeType::BUFFER, move |pad, info| match begin(pad, info.buffer()) {
        // A time outside the segment has no stream time.
        Some(begin) if begin.is_none_or(&is_before) => PadProbeReturn::Handled,
        _ => PadProbeReturn::Ok,
    });
    if let Some(to) = to {
        end_at(pad, move |pad, info| begin(pad, info.buffer()).flatten().is_some_and(|begin| begin + ROUNDING >= to));
    }
}

/// Shortens the subtitles that go beyond `from` or `to`, and drops those outside.
pub fn lines(pad: &gst::Pad, from: ClockTime, to: Option<ClockTime>) {
    if let Some(to) = to {
        end_at(pad, move |pad, info| is_after(pad, info, to));
    }
    pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
        let Some(PadProbeData::Buffer(buffer)) = &mut info.data else { return PadProbeReturn::Ok };
        let Some((segment, begin, end)) = span(pad, Some(buffer)) else { return PadProbeReturn::Ok };
        let [begin, end] = [begin, end].map(|time| segment.to_stream_time(time));
        let (Some(begin), end) = (begin, end.unwrap_or(ClockTime::MAX)) else { return PadProbeReturn::Handled };
        let (kept_begin, kept_end) = (begin.max(from), to.map_or(end, |to| to.min(end)));
        let (Some(length), Some(place)) = (
            kept_end.checked_sub(kept_begin).filter(|length| *length > ClockTime::ZERO),
            segment.position_from_stream_time(kept_begin),
        ) else {
            return PadProbeReturn::Handled;
        };
        if (kept_begin, kept_end) != (begin, end) {
            let buffer = buffer.make_mut();
            buffer.set_pts(place);
            buffer.set_duration(length);
        }
        PadProbeReturn::Ok
    });
}

/// Whether a subtitle begins after the stream time `to`, or an event says that there is none before.
fn is_after(pad: &gst::Pad, info: &PadProbeInfo, to: ClockTime) -> bool {
    let begin = match &info.data {
        Some(PadProbeData::Buffer(buffer)) => buffer.pts(),
        Some(PadProbeData::Event(event)) => match event.view() {
            gst::EventView::Gap(gap) => Some(gap.get().0),
            _ => None,
        },
        _ => None,
    };
    let event = pad.sticky_event::<gst::event::Segment>(0);
    let segment = event.as_ref().and_then(|event| event.segment().downcast_ref::<ClockTime>());
    let begin = segment.zip(begin).and_then(|(segment, begin)| segment.to_stream_time(begin));
    begin.is_some_and(|begin| begin >= to)
}

/// Makes running time start at the stream time `from`. A buffer that begins before it because of rounding is moved to
/// it.
pub fn begin_at(pad: &gst::Pad, from: ClockTime) {
    pad.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        match &mut info.data {
            Some(PadProbeData::Event(event)) => {
                if let gst::EventView::Segment(segment) = event.view()
                    && let Some(mut later) = segment.segment().downcast_ref::<ClockTime>().cloned()
                {
                    if let Some(begin) = position(&later, from) {
                        later.set_start(begin);
                        later.set_position(begin);
                        later.set_time(from);
                        later.set_base(ClockTime::ZERO);
                    } else {
                        later.set_base(later.time().map(|time| time.saturating_sub(from)));
                    }
                    *event = gst::event::Segment::builder(&later).seqnum(event.seqnum()).build();
                }
            }
            Some(PadProbeData::Buffer(buffer)) => {
                let begin = span(pad, Some(buffer))
                    .and_then(|(segment, begin, _)| position(&segment, from).filter(|from| begin < *from));
                if begin.is_some() {
                    buffer.make_mut().set_pts(begin);
                }
            }
            _ => (),
        }
        PadProbeReturn::Ok
    });
}

/// The place of a stream time in a segment, or before it.
fn position(segment: &gst::FormattedSegment<ClockTime>, time: ClockTime) -> Option<ClockTime> {
    segment.position_from_stream_time_full(time).and_then(gst::Signed::positive)
}
