//! Texts for `kernel`. A text that starts with `!` is for `chain`.
#![no_main]

use gst::prelude::*;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let text = stylefilter_fuzz::text(text);
    let element = stylefilter_fuzz::element("convfilter");
    element.set_property_from_str("backend", "cpu");
    match text.strip_prefix('!') {
        Some(chain) => element.set_property("chain", chain),
        None => {
            element.set_property_from_str("filter", "kernel");
            element.set_property("kernel", text);
        }
    }
    stylefilter_fuzz::starts(&element);
    element.set_state(gst::State::Null).expect("the element stops");
});
