//! Networks written to weight files.

use std::path::Path;

use crate::Result;
use crate::vgg::Vgg;

/// Writes a network as safetensors, in its own precision, its tensors named as torchvision names them; [`super::load`] reads
/// it back as one that takes [`crate::input::Input::ImageNet`].
pub fn save(network: &Vgg, path: &Path) -> Result<()> {
    let mut tensors = Vec::new();
    for (index, conv) in network.convs.iter().enumerate() {
        let name = format!("features.{}", 2 * index + conv.layer.block - 1);
        tensors.push((format!("{name}.weight"), conv.weight.f_contiguous()?));
        tensors.push((format!("{name}.bias"), conv.bias.shallow_clone()));
    }
    Ok(tch::Tensor::write_safetensors(&tensors, path)?)
}
