//! Control from outside: OSC, MIDI and audio move properties of the elements.

mod audio;
mod beat;
mod engine;
mod file;
mod learning;
mod mapping;
#[cfg_attr(not(feature = "midi"), allow(dead_code, reason = "only ports have messages to read"))]
mod midi;
mod onsets;
mod osc;
mod smoothing;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::{Engine, Event};
use file::File;
use gst::prelude::*;
use learning::Learning;
pub use mapping::Curve;
use mapping::{Mapping, Source};
use serde_json::{Map, Value, json};

use crate::knobs;

/// The time between two steps of a moving property.
const STEP: Duration = Duration::from_millis(10);

/// The shortest time between two reports of moving properties.
const REPORTS: Duration = Duration::from_millis(100);

/// Controls from outside, and their mappings to properties.
pub struct Control {
    elements: Vec<gst::Element>,
    file: File,
    engine: Mutex<Engine>,
    /// Something has arrived at the engine.
    arrived: Condvar,
    begun: Instant,
    inputs: Mutex<Inputs>,
}

/// What pages show about the inputs.
struct Inputs {
    osc: String,
    midi: String,
    audio: String,
    /// Why the mappings are not saved.
    problem: Option<String>,
}

impl Control {
    /// Reads the mappings to properties of these elements from a file.
    pub fn open(path: PathBuf, elements: Vec<gst::Element>) -> Arc<Self> {
        let (file, mappings) = File::open(path, |mapping| check(&elements, mapping));
        if let Some(problem) = file.problem() {
            eprintln!("studio: {problem}");
        }
        let mut engine = Engine::default();
        mappings.into_iter().for_each(|mapping| engine.set(mapping));
        let inputs = Inputs {
            osc: "off".into(),
            midi: "no ports".into(),
            audio: "off; the option --audio turns it on".into(),
            problem: file.problem().map(str::to_owned),
        };
        Arc::new(Self {
            elements,
            file,
            engine: Mutex::new(engine),
            arrived: Condvar::new(),
            begun: Instant::now(),
            inputs: Mutex::new(inputs),
        })
    }

    /// Listens for OSC.
    pub fn listen_to_osc(self: &Arc<Self>, address: SocketAddr) {
        let control = self.clone();
        let listening = osc::listen(address, move |address, number| {
            control.receive(Event::Control(Source::Osc(address), number));
        });
        lock(&self.inputs).osc = match listening {
            Ok(address) => address.to_string(),
            Err(error) => told("OSC", format!("cannot listen on {address}: {error}")),
        };
    }

    /// Listens to all MIDI ports.
    pub fn listen_to_midi(self: &Arc<Self>) {
        let control = self.clone();
        std::thread::spawn(move || {
            let receiver = control.clone();
            let end = midi::follow(
                move |event| receiver.receive(event),
                |ports| {
                    let names = if ports.is_empty() { "no ports".into() } else { ports.join(", ") };
                    lock(&control.inputs).midi = names;
                },
            );
            lock(&control.inputs).midi = told("MIDI", end);
        });
    }

    /// Listens to audio from a source, given as for gst-launch-1.0.
    pub fn listen_to_audio(self: &Arc<Self>, source: String) {
        let control = self.clone();
        lock(&self.inputs).audio = source.clone();
        std::thread::spawn(move || {
            let end = audio::listen(&source, |event| {
                if let Event::Control(Source::Level, level) = event {
                    lock(&control.inputs).audio = format!("{source}, {level:.0} dB");
                }
                control.receive(event);
            });
            lock(&control.inputs).audio = told("audio", end);
        });
    }

    fn receive(&self, event: Event) {
        let mut engine = lock(&self.engine);
        if engine.receive(event, self.now()) {
            // The reason is on the page.
            let _ = self.save(&engine);
        }
        self.arrived.notify_one();
    }

    /// Moves properties until `report` returns false. It is called after they have moved, several times a second while
    /// they move.
    pub fn run(&self, report: impl Fn() -> bool) {
        let mut engine = lock(&self.engine);
        let (mut reported, mut has_moved) = (Instant::now(), false);
        loop {
            let write = |mapping: &Mapping, number| {
                if let Some(element) = find(&self.elements, &mapping.element) {
                    knobs::set_number(element, &mapping.property, number);
                }
                has_moved = true;
            };
            engine.advance(self.now(), |mapping| self.read(mapping).unwrap_or_default(), write);
            if has_moved && reported.elapsed() >= REPORTS {
                drop(engine);
                if !report() {
                    return;
                }
                (reported, has_moved) = (Instant::now(), false);
                engine = lock(&self.engine);
            }
            let is_busy = has_moved || engine.is_moving(self.now());
            let wait = if is_busy { STEP } else { Duration::MAX };
            engine = self.arrived.wait_timeout(engine, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn read(&self, mapping: &Mapping) -> Option<f64> {
        knobs::number(find(&self.elements, &mapping.element)?, &mapping.property)
    }

    /// Waits for a control that moves, to map it to a property. `range` and `curve` are those of a new mapping.
    pub fn learn(&self, element: &str, property: &str, range: [f64; 2], curve: Curve) -> Result<(), String> {
        let learning = Learning::new(element, property, range, curve, self.now());
        check(&self.elements, &learning.bind(Source::Beat, None))?;
        lock(&self.engine).learning = Some(Learning::new(element, property, range, curve, self.now()));
        Ok(())
    }

    /// Stops waiting.
    pub fn stop_learning(&self) {
        lock(&self.engine).learning = None;
    }

    /// Changes these fields of a property's mapping, or adds a mapping.
    pub fn set(&self, element: &str, property: &str, fields: Map<String, Value>) -> Result<(), String> {
        let mut engine = lock(&self.engine);
        let mut mapping = json!({"element": element, "property": property});
        if let Some(earlier) = engine.find(element, property) {
            mapping = json!(earlier);
        }
        for (name, value) in fields {
            mapping[name] = value;
        }
        let mapping = serde_json::from_value(mapping).map_err(|error| error.to_string())?;
        check(&self.elements, &mapping)?;
        engine.learning = None;
        engine.set(mapping);
        self.save(&engine)
    }

    /// Removes a property's mapping.
    pub fn remove(&self, element: &str, property: &str) -> Result<(), String> {
        let mut engine = lock(&self.engine);
        if !engine.remove(element, property) {
            return Err(format!("{property} has no mapping"));
        }
        self.save(&engine)
    }

    fn save(&self, engine: &Engine) -> Result<(), String> {
        let saved = self.file.save(engine.mappings().cloned().collect());
        lock(&self.inputs).problem = saved.clone().err();
        saved
    }

    /// The inputs and mappings, as JSON for the page.
    pub fn describe(&self) -> Value {
        let (engine, inputs, now) = (lock(&self.engine), lock(&self.inputs), self.now());
        let learning = engine.learning.as_ref().filter(|learning| learning.is_open(now));
        let mappings = engine.mappings().map(|mapping| {
            let mut mapping = mapping.clone();
            mapping.input = Some(mapping.input());
            mapping
        });
        json!({
            "osc": inputs.osc,
            "midi": inputs.midi,
            "audio": inputs.audio,
            "tempo": engine.beat().tempo(now),
            "problem": inputs.problem,
            "learning": learning.map(|learning| json!({"element": learning.element, "property": learning.property})),
            "mappings": mappings.collect::<Vec<_>>(),
        })
    }

    /// Seconds since the studio was opened.
    fn now(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}

fn find<'a>(elements: &'a [gst::Element], name: &str) -> Option<&'a gst::Element> {
    elements.iter().find(|element| element.name() == name)
}

/// Refuses mappings that these elements cannot follow.
fn check(elements: &[gst::Element], mapping: &Mapping) -> Result<(), String> {
    let Mapping { element, property, range, .. } = mapping;
    let element = find(elements, element).ok_or_else(|| format!("no such element: {element}"))?;
    let [least, most] = knobs::number_range(element, property)
        .ok_or_else(|| format!("no property that a control can move: {property}"))?;
    if !range.iter().all(|end| (least..=most).contains(end)) {
        return Err(format!("the range of {property} must be from {least} to {most}"));
    }
    mapping.check()
}

/// Prints why an input is missing, and returns it for the page.
fn told(input: &str, reason: String) -> String {
    eprintln!("studio: no {input}: {reason}");
    format!("none: {reason}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
