//! How many steps fit in a time.

use std::time::Duration;

/// How much of what a frame took an estimate takes over: what was measured once may have been an accident.
const NEWS: f64 = 0.3;

/// What frames take, learnt from one to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// A step, for each place: it takes less where only a part of a frame is painted. In seconds.
    step: Option<f64>,
    /// All else, in seconds.
    rest: Option<f64>,
}

impl Pace {
    /// As many of `wanted` steps, on so many places, as fit in this time with all else that a frame takes; one as long as
    /// nothing is known.
    pub fn fit(&self, wanted: u32, places: i64, time: Option<Duration>) -> u32 {
        let Some(time) = time else { return wanted };
        let left = time.as_secs_f64() - self.rest.unwrap_or(0.0);
        let fitting = self.step.map_or(1.0, |step| left / (step * places as f64));
        (fitting as u32).min(wanted)
    }

    /// Hears what so many steps took.
    pub fn learn_steps(&mut self, steps: u32, places: i64, took: Duration) {
        if steps > 0 {
            learn(&mut self.step, took.as_secs_f64() / (f64::from(steps) * places as f64));
        }
    }

    /// Hears what all else took.
    pub fn learn_rest(&mut self, took: Duration) {
        learn(&mut self.rest, took.as_secs_f64());
    }
}

fn learn(estimate: &mut Option<f64>, new: f64) {
    *estimate = Some(estimate.map_or(new, |old| old + NEWS * (new - old)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn without_a_limit_all_steps_are_taken() {
        assert_eq!(Pace::default().fit(80, 1000, None), 80);
    }

    #[test]
    fn as_many_steps_are_taken_as_fit() {
        let mut pace = Pace::default();
        assert_eq!(pace.fit(80, 1000, Some(40 * MILLISECOND)), 1, "nothing is known");
        pace.learn_steps(2, 1000, 20 * MILLISECOND);
        pace.learn_rest(8 * MILLISECOND);
        assert_eq!(pace.fit(80, 1000, Some(40 * MILLISECOND)), 3);
        assert_eq!(pace.fit(80, 500, Some(40 * MILLISECOND)), 6, "of a part of the frame");
        assert_eq!(pace.fit(2, 1000, Some(40 * MILLISECOND)), 2, "no more are wanted");
        assert_eq!(pace.fit(80, 1000, Some(5 * MILLISECOND)), 0);
        assert_eq!(pace.fit(0, 1000, Some(40 * MILLISECOND)), 0);
    }

    #[test]
    fn the_estimate_follows_what_steps_take() {
        let mut pace = Pace::default();
        pace.learn_steps(1, 1000, 100 * MILLISECOND);
        for _ in 0..20 {
            pace.learn_steps(1, 1000, 10 * MILLISECOND);
        }
        assert_eq!(pace.fit(80, 1000, Some(55 * MILLISECOND)), 5);
    }
}
