//! Writes networks to weight files.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use tch::{Kind, TchError, Tensor};

use crate::Result;
use crate::networks::vgg::{FeatureLayer, Vgg};

/// Writes a network as safetensors, in its own precision, with torchvision's names. [`super::load`] reads it as a
/// network with [`crate::normalization::Input::ImageNet`]. The file's metadata contain the `provenance`, if given.
pub fn save(network: &Vgg, path: &Path, provenance: Option<&str>) -> Result<()> {
    let mut tensors = Vec::new();
    for conv in &network.convs {
        let name = format!("features.{}", network.index(FeatureLayer { conv: conv.layer, rectified: false }));
        tensors.push((format!("{name}.weight"), conv.weight.shallow_clone()));
        tensors.push((format!("{name}.bias"), conv.bias.shallow_clone()));
    }
    save_tensors(&tensors, path, provenance)
}

/// Writes tensors as safetensors, each in its own precision. The file's metadata contain the `provenance`, if given.
pub fn save_tensors(tensors: &[(String, Tensor)], path: &Path, provenance: Option<&str>) -> Result<()> {
    let mut bytes = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        bytes.push((name, TensorBytes::new(tensor)?));
    }
    let failed = |err| TchError::SafeTensorError { path: path.display().to_string(), err };
    let views = bytes.iter().map(|(name, tensor)| Ok((name, tensor.view()?)));
    let views = views.collect::<std::result::Result<Vec<_>, _>>().map_err(failed)?;
    let metadata = provenance.map(|text| HashMap::from([("provenance".to_owned(), text.to_owned())]));
    Ok(serialize_to_file(views, &metadata, path).map_err(failed)?)
}

/// A tensor's bytes.
struct TensorBytes {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl TensorBytes {
    fn new(tensor: &Tensor) -> Result<Self> {
        let (dtype, kind) = match tensor.kind() {
            Kind::Half => (Dtype::F16, Kind::Half),
            Kind::BFloat16 => (Dtype::BF16, Kind::BFloat16),
            _ => (Dtype::F32, Kind::Float),
        };
        let tensor = tensor.f_to_device(tch::Device::Cpu)?.f_to_kind(kind)?.f_contiguous()?;
        let mut bytes = vec![0; tensor.numel().saturating_mul(kind.elt_size_in_bytes())];
        tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
        Ok(Self { dtype, shape: tensor.size().into_iter().map(|side| side as usize).collect(), bytes })
    }

    fn view(&self) -> std::result::Result<TensorView<'_>, safetensors::SafeTensorError> {
        TensorView::new(self.dtype, self.shape.clone(), &self.bytes)
    }
}
