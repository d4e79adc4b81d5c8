//! Fades: a value that goes linearly to another one over a time of the stream.

use gst::ClockTime;

/// A value that can be mixed with another one.
pub trait Mix: Clone + PartialEq {
    /// `1 - part` of this value and `part`, 0 to 1, of another one.
    fn mixed(&self, other: &Self, part: f64) -> Self;
}

impl Mix for f64 {
    fn mixed(&self, other: &Self, part: f64) -> Self {
        self + (other - self) * part
    }
}

/// A style picture or a model that has a share in frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Its file, or its name.
    pub name: String,
    /// The region that it paints, if masks divide frames.
    pub region: usize,
    /// At least 0; all weights sum up to 1.
    pub weight: f64,
}

impl Mix for Vec<Share> {
    /// What is in both is there once. What has no share left is left out, unless it belongs to `other`.
    fn mixed(&self, other: &Self, part: f64) -> Self {
        let rest = self.iter().map(|share| Share { weight: share.weight * (1.0 - part), ..share.clone() });
        let mut mixed: Self = rest.filter(|share| share.weight > 0.0).collect();
        for share in other {
            let own = share.weight * part;
            match mixed.iter_mut().find(|mixed| (&mixed.name, mixed.region) == (&share.name, share.region)) {
                Some(mixed) => mixed.weight += own,
                None => mixed.push(Share { weight: own, ..share.clone() }),
            }
        }
        mixed
    }
}

/// A value, and how it goes to another one, by running time.
#[derive(Clone, Debug, Default)]
pub struct Fade<T> {
    to: T,
    running: Option<Running<T>>,
}

#[derive(Clone, Debug)]
struct Running<T> {
    from: T,
    begin: ClockTime,
    duration: ClockTime,
}

impl<T: Mix> Fade<T> {
    /// The value, which stays.
    pub fn new(value: T) -> Self {
        Self { to: value, running: None }
    }

    /// The value at the fade's end.
    pub fn end(&self) -> &T {
        &self.to
    }

    /// Whether the value is on its way.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The value at a running time.
    pub fn at(&self, time: ClockTime) -> T {
        match &self.running {
            Some(Running { from, begin, duration }) if time < begin.saturating_add(*duration) => {
                from.mixed(&self.to, time.saturating_sub(*begin).nseconds() as f64 / duration.nseconds() as f64)
            }
            _ => self.to.clone(),
        }
    }

    /// Goes to another value from `begin` on, over a duration. A fade that is on its way is left where it is at `begin`.
    pub fn begin(&mut self, to: T, begin: ClockTime, duration: ClockTime) {
        let from = self.at(begin);
        let running = (!duration.is_zero()).then_some(Running { from, begin, duration });
        *self = Self { to, running };
    }

    /// Ends the fade if its time is over. Returns whether it has ended.
    pub fn end_by(&mut self, time: ClockTime) -> bool {
        let is_over = |running: &Running<T>| time >= running.begin.saturating_add(running.duration);
        self.running.take_if(|running| is_over(running)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> ClockTime {
        ClockTime::from_mseconds(milliseconds)
    }

    fn share(name: &str, weight: f64) -> Share {
        Share { name: name.into(), region: 0, weight }
    }

    #[test]
    fn a_value_goes_linearly_and_then_stays() {
        let mut fade = Fade::new(1.0);
        assert_eq!(fade.at(ms(500)), 1.0);
        fade.begin(3.0, ms(1000), ms(400));
        assert_eq!([0, 1000, 1100, 1300, 1400, 9000].map(|time| fade.at(ms(time))), [1.0, 1.0, 1.5, 2.5, 3.0, 3.0]);
        assert!(!fade.end_by(ms(1399)) && fade.is_running());
        assert!(fade.end_by(ms(1400)) && !fade.is_running() && !fade.end_by(ms(1400)));
        assert_eq!(fade.at(ms(0)), 3.0);
    }

    #[test]
    fn without_a_duration_a_value_changes_at_once() {
        let mut fade = Fade::new(1.0);
        fade.begin(3.0, ms(1000), ClockTime::ZERO);
        assert!(fade.at(ms(1000)) == 3.0 && !fade.is_running());
    }

    #[test]
    fn a_fade_that_is_interrupted_goes_on_from_where_it_is() {
        let mut fade = Fade::new(vec![share("a", 1.0)]);
        fade.begin(vec![share("b", 1.0)], ms(0), ms(1000));
        assert_eq!(fade.at(ms(0)), [share("a", 1.0), share("b", 0.0)], "what comes is there from the begin");
        assert_eq!(fade.at(ms(250)), [share("a", 0.75), share("b", 0.25)]);
        fade.begin(vec![share("c", 1.0)], ms(250), ms(1000));
        assert_eq!(fade.at(ms(250)), [share("a", 0.75), share("b", 0.25), share("c", 0.0)]);
        assert_eq!(fade.at(ms(750)), [share("a", 0.375), share("b", 0.125), share("c", 0.5)]);
        fade.begin(vec![share("a", 1.0)], ms(750), ms(1000));
        assert_eq!(fade.at(ms(1250)), [share("a", 0.6875), share("b", 0.0625), share("c", 0.25)], "and back");
        assert_eq!(fade.at(ms(1750)), [share("a", 1.0)]);
    }

    #[test]
    fn shares_of_one_picture_in_two_regions_are_two() {
        let at = |region| Share { region, ..share("a", 0.5) };
        assert_eq!(
            vec![at(0)].mixed(&vec![at(1)], 0.5),
            [Share { weight: 0.25, ..at(0) }, Share { weight: 0.25, ..at(1) }]
        );
    }
}
