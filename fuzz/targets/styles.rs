//! Files for `style`: invalid and valid pictures.
#![no_main]

use gst::prelude::*;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let element = stylefilter_fuzz::element("styletransfer");
    let style = stylefilter_fuzz::file(content);
    element.set_property("style", style.to_str().expect("a plain name"));
    element.set_property("size", 16);
    stylefilter_fuzz::starts(&element);
    element.set_state(gst::State::Null).expect("the element stops");
});
