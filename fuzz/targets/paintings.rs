//! Any properties of styletransfer, and frames with any caps and layout.
#![no_main]

use std::sync::LazyLock;

use gst::prelude::*;
use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;

/// A BMP file of 2x2 pixels.
static STYLE: LazyLock<String> = LazyLock::new(|| {
    let mut picture = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x02\0\0\0\x02\0\0\0\x01\0\x18\0".to_vec();
    picture.extend([0; 24]);
    picture.extend([200, 30, 40, 10, 220, 90, 0, 0, 70, 80, 210, 250, 240, 10, 0, 0]);
    stylefilter_fuzz::file(&picture).to_str().expect("a plain name").to_owned()
});

/// Properties that are not random, since they select the time per frame, the device and files.
const KEPT: [&str; 6] = ["style", "device", "size", "first-iterations", "iterations", "style-scale"];

fuzz_target!(|bytes: &[u8]| {
    let element = stylefilter_fuzz::element("styletransfer");
    element.set_property("style", &*STYLE);
    element.set_property("device", "cpu");
    element.set_property("size", 16);
    element.set_property("first-iterations", 2);
    element.set_property("iterations", 1);
    let mut input = Unstructured::new(bytes);
    // An error only means that the input ended early.
    let _ = stylefilter_fuzz::set_properties(&element, &KEPT, &mut input)
        .and_then(|()| stylefilter_fuzz::frames(&element, &mut input));
    element.set_state(gst::State::Null).expect("the element stops");
});
