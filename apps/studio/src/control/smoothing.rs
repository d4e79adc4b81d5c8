//! A number that approaches its target: fast at first, then slower, and never beyond it.

/// When this part of the way is left, the target is reached.
const REST: f64 = 1e-3;

/// A number on its way. Times are in seconds.
pub struct Smoothing {
    value: f64,
    target: f64,
    /// The distance from the target at which it is reached.
    rest: f64,
    since: f64,
}

impl Smoothing {
    /// A way that begins now.
    pub fn new(value: f64, target: f64, now: f64) -> Self {
        Self { value, target, rest: (target - value).abs() * REST, since: now }
    }

    /// Changes the target. The number goes on from where it is.
    pub fn aim(&mut self, target: f64) {
        self.target = target;
        self.rest = (target - self.value).abs() * REST;
    }

    /// The number now, if 95 % of a way take `time`.
    pub fn advance(&mut self, time: f64, now: f64) -> f64 {
        let left = if time > 0.0 { (-3.0 * (now - self.since).max(0.0) / time).exp() } else { 0.0 };
        self.since = now;
        self.value = self.target + (self.value - self.target) * left;
        if (self.value - self.target).abs() <= self.rest {
            self.value = self.target;
        }
        self.value
    }

    /// Whether the target is reached.
    pub fn is_done(&self) -> bool {
        self.value == self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_its_time_never_turns_back_and_ends_at_the_target() {
        let mut smoothing = Smoothing::new(2.0, 12.0, 5.0);
        let way: Vec<f64> = (1..=300).map(|step| smoothing.advance(1.0, 5.0 + f64::from(step) / 100.0)).collect();
        assert!(way.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!((way[99] - 11.5).abs() < 0.01, "{}", way[99]);
        assert!(smoothing.is_done() && way[299] == 12.0);
    }

    #[test]
    fn a_new_target_is_approached_from_where_the_number_is() {
        let mut smoothing = Smoothing::new(0.0, 1.0, 0.0);
        let before = smoothing.advance(1.0, 0.5);
        smoothing.aim(0.0);
        let after = smoothing.advance(1.0, 0.51);
        assert!(after < before && after > before * 0.9);
    }

    #[test]
    fn without_smoothing_it_is_at_once_at_its_target() {
        assert_eq!(Smoothing::new(0.0, 1.0, 0.0).advance(0.0, 0.0), 1.0);
    }
}
