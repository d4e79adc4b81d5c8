//! The kinds of networks that paint a picture in one pass. A new kind is one file and one row here.

use std::path::Path;

use tch::Device;

use super::fast_neural_style::FastNeuralStyle;
use super::feed_forward::{FeedForward, Kind};
use super::resnet_generator::ResnetGenerator;
use super::shipped;
use super::torch_script::TorchScript;
use super::unet_generator::UnetGenerator;
use crate::weights::{Reason, Tensors};
use crate::{Error, Result, weights};

/// All kinds whose files contain tensors only.
const KINDS: [Kind; 3] = [FastNeuralStyle::KIND, ResnetGenerator::KIND, UnetGenerator::KIND];

/// Opens a network that comes with the engine, by its name, or a file. If that is a TorchScript module, its program will run.
pub(crate) fn open(path: &Path, device: Device) -> Result<Box<dyn FeedForward>> {
    let shipped = shipped::find(path);
    if shipped.is_none() && weights::is_torch_script(path) {
        return Ok(Box::new(TorchScript::open(path, device)?));
    }
    let mut tensors = match shipped {
        Some(file) => weights::open_embedded(file, path)?,
        None => weights::open(path)?,
    };
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
