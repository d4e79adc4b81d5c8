//! The built-in network, for users without a weight file: VGG19 up to conv3_1 with fewer channels, distilled from VGG19
//! by `tools/src/bin/distill`. docs/built-in-network.md explains how it was made.

use tch::Device;

use crate::Result;
use crate::networks::vgg::{Dream, Vgg};
use crate::weights;

/// Safetensors in 16 bits. Their metadata names their origin.
static FILE: &[u8] = include_bytes!("../../weights/built-in.safetensors");

/// Plumes. All channels together give a garish green and magenta.
const DREAM: Dream = Dream { layer: "conv3_1", channels: &[1, 6] };

/// The built-in network.
pub fn network(device: Device) -> Result<Vgg> {
    Ok(Vgg { dream: Some(DREAM), ..weights::embedded(FILE, "of the built-in network", device)? })
}
