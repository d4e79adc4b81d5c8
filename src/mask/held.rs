//! The pad's mask while it holds. When its source is slower than the frames, `styletransfer` moves it along with what it
//! covers, until the next one comes.

use std::collections::VecDeque;

use style_engine_interface::MAX_MASK_AGE;

use super::Grid;

/// The mask from the pad that holds.
pub struct Held {
    /// Its number.
    pub number: u64,
    /// The mask, as far as it was moved.
    pub grid: Grid,
    /// The running time of the frame that it belongs to.
    pub time: Option<gst::ClockTime>,
}

/// The running times of the last painted frames.
#[derive(Default)]
pub struct FrameTimes(VecDeque<gst::ClockTime>);

impl FrameTimes {
    /// Adds a frame that was painted.
    pub fn add(&mut self, time: gst::ClockTime) {
        while self.0.len() > MAX_MASK_AGE as usize {
            self.0.pop_front();
        }
        self.0.push_back(time);
    }

    /// How many frames before the last one a mask of this time belongs to: it is that of the first frame that is not earlier.
    pub fn age(&self, mask: gst::ClockTime) -> u32 {
        let frames = self.0.iter().filter(|&&frame| frame >= mask).count();
        frames.saturating_sub(1) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_belongs_to_the_first_frame_that_is_not_earlier() {
        let mut times = FrameTimes::default();
        assert_eq!(times.age(gst::ClockTime::ZERO), 0);
        for frame in 0..20 {
            times.add(gst::ClockTime::from_mseconds(40 * frame));
        }
        let ages = [760, 750, 721, 720, 719, 600, 0].map(|time| times.age(gst::ClockTime::from_mseconds(time)));
        assert_eq!(ages, [0, 0, 0, 1, 1, 4, MAX_MASK_AGE]);
    }
}
