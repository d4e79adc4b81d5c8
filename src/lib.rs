//! `stylefilter`: GStreamer elements that filter and repaint live video.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]
#![allow(missing_docs, reason = "plugin_define! makes public items without documentation")]

use gst::glib;

mod backend;
mod convfilter;
mod cpu;
mod element;
mod filters;
mod formats;
mod gpu;
mod guard;
mod layout;
mod mask;
mod paths;
mod recent;
mod styletransfer;
mod sync;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    let registered = guard::caught(|| convfilter::register(plugin).and_then(|()| styletransfer::register(plugin)));
    registered.map_err(|message| glib::bool_error!("{message}"))?
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
