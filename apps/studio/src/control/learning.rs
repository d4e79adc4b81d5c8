//! Finds the control that someone moves for a property.

use std::collections::HashMap;

use super::mapping::{Curve, Mapping, Source};

/// It ends after this time, in seconds: nobody waits any more, and a control that is moved later is meant for another
/// property.
const PATIENCE: f64 = 60.0;

/// More controls are not watched: memory must not grow with what arrives.
const MAX_CONTROLS: usize = 1000;

/// The search for a property's control.
pub struct Learning {
    pub element: String,
    pub property: String,
    /// The range and the curve of a new mapping.
    range: [f64; 2],
    curve: Curve,
    begun: f64,
    /// The first value of each control since then.
    first: HashMap<Source, f64>,
}

impl Learning {
    /// Starts to listen.
    pub fn new(element: &str, property: &str, range: [f64; 2], curve: Curve, now: f64) -> Self {
        Self { element: element.into(), property: property.into(), range, curve, begun: now, first: HashMap::new() }
    }

    /// Whether it listens still.
    pub fn is_open(&self, now: f64) -> bool {
        now - self.begun < PATIENCE
    }

    /// Whether this value shows that its control is moved: programs also repeat values that do not change.
    pub fn is_moved(&mut self, source: &Source, value: f64) -> bool {
        match self.first.get(source) {
            Some(first) => *first != value,
            None if self.first.len() < MAX_CONTROLS => {
                self.first.insert(source.clone(), value);
                false
            }
            None => false,
        }
    }

    /// The property's mapping to a control. An earlier mapping keeps all but its control.
    pub fn bind(self, source: Source, earlier: Option<Mapping>) -> Mapping {
        match earlier {
            Some(earlier) => Mapping { source, input: None, ..earlier },
            None => Mapping {
                element: self.element,
                property: self.property,
                source,
                input: None,
                range: self.range,
                curve: self.curve,
                smoothing: 0,
                quantize: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learning() -> Learning {
        Learning::new("convfilter", "radius", [0.0, 1.0], Curve::Linear, 10.0)
    }

    #[test]
    fn a_control_is_moved_once_its_value_changes() {
        let mut learning = learning();
        let [still, moved] = ["/still", "/moved"].map(|address| Source::Osc(address.into()));
        let heard = [(&still, 0.5), (&moved, 0.5), (&still, 0.5), (&moved, 0.51)];
        assert_eq!(heard.map(|(source, value)| learning.is_moved(source, value)), [false, false, false, true]);
    }

    #[test]
    fn it_ends_and_its_memory_is_limited() {
        let mut learning = learning();
        assert!(learning.is_open(69.0) && !learning.is_open(71.0));
        for number in 0..2 * MAX_CONTROLS {
            assert!(!learning.is_moved(&Source::Osc(format!("/{number}")), 0.0));
        }
        assert_eq!(learning.first.len(), MAX_CONTROLS);
    }
}
