//! The network for users without a weight file: of VGG19's topology to conv3_1, slim, and distilled from it by
//! `engine/examples/distill.rs`. docs/built-in-network.md tells how it was made.

use tch::Device;

use crate::Result;
use crate::networks::vgg::Vgg;
use crate::weights;

/// Safetensors of 16 bits. Their metadata tell where they are from.
static FILE: &[u8] = include_bytes!("../../weights/built-in.safetensors");

/// The built-in network.
pub fn network(device: Device) -> Result<Vgg> {
    weights::embedded(FILE, "of the built-in network", device)
}
