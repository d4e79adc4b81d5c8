//! Any properties of convfilter, and frames with any caps and layout, on the CPU.
#![no_main]

use gst::prelude::*;
use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let element = stylefilter_fuzz::element("convfilter");
    element.set_property_from_str("backend", "cpu");
    let mut input = Unstructured::new(bytes);
    // An error only means that the input ended early.
    let _ = stylefilter_fuzz::set_properties(&element, &["backend"], &mut input)
        .and_then(|()| stylefilter_fuzz::frames(&element, &mut input));
    element.set_state(gst::State::Null).expect("the element stops");
});
