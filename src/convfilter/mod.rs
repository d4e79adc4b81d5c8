//! The `convfilter` element.

use gst::glib;
use gst::prelude::*;

mod chain;
mod filter;
mod imp;
mod settings;
mod state;

pub use filter::Filter;

use crate::mask;

glib::wrapper! {
    /// Applies Pillow's filters, the user's kernels and the user's shaders to every frame, on the GPU or the CPU.
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
    #[enum_value(name = "Pillow's choice for the filter", nick = "auto")]
    Auto,
    #[enum_value(name = "Samples whose window leaves the plane are copied", nick = "copy")]
    Copy,
    #[enum_value(name = "Edge samples are repeated outside the plane", nick = "clamp")]
    Clamp,
    #[enum_value(name = "Samples outside the plane are 0", nick = "zero")]
    Zero,
    #[enum_value(name = "The plane is mirrored at its edge samples", nick = "mirror")]
    Mirror,
}

/// The `rounding` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstConvFilterRounding")]
pub enum Rounding {
    #[default]
    #[enum_value(name = "down with border=zero, as a convolution in NumPy, else half-up", nick = "auto")]
    Auto,
    #[enum_value(name = "To the nearest integer, halves up (Pillow)", nick = "half-up")]
    HalfUp,
    #[enum_value(name = "Truncated (NumPy's conversion to integers)", nick = "down")]
    Down,
}

/// The `planes` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstConvFilterPlanes")]
pub enum Planes {
    #[default]
    #[enum_value(name = "All, but chroma becomes gray under filters that shift levels or find edges", nick = "auto")]
    Auto,
    #[enum_value(name = "Luma; chroma is unchanged", nick = "luma")]
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
    #[enum_value(name = "A GPU, or a software Vulkan driver", nick = "gpu")]
    Gpu,
    #[enum_value(name = "All cores of the CPU", nick = "cpu")]
    Cpu,
}

/// The `mask-from` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstConvFilterMaskFrom")]
pub enum MaskFrom {
    #[default]
    #[enum_value(name = "The pad mask if it is linked, else the picture of the property mask", nick = "auto")]
    Auto,
    #[enum_value(name = "The frame's own alpha, which stays as it is; frames without alpha are opaque", nick = "alpha")]
    Alpha,
}

impl From<MaskFrom> for mask::MaskFrom {
    fn from(from: MaskFrom) -> Self {
        match from {
            MaskFrom::Auto => Self::Auto,
            MaskFrom::Alpha => Self::Alpha,
        }
    }
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "convfilter", gst::Rank::NONE, ConvFilter::static_type())
}
