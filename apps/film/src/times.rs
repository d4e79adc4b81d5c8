//! The times of decoded pictures, where the file or the decoder gives wrong ones.
//!
//! AVI, and MPEG program streams with B-frames, have no or not all times at which pictures are shown, and GStreamer
//! guesses them with errors. Decoders of still recordings give one time to all equal pictures.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gst::{ClockTime, EventType, PadProbeData, PadProbeReturn, PadProbeType};
use gst_video::VideoInfo;

/// A time that is wrong by this number of pictures is not one of GStreamer's guesses, but a gap in the film.
const GAP: u64 = 5;

/// After this number of pictures that come too late, the film has a gap.
const LATE: u32 = 8;

#[derive(Default)]
struct Times {
    /// The times in the file of pictures that were not shown yet.
    known: BTreeSet<ClockTime>,
    /// Whether the file lacks the times of some pictures.
    has_unknown: bool,
    /// The time of the last picture.
    last: Option<ClockTime>,
    /// The number of pictures in a row that came too late.
    late: u32,
}

/// Gives the pictures of a decoder increasing times.
pub fn repair(decoder: &gst::Element) {
    let (Some(sink), Some(source)) = (decoder.static_pad("sink"), decoder.static_pad("src")) else { return };
    let times = Arc::new(Mutex::new(Times::default()));
    let before = times.clone();
    let types = PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM | PadProbeType::EVENT_FLUSH;
    sink.add_probe(types, move |_, info| {
        let mut times = before.lock().unwrap_or_else(PoisonError::into_inner);
        match &info.data {
            Some(PadProbeData::Buffer(buffer)) => match buffer.pts() {
                Some(time) => _ = times.known.insert(time),
                None => times.has_unknown = true,
            },
            Some(PadProbeData::Event(event)) if event.type_() == EventType::FlushStop => *times = Times::default(),
            _ => (),
        }
        PadProbeReturn::Ok
    });
    source.add_probe(PadProbeType::BUFFER, move |pad, info| {
        if let Some(PadProbeData::Buffer(buffer)) = &mut info.data {
            let rate = pad.current_caps().and_then(|caps| Some(VideoInfo::from_caps(&caps).ok()?.fps()));
            let length = rate.filter(|rate| rate.numer() > 0).and_then(|rate| {
                ClockTime::SECOND.mul_div_round(u64::try_from(rate.denom()).ok()?, u64::try_from(rate.numer()).ok()?)
            });
            let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
            let time = times.next(buffer.pts(), length.or(buffer.duration()).unwrap_or(ClockTime::MSECOND));
            if buffer.pts() != time {
                buffer.make_mut().set_pts(time);
            }
        }
        PadProbeReturn::Ok
    });
}

impl Times {
    /// The time of the next picture, for which the decoder gives `guess`. `length` is the distance of pictures.
    fn next(&mut self, guess: Option<ClockTime>, length: ClockTime) -> Option<ClockTime> {
        let last = self.last;
        let is_later = |time: &ClockTime| last.is_none_or(|last| *time > last);
        let guess = guess.filter(|time| self.has_unknown || is_later(time));
        let time = if self.has_unknown {
            self.counted(guess, length)
        } else {
            guess.or_else(|| self.known.iter().copied().find(is_later)).or(last.map(|last| last + length))
        };
        if let Some(time) = time {
            self.known = self.known.split_off(&(time + ClockTime::NSECOND));
        }
        self.last = time;
        time
    }

    /// The time after the last picture, unless there is a gap.
    fn counted(&mut self, guess: Option<ClockTime>, length: ClockTime) -> Option<ClockTime> {
        let Some(last) = self.last else { return guess };
        let counted = last + length;
        let Some(guess) = guess else { return Some(counted) };
        self.late = if guess > counted + length / 2 { self.late + 1 } else { 0 };
        if self.late < LATE && guess < counted + length * GAP {
            return Some(counted);
        }
        self.late = 0;
        Some(guess)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(known: &[u64], has_unknown: bool, guesses: &[u64]) -> Vec<u64> {
        let known = known.iter().copied().map(ClockTime::from_mseconds).collect();
        let mut times = Times { known, has_unknown, ..Times::default() };
        let next = |guess: &u64| times.next(Some(ClockTime::from_mseconds(*guess)), ClockTime::from_mseconds(40));
        guesses.iter().filter_map(next).map(ClockTime::mseconds).collect()
    }

    #[test]
    fn wrong_guesses_are_replaced_and_gaps_kept() {
        assert_eq!(repaired(&[], true, &[0, 40, 160, 160, 160, 200]), [0, 40, 80, 120, 160, 200]);
        assert_eq!(repaired(&[], true, &[0, 40, 40, 80, 120]), [0, 40, 80, 120, 160]);
        assert_eq!(repaired(&[], true, &[0, 40, 1000, 1040]), [0, 40, 1000, 1040]);
        let late: Vec<_> = (0..20).map(|index| index * 40 + if index > 5 { 80 } else { 0 }).collect();
        assert_eq!(repaired(&[], true, &late)[13..], late[13..]);
    }

    #[test]
    fn equal_times_are_replaced_by_the_times_in_the_file() {
        assert_eq!(repaired(&[0, 100, 500, 600], false, &[0, 0, 0, 600]), [0, 100, 500, 600]);
        assert_eq!(repaired(&[0, 100], false, &[0, 0, 0]), [0, 100, 140]);
    }
}
