//! How late frames come out, as the element tells it.

use std::collections::VecDeque;

use gst::ClockTime;
use gst::prelude::MulDiv;

/// What is told follows so many frames, once there are so many at least.
const FRAMES: usize = 16;
const LEAST_FRAMES: usize = 4;

/// It is a multiple of this, lest the pipeline hear of every small change.
const STEP: ClockTime = ClockTime::from_mseconds(5);

/// What the last frames took, and what was told of it.
#[derive(Debug, Default)]
pub struct Latency {
    took: VecDeque<ClockTime>,
    told: ClockTime,
}

impl Latency {
    /// What is told.
    pub fn told(&self) -> ClockTime {
        self.told
    }

    /// Tells what a frame may take, before there were any; whether that is another than before.
    pub fn expect(&mut self, time: ClockTime) -> bool {
        let told = round_up(time);
        std::mem::replace(&mut self.told, told) != told
    }

    /// Hears what a frame took; whether that changes what is told. What four frames of five keep to counts: the pipeline does
    /// not wait longer for each frame because the first one took long.
    pub fn hear(&mut self, took: ClockTime) -> bool {
        if self.took.len() == FRAMES {
            self.took.pop_front();
        }
        self.took.push_back(took);
        let mut sorted = Vec::from(self.took.clone());
        sorted.sort_unstable();
        let four_fifths = sorted.len().saturating_mul(4) / 5;
        let Some(&usual) = sorted.get(four_fifths).filter(|_| sorted.len() >= LEAST_FRAMES) else {
            return false;
        };
        // A little more, as frames differ; and it falls only where there is much to gain.
        let enough = round_up(usual.mul_div_floor(6, 5).unwrap_or(ClockTime::MAX));
        let changes = usual > self.told || enough.saturating_mul(2) <= self.told;
        if changes {
            self.told = enough;
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
    fn tells_what_frames_take_and_a_little_more() {
        let mut latency = Latency::default();
        let changes: Vec<_> = (0..10).map(|_| latency.hear(21 * MS)).collect();
        assert_eq!(changes.iter().position(|&change| change), Some(LEAST_FRAMES - 1));
        assert_eq!(changes.iter().filter(|&&change| change).count(), 1);
        assert_eq!(latency.told(), 30 * MS);
    }

    #[test]
    fn a_first_frame_that_takes_long_does_not_count() {
        let mut latency = Latency::default();
        latency.hear(5000 * MS);
        for _ in 0..20 {
            latency.hear(20 * MS);
        }
        assert_eq!(latency.told(), 25 * MS);
    }

    #[test]
    fn follows_up_at_once_and_down_where_it_is_worth_it() {
        let mut latency = Latency::default();
        assert!(latency.expect(33 * MS));
        assert!(!latency.expect(33 * MS));
        for _ in 0..2 * FRAMES {
            assert!(!latency.hear(25 * MS), "not worth it");
        }
        let ups = (0..FRAMES).filter(|_| latency.hear(80 * MS)).count();
        assert_eq!((ups, latency.told()), (1, 100 * MS));
        let downs = (0..FRAMES).filter(|_| latency.hear(10 * MS)).count();
        assert!(downs > 0);
        assert_eq!(latency.told(), 15 * MS);
    }
}
