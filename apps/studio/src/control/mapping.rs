//! What a control from outside does to a property.

use serde::{Deserialize, Serialize};

/// The highest number of a MIDI control: the numbers above are channel mode messages.
pub const LAST_MIDI_CONTROL: u8 = 119;

/// The longest smoothing, in milliseconds.
const MAX_SMOOTHING: u32 = 60_000;

/// How much an exponential curve's steps grow from its begin to its end.
const GROWTH: f64 = 100.0;

/// A control from outside, as the file of mappings names it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The first number of the messages to an OSC address.
    Osc(String),
    /// A MIDI control of a channel from 1 to 16.
    Midi { channel: u8, control: u8 },
    /// The loudness of the audio, in decibels.
    Level,
    /// 1 at each beat, then falling to 0 until the next.
    Beat,
}

impl Source {
    /// The values that it usually has.
    fn range(&self) -> [f64; 2] {
        match self {
            Self::Osc(_) | Self::Beat => [0.0, 1.0],
            Self::Midi { .. } => [0.0, 127.0],
            Self::Level => [-60.0, 0.0],
        }
    }
}

/// How a property follows its control.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Curve {
    #[default]
    Linear,
    /// Slow near the begin of the range and fast near its end.
    Exponential,
    /// Fast near the begin of the range and slow near its end.
    Logarithmic,
}

/// A control and the property that follows it. A property has at most one mapping.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub element: String,
    pub property: String,
    pub source: Source,
    /// The control's values at both ends of the range; absent: those that its kind usually has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<[f64; 2]>,
    /// The property's values at both ends. The first may be the larger one. Choices are counted from 0; switches are 0
    /// or 1.
    pub range: [f64; 2],
    #[serde(default)]
    pub curve: Curve,
    /// The time of 95 % of a change, in milliseconds.
    #[serde(default)]
    pub smoothing: u32,
    /// Changes wait for the next beat.
    #[serde(default)]
    pub quantize: bool,
}

impl Mapping {
    /// The property's value for a control's value. A control beyond its ends counts as at its end.
    pub fn value(&self, control: f64) -> f64 {
        let [first, last] = self.input();
        let position = ((control - first) / (last - first)).clamp(0.0, 1.0);
        let exponential = |position: f64| (GROWTH.powf(position) - 1.0) / (GROWTH - 1.0);
        let bent = match self.curve {
            Curve::Linear => position,
            Curve::Exponential => exponential(position),
            Curve::Logarithmic => 1.0 - exponential(1.0 - position),
        };
        let [from, to] = self.range;
        from * (1.0 - bent) + to * bent
    }

    /// The control's values at both ends.
    pub fn input(&self) -> [f64; 2] {
        self.input.unwrap_or_else(|| self.source.range())
    }

    /// Refuses values that make no sense for any property.
    pub fn check(&self) -> Result<(), String> {
        let [first, last] = self.input();
        if !(last - first).is_finite() || first == last {
            return Err("the ends of the input must be two different numbers".into());
        }
        if !self.range.iter().all(|end| end.is_finite()) {
            return Err("the ends of the range must be numbers".into());
        }
        if self.smoothing > MAX_SMOOTHING {
            return Err(format!("the smoothing must be at most {MAX_SMOOTHING} ms"));
        }
        match &self.source {
            Source::Osc(address) if !address.starts_with('/') => {
                Err(format!("an OSC address starts with /: {address}"))
            }
            Source::Midi { channel, control } if !(1..=16).contains(channel) || *control > LAST_MIDI_CONTROL => {
                Err(format!("MIDI has channels 1 to 16 and controls 0 to {LAST_MIDI_CONTROL}"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A mapping of an OSC address to a property from 10 to 30.
    pub fn mapping(address: &str) -> Mapping {
        Mapping {
            element: "convfilter".into(),
            property: "radius".into(),
            source: Source::Osc(address.into()),
            input: None,
            range: [10.0, 30.0],
            curve: Curve::Linear,
            smoothing: 0,
            quantize: false,
        }
    }

    #[test]
    fn every_curve_starts_and_ends_at_the_range_s_ends_and_never_turns_back() {
        for curve in [Curve::Linear, Curve::Exponential, Curve::Logarithmic] {
            for range in [[10.0, 30.0], [30.0, 10.0], [-5.0, 5.0], [0.0, 1000.0]] {
                let mapping = Mapping { curve, range, ..mapping("/a") };
                let values: Vec<f64> = (0..=100).map(|step| mapping.value(f64::from(step) / 100.0)).collect();
                assert_eq!([values[0], values[100]], range);
                let rises = range[1] > range[0];
                assert!(values.windows(2).all(|pair| (pair[1] > pair[0]) == rises), "{curve:?} {range:?}");
            }
        }
    }

    #[test]
    fn the_curves_differ_in_the_middle() {
        let middle = |curve| Mapping { curve, range: [0.0, 99.0], ..mapping("/a") }.value(0.5);
        assert_eq!(middle(Curve::Linear), 49.5);
        assert!((middle(Curve::Exponential) - 9.0).abs() < 1e-9);
        assert!((middle(Curve::Logarithmic) - 90.0).abs() < 1e-9);
    }

    #[test]
    fn a_control_s_own_range_counts_and_values_beyond_it_are_limited() {
        let midi = Mapping { source: Source::Midi { channel: 1, control: 7 }, ..mapping("/a") };
        assert_eq!([0.0, 127.0, 63.5].map(|value| midi.value(value)), [10.0, 30.0, 20.0]);
        let gate = Mapping { source: Source::Level, input: Some([-30.0, -10.0]), ..mapping("/a") };
        assert_eq!([-90.0, -30.0, -20.0, -3.0].map(|value| gate.value(value)), [10.0, 10.0, 20.0, 30.0]);
    }

    #[test]
    fn senseless_mappings_are_refused() {
        let good = mapping("/a");
        assert_eq!(good.check(), Ok(()));
        for bad in [
            Mapping { input: Some([1.0, 1.0]), ..good.clone() },
            Mapping { input: Some([0.0, f64::INFINITY]), ..good.clone() },
            Mapping { range: [0.0, f64::NAN], ..good.clone() },
            Mapping { smoothing: MAX_SMOOTHING + 1, ..good.clone() },
            Mapping { source: Source::Osc("fader".into()), ..good.clone() },
            Mapping { source: Source::Midi { channel: 0, control: 1 }, ..good.clone() },
            Mapping { source: Source::Midi { channel: 1, control: 120 }, ..good.clone() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
