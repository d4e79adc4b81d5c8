//! A fade from the current settings to a look: numbers go linearly to their new values, all else changes at once.

use std::time::{Duration, Instant};

use gst::prelude::*;
use serde_json::Value;

use crate::knobs;
use crate::settings::Look;

/// The property for the time, in milliseconds, in which an element itself goes from one style to another, if it can.
const STYLE_FADE: &str = "style-fade";

/// The numbers that such an element brings in together with a style.
const WITH_STYLE: [&str; 3] = ["strength", "style-position", STYLE_FADE];

/// The property of each element that says how much of its effect is seen. An element that is switched on or off fades
/// by it.
const AMOUNTS: [(&str, &str); 2] = [("convfilter", "mix"), ("styletransfer", "strength")];

/// An element: its name, the element itself, and whether it is on.
type Element = (&'static str, gst::Element, bool);

/// A fade that is going on.
pub struct Fade {
    begun: Instant,
    time: Duration,
    numbers: Vec<Number>,
    /// The look at the end.
    look: Look,
    /// The elements that it switches off at the end. They change only then.
    leaving: Vec<&'static str>,
}

/// A number on its way.
struct Number {
    element: &'static str,
    property: &'static str,
    from: f64,
    to: f64,
}

impl Fade {
    /// Plans a fade of elements to a look.
    pub fn new(elements: &[Element], look: &Look, time: Duration) -> Self {
        let mut fade = Self { begun: Instant::now(), time, numbers: vec![], look: look.clone(), leaving: vec![] };
        for &(name, ref element, is_on) in elements {
            let settings = look.elements.get(name).cloned().unwrap_or_default();
            if is_on && !settings.on {
                fade.leaving.push(name);
            }
            for number in knobs::numbers(element) {
                let goal = settings.knobs.get(number.name).and_then(Value::as_f64).unwrap_or(number.default);
                let fades_itself = is_on && settings.on && has_style_fade(element) && WITH_STYLE.contains(&number.name);
                let (from, to) = match (AMOUNTS.contains(&(name, number.name)), is_on, settings.on) {
                    (true, false, true) => (0.0, goal),
                    (true, true, false) => (number.value, 0.0),
                    (_, true, true) => (number.value, goal),
                    _ => continue,
                };
                let is_auto = number.has_auto && (from == -1.0 || to == -1.0);
                if from != to && !is_auto && !fades_itself {
                    fade.numbers.push(Number { element: name, property: number.name, from, to });
                }
            }
        }
        fade
    }

    /// The elements that change at the beginning, each with the look at the beginning: numbers have their old values.
    pub fn first(&self, elements: &[Element]) -> Vec<(&'static str, Look)> {
        let staying = elements.iter().filter(|(name, ..)| !self.leaving.contains(name));
        let first = |&(name, ref element, is_on): &Element| {
            let mut look = self.look.clone();
            let knobs = &mut look.elements.entry(name.into()).or_default().knobs;
            for number in self.numbers.iter().filter(|number| number.element == name) {
                knobs.insert(number.property.into(), number.from.into());
            }
            if is_on && has_style_fade(element) {
                knobs.insert(STYLE_FADE.into(), u32::try_from(self.time.as_millis()).unwrap_or(u32::MAX).into());
            }
            (name, look)
        };
        staying.map(first).collect()
    }

    /// Begins to count the time.
    pub fn begin(&mut self) {
        self.begun = Instant::now();
    }

    /// The numbers now: of each its element, its property and its value.
    pub fn values(&self) -> Vec<(&'static str, &'static str, f64)> {
        let share = (self.begun.elapsed().as_secs_f64() / self.time.as_secs_f64()).min(1.0);
        let value = |number: &Number| number.from * (1.0 - share) + number.to * share;
        self.numbers.iter().map(|number| (number.element, number.property, value(number))).collect()
    }

    /// Whether its time is over.
    pub fn is_over(&self) -> bool {
        self.begun.elapsed() >= self.time
    }

    /// Leaves a property, or all of an element's, to the user, who has just set it.
    pub fn release(&mut self, element: &str, property: Option<&str>) {
        self.numbers.retain(|number| number.element != element || property.is_some_and(|name| name != number.property));
    }

    /// The elements that change at the end, each with the look at the end.
    pub fn last(&self) -> impl Iterator<Item = (&'static str, &Look)> {
        self.leaving.iter().map(|name| (*name, &self.look))
    }

    /// Gives an element the look's own value of the property by which it fades styles.
    pub fn restore(&self, name: &str, element: &gst::Element) {
        if let Some(spec) = element.find_property(STYLE_FADE) {
            let kept = self.look.elements.get(name).and_then(|settings| settings.knobs.get(STYLE_FADE));
            let kept = kept.and_then(Value::as_u64).and_then(|kept| u32::try_from(kept).ok());
            element.set_property_from_value(
                STYLE_FADE,
                &kept.map_or(spec.default_value().clone(), |kept| kept.to_value()),
            );
        }
    }
}

fn has_style_fade(element: &gst::Element) -> bool {
    element.find_property(STYLE_FADE).is_some()
}
