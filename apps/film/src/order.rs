//! The times at which encoded pictures are decoded.

use std::sync::{Mutex, PoisonError};

use gst::prelude::*;
use gst::{ClockTime, PadProbeData, PadProbeReturn, PadProbeType, Signed};

/// The smallest distance of two times in the file.
const TICK: ClockTime = ClockTime::from_useconds(12);

/// Makes the decoding times increase, which a muxer needs: where a film is continued, those of the second encoder begin
/// before those of the first one end.
pub fn increase(pad: &gst::Pad) {
    let last = Mutex::new(i64::MIN);
    pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
        let Some(PadProbeData::Buffer(buffer)) = &mut info.data else { return PadProbeReturn::Ok };
        let segment = pad.sticky_event::<gst::event::Segment>(0);
        let segment = segment.as_ref().and_then(|event| event.segment().downcast_ref::<ClockTime>());
        let (Some(segment), Some(decoded)) = (segment, buffer.dts()) else { return PadProbeReturn::Ok };
        let Some(running) = segment.to_running_time_full(decoded).map(signed) else { return PadProbeReturn::Ok };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        // The last picture passes twice: it is held back and pushed again.
        let later = if running < *last { *last + TICK.nseconds() as i64 } else { running };
        if later > running {
            buffer.make_mut().set_dts(decoded + ClockTime::from_nseconds(later.abs_diff(running)));
        }
        *last = later;
        PadProbeReturn::Ok
    });
}

fn signed(time: Signed<ClockTime>) -> i64 {
    match time {
        Signed::Positive(time) => time.nseconds() as i64,
        Signed::Negative(time) => -(time.nseconds() as i64),
    }
}
