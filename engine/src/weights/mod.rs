//! Networks from weight files, in every form that PyTorch, tch and safetensors have written VGG in.
//!
//! The form is told by the content, not by the name. No form runs code, and only the tensors that the network needs are
//! read: the classifier's 400 MB stay on disk.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod checkpoint;
mod find;
mod fold;
mod layers;
mod pickle;
mod safetensors;
mod save;
mod stored;
mod torch_objects;
mod torch_stream;
mod torch_zip;

use std::fs::File;
use std::io::{Cursor, ErrorKind};
use std::path::Path;

use tch::{Device, TchError};

use crate::networks::vgg::Vgg;
use crate::normalization::Input;
use crate::{Error, Result};
use checkpoint::Source;
use layers::ConvTensors;

pub use find::{find, find_in};
pub use save::save;

/// Parts of the names of files that hold Caffe's weights under torchvision's names (J. Johnson's vgg19-d01eb7cb.pth and
/// vgg16-00b39a1b.pth, which neural-style-pt uses): nothing in them tells.
const CAFFE_FILES: [&str; 2] = ["d01eb7cb", "00b39a1b"];

/// What stands in the way, in a few words; [`load`] says of which file.
type Reason = String;

/// Reads a network. Depth and channels are read off the tensors; others, such as the classifier's, are passed over.
///
/// The file is safetensors, a state dict that `torch.save` wrote (`.pth`, of any version), TorchScript, or tch's `.ot`.
/// Its tensors are named as torchvision names them, `features.N.weight`, with batch normalisation or without, or as
/// Gatys et al. do, `conv1_1.weight`.
pub fn load(path: &Path, device: Device) -> Result<Vgg> {
    let unreadable = |reason| Error::Unreadable { path: path.to_owned(), reason };
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => {}
        Ok(metadata) if metadata.is_dir() => return Err(unreadable("it is a folder; name a file in it".into())),
        Ok(_) => return Err(unreadable("it is not a regular file".into())),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Error::NotFound(path.to_owned())),
        Err(error) => return Err(unreadable(error.to_string())),
    }
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    network(Box::new(file), path, device)
}

/// Reads a network from the bytes of a weight file called `name`.
pub(crate) fn embedded(bytes: &'static [u8], name: &str, device: Device) -> Result<Vgg> {
    network(Box::new(Cursor::new(bytes)), Path::new(name), device)
}

fn network(file: Box<dyn Source>, path: &Path, device: Device) -> Result<Vgg> {
    let unreadable = |reason| Error::Unreadable { path: path.to_owned(), reason };
    let not_vgg = |reason| Error::NotVgg { path: path.to_owned(), reason };
    let (tensors, mut reader) = checkpoint::open(file).map_err(unreadable)?;
    let layers = layers::find(&tensors).map_err(not_vgg)?;
    let mut convs = Vec::with_capacity(layers.len());
    for layer in &layers {
        convs.push(fold::read(layer, &mut reader, device).map_err(unreadable)?);
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let is_caffe = layers.iter().any(ConvTensors::is_of_gatys) || CAFFE_FILES.iter().any(|part| file.contains(part));
    Ok(Vgg::new(convs, if is_caffe { Input::Caffe } else { Input::ImageNet }, device))
}

/// libtorch's words, without its stack.
fn in_words(error: TchError) -> Reason {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
