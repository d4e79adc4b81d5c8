//! The `styletransfer` element.

use gst::glib;
use gst::prelude::*;
use style_engine_interface::warm_start;

mod engine;
mod imp;
mod rgba;
mod style_image;

glib::wrapper! {
    /// Every frame repainted in the style of an image.
    pub struct StyleTransfer(ObjectSubclass<imp::StyleTransfer>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object;
}

/// The `warm-start` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstStyleTransferWarmStart")]
#[repr(i32)]
pub enum WarmStart {
    #[enum_value(name = "Each frame starts from its own content", nick = "none")]
    None = warm_start::NONE as i32,
    #[default]
    #[enum_value(name = "Each frame starts from its own content under the last result's paint", nick = "previous")]
    Previous = warm_start::PREVIOUS as i32,
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "styletransfer", gst::Rank::NONE, StyleTransfer::static_type())
}
