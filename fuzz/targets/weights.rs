//! Weight files with any content, in each of the supported formats.
#![no_main]

use libfuzzer_sys::fuzz_target;
use style_engine::weights;
use tch::Device;

fuzz_target!(|content: &[u8]| {
    let _ = weights::load(&stylefilter_fuzz::file(content), Device::Cpu);
});
