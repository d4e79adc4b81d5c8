//! The latency that the element reports.

use std::collections::VecDeque;

use gst::ClockTime;
use gst::prelude::MulDiv;

/// The latency follows the last frames, at most the first number and at least the second.
const FRAMES: usize = 16;
const MIN_FRAMES: usize = 4;

/// It is a multiple of this, so that small changes are not reported.
const STEP: ClockTime = ClockTime::from_mseconds(5);

/// The times that the last frames took, and the latency reported.
#[derive(Debug, Default)]
pub struct Latency {
    took: VecDeque<ClockTime>,
    reported: ClockTime,
}

impl Latency {
    /// The latency reported.
    pub fn reported(&self) -> ClockTime {
        self.reported
    }

    /// Sets the latency to the maximum time for a frame, before the first frame. Returns whether it has changed.
    pub fn set(&mut self, time: ClockTime) -> bool {
        let reported = round_up(time);
        std::mem::replace(&mut self.reported, reported) != reported
    }

    /// Records the time that a frame took. Returns whether the latency has changed. It covers four of five frames: the
    /// pipeline must not wait longer for each frame because the first one took long.
    pub fn record(&mut self, took: ClockTime) -> bool {
        if self.took.len() == FRAMES {
            self.took.pop_front();
        }
        self.took.push_back(took);
        let mut sorted = Vec::from(self.took.clone());
        sorted.sort_unstable();
        let four_fifths = sorted.len().saturating_mul(4) / 5;
        let Some(&usual) = sorted.get(four_fifths).filter(|_| sorted.len() >= MIN_FRAMES) else {
            return false;
        };
        // A little more, since frames differ. It falls only if there is much to gain.
        let enough = round_up(usual.mul_div_floor(6, 5).unwrap_or(ClockTime::MAX));
        let changes = usual > self.reported || enough.saturating_mul(2) <= self.reported;
        if changes {
            self.reported = enough;
        }
        changes
    }
}

fn round_up(time: ClockTime) -> ClockTime {
    time.nseconds().checked_next_multiple_of(STEP.nseconds()).map_or(ClockTime::MAX, ClockTime::from_nseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: ClockTime = ClockTime::MSECOND;

    #[test]
    fn the_latency_is_the_time_of_frames_and_a_little_more() {
        let mut latency = Latency::default();
        let changes: Vec<_> = (0..10).map(|_| latency.record(21 * MS)).collect();
        assert_eq!(changes.iter().position(|&change| change), Some(MIN_FRAMES - 1));
        assert_eq!(changes.iter().filter(|&&change| change).count(), 1);
        assert_eq!(latency.reported(), 30 * MS);
    }

    #[test]
    fn a_slow_first_frame_does_not_count() {
        let mut latency = Latency::default();
        latency.record(5000 * MS);
        for _ in 0..20 {
            latency.record(20 * MS);
        }
        assert_eq!(latency.reported(), 25 * MS);
    }

    #[test]
    fn rises_at_once_and_falls_if_there_is_much_to_gain() {
        let mut latency = Latency::default();
        assert!(latency.set(33 * MS));
        assert!(!latency.set(33 * MS));
        for _ in 0..2 * FRAMES {
            assert!(!latency.record(25 * MS), "little to gain");
        }
        let ups = (0..FRAMES).filter(|_| latency.record(80 * MS)).count();
        assert_eq!((ups, latency.reported()), (1, 100 * MS));
        let downs = (0..FRAMES).filter(|_| latency.record(10 * MS)).count();
        assert!(downs > 0);
        assert_eq!(latency.reported(), 15 * MS);
    }
}
