//! What a running element paints with, and how that fades when the settings or the stream's time change it.

use gst::ClockTime;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;

use super::Recipe;
use super::engine::{Engine, EngineError};
use super::fade::{Fade, Mix, Share};
use super::imp::{CAT, StyleTransfer};
use super::look::{Look, Moment};
use super::settings::Settings;
use super::state::State;
use super::style_image::{Pictures, StyleError};

/// The look of a running element.
#[derive(Default)]
pub struct Fading {
    look: Look,
    pictures: Pictures,
    styles: Fade<Vec<Share>>,
    models: Fade<Vec<Share>>,
    strength: Fade<f64>,
    /// What the engine was given.
    given_styles: Vec<Share>,
    given_models: Vec<Share>,
    /// Whether models paint alone: the engine then takes no styles.
    models_alone: bool,
    /// Whether the settings have changed the look since the last frame, and whether they change it at once.
    is_new: bool,
    is_cut: bool,
    /// The running time of the last frame.
    time: ClockTime,
}

impl Fading {
    /// The look of these settings at the stream's start. Reads the first pictures.
    pub fn new(settings: &Settings) -> Result<Self, StyleError> {
        let (look, mut pictures) = (Look::new(settings)?, Pictures::default());
        let Moment { styles, models, .. } = look.at(ClockTime::ZERO);
        pictures.read(&styles)?;
        look.check_files()?;
        Ok(Self {
            models_alone: styles.is_empty() && !models.is_empty(),
            look,
            pictures,
            styles: Fade::new(styles),
            models: Fade::new(models),
            strength: Fade::new(settings.strength),
            ..Self::default()
        })
    }

    /// The models, and whether the optimizer starts from them.
    pub fn models(&self) -> (Vec<&str>, bool) {
        (self.models.end().iter().map(|share| share.name.as_str()).collect(), !self.models_alone)
    }

    /// The strength of the current frame.
    pub fn strength(&self) -> f64 {
        self.strength.at(self.time)
    }

    /// Gives the engine what has changed. Returns whether models have.
    pub fn give(&mut self, engine: &mut Engine) -> Result<bool, EngineError> {
        let (styles, models) = (self.styles.at(self.time), self.models.at(self.time));
        let are_others = models != self.given_models;
        if are_others {
            self.given_models.clone_from(&models);
            engine.set_models(&models)?;
        }
        if styles != self.given_styles {
            self.given_styles.clone_from(&styles);
            engine.set_styles(&self.pictures.shared(&styles))?;
        }
        Ok(are_others)
    }

    /// Prepares the look of other settings: reads their pictures and opens their models.
    pub fn prepare(&mut self, settings: &Settings, engine: &mut Engine) -> Result<Look, String> {
        let stays = |error: &dyn std::fmt::Display| format!("{error}; the style before it stays");
        let look = Look::new(settings).map_err(|error| stays(&error))?;
        let Moment { styles, models, .. } = look.at(self.time);
        self.pictures.read(&styles).map_err(|error| stays(&error))?;
        if self.models_alone && models.is_empty() {
            let reason = "a model paints alone: set another model, or stop and set style; the model before it stays";
            return Err(reason.into());
        }
        let models = self.given_models.mixed(&models, 0.0);
        if models != self.given_models {
            engine.set_models(&models).map_err(|error| format!("{error}; the model before it stays"))?;
            self.given_models = models;
        }
        Ok(look)
    }

    /// Ends all fades.
    fn end(&mut self) {
        self.styles = Fade::new(self.styles.end().clone());
        self.models = Fade::new(self.models.end().clone());
        self.strength = Fade::new(*self.strength.end());
    }

    /// Ends the fades whose time is over, and returns their names. What is not needed any more is forgotten, and what will be is
    /// read.
    fn end_by(&mut self, time: ClockTime) -> Vec<&'static str> {
        let ends = [
            ("styles", self.styles.end_by(time)),
            ("models", self.models.end_by(time)),
            ("strength", self.strength.end_by(time)),
        ];
        if !self.styles.is_running() {
            self.pictures.keep(self.styles.end());
        }
        if let Some(next) = self.look.next(time) {
            self.pictures.read_ahead(next);
        }
        ends.into_iter().filter(|(_, has_ended)| *has_ended).map(|(what, _)| what).collect()
    }

    /// Paints with another look from the next frame on; `is_cut`: at once.
    pub fn set_look(&mut self, look: Look, is_cut: bool) {
        (self.look, self.is_new, self.is_cut) = (look, true, is_cut);
    }
}

impl StyleTransfer {
    /// Follows the settings and the stream's time to this frame. If the frame `begins` anew, as after a jump, a flush and new
    /// caps, all fades are at their end.
    pub(super) fn follow_look(&self, state: &mut State, buffer: &gst::BufferRef, begins: bool) {
        let State { engine: Some(engine), fading, settings, .. } = state else { return };
        let segment = self.obj().segment();
        let time = segment.downcast_ref::<gst::format::Time>();
        let time = time.and_then(|segment| segment.to_running_time(buffer.pts()));
        let now = time.unwrap_or(fading.time);
        fading.time = now;
        if begins {
            fading.end();
        }

        let Moment { mut styles, models, since } = fading.look.at(now);
        // A list's turn may have begun between two frames.
        let is_new = std::mem::take(&mut fading.is_new);
        let begin = since.filter(|begin| !is_new && *begin < now).unwrap_or(now);
        if let Err(error) = fading.pictures.read(&styles) {
            gst::element_imp_warning!(self, gst::ResourceError::Read, ("{error}; the style before it stays"));
            styles.iter().for_each(|share| fading.look.skip(&share.name, fading.styles.end()));
            styles.clone_from(fading.styles.end());
        }
        let over =
            |is_faded: bool| if is_faded && !begins && time.is_some() { settings.fade() } else { ClockTime::ZERO };
        let is_faded = !std::mem::take(&mut fading.is_cut) && !self.is_controlled("style-position");
        // The features of a dream's guides would have to be computed for each frame.
        let are_styles_faded = is_faded && settings.recipe != Recipe::Deepdream;
        if !fading.models_alone && (!styles.is_empty() || models.is_empty()) {
            self.turn("styles", &mut fading.styles, styles, [begin, over(are_styles_faded)]);
        }
        self.turn("models", &mut fading.models, models, [begin, over(is_faded)]);
        let is_faded = !self.is_controlled("strength");
        self.turn("strength", &mut fading.strength, settings.strength, [now, over(is_faded)]);
        match fading.give(engine) {
            Ok(true) => self.shown().network = Some(engine.network()),
            Ok(false) => {}
            Err(error) => {
                gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{error}; the style before it stays"));
            }
        }
        for what in fading.end_by(now) {
            gst::debug!(CAT, imp = self, "{now}: the fade of {what} ends");
        }
    }

    /// Lets a value go to another one from a running time on, over a duration.
    fn turn<T: Mix>(&self, what: &str, fade: &mut Fade<T>, to: T, [begin, duration]: [ClockTime; 2]) {
        if to == *fade.end() {
            return;
        }
        fade.begin(to, begin, duration);
        if fade.is_running() {
            gst::debug!(CAT, imp = self, "{begin}: a fade of {what} begins, over {duration}");
        }
    }

    /// Whether a controller sets a property for each frame: it has fades of its own.
    fn is_controlled(&self, property: &str) -> bool {
        self.obj().control_binding(property).is_some_and(|binding| !binding.is_disabled())
    }
}
