//! The number of steps that fit into a frame's time.

use std::time::Duration;

/// The weight of the newest measurement in an estimate: a single one may be an outlier.
const NEWS: f64 = 0.3;

/// The maximum times for frames.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeLimits {
    /// For a frame that continues the last one.
    pub next: Option<Duration>,
    /// For other frames.
    pub first: Option<Duration>,
}

/// Estimates of what frames cost, updated with each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StepBudget {
    /// Seconds per step and pixel.
    step: Estimate,
    /// Seconds per pixel of the frame for everything but steps.
    rest: Estimate,
}

/// The mean of the last measurements.
#[derive(Clone, Copy, Debug, Default)]
struct Estimate {
    value: Option<f64>,
    /// Whether there were two: the first one includes what is set up once.
    is_steady: bool,
}

impl Estimate {
    fn learn(&mut self, new: f64) {
        let weight = if self.is_steady { NEWS } else { 1.0 };
        self.is_steady = self.value.is_some();
        self.value = Some(self.value.map_or(new, |old| old + weight * (new - old)));
    }
}

impl StepBudget {
    /// The number of steps, at most `wanted`, on this number of pixels that fit into `time` beside the rest of the work on a
    /// frame of `frame` pixels; one as long as nothing is known.
    pub fn fit(&self, wanted: u32, pixels: i64, frame: i64, time: Option<Duration>) -> u32 {
        let Some(time) = time else { return wanted };
        let left = time.as_secs_f64() - self.rest.value.unwrap_or(0.0) * frame as f64;
        let fitting = self.step.value.map_or(1.0, |step| left / (step * pixels as f64));
        (fitting as u32).min(wanted)
    }

    /// The pixels of a frame that fits into `time` with this number of steps, once steps were measured.
    pub fn pixels(&self, steps: u32, time: Duration) -> Option<f64> {
        Some(time.as_secs_f64() / (self.rest.value? + self.step.value? * f64::from(steps)))
    }

    /// Records the time that steps took.
    pub fn learn_steps(&mut self, steps: u32, pixels: i64, took: Duration) {
        if steps > 0 {
            self.step.learn(took.as_secs_f64() / (f64::from(steps) * pixels as f64));
        }
    }

    /// Records the time that the rest of a frame of this number of pixels took.
    pub fn learn_rest(&mut self, frame: i64, took: Duration) {
        self.rest.learn(took.as_secs_f64() / frame as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn without_a_limit_all_steps_are_taken() {
        assert_eq!(StepBudget::default().fit(80, 1000, 1000, None), 80);
    }

    #[test]
    fn as_many_steps_are_taken_as_fit() {
        let mut budget = StepBudget::default();
        assert_eq!(budget.fit(80, 1000, 1000, Some(40 * MILLISECOND)), 1, "nothing is known");
        budget.learn_steps(2, 1000, 20 * MILLISECOND);
        budget.learn_rest(1000, 8 * MILLISECOND);
        assert_eq!(budget.fit(80, 1000, 1000, Some(40 * MILLISECOND)), 3);
        assert_eq!(budget.fit(80, 500, 1000, Some(40 * MILLISECOND)), 6, "of a part of the frame");
        assert_eq!(budget.fit(2, 1000, 1000, Some(40 * MILLISECOND)), 2, "no more are wanted");
        assert_eq!(budget.fit(80, 1000, 1000, Some(5 * MILLISECOND)), 0);
        assert_eq!(budget.fit(0, 1000, 1000, Some(40 * MILLISECOND)), 0);
        assert_eq!(budget.fit(80, 1000, 2000, Some(40 * MILLISECOND)), 2, "of a larger frame");
        assert_eq!(budget.pixels(4, 24 * MILLISECOND).map(f64::round), Some(500.0));
    }

    #[test]
    fn the_estimate_follows_what_steps_take() {
        let mut budget = StepBudget::default();
        for took in [500, 100, 100] {
            budget.learn_steps(1, 1000, took * MILLISECOND);
        }
        assert_eq!(budget.fit(80, 1000, 1000, Some(550 * MILLISECOND)), 5, "without what the first one set up");
        for _ in 0..20 {
            budget.learn_steps(1, 1000, 10 * MILLISECOND);
        }
        assert_eq!(budget.fit(80, 1000, 1000, Some(55 * MILLISECOND)), 5);
    }
}
