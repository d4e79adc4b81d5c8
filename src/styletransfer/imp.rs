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
 * |[
 * gst-launch-1.0 v4l2src ! styletransfer recipe=deepdream ! autovideosink
 * ]|
 */
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use style_engine_interface::Parameters;

use super::settings::Settings;
use super::shown::Shown;
use super::state::State;
use super::{MaskFrom, ModelInput, Optimizer, OriginalColors, Pooling, Precision, Recipe, StyleLoss, WarmStart};
use crate::guard::guarded;
use crate::mask::{self, MaskPad};
use crate::sync::lock;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("styletransfer", gst::DebugColorFlags::empty(), Some("Style transfer on live video"))
});

/// The element.
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::StyleTransfer)]
pub struct StyleTransfer {
    #[property(name = "style", get, set, type = String, member = style, default = Some(Settings::default().style.as_str()),
        nick = "Style", blurb = "Path of the style picture; several are separated by commas; with recipe=deepdream, of a guide (\"\" = none)",
        mutable_playing)]
    #[property(name = "style-blend", get, set, type = String, member = style_blend,
        default = Some(Settings::default().style_blend.as_str()), nick = "Style blend",
        blurb = "Shares of the styles, or of models that paint alone, separated by commas: 0.7,0.3 (\"\" = equal)", mutable_playing)]
    #[property(name = "style-position", get, set, type = f64, member = style_position, minimum = -1.0, maximum = 1000.0,
        default = Settings::default().style_position, nick = "Style position",
        blurb = "Shares by a position in the list of styles, or of models that paint alone: 0 = the first one, 0.5 = half of the first \
        and half of the second, 1 = the second (-1 = those of style-blend)", controllable, mutable_playing)]
    #[property(name = "style-list", get, set, type = String, member = style_list,
        default = Some(Settings::default().style_list.as_str()), nick = "Style list",
        blurb = "Paths of style pictures, separated by commas, that are played in turn, in a loop, in place of style; or names and \
        paths (.pth, .pt, .model) of models, in place of model (\"\" = none)", mutable_playing)]
    #[property(name = "style-duration", get, set, type = u32, member = style_duration, minimum = 1,
        default = Settings::default().style_duration, nick = "Style duration",
        blurb = "Time of the stream for which style-list holds each style before it fades into the next one, in milliseconds",
        mutable_playing)]
    #[property(name = "style-fade", get, set, type = u32, member = style_fade, default = Settings::default().style_fade,
        nick = "Style fade", blurb = "Time of the stream in which style, style-blend, style-position, model and strength fade into \
        their next value, in milliseconds (0 = at once)", mutable_playing)]
    #[property(name = "weights", get, set, type = String, member = weights,
        default = Some(Settings::default().weights.as_str()), nick = "Weights",
        blurb = "VGG weight file: .pth, .safetensors or .ot (\"\" = the first that exists of $STYLEFILTER_WEIGHTS, vgg19.* in the \
        data folder 'stylefilter', torchvision's cache; else the built-in network)", mutable_ready)]
    #[property(name = "model", get, set, type = String, member = model,
        default = Some(Settings::default().model.as_str()), nick = "Model",
        blurb = "Feed-forward network, which paints in one pass: starry-night, the-scream, shipwreck, or the file of one of PyTorch's example \
        fast_neural_style, of a generator of CycleGAN or pix2pix, or of a TorchScript module, which is a program that runs with \
        your rights: use none that you do not trust; several are separated by commas, each with a mask. Without style it paints \
        alone; with style, places without earlier paint start from its picture (\"\" = none)", mutable_playing)]
    #[property(name = "model-input", get, set, type = ModelInput, member = model_input, nick = "Model input",
        blurb = "Order of the channels and range of the pictures that the model takes and gives", mutable_playing,
        builder(Settings::default().model_input))]
    #[property(name = "device", get, set, type = String, member = device,
        default = Some(Settings::default().device.as_str()), nick = "Device",
        blurb = "Device to compute on: auto (CUDA if it works, else the CPU), cpu, cuda, cuda:N", mutable_ready)]
    #[property(name = "recipe", get, set, type = Recipe, member = recipe, nick = "Recipe",
        blurb = "Defaults for losses, layers, weights, optimizer and steps that are not set by themselves", mutable_playing,
        builder(Settings::default().recipe))]
    #[property(name = "content-layers", get, set, type = String, member = content_layers,
        default = Some(Settings::default().content_layers.as_str()), nick = "Content layers",
        blurb = "Layers at which content is compared, or with recipe=deepdream raised: relu4_2, conv4_2 (before the ReLU) or \
        torchvision's indices, separated by commas (\"\" = the recipe's)", mutable_playing)]
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
        steadier video; with recipe=deepdream, how many times as much of the last dream as of the frame is kept (-1 = the recipe's)",
        controllable, mutable_playing)]
    #[property(name = "style-loss", get, set, type = StyleLoss, member = style_loss, nick = "Style loss",
        blurb = "Statistics by which features are compared with the style's", mutable_playing, builder(Settings::default().style_loss))]
    #[property(name = "optimizer", get, set, type = Optimizer, member = optimizer, nick = "Optimizer",
        blurb = "Algorithm that takes the steps", mutable_playing, builder(Settings::default().optimizer))]
    #[property(name = "learning-rate", get, set, type = f64, member = learning_rate, minimum = -1.0,
        maximum = Parameters::MAX_LEARNING_RATE,
        default = Settings::default().learning_rate, nick = "Learning rate",
        blurb = "Learning rate of the optimizer; with recipe=deepdream, mean change of a sample in a step, in 255ths (-1 = the \
        recipe's)", controllable, mutable_playing)]
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
        if the source is live, 1.4 times the frame's duration on average, and a tenth of a second for the first frame; 0 = no limit)", controllable, mutable_playing)]
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
        blurb = "How the network halves its features", mutable_playing, builder(Settings::default().pooling))]
    #[property(name = "precision", get, set, type = Precision, member = precision, nick = "Precision",
        blurb = "Number format of the network's features; losses are computed in 32 bits", mutable_playing,
        builder(Settings::default().precision))]
    #[property(name = "original-colors", get, set, type = OriginalColors, member = original_colors, nick = "Original colors",
        blurb = "Which of the frame's own colors are kept", mutable_playing, builder(Settings::default().original_colors))]
    #[property(name = "strength", get, set, type = f64, member = strength, minimum = 0.0, maximum = 1.0,
        default = Settings::default().strength, nick = "Strength",
        blurb = "Opacity of the paint: 0 = the original, which takes no time; 1 = the painted frame", controllable, mutable_playing)]
    #[property(name = "mask", get, set, type = String, member = mask, default = Some(Settings::default().mask.as_str()),
        nick = "Mask", blurb = "Path of a picture, stretched to the frame, of which white places are painted and black ones are not (\"\" = none); with several \
        styles, a picture for each, separated by commas, or for each but the last, which takes the rest; or one PNG file with a \
        palette, whose index 0 belongs to the first style", mutable_playing)]
    #[property(name = "mask-from", get, set, type = MaskFrom, member = mask_from, nick = "Mask from",
        blurb = "What the mask is taken from", mutable_playing, builder(Settings::default().mask_from))]
    #[property(name = "mask-invert", get, set, type = bool, member = mask_invert,
        default = Settings::default().mask_invert, nick = "Invert the mask",
        blurb = "Paint what is black in the mask instead of what is white", mutable_playing)]
    #[property(name = "seed", get, set, type = u64, member = seed, default = Settings::default().seed, nick = "Seed",
        blurb = "Seed of the noise that recipe=keras starts with, and of the jitter of recipe=deepdream", mutable_playing)]
    #[property(name = "channels", get, set, type = String, member = channels,
        default = Some(Settings::default().channels.as_str()), nick = "Channels",
        blurb = "recipe=deepdream: numbers of the layers' channels that are raised, from 0, separated by commas (\"\" = all; of \
        the built-in network, without content-layers, the best)", mutable_playing)]
    #[property(name = "octaves", get, set, type = u32, member = octaves, minimum = 1, maximum = Parameters::MAX_OCTAVES,
        default = Settings::default().octaves, nick = "Octaves",
        blurb = "recipe=deepdream: number of sizes at which a frame is dreamt; more make larger shapes", controllable,
        mutable_playing)]
    #[property(name = "octave-scale", get, set, type = f64, member = octave_scale, minimum = Parameters::MIN_OCTAVE_SCALE,
        maximum = Parameters::MAX_OCTAVE_SCALE, default = Settings::default().octave_scale, nick = "Octave scale",
        blurb = "recipe=deepdream: factor from one of these sizes to the next", controllable, mutable_playing)]
    #[property(name = "jitter", get, set, type = u32, member = jitter, maximum = Parameters::MAX_JITTER,
        default = Settings::default().jitter, nick = "Jitter",
        blurb = "recipe=deepdream: maximum random shift of the picture before each step, in pixels: it hides the network's grid",
        mutable_playing)]
    #[property(name = "zoom", get, set, type = f64, member = zoom, minimum = Parameters::MIN_ZOOM,
        maximum = Parameters::MAX_ZOOM, default = Settings::default().zoom, nick = "Zoom",
        blurb = "recipe=deepdream: factor by which the last dream is enlarged for each frame; with zoom, rotate or a shift, dreams \
        move by these instead of along the flow", controllable, mutable_playing)]
    #[property(name = "rotate", get, set, type = f64, member = rotate, minimum = -180.0, maximum = 180.0,
        default = Settings::default().rotate, nick = "Rotate",
        blurb = "recipe=deepdream: rotation of the last dream for each frame, in degrees clockwise", controllable, mutable_playing)]
    #[property(name = "shift-x", get, set, type = f64, member = shift_x, minimum = -1.0, maximum = 1.0,
        default = Settings::default().shift_x, nick = "Shift right",
        blurb = "recipe=deepdream: shift of the last dream to the right for each frame, in widths of the frame", controllable,
        mutable_playing)]
    #[property(name = "shift-y", get, set, type = f64, member = shift_y, minimum = -1.0, maximum = 1.0,
        default = Settings::default().shift_y, nick = "Shift down",
        blurb = "recipe=deepdream: shift of the last dream downward for each frame, in heights of the frame", controllable,
        mutable_playing)]
    #[property(name = "stats-interval", get, set, type = u32, member = stats_interval,
        default = Settings::default().stats_interval, nick = "Statistics interval",
        blurb = "Number of frames after which the statistics are posted as an element message (0 = never)", mutable_playing)]
    settings: Mutex<Settings>,
    #[property(name = "network", get = |this: &Self| this.shown().network.clone(), type = Option<String>,
        nick = "Network", blurb = "The network in use, available once the element has started")]
    shown: Mutex<Shown>,
    state: Mutex<State>,
    pub(super) mask_pad: MaskPad,
    /// Whether the current frame must be given up.
    pub(super) stopping: AtomicBool,
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
            "stats" => self.shown().stats().to_value(),
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
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(mask::pad_templates);
        &TEMPLATES
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        _name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        self.mask_pad.request(&*self.obj(), template)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        self.mask_pad.release(&*self.obj(), pad);
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        self.mask_pad.change_state(transition);
        // The pads wait for the current frame, which may take minutes.
        if transition == gst::StateChange::PausedToReady {
            self.stopping.store(true, Ordering::Relaxed);
        }
        self.parent_change_state(transition)
    }
}

impl StyleTransfer {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn settings(&self) -> Settings {
        lock(&self.settings).clone()
    }

    pub(super) fn shown(&self) -> MutexGuard<'_, Shown> {
        lock(&self.shown)
    }

    /// Tells the pipeline that the latency has changed.
    pub(super) fn post_latency(&self) {
        gst::debug!(CAT, imp = self, "frames take {}", self.shown().latency.reported());
        let _ = self.obj().post_message(gst::message::Latency::builder().src(&*self.obj()).build());
    }
}
