//! Turns what arrives from controls into numbers for properties. It knows no socket and no element. Times are in seconds
//! since any moment.

use super::beat::Beat;
use super::learning::Learning;
use super::mapping::{Mapping, Source};
use super::smoothing::Smoothing;

/// What arrives from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A control has this value.
    Control(Source, f64),
    /// A port's MIDI clock ticks, starts or stops.
    Tick(u64),
    Start(u64),
    Stop(u64),
    /// The audio has a beat.
    AudioBeat,
}

/// The mappings, and the properties that are on their way to new values.
#[derive(Default)]
pub struct Engine {
    motions: Vec<Motion>,
    beat: Beat,
    pub learning: Option<Learning>,
}

/// A mapping and what its property does.
struct Motion {
    mapping: Mapping,
    /// The control's value that takes effect at the next beat.
    waiting: Option<f64>,
    /// The new value since the last step.
    target: Option<f64>,
    smoothing: Option<Smoothing>,
}

impl Engine {
    /// All mappings, in the order in which they were made.
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.motions.iter().map(|motion| &motion.mapping)
    }

    /// A property's mapping.
    pub fn find(&self, element: &str, property: &str) -> Option<&Mapping> {
        self.position(element, property).map(|position| &self.motions[position].mapping)
    }

    /// The beat.
    pub fn beat(&self) -> &Beat {
        &self.beat
    }

    /// Adds a mapping. It replaces that of the same property.
    pub fn set(&mut self, mapping: Mapping) {
        let motion = Motion { mapping, waiting: None, target: None, smoothing: None };
        match self.position(&motion.mapping.element, &motion.mapping.property) {
            Some(position) => self.motions[position] = motion,
            None => self.motions.push(motion),
        }
    }

    /// Removes a property's mapping; false if there is none.
    pub fn remove(&mut self, element: &str, property: &str) -> bool {
        self.position(element, property).map(|position| self.motions.remove(position)).is_some()
    }

    fn position(&self, element: &str, property: &str) -> Option<usize> {
        self.mappings().position(|mapping| mapping.element == element && mapping.property == property)
    }

    /// Takes what arrived; true if a mapping was learnt from it.
    pub fn receive(&mut self, event: Event, now: f64) -> bool {
        match event {
            Event::Control(source, value) => {
                let learnt = self.learn(&source, value, now);
                let is_running = self.beat.is_running(now);
                for motion in self.motions.iter_mut().filter(|motion| motion.mapping.source == source) {
                    if motion.mapping.quantize && is_running {
                        motion.waiting = Some(value);
                    } else {
                        motion.target = Some(motion.mapping.value(value));
                    }
                }
                return learnt;
            }
            Event::Tick(port) => {
                if self.beat.tick(port, now) {
                    self.release();
                }
            }
            Event::Start(port) => self.beat.start(port, now),
            Event::Stop(port) => self.beat.stop(port),
            Event::AudioBeat => {
                if self.beat.hear(now) {
                    self.release();
                }
            }
        }
        false
    }

    fn learn(&mut self, source: &Source, value: f64, now: f64) -> bool {
        self.learning.take_if(|learning| !learning.is_open(now));
        // The audio's level moves always: it is chosen, not learnt.
        if *source == Source::Level {
            return false;
        }
        let Some(learning) = self.learning.take_if(|learning| learning.is_moved(source, value)) else { return false };
        let earlier = self.find(&learning.element, &learning.property).cloned();
        let mapping = learning.bind(source.clone(), earlier);
        self.set(mapping);
        true
    }

    /// Lets waiting values take effect.
    fn release(&mut self) {
        for motion in &mut self.motions {
            if let Some(value) = motion.waiting.take() {
                motion.target = Some(motion.mapping.value(value));
            }
        }
    }

    /// Whether `advance` must be called again soon, even if nothing arrives.
    pub fn is_moving(&self, now: f64) -> bool {
        let has_beat = self.beat.is_running(now);
        self.motions.iter().any(|motion| {
            let follows_beat = motion.mapping.source == Source::Beat && has_beat;
            follows_beat || motion.waiting.is_some() || motion.target.is_some() || motion.smoothing.is_some()
        })
    }

    /// Moves all properties on, and passes their new numbers to `write`. `read` is a property's current number, where a
    /// smooth way begins: other hands may have moved it.
    pub fn advance(&mut self, now: f64, read: impl Fn(&Mapping) -> f64, mut write: impl FnMut(&Mapping, f64)) {
        let has_beat = self.beat.is_running(now);
        if !has_beat {
            self.release();
        }
        let position = self.beat.position(now);
        for Motion { mapping, target, smoothing, .. } in &mut self.motions {
            if mapping.source == Source::Beat && has_beat {
                *target = Some(mapping.value(position));
            }
            if let Some(target) = target.take() {
                match smoothing {
                    Some(smoothing) => smoothing.aim(target),
                    None => *smoothing = Some(Smoothing::new(read(mapping), target, now)),
                }
            }
            if let Some(moving) = smoothing {
                write(mapping, moving.advance(f64::from(mapping.smoothing) / 1e3, now));
                smoothing.take_if(|smoothing| smoothing.is_done());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::mapping::Curve;
    use crate::control::mapping::tests::mapping;

    /// An engine with one property, which starts at 10.
    struct Test {
        engine: Engine,
        property: f64,
    }

    impl Test {
        fn new(mapping: Mapping) -> Self {
            let mut engine = Engine::default();
            engine.set(mapping);
            Self { engine, property: 10.0 }
        }

        fn receive(&mut self, event: Event, now: f64) -> f64 {
            self.engine.receive(event, now);
            self.advance(now)
        }

        fn advance(&mut self, now: f64) -> f64 {
            let start = self.property;
            self.engine.advance(now, |_| start, |_, number| self.property = number);
            self.property
        }
    }

    fn osc(address: &str, value: f64) -> Event {
        Event::Control(Source::Osc(address.into()), value)
    }

    #[test]
    fn a_control_moves_its_property_and_no_other_does() {
        let mut test = Test::new(mapping("/a"));
        assert_eq!(test.receive(osc("/b", 0.5), 0.0), 10.0);
        assert_eq!(test.receive(osc("/a", 0.5), 0.0), 20.0);
        assert!(!test.engine.is_moving(0.0));
    }

    #[test]
    fn a_smooth_property_approaches_its_value_from_where_it_is() {
        let mut test = Test::new(Mapping { smoothing: 1000, ..mapping("/a") });
        test.property = 18.0;
        assert_eq!(test.receive(osc("/a", 0.5), 0.0), 18.0);
        let way: Vec<f64> = (1..40).map(|step| test.advance(f64::from(step) / 10.0)).collect();
        assert!(way.windows(2).all(|pair| pair[0] <= pair[1]) && way[0] > 18.0, "{way:?}");
        assert_eq!(way[38], 20.0);
        assert!(!test.engine.is_moving(4.0));
    }

    #[test]
    fn a_quantized_change_waits_for_the_beat_only_while_there_is_one() {
        let mut test = Test::new(Mapping { quantize: true, ..mapping("/a") });
        assert_eq!(test.receive(osc("/a", 0.5), 0.0), 20.0);
        test.receive(Event::AudioBeat, 1.0);
        assert_eq!(test.receive(osc("/a", 0.0), 1.1), 20.0);
        assert_eq!(test.receive(osc("/a", 1.0), 1.2), 20.0);
        assert_eq!(test.receive(Event::AudioBeat, 1.5), 30.0);
        // The beat ends: what waits takes effect.
        assert_eq!(test.receive(osc("/a", 0.0), 1.6), 30.0);
        assert!(test.engine.is_moving(1.7));
        assert_eq!(test.advance(3.6), 10.0);
    }

    #[test]
    fn a_midi_clock_releases_quantized_changes() {
        let mut test = Test::new(Mapping { quantize: true, ..mapping("/a") });
        test.engine.receive(Event::Start(1), 0.0);
        for tick in 0..24 {
            test.receive(Event::Tick(1), f64::from(tick) / 48.0);
        }
        assert_eq!(test.receive(osc("/a", 1.0), 0.49), 10.0);
        assert_eq!(test.receive(Event::Tick(1), 0.5), 30.0);
        test.receive(osc("/a", 0.0), 0.51);
        assert_eq!(test.receive(Event::Stop(1), 0.52), 10.0);
    }

    #[test]
    fn the_beat_is_a_source_too() {
        let mut test = Test::new(Mapping { source: Source::Beat, ..mapping("/a") });
        assert_eq!(test.receive(Event::AudioBeat, 0.0), 30.0);
        assert_eq!(test.advance(0.25), 20.0);
        assert_eq!(test.advance(1.0), 10.0);
        assert!(!test.engine.is_moving(2.5));
    }

    #[test]
    fn the_control_that_moves_is_learnt_and_replaces_the_last_one() {
        let mut test = Test::new(Mapping { smoothing: 5, ..mapping("/a") });
        test.engine.learning = Some(Learning::new("convfilter", "radius", [0.0, 1.0], Curve::Exponential, 0.0));
        assert!(!test.engine.receive(osc("/b", 0.5), 0.0));
        assert!(!test.engine.receive(Event::Control(Source::Level, -20.0), 0.0));
        assert!(!test.engine.receive(Event::Control(Source::Level, -10.0), 0.0));
        assert!(test.engine.receive(osc("/b", 0.6), 0.0));
        assert!(test.engine.learning.is_none());
        let learnt: Vec<&Mapping> = test.engine.mappings().collect();
        assert_eq!(learnt, [&Mapping { smoothing: 5, ..mapping("/b") }]);

        test.engine.learning = Some(Learning::new("convfilter", "mix", [0.0, 1.0], Curve::Exponential, 0.0));
        let midi = |value| Event::Control(Source::Midi { channel: 1, control: 7 }, value);
        assert!(!test.engine.receive(midi(1.0), 0.0));
        assert!(test.engine.receive(midi(2.0), 0.0));
        let new = test.engine.mappings().nth(1).expect("a second mapping");
        assert!(new.property == "mix" && new.range == [0.0, 1.0] && new.curve == Curve::Exponential);
        assert!(test.engine.remove("convfilter", "mix") && !test.engine.remove("convfilter", "mix"));

        // Nobody waits any more.
        test.engine.learning = Some(Learning::new("convfilter", "mix", [0.0, 1.0], Curve::Linear, 0.0));
        assert!(!test.engine.receive(midi(1.0), 1.0) && !test.engine.receive(midi(2.0), 100.0));
        assert!(test.engine.learning.is_none());
    }
}
