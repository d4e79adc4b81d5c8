//! OSC packets with any content: the studio reads or ignores them.

#![no_main]

#[path = "../../apps/studio/src/control/osc.rs"]
#[allow(dead_code, reason = "the socket is not fuzzed")]
mod osc;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: &[u8]| {
    osc::read(packet, &mut |address, number| assert!(address.starts_with('/') && number.is_finite()));
});
