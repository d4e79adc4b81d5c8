//! The end of an MP4 file's pictures.
//!
//! The muxer ends a track where the picture that is decoded last ends, and players leave out what is shown later. With a
//! frame rate that varies that can be the last pictures, since some are decoded in another order than they are shown in.

use std::sync::{Mutex, PoisonError};

use gst::prelude::*;
use gst::{ClockTime, EventType, PadProbeData, PadProbeReturn, PadProbeType};

#[derive(Default)]
struct State {
    /// The picture that came last, until another does.
    held: Option<gst::Buffer>,
    /// Whether it is on its way.
    is_let_go: bool,
    /// How much earlier the first picture is decoded than it is shown.
    lead: Option<ClockTime>,
    /// Where what is shown last ends.
    end: ClockTime,
}

/// Lets the last encoded picture that comes to the muxer's `pad` last until all were shown.
pub fn lengthen(pad: &gst::Pad) {
    let state = Mutex::new(State::default());
    pad.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut info.data {
            Some(PadProbeData::Buffer(buffer)) => {
                let mut state = lock();
                if state.is_let_go {
                    return PadProbeReturn::Ok;
                }
                state.see(buffer);
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
                state.is_let_go = true;
                drop(state);
                // Where it fails, so does what follows.
                let _ = pad.chain(last);
                lock().is_let_go = false;
            }
            _ => (),
        }
        PadProbeReturn::Ok
    });
}

impl State {
    fn see(&mut self, picture: &gst::Buffer) {
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
