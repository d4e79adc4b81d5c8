/**
 * SECTION:element-styletransfer
 *
 * Repaints every frame in the style of an image, by optimizing the picture against the features of a VGG network.
 * Each frame starts from the last result, so that video stays stable.
 *
 * ## Examples
 * |[
 * gst-launch-1.0 v4l2src ! styletransfer style=painting.jpg ! autovideosink
 * ]|
 * |[
 * gst-launch-1.0 filesrc location=film.mp4 ! decodebin ! styletransfer style=painting.jpg weights=vgg19.safetensors \
 *     ! x264enc ! mp4mux ! filesink location=painted.mp4
 * ]|
 */
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;
use gst_video::prelude::*;
use gst_video::subclass::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo};
use style_engine_interface::{Parameters, Progress};

use super::engine::{Engine, EngineError, Number, Rgba, Statistic, TimeLimits};
use super::latency::Latency;
use super::rgba::RgbaFrames;
use super::style_image::{self, StyleError};
use super::{Optimizer, OriginalColors, Pooling, Precision, Recipe, StyleLoss, WarmStart};
use crate::element;
use crate::formats;
use crate::guard::guarded;
use crate::sync::lock;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("styletransfer", gst::DebugColorFlags::empty(), Some("Style transfer on live video"))
});

/// After a jump in time of more than this, a frame does not continue the last one.
const GAP: gst::ClockTime = gst::ClockTime::SECOND;

/// The interval of progress messages for a first frame that takes long.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// The time for the first frame of a live scene, if no other is set: painted in less, it would not show the style.
const FIRST_FRAME_TIME: Duration = Duration::from_millis(500);

/// If memory is short, frames are painted at a smaller size, whose longer side is at least this, in pixels.
const MIN_SIDE: i32 = 64;

/// The writable properties.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    style: String,
    style_blend: String,
    weights: String,
    device: String,
    recipe: Recipe,
    content_layers: String,
    style_layers: String,
    content_weight: f64,
    style_weight: f64,
    tv_weight: f64,
    temporal_weight: f64,
    style_loss: StyleLoss,
    optimizer: Optimizer,
    learning_rate: f64,
    iterations: i32,
    first_iterations: i32,
    max_frame_time: f64,
    warm_start: WarmStart,
    scene_threshold: f64,
    size: i32,
    style_scale: f64,
    pooling: Pooling,
    precision: Precision,
    original_colors: OriginalColors,
    strength: f64,
    seed: u64,
    stats_interval: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let engine = Parameters::default();
        Self {
            style: String::new(),
            style_blend: String::new(),
            weights: String::new(),
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
            strength: engine.strength,
            seed: engine.seed,
            stats_interval: 0,
        }
    }
}

impl Settings {
    fn parameters(&self) -> Parameters {
        Parameters {
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
            strength: self.strength,
            seed: self.seed,
        }
    }

    /// The maximum time for a frame; `duration` is that of frames, if it is known.
    fn time_limit(&self, is_live: bool, duration: Option<gst::ClockTime>) -> Option<Duration> {
        match self.max_frame_time {
            ..0.0 => duration.filter(|_| is_live).map(Duration::from),
            0.0 => None,
            limit => Some(milliseconds(limit)),
        }
    }

    /// The maximum times for frames, of which `other_work` is spent outside of the engine.
    fn time_limits(&self, is_live: bool, duration: Option<gst::ClockTime>, other_work: Duration) -> TimeLimits {
        let frame = self.time_limit(is_live, duration);
        let first_frame =
            frame.map(|limit| if self.max_frame_time < 0.0 { limit.max(FIRST_FRAME_TIME) } else { limit });
        // One step is taken even if the time is over.
        let within = |limit: Duration| limit.saturating_sub(other_work).max(Duration::from_micros(1));
        TimeLimits { frame: frame.map(within), first_frame: first_frame.map(within) }
    }

    /// Passes the settings to the engine, with a size of at most `max_size`.
    fn apply(&self, engine: &mut Engine, max_size: Option<i32>) -> Result<(), EngineError> {
        let mut parameters = self.parameters();
        if let Some(max) = max_size {
            parameters.size = if parameters.size <= 0 { max } else { parameters.size.min(max) };
        }
        engine.set_parameters(&parameters, &self.content_layers, &self.style_layers)
    }
}

/// The state while playing.
#[derive(Default)]
struct State {
    engine: Option<Engine>,
    /// The settings that the engine follows.
    settings: Settings,
    frames: Option<RgbaFrames>,
    /// The longer side at which memory suffices, after it was short at the size that was set.
    max_size: Option<i32>,
    /// The duration of frames, if they have one.
    duration: Option<gst::ClockTime>,
    /// Whether the source is live, once it was queried.
    is_live: Option<bool>,
    /// The time that the last frame took.
    took: Duration,
    /// The part of it outside of the engine.
    other_work: Duration,
    /// Frames painted.
    painted: u64,
    /// The timestamp at which the next frame is due.
    expected: Option<gst::ClockTime>,
}

/// The values of the read-only properties.
#[derive(Default)]
struct Shown {
    network: Option<String>,
    device: String,
    statistics: Vec<Statistic>,
    latency: Latency,
}

/// The element.
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::StyleTransfer)]
pub struct StyleTransfer {
    #[property(name = "style", get, set, type = String, member = style, default = Some(Settings::default().style.as_str()),
        nick = "Style", blurb = "Path of the style picture; several are separated by commas", mutable_playing)]
    #[property(name = "style-blend", get, set, type = String, member = style_blend,
        default = Some(Settings::default().style_blend.as_str()), nick = "Style blend",
        blurb = "Weights of the styles, separated by commas (\"\" = equal)", mutable_playing)]
    #[property(name = "weights", get, set, type = String, member = weights,
        default = Some(Settings::default().weights.as_str()), nick = "Weights",
        blurb = "VGG weight file: .pth, .safetensors or .ot (\"\" = the first that exists of $STYLEFILTER_WEIGHTS, vgg19.* in the \
        data folder 'stylefilter', torchvision's cache; else the built-in network)", mutable_ready)]
    #[property(name = "device", get, set, type = String, member = device,
        default = Some(Settings::default().device.as_str()), nick = "Device",
        blurb = "Device to compute on: auto (CUDA if it works, else the CPU), cpu, cuda, cuda:N", mutable_ready)]
    #[property(name = "recipe", get, set, type = Recipe, member = recipe, nick = "Recipe",
        blurb = "Defaults for losses, layers, weights, optimizer and steps that are not set by themselves", mutable_playing,
        builder(Settings::default().recipe))]
    #[property(name = "content-layers", get, set, type = String, member = content_layers,
        default = Some(Settings::default().content_layers.as_str()), nick = "Content layers",
        blurb = "Layers at which content is compared: relu4_2, conv4_2 (before the ReLU) or torchvision's indices, separated by \
        commas (\"\" = the recipe's)", mutable_playing)]
    #[property(name = "style-layers", get, set, type = String, member = style_layers,
        default = Some(Settings::default().style_layers.as_str()), nick = "Style layers",
        blurb = "Layers at which style is compared, in the form of content-layers (\"\" = the recipe's)", mutable_playing)]
    #[property(name = "content-weight", get, set, type = f64, member = content_weight, minimum = -1.0,
        maximum = Parameters::MAX_WEIGHT, default = Settings::default().content_weight, nick = "Content weight",
        blurb = "Weight of the content loss: more keeps more of the frame (-1 = the recipe's)", controllable, mutable_playing)]
    #[property(name = "style-weight", get, set, type = f64, member = style_weight, minimum = -1.0,
        maximum = Parameters::MAX_WEIGHT, default = Settings::default().style_weight, nick = "Style weight",
        blurb = "Weight of the style loss (-1 = the recipe's)", controllable, mutable_playing)]
    #[property(name = "tv-weight", get, set, type = f64, member = tv_weight, minimum = -1.0,
        maximum = Parameters::MAX_WEIGHT, default = Settings::default().tv_weight, nick = "Total variation weight",
        blurb = "Weight of the total variation: more makes smoother pictures (-1 = the recipe's)", controllable,
        mutable_playing)]
    #[property(name = "temporal-weight", get, set, type = f64, member = temporal_weight, minimum = -1.0,
        maximum = Parameters::MAX_WEIGHT, default = Settings::default().temporal_weight, nick = "Temporal weight",
        blurb = "With warm-start=flow, weight of the difference from the last result, moved along the flow: more makes \
        steadier video (-1 = the recipe's)",
        controllable, mutable_playing)]
    #[property(name = "style-loss", get, set, type = StyleLoss, member = style_loss, nick = "Style loss",
        blurb = "How features are compared with the style's: by which statistics", mutable_playing, builder(Settings::default().style_loss))]
    #[property(name = "optimizer", get, set, type = Optimizer, member = optimizer, nick = "Optimizer",
        blurb = "Optimizer that minimizes the losses", mutable_playing, builder(Settings::default().optimizer))]
    #[property(name = "learning-rate", get, set, type = f64, member = learning_rate, minimum = -1.0,
        maximum = Parameters::MAX_LEARNING_RATE,
        default = Settings::default().learning_rate, nick = "Learning rate",
        blurb = "Learning rate of the optimizer (-1 = the recipe's)", controllable, mutable_playing)]
    #[property(name = "iterations", get, set, type = i32, member = iterations, minimum = -1, maximum = 100_000,
        default = Settings::default().iterations, nick = "Iterations",
        blurb = "Optimization steps for a frame that continues the last one; with warm-start=flow, up to three times as many if \
        much of it was hidden before, and none if nothing changes (-1 = the recipe's)", controllable, mutable_playing)]
    #[property(name = "first-iterations", get, set, type = i32, member = first_iterations, minimum = -1, maximum = 100_000,
        default = Settings::default().first_iterations, nick = "First iterations",
        blurb = "Optimization steps for the first frame of a scene; with warm-start=none, for every frame (-1 = the recipe's)", controllable,
        mutable_playing)]
    #[property(name = "max-frame-time", get, set, type = f64, member = max_frame_time, minimum = -1.0, maximum = 3.6e6,
        default = Settings::default().max_frame_time, nick = "Maximum frame time",
        blurb = "Maximum time for a frame, in milliseconds: steps that do not fit are left out, but at least one is taken (-1 = \
        if the source is live, the frame's duration, and half a second for the first frame of a scene; 0 = no limit)", controllable, mutable_playing)]
    #[property(name = "warm-start", get, set, type = WarmStart, member = warm_start, nick = "Warm start",
        blurb = "The picture that a frame's optimization starts from", controllable, mutable_playing, builder(Settings::default().warm_start))]
    #[property(name = "scene-threshold", get, set, type = f64, member = scene_threshold, minimum = 0.0, maximum = 1.0,
        default = Settings::default().scene_threshold, nick = "Scene threshold",
        blurb = "With warm-start=flow, a frame counts as a cut, and is painted from scratch, if more than this share of it was not \
        visible in the last one (1 = never)", controllable, mutable_playing)]
    #[property(name = "size", get, set, type = i32, member = size, minimum = -1,
        maximum = Parameters::MAX_SIZE, default = Settings::default().size, nick = "Size",
        blurb = "Longer side of the painted picture, in pixels; the result is enlarged to the frame's size (-1 = under a time \
        limit, the largest at which a frame's iterations fit; else the frame's own, up to 1920; 0 = the frame's own)", controllable, mutable_playing)]
    #[property(name = "style-scale", get, set, type = f64, member = style_scale, minimum = Parameters::MIN_STYLE_SCALE,
        maximum = Parameters::MAX_STYLE_SCALE, default = Settings::default().style_scale, nick = "Style scale",
        blurb = "Ratio of the style picture's longer side to the frame's: smaller makes finer strokes", mutable_playing)]
    #[property(name = "pooling", get, set, type = Pooling, member = pooling, nick = "Pooling",
        blurb = "Pooling of the network", mutable_playing, builder(Settings::default().pooling))]
    #[property(name = "precision", get, set, type = Precision, member = precision, nick = "Precision",
        blurb = "Number format of the network's features; losses are computed in 32 bits", mutable_playing,
        builder(Settings::default().precision))]
    #[property(name = "original-colors", get, set, type = OriginalColors, member = original_colors, nick = "Original colors",
        blurb = "Which of the frame's own colors are kept", mutable_playing, builder(Settings::default().original_colors))]
    #[property(name = "strength", get, set, type = f64, member = strength, minimum = 0.0, maximum = 1.0,
        default = Settings::default().strength, nick = "Strength",
        blurb = "Opacity of the paint: 0 = the original, which takes no time; 1 = the painted frame", controllable, mutable_playing)]
    #[property(name = "seed", get, set, type = u64, member = seed, default = Settings::default().seed, nick = "Seed",
        blurb = "Seed of the noise that recipe=keras starts with", mutable_playing)]
    #[property(name = "stats-interval", get, set, type = u32, member = stats_interval,
        default = Settings::default().stats_interval, nick = "Statistics interval",
        blurb = "Number of frames after which the statistics are posted as an element message (0 = never)", mutable_playing)]
    settings: Mutex<Settings>,
    #[property(name = "network", get = |this: &Self| this.shown().network.clone(), type = Option<String>,
        nick = "Network", blurb = "The network in use, available once the element has started")]
    shown: Mutex<Shown>,
    state: Mutex<State>,
    /// Whether the current frame must be given up.
    stopping: AtomicBool,
}

#[glib::object_subclass]
impl ObjectSubclass for StyleTransfer {
    const NAME: &'static str = "GstStyleTransfer";
    type Type = super::StyleTransfer;
    type ParentType = gst_video::VideoFilter;
    type Interfaces = (gst::Preset,);
}

impl ObjectImpl for StyleTransfer {
    /// The derived ones, which keep their numbers, then `stats`: the macro cannot derive a structure.
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let stats = glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                .nick("Statistics")
                .blurb("Number of frames; size of the painted picture, steps, losses (without weights) and milliseconds of the last one; device")
                .read_only()
                .build();
            StyleTransfer::derived_properties().iter().cloned().chain([stats]).collect()
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        guarded(&*self.obj(), (), || self.derived_set_property(id, value, pspec));
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        guarded(&*self.obj(), pspec.default_value().clone(), || match pspec.name() {
            "stats" => self.stats().to_value(),
            _ => self.derived_property(id, pspec),
        })
    }
}

impl GstObjectImpl for StyleTransfer {}

impl PresetImpl for StyleTransfer {}

impl ElementImpl for StyleTransfer {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Style transfer",
                "Filter/Effect/Video",
                "Repaints every frame in the style of an image, stable from frame to frame",
                "The stylefilter authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(formats::pad_templates);
        &TEMPLATES
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        // The pads wait for the current frame, which may take minutes.
        if transition == gst::StateChange::PausedToReady {
            self.stopping.store(true, Ordering::Relaxed);
        }
        self.parent_change_state(transition)
    }
}

impl BaseTransformImpl for StyleTransfer {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings();
        let styles = style_image::read_all(&settings.style, &settings.style_blend).map_err(style_message)?;
        // In a thread of its own: libtorch gives each calling thread its own workers, and those of this thread would remain
        // beside those of the streaming thread.
        let opened = std::thread::scope(|scope| scope.spawn(|| self.open_engine(&settings, &styles)).join());
        let panicked = |_| Err(EngineError::Failed("the engine could not be opened: it panicked".into()));
        let mut engine = opened.unwrap_or_else(panicked).map_err(engine_message)?;
        self.stopping.store(false, Ordering::Relaxed);
        gst::info!(CAT, imp = self, "{} on {}", engine.network(), engine.device());
        *self.shown() = Shown {
            network: Some(engine.network()),
            device: engine.device(),
            statistics: engine.statistics(),
            ..Shown::default()
        };
        *self.state() = State { engine: Some(engine), settings, ..State::default() };
        self.obj().notify("network");
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state() = State::default();
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.type_() {
            gst::EventType::FlushStart => self.stopping.store(true, Ordering::Relaxed),
            gst::EventType::FlushStop => {
                self.state().reset();
                self.stopping.store(false, Ordering::Relaxed);
            }
            gst::EventType::Gap => self.state().reset(),
            _ => {}
        }
        self.parent_sink_event(event)
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        if !BaseTransformImplExt::parent_query(self, direction, query) {
            return false;
        }
        if direction == gst::PadDirection::Src
            && let gst::QueryViewMut::Latency(query) = query.view_mut()
        {
            let (is_live, min, max) = query.result();
            let own = self.shown().latency.reported();
            query.set(is_live, min.saturating_add(own), max.map(|max| max.saturating_add(own)));
        }
        true
    }

    fn before_transform(&self, inbuf: &gst::BufferRef) {
        element::sync_values(self.obj().upcast_ref(), *CAT, inbuf);
        let mut state = self.state();
        self.follow_settings(&mut state);
        self.follow_source(&mut state);
        // Late frames, which the parent drops, pass here too.
        state.follow_time(inbuf);
    }

    fn transform(&self, inbuf: &gst::Buffer, outbuf: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        element::check_both(
            self.obj().upcast_ref(),
            self.state().frames.as_ref().map(RgbaFrames::layout),
            inbuf,
            outbuf,
        )?;
        self.parent_transform(inbuf, outbuf)
    }
}

impl VideoFilterImpl for StyleTransfer {
    fn set_info(
        &self,
        _incaps: &gst::Caps,
        info: &VideoInfo,
        _outcaps: &gst::Caps,
        _out_info: &VideoInfo,
    ) -> Result<(), gst::LoggableError> {
        let frames = RgbaFrames::new(info).map_err(|error| gst::loggable_error!(CAT, "{info:?}: {error}"))?;
        let mut state = self.state();
        state.frames = Some(frames);
        state.duration = frame_duration(info);
        state.is_live = None;
        state.reset();
        if let Err(error) = state.reset_max_size() {
            gst::warning!(CAT, imp = self, "{error}");
        }
        Ok(())
    }

    fn transform_frame(
        &self,
        input: &VideoFrameRef<&gst::BufferRef>,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let begin = Instant::now();
        let mut state = self.state();
        let State {
            engine: Some(engine),
            frames: Some(frames),
            settings,
            max_size,
            duration,
            is_live,
            took,
            other_work,
            painted: count,
            ..
        } = &mut *state
        else {
            return Err(gst::FlowError::NotNegotiated);
        };
        if settings.strength == 0.0 {
            // Not converted: RGB cannot hold every sample of YUV.
            engine.reset();
            input.copy(output).map_err(|_| gst::FlowError::Error)?;
            return Ok(gst::FlowSuccess::Ok);
        }
        let is_live = is_live.unwrap_or(false);
        let limits = settings.time_limits(is_live, *duration, *other_work);
        let mut report = FirstFrame::default();
        let mut on_progress = |progress: Progress| {
            gst::debug!(CAT, imp = self, "step {} of {}, loss {:.6}", progress.step, progress.steps, progress.loss);
            if progress.is_first {
                report.update(self, &progress);
            }
            !self.stopping.load(Ordering::Relaxed)
        };
        let mut painted = frames.stylize(engine, limits, &mut on_progress, input, output);
        while let Err(EngineError::OutOfMemory(reason)) = &painted
            && let Some(smaller) = smaller(max_size.unwrap_or(settings.size), longer_side(input))
        {
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{reason}; painting at {smaller} pixels"));
            *max_size = Some(smaller);
            painted = settings
                .apply(engine, *max_size)
                .and_then(|()| frames.stylize(engine, limits, &mut on_progress, input, output));
        }
        report.end(self);
        let in_engine = match painted {
            Ok(in_engine) => in_engine,
            Err(EngineError::Stopped(_)) => return Err(gst::FlowError::Flushing),
            Err(error) => {
                self.post_error_message(engine_message(error));
                return Err(gst::FlowError::Error);
            }
        };
        *count = count.saturating_add(1);
        *took = begin.elapsed();
        *other_work = took.saturating_sub(in_engine);
        let has_changed = {
            let mut shown = self.shown();
            shown.statistics = engine.statistics();
            shown.latency.record(gst::ClockTime::try_from(*took).unwrap_or(gst::ClockTime::MAX))
        };
        if has_changed && is_live {
            self.post_latency();
        }
        if settings.stats_interval > 0 && count.is_multiple_of(settings.stats_interval.into()) {
            let message = gst::message::Element::builder(self.stats()).src(&*self.obj()).build();
            // An element outside of a pipeline has no bus.
            let _ = self.obj().post_message(message);
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

/// The progress messages of a first frame that takes long.
struct FirstFrame {
    last_post: Instant,
    is_posted: bool,
}

impl Default for FirstFrame {
    fn default() -> Self {
        Self { last_post: Instant::now(), is_posted: false }
    }
}

impl FirstFrame {
    fn update(&mut self, element: &StyleTransfer, progress: &Progress) {
        if self.last_post.elapsed() < PROGRESS_INTERVAL {
            return;
        }
        let kind = if self.is_posted { gst::ProgressType::Continue } else { gst::ProgressType::Start };
        (self.last_post, self.is_posted) = (Instant::now(), true);
        element.post_progress(kind, &format!("painting the first frame: step {} of {}", progress.step, progress.steps));
    }

    fn end(&self, element: &StyleTransfer) {
        if self.is_posted {
            element.post_progress(gst::ProgressType::Complete, "painted the first frame");
        }
    }
}

impl State {
    /// Makes the next frame a first one.
    fn reset(&mut self) {
        self.expected = None;
        if let Some(engine) = &mut self.engine {
            engine.reset();
        }
    }

    /// Returns to the size that was set, after memory was short for other frames.
    fn reset_max_size(&mut self) -> Result<(), EngineError> {
        match (self.max_size.take(), &mut self.engine) {
            (Some(_), Some(engine)) => self.settings.apply(engine, None),
            _ => Ok(()),
        }
    }

    /// Forgets the last result if the stream jumps. Frames that were dropped while the last one was painted are no jump.
    fn follow_time(&mut self, buffer: &gst::BufferRef) {
        let Some(pts) = buffer.pts() else { return };
        let gap = GAP.saturating_add(self.took.try_into().unwrap_or(gst::ClockTime::MAX));
        if self.expected.is_some_and(|expected| pts.absdiff(expected) > gap) {
            self.reset();
        }
        self.expected = Some(pts.saturating_add(buffer.duration().unwrap_or_default()));
    }
}

impl StyleTransfer {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn settings(&self) -> Settings {
        lock(&self.settings).clone()
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        lock(&self.shown)
    }

    /// Queries whether the source is live, once, and reports the maximum time for a frame as latency.
    fn follow_source(&self, state: &mut State) {
        if state.is_live.is_some() {
            return;
        }
        let mut query = gst::query::Latency::new();
        let is_live = self.obj().sink_pad().peer_query(&mut query) && query.result().0;
        state.is_live = Some(is_live);
        if let Some(limit) = state.settings.time_limit(is_live, state.duration)
            && let Ok(limit) = gst::ClockTime::try_from(limit)
            && self.shown().latency.set(limit)
            && is_live
        {
            self.post_latency();
        }
    }

    fn post_latency(&self) {
        gst::debug!(CAT, imp = self, "frames take {}", self.shown().latency.reported());
        let _ = self.obj().post_message(gst::message::Latency::builder().src(&*self.obj()).build());
    }

    fn post_progress(&self, kind: gst::ProgressType, text: &str) {
        // An element outside of a pipeline has no bus.
        let message = gst::message::Progress::builder(kind, "first-frame", text).src(&*self.obj()).build();
        let _ = self.obj().post_message(message);
    }

    fn stats(&self) -> gst::Structure {
        let shown = self.shown();
        let mut structure = gst::Structure::builder("styletransfer-stats").field("device", &shown.device).build();
        for Statistic { name, value } in &shown.statistics {
            match *value {
                Number::Whole(value) => structure.set(name.as_str(), value),
                Number::Real(value) => structure.set(name.as_str(), value),
            }
        }
        structure
    }

    fn open_engine(&self, settings: &Settings, styles: &[(image::RgbaImage, f64)]) -> Result<Engine, EngineError> {
        let weights = Some(settings.weights.as_str()).filter(|path| !path.is_empty());
        let mut engine = Engine::open(self.plugin_file(), weights, &settings.device)?;
        engine.set_styles(&rgba(styles))?;
        settings.apply(&mut engine, None)?;
        Ok(engine)
    }

    /// The plugin's own file.
    fn plugin_file(&self) -> Option<PathBuf> {
        self.obj().factory()?.plugin()?.filename()
    }

    /// Applies settings that the user changed while playing. If that fails, a warning is posted and the last ones stay.
    fn follow_settings(&self, state: &mut State) {
        let settings = self.settings();
        if settings == state.settings {
            return;
        }
        let Some(engine) = &mut state.engine else { return };
        let styles = |settings: &Settings| (settings.style.clone(), settings.style_blend.clone());
        if styles(&settings) != styles(&state.settings) {
            let message = match style_image::read_all(&settings.style, &settings.style_blend) {
                Ok(styles) => engine.set_styles(&rgba(&styles)).err().map(|error| error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(message) = message {
                gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{message}; the style before it stays"));
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
}

fn longer_side(frame: &VideoFrameRef<&gst::BufferRef>) -> i32 {
    i32::try_from(frame.width().max(frame.height())).unwrap_or(i32::MAX)
}

/// Half the longer side at which a frame was painted, if that is not too small.
fn smaller(size: i32, frame: i32) -> Option<i32> {
    let painted = if size <= 0 { frame } else { size.min(frame) };
    Some(painted / 2).filter(|&smaller| smaller >= MIN_SIDE)
}

fn milliseconds(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds.max(0.0) / 1e3).unwrap_or(Duration::MAX)
}

/// The duration of each frame, if the stream has a frame rate.
fn frame_duration(info: &VideoInfo) -> Option<gst::ClockTime> {
    let fps = info.fps();
    let (frames, seconds) = (u64::try_from(fps.numer()).ok()?, u64::try_from(fps.denom()).ok()?);
    // Still pictures and streams of changing rate say 0.
    if frames == 0 { None } else { gst::ClockTime::SECOND.mul_div_round(seconds, frames) }
}

fn rgba(styles: &[(image::RgbaImage, f64)]) -> Vec<(Rgba<'_>, f64)> {
    let mut pictures = Vec::with_capacity(styles.len());
    for (image, share) in styles {
        let (width, height) = image.dimensions();
        let stride = (width as usize).saturating_mul(4);
        pictures.push((Rgba { data: image, width, height, stride, is_deep: false }, *share));
    }
    pictures
}

fn style_message(error: StyleError) -> gst::ErrorMessage {
    match &error {
        StyleError::NotSet | StyleError::Blend { .. } => gst::error_msg!(gst::ResourceError::Settings, ("{error}")),
        StyleError::Open { error: cause, .. } if cause.kind() == std::io::ErrorKind::NotFound => {
            gst::error_msg!(gst::ResourceError::NotFound, ("{error}"))
        }
        StyleError::Open { .. } => gst::error_msg!(gst::ResourceError::OpenRead, ("{error}")),
        StyleError::NotAPicture { .. } => gst::error_msg!(gst::ResourceError::Read, ("{error}")),
    }
}

fn engine_message(error: EngineError) -> gst::ErrorMessage {
    match &error {
        EngineError::Missing(_) | EngineError::NotFound(_) => {
            gst::error_msg!(gst::ResourceError::NotFound, ("{error}"))
        }
        EngineError::Unreadable(_) => gst::error_msg!(gst::ResourceError::Read, ("{error}")),
        EngineError::NoDevice(_) | EngineError::Settings(_) => {
            gst::error_msg!(gst::ResourceError::Settings, ("{error}"))
        }
        EngineError::Stopped(_) | EngineError::OutOfMemory(_) | EngineError::Failed(_) => {
            gst::error_msg!(gst::LibraryError::Failed, ("{error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use gst_video::VideoFormat;

    use super::super::engine::small;
    use super::*;

    /// Sets the size of frames.
    fn set_caps(element: &StyleTransfer, width: u32, height: u32) -> VideoInfo {
        let info = VideoInfo::builder(VideoFormat::Rgba, width, height).build().unwrap();
        let caps = info.to_caps().unwrap();
        element.set_info(&caps, &info, &caps, &info).unwrap();
        info
    }

    /// Paints a frame; the size that the engine was given.
    fn paint(element: &StyleTransfer, info: &VideoInfo) -> i32 {
        element.follow_settings(&mut element.state());
        let [input, mut output] = [(); 2].map(|()| gst::Buffer::with_size(info.size()).unwrap());
        let input = VideoFrameRef::from_buffer_ref_readable(&input, info).unwrap();
        let mut output = VideoFrameRef::from_buffer_ref_writable(output.get_mut().unwrap(), info).unwrap();
        element.transform_frame(&input, &mut output).unwrap();
        small::size(element.state().engine.as_ref().unwrap())
    }

    #[test]
    fn after_out_of_memory_a_smaller_size_stays_until_new_caps_or_a_new_size() {
        gst::init().unwrap();
        let object = glib::Object::new::<super::super::StyleTransfer>();
        let element = object.imp();
        element.state().engine = Some(small::engine());
        let large = set_caps(element, 400, 300);
        assert_eq!(paint(element, &large), 100);
        object.set_property("strength", 0.5);
        assert_eq!(paint(element, &large), 100);
        object.set_property("size", 300);
        assert_eq!(paint(element, &large), 75);
        let small = set_caps(element, 80, 60);
        assert_eq!(paint(element, &small), 300);
    }
}
