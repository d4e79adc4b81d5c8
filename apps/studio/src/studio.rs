//! The studio's state, the page's commands, and the reports that pages receive.

mod show;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use film::bus;
use gst::glib;
use gst::prelude::*;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::control::{Control, Curve};
use crate::fade::Fade;
use crate::masks::Masks;
use crate::models::Models;
use crate::settings::{ElementSettings, Look, Settings, Share};
use crate::source::Sources;
use crate::stage::{Output, Stage};
use crate::styles::Styles;
use crate::timeline::Timeline;
use crate::{knobs, line};

/// The element that paints in a style or by a model.
const STYLE: &str = "styletransfer";

/// A picture for viewers.
#[derive(Clone, Default)]
pub struct Picture {
    pub number: u32,
    /// Its age after encoding.
    pub age: Duration,
    pub jpeg: Arc<[u8]>,
}

/// The result of a command; the error is text for the page.
pub type Answer = Result<(), String>;

/// The studio.
pub struct Studio {
    folder: PathBuf,
    size: (u32, u32),
    pub styles: Styles,
    pub masks: Masks,
    models: Models,
    pub control: Arc<Control>,
    sources: Sources,
    viewers: AtomicUsize,
    page_switch: Box<dyn Fn(bool) + Send + Sync>,
    /// The newest picture.
    pub pictures: watch::Sender<Picture>,
    /// The newest state, as JSON.
    pub reported: watch::Sender<String>,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    source: String,
    effects: Vec<Effect>,
    styles: Vec<Share>,
    model: Option<String>,
    settings: Settings,
    timeline: Timeline,
    fade: Option<Fade>,
    file: Option<(String, Output)>,
    camera: Option<(String, Output)>,
    frames_per_second: f64,
    /// The source's last error, and the last error of anything else.
    source_problem: Option<String>,
    problem: Option<String>,
    /// The progress that an element reports before its first picture.
    busy: Option<String>,
}

/// An element of this project's plugin.
struct Effect {
    name: &'static str,
    label: &'static str,
    element: gst::Element,
    on: bool,
    /// The name of its mask.
    mask: Option<String>,
    /// The time that it takes for a picture, in milliseconds: a moving average.
    took: Arc<Mutex<f64>>,
}

impl Effect {
    fn new(name: &'static str, label: &'static str) -> Result<Self, String> {
        let element = gst::ElementFactory::make(name).name(name).build();
        let element = element.map_err(|_| format!("GStreamer has no {name}: run scripts/build, then . scripts/env"))?;
        let took = Arc::new(Mutex::new(0.0));
        let begun = Arc::new(Mutex::new(Instant::now()));
        let begin = begun.clone();
        let probe = |name: &str, probe: Box<dyn Fn() + Send + Sync>| {
            if let Some(pad) = element.static_pad(name) {
                pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                    probe();
                    gst::PadProbeReturn::Ok
                });
            }
        };
        probe("sink", Box::new(move || *lock(&begin) = Instant::now()));
        let taken = took.clone();
        probe(
            "src",
            Box::new(move || {
                let new = lock(&begun).elapsed().as_secs_f64() * 1e3;
                let mut took = lock(&taken);
                *took += (new - *took) * if *took == 0.0 { 1.0 } else { 0.1 };
            }),
        );
        Ok(Self { name, label, element, on: false, mask: None, took })
    }
}

impl Studio {
    /// Opens a studio with its files in `folder` and pictures of this size.
    pub fn open(folder: PathBuf, film: Option<PathBuf>, size: (u32, u32)) -> Result<Arc<Self>, String> {
        if folder.to_str().is_none() {
            return Err(format!("{}: the folder's name is not UTF-8, which GStreamer requires", folder.display()));
        }
        let styles = Styles::open(folder.join("styles"))
            .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        let pictures = watch::Sender::new(Picture::default());
        let (shown, number) = (pictures.clone(), AtomicU32::new(0));
        let stage = Stage::new(move |jpeg, age| {
            let number = number.fetch_add(1, Ordering::Relaxed) + 1;
            shown.send_replace(Picture { number, age, jpeg: jpeg.into() });
        })?;
        let effects = vec![Effect::new("convfilter", "Filter")?, Effect::new(STYLE, "Style")?];
        let (settings, problem) = match Settings::load(&folder.join("settings.json")) {
            Ok(settings) => (settings.unwrap_or_else(first_settings), None),
            Err(problem) => (first_settings(), Some(problem)),
        };
        let elements = effects.iter().map(|effect| effect.element.clone()).collect();
        let control = Control::open(folder.join("control.json"), elements);
        let (timeline, unreadable) = Timeline::open(folder.join("timeline.json"));
        let (bus, page_switch) = (stage.bus().ok_or("no bus")?, stage.page_switch());
        let state = State {
            stage,
            source: String::new(),
            effects,
            styles: Vec::new(),
            model: None,
            settings,
            timeline,
            fade: None,
            file: None,
            camera: None,
            frames_per_second: 0.0,
            source_problem: None,
            problem: problem.or(unreadable),
            busy: None,
        };
        let studio = Arc::new(Self {
            sources: Sources::new(film, size),
            masks: Masks::open(folder.join("masks")),
            models: Models::open(folder.join("models")),
            control: control.clone(),
            folder,
            size,
            styles,
            viewers: AtomicUsize::new(0),
            page_switch: Box::new(page_switch),
            pictures,
            reported: watch::Sender::new(String::new()),
            state: Mutex::new(state),
        });
        studio.restore();
        let receiver = Arc::downgrade(&studio);
        std::thread::spawn(move || {
            for message in bus.iter_timed(gst::ClockTime::NONE) {
                let Some(studio) = receiver.upgrade() else { break };
                studio.receive(&message);
            }
        });
        let reporter = Arc::downgrade(&studio);
        std::thread::spawn(move || {
            while let Some(studio) = reporter.upgrade() {
                studio.tick();
                drop(studio);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        let controlled = Arc::downgrade(&studio);
        std::thread::spawn(move || {
            control.run(|| {
                let studio = controlled.upgrade();
                studio.inspect(|studio| studio.report(&studio.state())).is_some()
            });
        });
        let player = Arc::downgrade(&studio);
        std::thread::spawn(move || show::run(&player));
        Ok(studio)
    }

    /// Restores the settings and the source of the last run.
    fn restore(&self) {
        let mut state = self.state();
        let look = state.settings.look.clone();
        if let Err(problem) = self.apply(&mut state, &look) {
            state.problem = Some(problem);
        }
        let source = self.sources.first(state.settings.source.clone());
        if let Err(problem) = self.show_source(&mut state, &source) {
            state.source_problem = Some(problem);
        }
    }

    /// Counts another viewer; the first one starts the encoding.
    pub fn add_viewer(&self) {
        self.viewers.fetch_add(1, Ordering::Relaxed);
        (self.page_switch)(true);
    }

    /// Counts a viewer that left; the last one stops the encoding.
    pub fn remove_viewer(&self) {
        let left = self.viewers.fetch_sub(1, Ordering::Relaxed) - 1;
        (self.page_switch)(left > 0);
    }

    /// Changes the source.
    pub fn set_source(&self, name: &str) -> Answer {
        self.command(|state| {
            self.show_source(state, name)?;
            state.settings.source = Some(name.into());
            Ok(())
        })
    }

    /// Turns an element on or off.
    pub fn switch(&self, element: &str, on: bool) -> Answer {
        self.command(|state| state.switch(element, on))
    }

    /// Sets a property of an element.
    pub fn set_property(&self, element: &str, name: &str, value: &Value) -> Answer {
        self.command(|state| {
            state.release(element, Some(name));
            knobs::set(&state.effect(element)?.element, name, value)
        })
    }

    /// Loads a GStreamer preset of an element; properties that it does not set get their defaults.
    pub fn load_preset(&self, element: &str, name: &str) -> Answer {
        self.command(|state| {
            state.release(element, None);
            let element = &state.effect(element)?.element;
            knobs::reset(element);
            let preset = element.dynamic_cast_ref::<gst::Preset>().ok_or("the element has no presets")?;
            preset.load_preset(name).map_err(|_| format!("no such preset: {name}"))
        })
    }

    /// Sets all of an element's properties to their defaults.
    pub fn reset(&self, element: &str) -> Answer {
        self.command(|state| {
            state.release(element, None);
            knobs::reset(&state.effect(element)?.element);
            Ok(())
        })
    }

    /// Paints in the style of pictures, by a model, or both: then the model's picture is painted over in the style.
    pub fn paint(&self, styles: &[Share], model: Option<&str>) -> Answer {
        self.command(|state| {
            self.choose(state, styles, model)?;
            state.switch(STYLE, true)
        })
    }

    /// Limits an element to the white places of an uploaded picture; none if it is empty.
    pub fn set_mask(&self, element: &str, bytes: &[u8]) -> Answer {
        let name = if bytes.is_empty() { None } else { Some(self.masks.add(bytes)?) };
        self.command(|state| {
            let last = state.effect(element)?.mask.clone();
            self.choose_mask(state, element, name.as_deref())?;
            let current = state.look();
            let mut looks = state.settings.looks.values().chain([&current]);
            if let Some(last) = last
                && !looks.any(|look| look.elements.values().any(|settings| settings.mask.as_ref() == Some(&last)))
            {
                self.masks.delete(&last);
            }
            Ok(())
        })
    }

    /// Deletes a style picture.
    pub fn delete_style(&self, name: &str) -> Answer {
        self.command(|state| {
            let (mut styles, model) = (state.styles.clone(), state.model.clone());
            styles.retain(|style| style.name != name);
            if styles.is_empty() && model.is_none() {
                state.switch(STYLE, false)?;
            }
            if styles != state.styles {
                self.choose(state, &styles, model.as_deref())?;
            }
            self.styles.delete(name)
        })
    }

    /// Saves all settings of the elements under a name.
    pub fn save_look(&self, name: &str) -> Answer {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 60 {
            return Err("the name of a look must have 1 to 60 characters".into());
        }
        self.command(|state| {
            state.settings.looks.insert(name.into(), state.look());
            Ok(())
        })
    }

    /// Loads the settings that were saved under a name, and pauses the timeline.
    pub fn load_look(&self, name: &str) -> Answer {
        self.command(|state| {
            let look = state.saved_look(name)?;
            state.timeline.leave();
            state.timeline.save()?;
            self.apply(state, &look)
        })
    }

    /// Deletes saved settings, also from the timeline.
    pub fn delete_look(&self, name: &str) -> Answer {
        self.command(|state| {
            state.settings.looks.remove(name).ok_or_else(|| format!("no such look: {name}"))?;
            state.timeline.forget(name);
            state.timeline.save()
        })
    }

    /// Waits for a control from outside that moves, to map it to a property.
    pub fn learn(&self, element: &str, property: &str, range: [f64; 2], curve: Curve) -> Answer {
        self.command(|_| self.control.learn(element, property, range, curve))
    }

    /// Stops waiting for a control.
    pub fn stop_learning(&self) -> Answer {
        self.command(|_| {
            self.control.stop_learning();
            Ok(())
        })
    }

    /// Changes these fields of a property's mapping to a control from outside, or adds a mapping.
    pub fn set_mapping(&self, element: &str, property: &str, fields: Map<String, Value>) -> Answer {
        self.command(|_| self.control.set(element, property, fields))
    }

    /// Removes a property's mapping.
    pub fn remove_mapping(&self, element: &str, property: &str) -> Answer {
        self.command(|_| self.control.remove(element, property))
    }

    /// Starts or stops recording a film.
    pub fn write_film(&self, on: bool) -> Answer {
        self.command(|state| {
            if let Some((_, output)) = state.file.take() {
                state.stage.close(output);
            }
            if !on {
                return Ok(());
            }
            let films = self.folder.join("films");
            std::fs::create_dir_all(&films).map_err(|error| format!("cannot create {}: {error}", films.display()))?;
            let now = glib::DateTime::now_local().and_then(|now| now.format("%Y-%m-%d %H-%M-%S"));
            let path = films.join(format!("{}.mkv", now.map_err(|error| error.to_string())?));
            let location = path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
            let output = state.stage.add_output(&format!(
                "queue leaky=downstream max-size-buffers=30 ! videoconvert ! video/x-raw,format=I420 \
                 ! x264enc tune=zerolatency speed-preset=veryfast quantizer=20 pass=qual ! h264parse \
                 ! matroskamux offset-to-zero=true ! filesink location=\"{location}\""
            ))?;
            state.file = Some((path.display().to_string(), output));
            Ok(())
        })
    }

    /// Sends the picture to a virtual camera, or to none.
    pub fn feed_camera(&self, name: Option<&str>) -> Answer {
        self.command(|state| {
            if let Some((_, output)) = state.camera.take() {
                state.stage.close(output);
            }
            let Some(name) = name else { return Ok(()) };
            if !self.sources.outputs().iter().any(|camera| camera.name == name) {
                return Err(format!("no such virtual camera: {name}"));
            }
            // examples/virtual-camera.sh gives the reasons.
            let output = state.stage.add_output(&format!(
                "queue leaky=downstream max-size-buffers=2 ! videoconvert ! videorate \
                 ! video/x-raw,format=YUY2,framerate=30/1 ! identity drop-allocation=true ! v4l2sink device={name} sync=false"
            ))?;
            state.camera = Some((name.into(), output));
            Ok(())
        })
    }

    /// Closes all outputs and stops the pipeline.
    pub fn close(&self) {
        let mut state = self.state();
        // Controls from outside may have moved properties since the last command.
        self.save(&mut state);
        for (_, output) in [state.file.take(), state.camera.take()].into_iter().flatten() {
            state.stage.close(output);
        }
        state.stage.stop();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Runs a page's command, saves the settings, and reports the new state to all pages.
    fn command(&self, work: impl FnOnce(&mut State) -> Answer) -> Answer {
        let mut state = self.state();
        let answer = work(&mut state);
        if answer.is_ok() {
            state.problem = None;
        }
        self.save(&mut state);
        self.report(&state);
        answer
    }

    fn save(&self, state: &mut State) {
        state.settings.look = state.look();
        if let Err(problem) = state.settings.save(&self.folder.join("settings.json")) {
            state.problem = Some(problem);
        }
    }

    fn show_source(&self, state: &mut State, name: &str) -> Answer {
        let source = self.sources.make(name, state.stage.running())?;
        state.source = name.into();
        state.source_problem = None;
        state.stage.set_source(Some(source))
    }

    /// Chooses styles, a model, both, or nothing. A model that cannot be opened leaves the last choice.
    fn choose(&self, state: &mut State, styles: &[Share], model: Option<&str>) -> Answer {
        let paths = self.styles.paths(styles)?;
        let network = match model {
            Some(name) => self.models.find(name).ok_or_else(|| format!("no such model: {name}"))?,
            None => String::new(),
        };
        // The element opens a model when it starts.
        let restarts = state.model.as_deref() != model && state.running(STYLE).is_some();
        if restarts {
            state.switch(STYLE, false)?;
        }
        let element = &state.effect(STYLE)?.element;
        if state.model.as_deref() != model {
            element.set_property("model", network);
        }
        if element.property::<Option<String>>("style").unwrap_or_default() != paths {
            // The old shares may be more or less than the new styles.
            element.set_property("style-blend", "");
            element.set_property("style", paths);
        }
        let shares: Vec<_> = styles.iter().map(|style| style.share.to_string()).collect();
        element.set_property("style-blend", if shares.len() > 1 { shares.join(",") } else { String::new() });
        let last = (std::mem::replace(&mut state.styles, styles.to_vec()), state.model.take());
        state.model = model.map(str::to_owned);
        if !restarts {
            return Ok(());
        }
        let restarted = state.switch(STYLE, true);
        if restarted.is_err() {
            // The last choice was playing. If it does not play any more, the element stays off.
            let _ = self.choose(state, &last.0, last.1.as_deref()).and_then(|()| state.switch(STYLE, true));
        }
        restarted
    }

    fn choose_mask(&self, state: &mut State, element: &str, name: Option<&str>) -> Answer {
        let path = match name {
            Some(name) => self.masks.path(name).ok_or_else(|| format!("no such mask: {name}"))?.display().to_string(),
            None => String::new(),
        };
        let effect = state.effects.iter_mut().find(|effect| effect.name == element);
        let effect = effect.ok_or_else(|| format!("no such element: {element}"))?;
        effect.element.set_property("mask", path);
        effect.mask = name.map(str::to_owned);
        Ok(())
    }

    /// Applies a look as far as possible, then returns all errors.
    fn apply(&self, state: &mut State, look: &Look) -> Answer {
        state.fade = None;
        let names: Vec<_> = state.effects.iter().map(|effect| effect.name).collect();
        let problems: Vec<_> = names.into_iter().flat_map(|name| self.apply_to(state, name, look)).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    /// Applies an element's part of a look as far as possible, and returns all errors.
    fn apply_to(&self, state: &mut State, name: &str, look: &Look) -> Vec<String> {
        let ElementSettings { on, mask, knobs } = look.elements.get(name).cloned().unwrap_or_default();
        let mut problems = Vec::new();
        if !on {
            problems.extend(state.switch(name, false).err());
        }
        if let Ok(effect) = state.effect(name) {
            problems.extend(knobs::set_all(&effect.element, &knobs));
        }
        if name == STYLE {
            problems.extend(self.choose(state, &look.styles, look.model.as_deref()).err());
        }
        problems.extend(self.choose_mask(state, name, mask.as_deref()).err());
        if on {
            problems.extend(state.switch(name, true).err());
        }
        problems
    }

    /// Handles a message of the pipeline.
    fn receive(&self, message: &gst::Message) {
        let Some(object) = message.src() else { return };
        let mut state = self.state();
        let state = &mut *state;
        match message.view() {
            gst::MessageView::Error(error) => {
                let words = bus::words(error);
                let failed = state.effects.iter().position(|effect| object == &effect.element);
                if state.stage.is_of_source(object) {
                    // Removing a source cannot fail.
                    let _ = state.stage.set_source(None);
                    let sources = self.sources.all();
                    let label = sources.iter().find(|source| source.name == state.source).map(|source| &*source.label);
                    state.source_problem = Some(format!("{}: {words}", label.unwrap_or(&state.source)));
                } else if let Some(effect) = failed {
                    let name = state.effects[effect].name;
                    state.problem = Some(format!("{} is off: {words}", state.effects[effect].label));
                    let _ = state.switch(name, false);
                    state.stage.revive();
                    let source = state.source.clone();
                    state.source_problem = self.show_source(state, &source).err();
                } else {
                    for output in [&mut state.file, &mut state.camera] {
                        if let Some((name, output)) = output.take_if(|(_, output)| output.has(object)) {
                            state.problem = Some(format!("{name}: {words}"));
                            state.stage.close(output);
                        }
                    }
                }
            }
            gst::MessageView::Warning(warning) => state.problem = Some(warning.error().to_string()),
            gst::MessageView::Progress(progress) => {
                let (kind, _, text) = progress.get();
                let goes_on = matches!(kind, gst::ProgressType::Start | gst::ProgressType::Continue);
                state.busy = goes_on.then(|| text.to_owned());
            }
            gst::MessageView::Application(_) if state.stage.is_of_source(object) => {
                // The film has ended: play it again.
                let source = state.source.clone();
                state.source_problem = self.show_source(state, &source).err();
            }
            _ => return,
        }
        self.report(state);
    }

    /// Reports the state; called once a second.
    fn tick(&self) {
        self.styles.rescan();
        let mut state = self.state();
        state.frames_per_second = state.stage.pace().frames_per_second();
        self.report(&state);
    }

    fn report(&self, state: &State) {
        self.reported.send_replace(self.describe(state).to_string());
    }

    fn describe(&self, state: &State) -> Value {
        let elements = state.effects.iter().map(|effect| {
            let presets = effect.element.dynamic_cast_ref::<gst::Preset>().map(|preset| preset.preset_names());
            let presets: Vec<_> = presets.iter().flatten().map(ToString::to_string).collect();
            let knobs = knobs::all(&effect.element);
            json!({
                "name": effect.name,
                "label": effect.label,
                "on": effect.on,
                "mask": effect.mask,
                "presets": presets,
                "knobs": knobs,
            })
        });
        let name = |output: &Option<(String, Output)>| output.as_ref().map(|(name, _)| name.clone());
        json!({
            "sources": self.sources.all(),
            "source": state.source,
            "elements": elements.collect::<Vec<_>>(),
            "styles": self.styles.all(),
            "style": state.styles,
            "models": self.models.all(),
            "model": state.model,
            "looks": state.settings.looks.keys().collect::<Vec<_>>(),
            "control": self.control.describe(),
            "timeline": state.timeline.report(),
            "output": {"file": name(&state.file), "camera": name(&state.camera), "cameras": self.sources.outputs()},
            "line": state.line(&self.sources),
            "status": {
                "running": state.source_problem.is_none(),
                "problem": state.source_problem.clone().or(state.problem.clone()).or(self.styles.unusable()),
                "size": [self.size.0, self.size.1],
                "fps": state.frames_per_second,
                "viewers": self.viewers.load(Ordering::Relaxed),
                "filter": state.running("convfilter").map(|effect| json!({
                    "on": effect.element.property::<Option<String>>("adapter-name"),
                    "ms": *lock(&effect.took),
                })),
                "style": state.running(STYLE).map(|effect| {
                    let stats = effect.element.property::<gst::Structure>("stats");
                    let property = |name: &str| effect.element.property_value(name);
                    json!({
                        "network": property("network").get::<Option<String>>().unwrap_or_default(),
                        "device": stats.get::<String>("device").ok(),
                        "painted": [stats.get::<u64>("width").ok(), stats.get::<u64>("height").ok()],
                        "steps": stats.get::<u64>("steps").ok(),
                        "ms": *lock(&effect.took),
                        "busy": state.busy,
                    })
                }),
            },
        })
    }
}

impl State {
    fn effect(&self, name: &str) -> Result<&Effect, String> {
        self.effects.iter().find(|effect| effect.name == name).ok_or_else(|| format!("no such element: {name}"))
    }

    fn saved_look(&self, name: &str) -> Result<Look, String> {
        self.settings.looks.get(name).cloned().ok_or_else(|| format!("no such look: {name}"))
    }

    /// Takes a property, or all of an element's, out of the fade that is going on.
    fn release(&mut self, element: &str, property: Option<&str>) {
        if let Some(fade) = &mut self.fade {
            fade.release(element, property);
        }
    }

    fn running(&self, name: &str) -> Option<&Effect> {
        self.effects.iter().find(|effect| effect.name == name && effect.on)
    }

    fn switch(&mut self, name: &str, on: bool) -> Answer {
        if on && name == STYLE && self.styles.is_empty() && self.model.is_none() {
            return Err("choose a style or a model first".into());
        }
        let effect = self.effects.iter_mut().find(|effect| effect.name == name);
        let effect = effect.ok_or_else(|| format!("no such element: {name}"))?;
        if effect.on == on {
            return Ok(());
        }
        effect.on = on;
        *lock(&effect.took) = 0.0;
        let chain = |effects: &[Effect]| -> Vec<_> {
            effects.iter().filter(|effect| effect.on).map(|effect| effect.element.clone()).collect()
        };
        self.busy = None;
        let changed = self.stage.set_chain(chain(&self.effects));
        if changed.is_err()
            && let Some(effect) = self.effects.iter_mut().find(|effect| effect.name == name)
        {
            effect.on = !on;
        }
        changed
    }

    /// The current settings of the elements.
    fn look(&self) -> Look {
        let settings = |effect: &Effect| {
            let knobs = knobs::changed(&effect.element).into_iter().map(|(name, value)| (name.to_owned(), value));
            let settings = ElementSettings { on: effect.on, mask: effect.mask.clone(), knobs: knobs.collect() };
            (effect.name.to_owned(), settings)
        };
        Look {
            styles: self.styles.clone(),
            model: self.model.clone(),
            elements: self.effects.iter().map(settings).collect(),
        }
    }

    fn line(&self, sources: &Sources) -> String {
        let elements = self.effects.iter().filter(|effect| effect.on).map(|effect| {
            let mut properties = knobs::changed(&effect.element);
            // Pages cannot set the properties with paths, so they are not among these.
            for name in if effect.name == STYLE { &["mask", "model", "style-blend", "style"][..] } else { &["mask"] } {
                let path = effect.element.property::<Option<String>>(name).unwrap_or_default();
                if !path.is_empty() {
                    properties.insert(0, (name, path.into()));
                }
            }
            line::element(effect.name, &properties)
        });
        line::command(&sources.launch(&self.source).unwrap_or_default(), &elements.collect::<Vec<_>>())
    }
}

/// The settings of a studio that is opened for the first time.
fn first_settings() -> Settings {
    let elements = [(STYLE.to_owned(), ElementSettings { on: false, mask: None, knobs: BTreeMap::new() })].into();
    Settings { look: Look { styles: Vec::new(), model: None, elements }, ..Settings::default() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
