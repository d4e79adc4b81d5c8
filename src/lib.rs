//! `stylefilter`: GStreamer elements that filter and repaint live video.

#![allow(missing_docs, reason = "plugin_define! makes public items without documentation")]

use gst::glib;

mod backend;
mod convfilter;
mod cpu;
mod filters;
mod frame;
mod gpu;
mod styletransfer;
mod sync;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    convfilter::register(plugin)?;
    styletransfer::register(plugin)
}

gst::plugin_define!(
    stylefilter,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
    "MIT/X11",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    "Unknown package origin",
    env!("BUILD_REL_DATE")
);
