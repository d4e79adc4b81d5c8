//! Corrects the length of an MP4 file's video.
//!
//! The muxer ends the track where the frame that is decoded last ends, and players drop frames that are shown later.
//! Since frames are decoded in another order than they are shown, a variable frame rate can lose the last frames.

use std::sync::{Mutex, PoisonError};

use gst::prelude::*;
use gst::{ClockTime, EventType, PadProbeData, PadProbeReturn, PadProbeType};

#[derive(Default)]
struct State {
    /// The newest frame, held until the next one comes.
    held: Option<gst::Buffer>,
    /// Whether the held frame is being passed on.
    is_released: bool,
    /// How much earlier the first frame is decoded than shown.
    lead: Option<ClockTime>,
    /// The end of the frame that is shown last.
    end: ClockTime,
}

/// Extends the last encoded frame before the muxer's `pad` to the end of the frame that is shown last.
pub fn lengthen(pad: &gst::Pad) {
    let state = Mutex::new(State::default());
    pad.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut info.data {
            Some(PadProbeData::Buffer(buffer)) => {
                let mut state = lock();
                if state.is_released {
                    return PadProbeReturn::Ok;
                }
                state.measure(buffer);
                match state.held.replace(buffer.clone()) {
                    Some(before) => *buffer = before,
                    None => return PadProbeReturn::Handled,
                }
            }
            Some(PadProbeData::Event(event))
                if matches!(event.type_(), EventType::Caps | EventType::Segment | EventType::Eos) =>
            {
                let mut state = lock();
                let Some(mut last) = state.held.take() else { return PadProbeReturn::Ok };
                if event.type_() == EventType::Eos {
                    state.lengthen(&mut last);
                }
                state.is_released = true;
                drop(state);
                // If this fails, the buffers or events that follow fail in the same way.
                let _ = pad.chain(last);
                lock().is_released = false;
            }
            _ => (),
        }
        PadProbeReturn::Ok
    });
}

impl State {
    fn measure(&mut self, picture: &gst::Buffer) {
        let (Some(shown), Some(decoded)) = (picture.pts(), picture.dts()) else { return };
        self.lead.get_or_insert(shown.saturating_sub(decoded));
        self.end = self.end.max(shown + picture.duration().unwrap_or_default());
    }

    fn lengthen(&self, last: &mut gst::Buffer) {
        let (Some(lead), Some(decoded)) = (self.lead, last.dts()) else { return };
        let needed = self.end.saturating_sub(decoded + lead);
        let last = last.make_mut();
        last.set_duration(last.duration().unwrap_or_default().max(needed));
    }
}
