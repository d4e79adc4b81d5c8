//! The `convfilter` element.

use gst::glib;
use gst::prelude::*;

mod chain;
mod imp;

glib::wrapper! {
    /// Convolution and rank filters on every frame, on the GPU or the CPU.
    pub struct ConvFilter(ObjectSubclass<imp::ConvFilter>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object,
        @implements gst::Preset;
}

/// The `filter` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstConvFilterFilter")]
pub enum Filter {
    /// Frames pass through untouched.
    #[default]
    #[enum_value(name = "None: frames pass through untouched", nick = "none")]
    None,
    #[enum_value(name = "Pillow's BLUR, 5 x 5", nick = "blur")]
    Blur,
    #[enum_value(name = "Pillow's CONTOUR: dark lines on white", nick = "contour")]
    Contour,
    #[enum_value(name = "Pillow's DETAIL", nick = "detail")]
    Detail,
    #[enum_value(name = "Pillow's EDGE_ENHANCE", nick = "edge-enhance")]
    EdgeEnhance,
    #[enum_value(name = "Pillow's EDGE_ENHANCE_MORE", nick = "edge-enhance-more")]
    EdgeEnhanceMore,
    #[enum_value(name = "Pillow's EMBOSS: a relief in grey", nick = "emboss")]
    Emboss,
    #[enum_value(name = "Pillow's FIND_EDGES: bright lines on black", nick = "find-edges")]
    FindEdges,
    #[enum_value(name = "Pillow's SMOOTH, 3 x 3", nick = "smooth")]
    Smooth,
    #[enum_value(name = "Pillow's SMOOTH_MORE, 5 x 5", nick = "smooth-more")]
    SmoothMore,
    #[enum_value(name = "Pillow's SHARPEN", nick = "sharpen")]
    Sharpen,
    #[enum_value(name = "Pillow's GaussianBlur, by radius and radius-y", nick = "gaussian-blur")]
    GaussianBlur,
    #[enum_value(name = "Pillow's BoxBlur, by radius and radius-y", nick = "box-blur")]
    BoxBlur,
    #[enum_value(name = "Pillow's UnsharpMask, by radius, radius-y, percent and threshold", nick = "unsharp-mask")]
    UnsharpMask,
    #[enum_value(name = "Your own, by kernel, scale, offset, kernel-order and rounding", nick = "kernel")]
    Kernel,
    #[enum_value(name = "Pillow's RankFilter, by size and rank", nick = "rank")]
    Rank,
    #[enum_value(name = "Pillow's MedianFilter, by size", nick = "median")]
    Median,
    #[enum_value(name = "Pillow's MinFilter, by size", nick = "min")]
    Min,
    #[enum_value(name = "Pillow's MaxFilter, by size", nick = "max")]
    Max,
    #[enum_value(name = "Pillow's ModeFilter, by size", nick = "mode")]
    Mode,
    #[enum_value(
        name = "Your own WGSL, by shader or shader-location; needs a GPU, were it one in software",
        nick = "shader"
    )]
    Shader,
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
