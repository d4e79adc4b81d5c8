//! Texts for `shader`: invalid and valid WGSL.
#![no_main]

use gst::prelude::*;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let element = stylefilter_fuzz::element("convfilter");
    element.set_property_from_str("filter", "shader");
    element.set_property("shader", stylefilter_fuzz::text(text));
    // On the CPU, the element parses the text, then fails since shaders need a GPU. So drivers' compilers are not
    // tested.
    element.set_property_from_str("backend", "cpu");
    stylefilter_fuzz::starts(&element);
});
