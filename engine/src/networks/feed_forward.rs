//! Networks that paint a picture in one pass, and how a file is recognized as one.

use std::path::Path;

use tch::{Device, Tensor};

use super::fast_neural_style::FastNeuralStyle;
use super::layers::Read;
use super::resnet_generator::ResnetGenerator;
use super::torch_script::TorchScript;
use super::unet_generator::UnetGenerator;
use crate::normalization::Input;
use crate::weights::{Reason, Tensors};
use crate::{Error, Result, weights};

/// A network that paints a picture in one pass.
pub trait FeedForward {
    /// The network in words.
    fn name(&self) -> String;

    /// What the network was trained with, as far as that is known. Its result has the same form.
    fn input(&self) -> Input;

    /// The painted picture, `(1, 3, H, W)`, like `picture`.
    fn apply(&self, picture: &Tensor) -> Result<Tensor>;
}

/// A kind of network.
pub(crate) struct Kind {
    /// Whose networks they are.
    pub name: &'static str,
    /// Whether the tensors are those of such a network.
    pub recognizes: fn(&Tensors) -> bool,
    /// Reads a network.
    pub read: fn(&mut Tensors, Device) -> Read<Box<dyn FeedForward>>,
}

/// All kinds whose files contain tensors only.
const KINDS: [Kind; 3] = [FastNeuralStyle::KIND, ResnetGenerator::KIND, UnetGenerator::KIND];

/// Opens a network's file. If it is a TorchScript module, its program will run.
pub(crate) fn open(path: &Path, device: Device) -> Result<Box<dyn FeedForward>> {
    if weights::is_torch_script(path) {
        return Ok(Box::new(TorchScript::open(path, device)?));
    }
    let mut tensors = weights::open(path)?;
    let network = match KINDS.iter().find(|kind| (kind.recognizes)(&tensors)) {
        Some(kind) => (kind.read)(&mut tensors, device),
        None => Err(unknown(&tensors)),
    };
    network.map_err(|reason| Error::Model { path: path.to_owned(), reason })
}

fn unknown(tensors: &Tensors) -> Reason {
    let kinds = KINDS.map(|kind| kind.name).join(", ");
    format!("not a network of a known kind ({kinds}, TorchScript modules): {}", tensors.names())
}
