//! Reads networks from weight files, in every format in which PyTorch, tch and safetensors have stored VGG.
//!
//! The format is detected from the content, not from the file's name. No code in a file is run here, and only the
//! tensors that the network needs are read, without the classifier's 400 MB.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod checkpoint;
mod find;
mod fold;
mod layers;
mod pickle;
mod safetensors;
mod save;
mod source;
mod stored;
mod tensors;
mod torch_objects;
mod torch_stream;
mod torch_zip;

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;

use tch::{Device, TchError};

use crate::networks::vgg::Vgg;
use crate::normalization::Input;
use crate::{Error, Result};
use layers::ConvTensors;
use source::Source;

pub use find::{find, find_in};
pub use save::{save, save_tensors};
pub use tensors::Tensors;

/// Parts of the names of files that contain Caffe's weights under torchvision's names (J. Johnson's vgg19-d01eb7cb.pth
/// and vgg16-00b39a1b.pth, which neural-style-pt uses). Their content cannot be distinguished.
const CAFFE_FILES: [&str; 2] = ["d01eb7cb", "00b39a1b"];

/// The cause of an error; [`load`] and [`open`] add the file.
pub(crate) type Reason = String;

/// Parts that may precede the names of a network's tensors if a file wraps its state dict.
const WRAPPERS: [&str; 7] = ["model", "model_state_dict", "net", "network", "state_dict", "vgg", "weights"];

/// Reads a network. Depth and channels follow from the tensors; other tensors, such as the classifier's, are ignored.
///
/// The file must be safetensors, a state dict from any version of `torch.save` (`.pth`), TorchScript, or tch's `.ot`.
/// Its tensors must be named as in torchvision, `features.N.weight`, with or without batch normalization, or as in
/// Gatys' files, `conv1_1.weight`.
pub fn load(path: &Path, device: Device) -> Result<Vgg> {
    match file(path) {
        Ok(file) => network(Box::new(file), path, device),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::NotFound(path.to_owned())),
        Err(error) => Err(Error::Unreadable { path: path.to_owned(), reason: error.to_string() }),
    }
}

/// The tensors of a file of any of these formats.
pub fn open(path: &Path) -> Result<Tensors> {
    match file(path) {
        Ok(file) => Tensors::new(Box::new(file)).map_err(|reason| Error::Model { path: path.to_owned(), reason }),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::ModelNotFound(path.to_owned())),
        Err(error) => Err(Error::Model { path: path.to_owned(), reason: error.to_string() }),
    }
}

/// The tensors of the bytes of such a file called `name`.
pub(crate) fn open_embedded(bytes: &'static [u8], name: &Path) -> Result<Tensors> {
    let unreadable = |reason| Error::Model { path: name.to_owned(), reason };
    Tensors::new(Box::new(Cursor::new(bytes))).map_err(unreadable)
}

/// Whether a file is a TorchScript module, which has a program beside its tensors. [`load`] reads such a file without
/// running the program.
pub fn is_torch_script(path: &Path) -> bool {
    let Ok(mut file) = file(path) else { return false };
    let mut head = [0; 4];
    file.read_exact(&mut head).is_ok() && torch_zip::is(&head) && torch_zip::has_code(Box::new(file))
}

/// Opens a regular file.
fn file(path: &Path) -> io::Result<File> {
    match path.metadata()? {
        metadata if metadata.is_file() => File::open(path),
        metadata if metadata.is_dir() => Err(io::Error::other("it is a folder; name a file in it")),
        _ => Err(io::Error::other("it is not a regular file")),
    }
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

/// libtorch's message, without the stack trace.
fn first_line(error: TchError) -> Reason {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
