//! Texts for `shader`: WGSL that is none, and some that is.
#![no_main]

use gst::prelude::*;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let element = stylefilter_fuzz::element("convfilter");
    element.set_property_from_str("filter", "shader");
    element.set_property("shader", stylefilter_fuzz::text(text));
    // It reads the text before it finds that it needs a GPU. Drivers' own compilers are not what is tried here.
    element.set_property_from_str("backend", "cpu");
    stylefilter_fuzz::starts(&element);
});
