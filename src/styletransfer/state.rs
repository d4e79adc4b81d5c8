//! The running element: the engine, and how it follows the settings, the source and the stream's time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_video::VideoInfo;
use style_engine_interface::Parameters;

use super::engine::{Engine, EngineError, TimeLimits};
use super::fading::Fading;
use super::imp::{CAT, StyleTransfer};
use super::rgba::RgbaFrames;
use super::settings::Settings;
use crate::layout::Layout;
use crate::mask::{MaskSettings, Masks, Prepared};

/// After a jump in time of more than this, a frame does not continue the last one.
const GAP: gst::ClockTime = gst::ClockTime::SECOND;

/// The state of a started element.
#[derive(Default)]
pub struct State {
    pub(super) engine: Option<Engine>,
    /// The settings that the engine follows.
    pub(super) settings: Settings,
    pub(super) fading: Fading,
    pub(super) frames: Option<RgbaFrames>,
    pub(super) masks: Masks,
    /// The masks that divide frames among styles in the engine.
    pub(super) division: Option<Arc<Prepared>>,
    /// The longer side at which memory suffices, after it was short at the size that was set.
    pub(super) max_size: Option<i32>,
    /// The duration of frames, if they have one.
    pub(super) duration: Option<gst::ClockTime>,
    /// Whether the source is live, once it was queried.
    pub(super) is_live: Option<bool>,
    /// The time that the last frame took.
    pub(super) took: Duration,
    /// The part of it outside of the engine.
    pub(super) other_work: Duration,
    /// The time that frames left for the next one.
    pub(super) saved_time: Duration,
    /// Frames painted.
    pub(super) painted: u64,
    /// The timestamp at which the next frame is due.
    pub(super) expected: Option<gst::ClockTime>,
}

impl State {
    /// Makes the next frame the first one of another film.
    pub(super) fn reset(&mut self) {
        self.expected = None;
        self.forget_paint();
    }

    /// Makes the next frame that is painted a first one.
    pub(super) fn forget_paint(&mut self) {
        self.masks.forget_motion();
        if let Some(engine) = &mut self.engine {
            engine.reset();
        }
    }

    /// Returns to the size that was set, after memory was short for other frames.
    pub(super) fn reset_max_size(&mut self) -> Result<(), EngineError> {
        match (self.max_size.take(), &mut self.engine) {
            (Some(_), Some(engine)) => self.settings.apply(engine, None),
            _ => Ok(()),
        }
    }

    /// Prepares for frames that a live source may give: whether it is live cannot be queried before its first frame. Not if a
    /// size is set: a frame of a film could take minutes.
    pub(super) fn prepare(&mut self, info: &VideoInfo) -> Result<(), EngineError> {
        match (self.settings.time_limit(true, self.duration), &mut self.engine) {
            (Some(limit), Some(engine)) if self.settings.size < 0 => engine.prepare(info.width(), info.height(), limit),
            _ => Ok(()),
        }
    }

    /// The maximum times for the next frame.
    pub(super) fn time_limits(&self) -> TimeLimits {
        self.settings.time_limits(self.time_limit(), self.saved_time, self.other_work)
    }

    /// The last frame took `took`, `in_engine` of it in the engine.
    pub(super) fn follow_work(&mut self, took: Duration, in_engine: Duration) {
        self.saved_time = self.settings.saved_time(self.time_limit(), self.saved_time, took);
        (self.took, self.other_work) = (took, took.saturating_sub(in_engine));
    }

    fn time_limit(&self) -> Option<Duration> {
        self.settings.time_limit(self.is_live == Some(true), self.duration)
    }

    /// Forgets the last result if the stream jumps, and returns whether it does. Frames that were dropped while the last one
    /// was painted are no jump.
    pub(super) fn follow_time(&mut self, buffer: &gst::BufferRef) -> bool {
        let Some(pts) = buffer.pts() else { return false };
        let gap = GAP.saturating_add(self.took.try_into().unwrap_or(gst::ClockTime::MAX));
        let jumps = self.expected.is_some_and(|expected| pts.absdiff(expected) > gap);
        if jumps {
            self.reset();
        }
        self.expected = Some(pts.saturating_add(buffer.duration().unwrap_or_default()));
        jumps
    }
}

impl StyleTransfer {
    /// An engine with these settings and this look.
    pub(super) fn open_engine(&self, settings: &Settings, fading: &mut Fading) -> Result<Engine, EngineError> {
        let weights = Some(settings.weights.as_str()).filter(|path| !path.is_empty());
        let (models, are_start) = fading.models();
        let mut engine = Engine::open(self.plugin_file(), weights, &models, are_start, &settings.device)?;
        fading.give(&mut engine)?;
        settings.apply(&mut engine, None)?;
        Ok(engine)
    }

    /// The plugin's own file.
    fn plugin_file(&self) -> Option<PathBuf> {
        self.obj().factory()?.plugin()?.filename()
    }

    /// Queries whether the source is live, once, and reports the maximum time for a frame as latency. Without one, tells
    /// that large frames are painted smaller.
    pub(super) fn follow_source(&self, state: &mut State) {
        if state.is_live.is_some() {
            return;
        }
        let mut query = gst::query::Latency::new();
        let is_live = self.obj().sink_pad().peer_query(&mut query) && query.result().0;
        state.is_live = Some(is_live);
        let limit = state.settings.time_limit(is_live, state.duration);
        let source = if is_live { "a live source" } else { "a source that is not live" };
        match limit {
            Some(limit) => gst::info!(CAT, imp = self, "{source}: a frame has {limit:.1?}"),
            None => gst::info!(CAT, imp = self, "{source}: a frame has no time limit"),
        }
        if limit.is_none() && state.settings.size < 0 {
            self.tell_size(state);
        }
        if let Some(limit) = limit
            && let Ok(latency) = gst::ClockTime::try_from(state.settings.latency(limit))
            && self.shown().latency.set(latency)
            && is_live
        {
            self.post_latency();
        }
    }

    /// Tells that frames are painted smaller than they are, if they are large.
    fn tell_size(&self, state: &State) {
        const MAX: usize = Parameters::MAX_AUTO_SIZE as usize;
        let Some(Layout { width, height, .. }) = state.frames.as_ref().map(RgbaFrames::layout) else { return };
        if *width.max(height) > MAX {
            let message = format!(
                "frames of {width}x{height} are painted with a longer side of {MAX} pixels, to save memory and time; size=0 \
                 paints them at their own size"
            );
            gst::element_imp_info!(self, gst::ResourceError::Settings, ("{message}"));
        }
    }

    /// Applies settings that the user changed while playing. If that fails, a warning is posted and the last ones stay.
    pub(super) fn follow_settings(&self, state: &mut State) {
        let settings = self.settings();
        if settings == state.settings {
            return;
        }
        let Some(engine) = &mut state.engine else { return };
        let relooks = !settings.has_look_of(&state.settings);
        let divides = settings.regions() != state.masks.regions();
        let remasks = divides || settings.masks() != state.settings.masks();
        if relooks || remasks {
            let look = if relooks { state.fading.prepare(&settings, engine).map(Some) } else { Ok(None) };
            let set = look.and_then(|look| {
                if remasks {
                    let masks = state.masks.set(settings.masks(), settings.regions());
                    masks.map_err(|error| format!("{error}; the mask and the style before it stay"))?;
                }
                Ok(look)
            });
            match set {
                Ok(Some(look)) => state.fading.set_look(look, divides && self.has_regions(&settings)),
                Ok(None) => {}
                Err(message) => gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{message}")),
            }
        }
        if settings.size != state.settings.size {
            state.max_size = None;
        }
        if let Err(error) = settings.apply(engine, state.max_size) {
            let message = format!("{error}; the settings before stay");
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{message}"));
        }
        state.settings = settings;
    }

    /// Whether the number of regions matters: another one cannot be faded to.
    fn has_regions(&self, settings: &Settings) -> bool {
        let has_both = !settings.style.is_empty() && !settings.model.is_empty();
        has_both || settings.masks() != MaskSettings::default() || self.mask_pad.current().is_some()
    }
}
