//! Weight files: VGG networks as safetensors, with torchvision's names.

use std::path::Path;

use tch::{Device, Tensor};

use crate::vgg::{Vgg, assemble};
use crate::{Error, Result};

/// Reads a network: `features.N.weight` and `.bias` for each convolution. Depth and channels are read off the
/// tensors; others, such as the classifier's, are passed over.
pub fn load(path: &Path, device: Device) -> Result<Vgg> {
    if !path.is_file() {
        return Err(Error::NotFound(path.to_owned()));
    }
    let tensors = Tensor::read_safetensors(path)
        .map_err(|error| Error::Unreadable { path: path.to_owned(), reason: first_line(&error) })?;
    let convs = pair_up(tensors)
        .and_then(|pairs| assemble(pairs, device))
        .map_err(|reason| Error::NotVgg { path: path.to_owned(), reason })?;
    Vgg::new(convs, device)
}

/// Weights with their biases, by the index in their names, in order.
fn pair_up(tensors: Vec<(String, Tensor)>) -> std::result::Result<Vec<(usize, Tensor, Tensor)>, String> {
    let (mut weights, mut biases) = (Vec::new(), Vec::new());
    for (name, tensor) in tensors {
        let Some((index, part)) = name.strip_prefix("features.").and_then(|name| name.split_once('.')) else {
            continue;
        };
        let index: usize = index.parse().map_err(|_| format!("{name} has no layer number"))?;
        match part {
            "weight" => weights.push((index, tensor)),
            "bias" => biases.push((index, tensor)),
            _ => return Err(format!("{name} belongs to a layer that VGG does not have (batch normalisation?)")),
        }
    }
    weights.sort_by_key(|&(index, _)| index);
    biases.sort_by_key(|&(index, _)| index);
    if weights.is_empty() {
        return Err("it has no tensor named features.N.weight".into());
    }
    if !weights.iter().map(|(index, _)| index).eq(biases.iter().map(|(index, _)| index)) {
        return Err("weights and biases do not pair up".into());
    }
    Ok(weights.into_iter().zip(biases).map(|((index, weight), (_, bias))| (index, weight, bias)).collect())
}

/// Placeholder until the loaders are merged.
pub fn find() -> Option<std::path::PathBuf> {
    std::env::var_os("STYLEFILTER_WEIGHTS").filter(|path| !path.is_empty()).map(Into::into)
}

fn first_line(error: &tch::TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
