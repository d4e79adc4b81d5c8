//! The size to paint at, if the engine chooses it: the largest at which a frame's steps fit into its time.

use std::time::Duration;

use style_engine_interface::Parameters;

use crate::step_budget::StepBudget;

/// Under a time limit the longer side is at least this, in pixels: smaller pictures lose their content, so that steps are
/// left out instead. Frames have this size as long as nothing is known of the device's speed.
const MIN_SIDE: i64 = 192;

/// The share of the time limit that a frame's steps should take: a frame of which much is new takes more of them.
const SHARE: f64 = 2.0 / 3.0;

/// Sides are multiples of this, in pixels.
const GRAIN: i64 = 32;

/// The size may change after this many frames, and only by more than this factor: a change shows.
const FRAMES: u32 = 15;
const MIN_CHANGE: f64 = 1.3;

/// The size under a time limit.
#[derive(Debug)]
pub(crate) struct AutoSize {
    side: i64,
    frames: u32,
}

impl Default for AutoSize {
    fn default() -> Self {
        Self { side: MIN_SIDE, frames: FRAMES }
    }
}

impl AutoSize {
    /// The longer side at which to paint the next frame, of this `size`, height then width, with this number of `steps`.
    pub fn longer_side(&mut self, size: [i64; 2], steps: u32, limit: Option<Duration>, budget: &StepBudget) -> i64 {
        let frame = size[0].max(size[1]);
        let max = frame.min(Parameters::MAX_AUTO_SIZE.into());
        let Some(limit) = limit else { return max };
        self.frames += 1;
        if self.frames > FRAMES
            && let Some(pixels) = budget.pixels(steps, limit.mul_f64(SHARE))
        {
            let fitting = frame as f64 * (pixels / (size[0] * size[1]) as f64).sqrt();
            let side = (fitting as i64 / GRAIN * GRAIN).min(max).max(MIN_SIDE);
            let change = side as f64 / self.side as f64;
            if !(1.0 / MIN_CHANGE..=MIN_CHANGE).contains(&change) {
                self.side = side;
            }
            self.frames = 0;
        }
        self.side.min(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: [i64; 2] = [480, 640];
    const MILLISECOND: Duration = Duration::from_millis(1);

    /// The budget of a device whose cost per pixel is `nanoseconds` for a step, and the same for the rest of a frame.
    fn device(nanoseconds: u64) -> StepBudget {
        let mut budget = StepBudget::default();
        budget.learn_steps(1, 1000, Duration::from_nanos(1000 * nanoseconds));
        budget.learn_rest(1000, Duration::from_nanos(1000 * nanoseconds));
        budget
    }

    /// The sides of a second's frames.
    fn second(auto: &mut AutoSize, budget: &StepBudget) -> Vec<i64> {
        let mut sides: Vec<_> = (0..30).map(|_| auto.longer_side(FRAME, 4, Some(50 * MILLISECOND), budget)).collect();
        sides.dedup();
        sides
    }

    #[test]
    fn without_a_limit_frames_keep_their_size_up_to_the_maximum() {
        let mut auto = AutoSize::default();
        assert_eq!(auto.longer_side(FRAME, 4, None, &device(1)), 640);
        assert_eq!(auto.longer_side([2160, 3840], 4, None, &device(1)), 1920);
        assert_eq!(auto.longer_side([3, 100], 4, Some(MILLISECOND), &device(1)), 100, "no larger than the frame");
    }

    #[test]
    fn the_size_follows_the_device() {
        let mut auto = AutoSize::default();
        assert_eq!(second(&mut auto, &StepBudget::default()), [192], "nothing is known");
        assert_eq!(second(&mut auto, &device(1)), [640], "a fast device, from the first frame on");
        assert_eq!(second(&mut auto, &device(50)), [640, 416], "a slower one");
        assert_eq!(second(&mut auto, &device(40)), [416], "a small change");
        assert_eq!(second(&mut auto, &device(5000)), [416, 192], "a very slow one");
    }
}
