//! The `convfilter` element.

use gst::glib;
use gst::prelude::*;

mod chain;
mod filter;
mod imp;
mod settings;
mod state;

pub use filter::Filter;

glib::wrapper! {
    /// Convolution and rank filters on every frame, on the GPU or the CPU.
    pub struct ConvFilter(ObjectSubclass<imp::ConvFilter>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object,
        @implements gst::Preset;
}

/// The `kernel-order` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstConvFilterKernelOrder")]
pub enum KernelOrder {
    #[default]
    #[enum_value(name = "Row 0 weighs the upper row (NumPy, OpenCV, FFmpeg)", nick = "top-down")]
    TopDown,
    #[enum_value(name = "Row 0 weighs the lower row (Pillow)", nick = "bottom-up")]
    BottomUp,
}

/// The `border` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstConvFilterBorder")]
pub enum Border {
    #[default]
    #[enum_value(name = "What Pillow does for the filter", nick = "auto")]
    Auto,
    #[enum_value(name = "Samples whose window leaves the plane are copied", nick = "copy")]
    Copy,
    #[enum_value(name = "The edge samples continue", nick = "clamp")]
    Clamp,
    #[enum_value(name = "Zeros", nick = "zero")]
    Zero,
    #[enum_value(name = "Mirrored at the edge samples", nick = "mirror")]
    Mirror,
}

/// The `rounding` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstConvFilterRounding")]
pub enum Rounding {
    #[default]
    #[enum_value(name = "Down with border=zero, as a NumPy convolution; half up otherwise", nick = "auto")]
    Auto,
    #[enum_value(name = "To the nearest whole number, halves up (Pillow)", nick = "half-up")]
    HalfUp,
    #[enum_value(name = "The fraction is cut off (NumPy's conversion to integers)", nick = "down")]
    Down,
}

/// The `planes` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstConvFilterPlanes")]
pub enum Planes {
    #[default]
    #[enum_value(name = "All, but chroma becomes grey under filters that shift levels or find edges", nick = "auto")]
    Auto,
    #[enum_value(name = "Luma; chroma stays", nick = "luma")]
    Luma,
    #[enum_value(name = "Luma and chroma", nick = "all")]
    All,
}

/// The `backend` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstConvFilterBackend")]
pub enum Backend {
    #[default]
    #[enum_value(name = "A real GPU if there is one, else the CPU", nick = "auto")]
    Auto,
    #[enum_value(name = "A GPU, were it one in software", nick = "gpu")]
    Gpu,
    #[enum_value(name = "The CPU, all cores", nick = "cpu")]
    Cpu,
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "convfilter", gst::Rank::NONE, ConvFilter::static_type())
}
