/**
 * SECTION:element-styletransfer
 *
 * Repaints every frame in the style of an image, by optimising the picture against the features of a VGG network.
 * Each frame starts from the last result, so that the film stays stable.
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
use std::sync::{LazyLock, Mutex, MutexGuard};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::prelude::*;
use gst_video::subclass::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo};
use style_engine_interface::{Parameters, Stats};

use super::WarmStart;
use super::engine::{Engine, EngineError, Rgba};
use super::rgba::RgbaFrames;
use super::style_image::{self, StyleError};
use crate::frame;
use crate::sync::lock;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("styletransfer", gst::DebugColorFlags::empty(), Some("Style transfer on live video"))
});

/// A jump in time of more than this parts what comes after it from what came before.
const GAP: gst::ClockTime = gst::ClockTime::SECOND;

/// What the user set.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    style: String,
    weights: String,
    device: String,
    content_weight: f64,
    style_weight: f64,
    tv_weight: f64,
    learning_rate: f64,
    iterations: u32,
    first_iterations: u32,
    warm_start: WarmStart,
    size: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let engine = Parameters::default();
        Self {
            style: String::new(),
            weights: String::new(),
            device: "auto".into(),
            content_weight: engine.content_weight,
            style_weight: engine.style_weight,
            tv_weight: engine.tv_weight,
            learning_rate: engine.learning_rate,
            iterations: engine.iterations,
            first_iterations: engine.first_iterations,
            warm_start: WarmStart::default(),
            size: engine.size,
        }
    }
}

impl Settings {
    fn parameters(&self) -> Parameters {
        Parameters {
            content_weight: self.content_weight,
            style_weight: self.style_weight,
            tv_weight: self.tv_weight,
            learning_rate: self.learning_rate,
            first_iterations: self.first_iterations,
            iterations: self.iterations,
            warm_start: self.warm_start as u32,
            size: self.size,
        }
    }

    /// The weight file: the property, then the environment; nothing stands for the built-in network.
    fn weight_file(&self) -> Option<String> {
        let from_environment = || std::env::var("STYLEFILTER_WEIGHTS").ok();
        Some(self.weights.clone())
            .filter(|path| !path.is_empty())
            .or_else(from_environment)
            .filter(|path| !path.is_empty())
    }
}

/// What is running.
#[derive(Default)]
struct State {
    engine: Option<Engine>,
    /// The settings that the engine follows.
    settings: Settings,
    frames: Option<RgbaFrames>,
    /// Where the next frame is due.
    expected: Option<gst::ClockTime>,
}

/// What the read-only properties show.
#[derive(Default)]
struct Shown {
    network: Option<String>,
    device: String,
    stats: Stats,
}

/// The element.
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::StyleTransfer)]
pub struct StyleTransfer {
    #[property(name = "style", get, set, type = String, member = style, default = Some(Settings::default().style.as_str()),
        nick = "Style", blurb = "The path of the picture whose style is painted in", mutable_playing)]
    #[property(name = "weights", get, set, type = String, member = weights,
        default = Some(Settings::default().weights.as_str()), nick = "Weights",
        blurb = "A VGG weight file, .safetensors with torchvision's names (\"\" = $STYLEFILTER_WEIGHTS, then the built-in network)",
        mutable_ready)]
    #[property(name = "device", get, set, type = String, member = device,
        default = Some(Settings::default().device.as_str()), nick = "Device",
        blurb = "Where to compute: auto (CUDA where it works), cpu, cuda, cuda:N", mutable_ready)]
    #[property(name = "content-weight", get, set, type = f64, member = content_weight, minimum = 0.0, maximum = 1e9,
        default = Settings::default().content_weight, nick = "Content weight",
        blurb = "How much the frame's own content holds", controllable, mutable_playing)]
    #[property(name = "style-weight", get, set, type = f64, member = style_weight, minimum = 0.0, maximum = 1e9,
        default = Settings::default().style_weight, nick = "Style weight", blurb = "How much the style draws",
        controllable, mutable_playing)]
    #[property(name = "tv-weight", get, set, type = f64, member = tv_weight, minimum = 0.0, maximum = 1e9,
        default = Settings::default().tv_weight, nick = "Total variation weight",
        blurb = "How much differences between neighbouring pixels are smoothed", controllable, mutable_playing)]
    #[property(name = "learning-rate", get, set, type = f64, member = learning_rate, minimum = 0.0, maximum = 1.0,
        default = Settings::default().learning_rate, nick = "Learning rate",
        blurb = "The optimiser's step, in units of the picture's range", controllable, mutable_playing)]
    #[property(name = "iterations", get, set, type = u32, member = iterations, maximum = 100_000,
        default = Settings::default().iterations, nick = "Iterations",
        blurb = "Optimisation steps for a frame that follows another", controllable, mutable_playing)]
    #[property(name = "first-iterations", get, set, type = u32, member = first_iterations, maximum = 100_000,
        default = Settings::default().first_iterations, nick = "First iterations",
        blurb = "Optimisation steps for a first frame, and for each with warm-start=none", controllable, mutable_playing)]
    #[property(name = "warm-start", get, set, type = WarmStart, member = warm_start, nick = "Warm start",
        blurb = "What a frame starts from", controllable, mutable_playing, builder(Settings::default().warm_start))]
    #[property(name = "size", get, set, type = u32, member = size, maximum = 32_768, default = Settings::default().size,
        nick = "Size", blurb = "The longer side at which to optimise, in pixels; the result is brought back to the frame's \
        size (0 = the frame's own)", controllable, mutable_playing)]
    settings: Mutex<Settings>,
    #[property(name = "network", get = |this: &Self| this.shown().network.clone(), type = Option<String>,
        nick = "Network", blurb = "The network in use, once it is open")]
    shown: Mutex<Shown>,
    state: Mutex<State>,
}

#[glib::object_subclass]
impl ObjectSubclass for StyleTransfer {
    const NAME: &'static str = "GstStyleTransfer";
    type Type = super::StyleTransfer;
    type ParentType = gst_video::VideoFilter;
}

impl ObjectImpl for StyleTransfer {
    /// The derived ones, which keep their numbers, then `stats`: a structure cannot be derived.
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let stats = glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                .nick("Statistics")
                .blurb("Frames so far; steps, losses (without weights) and time of the last; the device")
                .read_only()
                .build();
            StyleTransfer::derived_properties().iter().cloned().chain([stats]).collect()
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.derived_set_property(id, value, pspec);
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.stats().to_value(),
            _ => self.derived_property(id, pspec),
        }
    }
}

impl GstObjectImpl for StyleTransfer {}

impl ElementImpl for StyleTransfer {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Style transfer",
                "Filter/Effect/Video",
                "Every frame repainted in the style of an image, stable from frame to frame",
                "The stylefilter authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(frame::pad_templates);
        &TEMPLATES
    }
}

impl BaseTransformImpl for StyleTransfer {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings();
        let style = style_image::read(&settings.style).map_err(style_message)?;
        let engine = self.open_engine(&settings, &style).map_err(engine_message)?;
        gst::info!(CAT, imp = self, "{} on {}", engine.network(), engine.device());
        *self.shown() = Shown { network: Some(engine.network()), device: engine.device(), stats: Stats::default() };
        *self.state() = State { engine: Some(engine), settings, ..State::default() };
        self.obj().notify("network");
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state() = State::default();
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        if matches!(event.type_(), gst::EventType::FlushStop | gst::EventType::Gap) {
            self.state().forget();
        }
        self.parent_sink_event(event)
    }

    fn before_transform(&self, inbuf: &gst::BufferRef) {
        frame::sync_values(self.obj().upcast_ref(), inbuf);
        let mut state = self.state();
        self.follow_settings(&mut state);
        state.follow_time(inbuf);
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
        state.forget();
        Ok(())
    }

    fn transform_frame(
        &self,
        input: &VideoFrameRef<&gst::BufferRef>,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut state = self.state();
        let State { engine: Some(engine), frames: Some(frames), .. } = &mut *state else {
            return Err(gst::FlowError::NotNegotiated);
        };
        frames.stylize(engine, input, output).map_err(|error| {
            self.post_error_message(engine_message(error));
            gst::FlowError::Error
        })?;
        self.shown().stats = engine.stats();
        Ok(gst::FlowSuccess::Ok)
    }
}

impl State {
    /// Parts the next frame from those before it.
    fn forget(&mut self) {
        self.expected = None;
        if let Some(engine) = &mut self.engine {
            engine.reset();
        }
    }

    /// Forgets the last result where the stream jumps. Dropped frames are no jump: what is on them moves on.
    fn follow_time(&mut self, buffer: &gst::BufferRef) {
        let Some(pts) = buffer.pts() else { return };
        if self.expected.is_some_and(|expected| pts.absdiff(expected) > GAP) {
            self.forget();
        }
        self.expected = Some(pts + buffer.duration().unwrap_or_default());
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

    fn stats(&self) -> gst::Structure {
        let shown = self.shown();
        gst::Structure::builder("styletransfer-stats")
            .field("frames", shown.stats.frames)
            .field("steps", shown.stats.steps)
            .field("style-loss", shown.stats.style_loss)
            .field("content-loss", shown.stats.content_loss)
            .field("tv-loss", shown.stats.tv_loss)
            .field("milliseconds", shown.stats.milliseconds)
            .field("device", &shown.device)
            .build()
    }

    fn open_engine(&self, settings: &Settings, style: &image::RgbaImage) -> Result<Engine, EngineError> {
        let mut engine = Engine::open(self.plugin_file(), settings.weight_file().as_deref(), &settings.device)?;
        engine.set_style(rgba(style))?;
        engine.set_parameters(&settings.parameters())?;
        Ok(engine)
    }

    /// The plugin's own file.
    fn plugin_file(&self) -> Option<PathBuf> {
        self.obj().factory()?.plugin()?.filename()
    }

    /// Takes over what the user changed while playing; a style that cannot be had is warned of and left.
    fn follow_settings(&self, state: &mut State) {
        let settings = self.settings();
        if settings == state.settings {
            return;
        }
        let Some(engine) = &mut state.engine else { return };
        if settings.style != state.settings.style {
            let message = match style_image::read(&settings.style) {
                Ok(style) => engine.set_style(rgba(&style)).err().map(|error| error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(message) = message {
                gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{message}; the style before it stays"));
            }
        }
        if let Err(error) = engine.set_parameters(&settings.parameters()) {
            gst::element_imp_warning!(self, gst::LibraryError::Settings, ("{error}"));
        }
        state.settings = settings;
    }
}

fn rgba(image: &image::RgbaImage) -> Rgba<'_> {
    Rgba { data: image, width: image.width(), height: image.height(), stride: image.width() as usize * 4 }
}

fn style_message(error: StyleError) -> gst::ErrorMessage {
    match &error {
        StyleError::NotSet => gst::error_msg!(gst::ResourceError::Settings, ("{error}")),
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
        EngineError::NoDevice(_) => gst::error_msg!(gst::ResourceError::Settings, ("{error}")),
        EngineError::Failed(_) => gst::error_msg!(gst::LibraryError::Failed, ("{error}")),
    }
}
