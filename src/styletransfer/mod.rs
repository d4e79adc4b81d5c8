//! The `styletransfer` element.

use gst::glib;
use gst::prelude::*;
use style_engine_interface::{
    model_input, optimizer, original_colors, pooling, precision, recipe, style_loss, warm_start,
};

mod blend;
mod engine;
mod errors;
mod fields;
mod imp;
mod latency;
mod paint;
mod rgba;
mod settings;
mod shown;
mod state;
mod style_image;
mod transparency;

glib::wrapper! {
    /// Repaints every frame in the style of an image.
    pub struct StyleTransfer(ObjectSubclass<imp::StyleTransfer>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object,
        @implements gst::Preset;
}

/// The `recipe` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstStyleTransferRecipe")]
#[repr(i32)]
pub enum Recipe {
    #[default]
    #[enum_value(name = "This project's own, for few steps per frame", nick = "video")]
    Video = recipe::VIDEO as i32,
    #[enum_value(name = "PyTorch's tutorial \"Neural Transfer\"", nick = "pytorch-tutorial")]
    PytorchTutorial = recipe::PYTORCH_TUTORIAL as i32,
    #[enum_value(name = "\"Dive into Deep Learning\"", nick = "d2l")]
    D2l = recipe::D2L as i32,
    #[enum_value(name = "Keras' example", nick = "keras")]
    Keras = recipe::KERAS as i32,
    #[enum_value(
        name = "PyTorch's tutorial with early stopping, deeper layers, no normalization",
        nick = "torch-early-stop"
    )]
    TorchEarlyStop = recipe::TORCH_EARLY_STOP as i32,
}

/// The `optimizer` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstStyleTransferOptimizer")]
#[repr(i32)]
pub enum Optimizer {
    #[default]
    #[enum_value(name = "The recipe's", nick = "auto")]
    Auto = optimizer::AUTO as i32,
    #[enum_value(name = "Adam", nick = "adam")]
    Adam = optimizer::ADAM as i32,
    #[enum_value(name = "L-BFGS", nick = "lbfgs")]
    Lbfgs = optimizer::LBFGS as i32,
}

/// The `style-loss` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstStyleTransferStyleLoss")]
#[repr(i32)]
pub enum StyleLoss {
    #[default]
    #[enum_value(name = "The recipe's", nick = "auto")]
    Auto = style_loss::AUTO as i32,
    #[enum_value(name = "Gram matrices of features", nick = "gram")]
    Gram = style_loss::GRAM as i32,
    #[enum_value(name = "Means and covariances of features", nick = "mean-covariance")]
    MeanCovariance = style_loss::MEAN_COVARIANCE as i32,
    #[enum_value(name = "Whole distributions of features: slow", nick = "sliced-wasserstein")]
    SlicedWasserstein = style_loss::SLICED_WASSERSTEIN as i32,
}

/// The `pooling` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstStyleTransferPooling")]
#[repr(i32)]
pub enum Pooling {
    #[default]
    #[enum_value(name = "The recipe's", nick = "auto")]
    Auto = pooling::AUTO as i32,
    #[enum_value(name = "Max pooling, as VGG was trained", nick = "max")]
    Max = pooling::MAX as i32,
    #[enum_value(name = "Average pooling", nick = "average")]
    Average = pooling::AVERAGE as i32,
}

/// The `precision` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstStyleTransferPrecision")]
#[repr(i32)]
pub enum Precision {
    #[default]
    #[enum_value(name = "bf16 with recipe=video if the device is fast in it, else f32", nick = "auto")]
    Auto = precision::AUTO as i32,
    #[enum_value(name = "32-bit floats", nick = "f32")]
    F32 = precision::F32 as i32,
    #[enum_value(name = "16-bit floats with the range of 32", nick = "bf16")]
    Bf16 = precision::BF16 as i32,
}

/// The `original-colors` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstStyleTransferOriginalColors")]
#[repr(i32)]
pub enum OriginalColors {
    #[default]
    #[enum_value(name = "None: the style's colors", nick = "none")]
    None = original_colors::NONE as i32,
    #[enum_value(name = "Hue and saturation: only brightness is painted", nick = "luma")]
    Luma = original_colors::LUMA as i32,
    #[enum_value(name = "The palette: the style's colors are first matched to the frame's", nick = "match")]
    Match = original_colors::MATCH as i32,
}

/// The `model-input` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstStyleTransferModelInput")]
#[repr(i32)]
pub enum ModelInput {
    #[default]
    #[enum_value(name = "What networks of the model's kind are trained with; rgb-1 for TorchScript", nick = "auto")]
    Auto = model_input::AUTO as i32,
    #[enum_value(name = "RGB in 0..1", nick = "rgb-1")]
    Rgb1 = model_input::RGB_1 as i32,
    #[enum_value(name = "RGB in 0..255", nick = "rgb-255")]
    Rgb255 = model_input::RGB_255 as i32,
    #[enum_value(name = "RGB in -1..1", nick = "rgb-signed")]
    RgbSigned = model_input::RGB_SIGNED as i32,
    #[enum_value(name = "BGR in 0..1", nick = "bgr-1")]
    Bgr1 = model_input::BGR_1 as i32,
    #[enum_value(name = "BGR in 0..255", nick = "bgr-255")]
    Bgr255 = model_input::BGR_255 as i32,
    #[enum_value(name = "BGR in -1..1", nick = "bgr-signed")]
    BgrSigned = model_input::BGR_SIGNED as i32,
}

/// The `warm-start` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstStyleTransferWarmStart")]
#[repr(i32)]
pub enum WarmStart {
    #[enum_value(name = "Each frame starts from its own content", nick = "none")]
    None = warm_start::NONE as i32,
    #[enum_value(name = "Each frame starts from its own content with the last result's paint added", nick = "previous")]
    Previous = warm_start::PREVIOUS as i32,
    #[default]
    #[enum_value(name = "Each frame starts from the last result, moved along the optical flow", nick = "flow")]
    Flow = warm_start::FLOW as i32,
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "styletransfer", gst::Rank::NONE, StyleTransfer::static_type())
}
