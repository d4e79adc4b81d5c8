//! Weight files and models with any content, in each of the supported formats.
#![no_main]

use libfuzzer_sys::fuzz_target;
use style_engine::session::Session;
use style_engine::weights;
use tch::Device;

fuzz_target!(|content: &[u8]| {
    let file = stylefilter_fuzz::file(content);
    let _ = weights::load(&file, Device::Cpu);
    // libtorch would run a TorchScript module, whatever its program does.
    if !weights::is_torch_script(&file) {
        let _ = Session::of_models(&[&file], "cpu");
    }
});
