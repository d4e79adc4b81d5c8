//! The `styletransfer` element.

use gst::glib;
use gst::prelude::*;

mod engine;
mod errors;
mod fade;
mod fading;
mod fields;
mod imp;
mod latency;
mod look;
mod paint;
mod rgba;
mod settings;
mod shown;
mod state;
mod style_image;
mod transform;
mod transparency;

use crate::mask;

glib::wrapper! {
    /// Repaints every frame in the style of an image.
    pub struct StyleTransfer(ObjectSubclass<imp::StyleTransfer>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object,
        @implements gst::Preset;
}

/// Declares the enumeration of a choice for its property.
macro_rules! enumeration {
    ($module:ident, $name:ident, $type:literal, $default:ident, $default_variant:ident, $about:literal;
     $($constant:ident = $number:literal, $variant:ident, $nick:literal, $description:literal;)*) => {
        #[doc = $about]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, glib::Enum)]
        #[enum_type(name = $type)]
        #[repr(i32)]
        pub enum $name {
            $(
                #[doc = concat!($description, ".")]
                #[enum_value(name = $description, nick = $nick)]
                $variant = $number,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$default_variant
            }
        }
    };
}

style_engine_interface::for_each_choice!(enumeration);

/// The `mask-from` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstStyleTransferMaskFrom")]
pub enum MaskFrom {
    #[default]
    #[enum_value(name = "The pad mask if it is linked, else the pictures of the property mask", nick = "auto")]
    Auto,
    #[enum_value(name = "The frame's own alpha, which stays as it is; frames without alpha are opaque", nick = "alpha")]
    Alpha,
    #[enum_value(name = "The people in the frame, found by a built-in network", nick = "person")]
    Person,
}

impl From<MaskFrom> for mask::MaskFrom {
    fn from(from: MaskFrom) -> Self {
        match from {
            MaskFrom::Auto => Self::Auto,
            MaskFrom::Alpha => Self::Alpha,
            MaskFrom::Person => Self::Person,
        }
    }
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "styletransfer", gst::Rank::NONE, StyleTransfer::static_type())
}
