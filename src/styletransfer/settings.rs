//! The values of the writable properties, and their conversion to the engine's parameters and time limits.

use std::time::Duration;

use style_engine_interface::{Camera, Parameters};

use super::engine::{Engine, EngineError, TimeLimits};
use super::{MaskFrom, ModelInput, Optimizer, OriginalColors, Pooling, Precision, Recipe, StyleLoss, WarmStart};
use crate::mask::MaskSettings;
use crate::paths::listed;

/// The mean time for a frame of a live source, if no maximum is set, in durations of a frame. The engine chooses a size at
/// which most frames take less than one duration; where much is new, more steps are worth a frame that is left out.
const LIVE_FRAME_TIME: f64 = 1.4;

/// The maximum share of it that a frame may take in addition, if the frames before it left as much.
const SAVED_SHARE: f64 = 0.25;

/// The time for the first frame of a live source, if no other is set: painted in less, it would not show the style.
const FIRST_FRAME_TIME: Duration = Duration::from_millis(100);

/// The writable properties.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(super) style: String,
    pub(super) style_blend: String,
    pub(super) style_position: f64,
    pub(super) style_list: String,
    pub(super) style_duration: u32,
    pub(super) style_fade: u32,
    pub(super) weights: String,
    pub(super) model: String,
    pub(super) model_input: ModelInput,
    pub(super) device: String,
    pub(super) recipe: Recipe,
    pub(super) content_layers: String,
    pub(super) style_layers: String,
    pub(super) content_weight: f64,
    pub(super) style_weight: f64,
    pub(super) tv_weight: f64,
    pub(super) temporal_weight: f64,
    pub(super) style_loss: StyleLoss,
    pub(super) optimizer: Optimizer,
    pub(super) learning_rate: f64,
    pub(super) iterations: i32,
    pub(super) first_iterations: i32,
    pub(super) max_frame_time: f64,
    pub(super) warm_start: WarmStart,
    pub(super) scene_threshold: f64,
    pub(super) size: i32,
    pub(super) style_scale: f64,
    pub(super) pooling: Pooling,
    pub(super) precision: Precision,
    pub(super) original_colors: OriginalColors,
    pub(super) strength: f64,
    pub(super) mask: String,
    pub(super) mask_from: MaskFrom,
    pub(super) mask_invert: bool,
    pub(super) seed: u64,
    pub(super) channels: String,
    pub(super) octaves: u32,
    pub(super) octave_scale: f64,
    pub(super) jitter: u32,
    pub(super) zoom: f64,
    pub(super) rotate: f64,
    pub(super) shift_x: f64,
    pub(super) shift_y: f64,
    pub(super) stats_interval: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let engine = Parameters::default();
        Self {
            style: String::new(),
            style_blend: String::new(),
            style_position: -1.0,
            style_list: String::new(),
            style_duration: 10_000,
            style_fade: 0,
            weights: String::new(),
            model: String::new(),
            model_input: ModelInput::default(),
            device: "auto".into(),
            recipe: Recipe::default(),
            content_layers: String::new(),
            style_layers: String::new(),
            content_weight: engine.content_weight,
            style_weight: engine.style_weight,
            tv_weight: engine.tv_weight,
            temporal_weight: engine.temporal_weight,
            style_loss: StyleLoss::default(),
            optimizer: Optimizer::default(),
            learning_rate: engine.learning_rate,
            iterations: engine.iterations,
            first_iterations: engine.first_iterations,
            max_frame_time: -1.0,
            warm_start: WarmStart::default(),
            scene_threshold: engine.scene_threshold,
            size: engine.size,
            style_scale: engine.style_scale,
            pooling: Pooling::default(),
            precision: Precision::default(),
            original_colors: OriginalColors::default(),
            strength: 1.0,
            mask: String::new(),
            mask_from: MaskFrom::default(),
            mask_invert: false,
            seed: engine.seed,
            channels: String::new(),
            octaves: engine.octaves,
            octave_scale: engine.octave_scale,
            jitter: engine.jitter,
            zoom: engine.camera.zoom,
            rotate: engine.camera.rotate,
            shift_x: engine.camera.shift_x,
            shift_y: engine.camera.shift_y,
            stats_interval: 0,
        }
    }
}

impl Settings {
    /// Whether frames get the same look by other settings, apart from their strength.
    pub(super) fn has_look_of(&self, other: &Self) -> bool {
        let texts = |own: &Self| [&own.style, &own.style_blend, &own.style_list, &own.model].map(String::clone);
        let numbers = |own: &Self| (own.style_position, own.style_duration, own.style_fade);
        texts(self) == texts(other) && numbers(self) == numbers(other)
    }

    /// How long a fade takes.
    pub(super) fn fade(&self) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(self.style_fade.into())
    }

    /// The number of styles, or of models that paint alone, at least 1: masks divide frames among them.
    pub(super) fn regions(&self) -> usize {
        // A list has one at a time.
        let [styles, models] = [&self.style, &self.model].map(|files| listed(files).len());
        match self.style_list.is_empty() {
            true if styles > 0 => styles,
            true => models.max(1),
            false => 1,
        }
    }

    /// The properties of masks.
    pub(super) fn masks(&self) -> MaskSettings {
        MaskSettings { files: self.mask.clone(), from: self.mask_from.into(), invert: self.mask_invert }
    }

    /// Whether frames can be painted only with a style picture.
    pub(super) fn needs_style(&self) -> bool {
        self.model.is_empty() && self.style_list.is_empty() && self.recipe != Recipe::Deepdream
    }

    fn parameters(&self) -> Result<Parameters, EngineError> {
        let Self { zoom, rotate, shift_x, shift_y, .. } = *self;
        Ok(Parameters {
            recipe: self.recipe as u32,
            content_weight: self.content_weight,
            style_weight: self.style_weight,
            tv_weight: self.tv_weight,
            temporal_weight: self.temporal_weight,
            style_loss: self.style_loss as u32,
            optimizer: self.optimizer as u32,
            learning_rate: self.learning_rate,
            first_iterations: self.first_iterations,
            iterations: self.iterations,
            warm_start: self.warm_start as u32,
            scene_threshold: self.scene_threshold,
            size: self.size,
            style_scale: self.style_scale,
            pooling: self.pooling as u32,
            precision: self.precision as u32,
            original_colors: self.original_colors as u32,
            model_input: self.model_input as u32,
            seed: self.seed,
            octaves: self.octaves,
            octave_scale: self.octave_scale,
            jitter: self.jitter,
            channels: channels(&self.channels).map_err(EngineError::Settings)?,
            camera: Camera { zoom, rotate, shift_x, shift_y },
        })
    }

    /// The maximum time for a frame, or the mean time if no maximum is set; `duration` is that of frames, if it is known.
    pub(super) fn time_limit(&self, is_live: bool, duration: Option<gst::ClockTime>) -> Option<Duration> {
        match self.max_frame_time {
            ..0.0 => duration.filter(|_| is_live).map(|duration| Duration::from(duration).mul_f64(LIVE_FRAME_TIME)),
            0.0 => None,
            limit => Some(milliseconds(limit)),
        }
    }

    /// The latency that a frame of this maximum or mean time causes at most.
    pub(super) fn latency(&self, limit: Duration) -> Duration {
        limit.saturating_add(self.saved_time(Some(limit), limit, Duration::ZERO))
    }

    /// The unused time that the next frame may take in addition, after a frame that took `took` and could use `saved`. A step
    /// takes long: two may leave much of the time, and three exceed it.
    pub(super) fn saved_time(&self, limit: Option<Duration>, saved: Duration, took: Duration) -> Duration {
        let limit = limit.filter(|_| self.max_frame_time < 0.0).unwrap_or_default();
        saved.saturating_add(limit).saturating_sub(took).min(limit.mul_f64(SAVED_SHARE))
    }

    /// The maximum times for frames, of which `other_work` is spent outside of the engine. `saved`: see
    /// [`Settings::saved_time`].
    pub(super) fn time_limits(&self, limit: Option<Duration>, saved: Duration, other_work: Duration) -> TimeLimits {
        let frame = limit.map(|limit| limit.saturating_add(saved));
        let first_frame =
            frame.map(|limit| if self.max_frame_time < 0.0 { limit.max(FIRST_FRAME_TIME) } else { limit });
        // One step is taken even if the time is over.
        let within = |limit: Duration| limit.saturating_sub(other_work).max(Duration::from_micros(1));
        TimeLimits { frame: frame.map(within), first_frame: first_frame.map(within) }
    }

    /// Passes the settings to the engine, with a size of at most `max_size`.
    pub(super) fn apply(&self, engine: &mut Engine, max_size: Option<i32>) -> Result<(), EngineError> {
        let mut parameters = self.parameters()?;
        if let Some(max) = max_size {
            parameters.size = if parameters.size <= 0 { max } else { parameters.size.min(max) };
        }
        engine.set_parameters(&parameters, &self.content_layers, &self.style_layers)
    }
}

/// The channels in a list, which commas separate, as the engine takes them.
fn channels(list: &str) -> Result<[i32; Parameters::MAX_CHANNELS], String> {
    let mut channels = [-1; Parameters::MAX_CHANNELS];
    let listed: Vec<&str> = list.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if listed.len() > channels.len() {
        return Err(format!("channels=\"{list}\": a list has at most {} channels", channels.len()));
    }
    for (channel, text) in channels.iter_mut().zip(listed) {
        let number = text.parse::<u16>().map_err(|_| {
            format!("channels=\"{list}\": '{text}' is not a number; it must be a list such as channels=3,17")
        })?;
        *channel = number.into();
    }
    Ok(channels)
}

fn milliseconds(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds.max(0.0) / 1e3).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_average_frames_take_the_time_of_a_live_source() {
        const STEP: Duration = Duration::from_millis(18);
        let frame_time = |settings: &Settings| {
            let limit = settings.time_limit(true, Some(gst::ClockTime::from_mseconds(33)));
            let mut saved = Duration::ZERO;
            let total: Duration = (0..100)
                .map(|_| {
                    let fitting = settings.time_limits(limit, saved, Duration::ZERO).frame.unwrap();
                    let took = STEP * (fitting.as_micros() / STEP.as_micros()) as u32;
                    saved = settings.saved_time(limit, saved, took);
                    took
                })
                .sum();
            total / 100
        };
        let mean = frame_time(&Settings::default()).as_secs_f64() * 1e3;
        assert!((44.0..33.0 * LIVE_FRAME_TIME).contains(&mean), "{mean}");
        // A maximum is one.
        assert_eq!(frame_time(&Settings { max_frame_time: 50.0, ..Settings::default() }), 2 * STEP);
    }
}
