//! The tensors of a network, by name: those of a weight file, or of a training.

use std::collections::BTreeMap;

use tch::{Device, Tensor};

use super::checkpoint::{self, Reader};
use super::source::Source;
use super::stored::Stored;
use super::{Reason, WRAPPERS, first_line};

/// The number of names that an error lists.
const LISTED: usize = 6;

/// Named tensors.
pub struct Tensors(Contents);

enum Contents {
    /// In a file, from which they are read when they are needed.
    File(BTreeMap<String, Stored>, Reader),
    /// In memory.
    Memory(BTreeMap<String, Tensor>),
}

impl Tensors {
    /// The tensors in a file. Names are without the parts that wrap a state dict, such as `state_dict` and `module`.
    pub(crate) fn new(file: Box<dyn Source>) -> Result<Self, Reason> {
        let (tensors, reader) = checkpoint::open(file)?;
        let stored = tensors.into_iter().map(|(name, stored)| (unwrapped(&name), stored)).collect();
        Ok(Self(Contents::File(stored, reader)))
    }

    /// Tensors whose gradients a network made from them tracks.
    pub fn of(tensors: BTreeMap<String, Tensor>) -> Self {
        Self(Contents::Memory(tensors))
    }

    /// The shape of a tensor, if there is one of this name.
    pub fn shape(&self, name: &str) -> Option<Vec<i64>> {
        match &self.0 {
            Contents::File(stored, _) => stored.get(name).map(|stored| stored.shape.clone()),
            Contents::Memory(tensors) => tensors.get(name).map(Tensor::size),
        }
    }

    /// The first names, for messages.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = match &self.0 {
            Contents::File(stored, _) => stored.keys().collect(),
            Contents::Memory(tensors) => tensors.keys().collect(),
        };
        let first = names.iter().take(LISTED).map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        match names.len() {
            0 => "it contains no tensors".into(),
            all if all > LISTED => format!("it contains {first} and {} more", all.saturating_sub(LISTED)),
            _ => format!("it contains {first}"),
        }
    }

    /// Reads the tensor of this name and shape, as 32-bit floats. All its numbers must be finite.
    pub fn read(&mut self, name: &str, shape: &[i64], device: Device) -> Result<Tensor, Reason> {
        let missing = || format!("{name} is missing");
        let own = self.shape(name).ok_or_else(missing)?;
        if own != shape {
            return Err(format!("{name} has shape {own:?} instead of {shape:?}"));
        }
        let tensor = match &mut self.0 {
            Contents::File(stored, reader) => {
                let stored = stored.get(name).ok_or_else(missing)?;
                reader.read(stored).map_err(|reason| format!("{name}: {reason}"))?
            }
            Contents::Memory(tensors) => tensors.get(name).ok_or_else(missing)?.shallow_clone(),
        };
        let is_finite =
            tensor.f_isfinite().and_then(|finite| finite.f_all()?.f_int64_value(&[])).map_err(first_line)?;
        if is_finite == 0 {
            return Err(format!("{name}: not all of its numbers are finite"));
        }
        tensor.f_to_device(device).map_err(first_line)
    }
}

/// A name without what wraps the state dict. DataParallel inserts "module" at any position.
fn unwrapped(name: &str) -> String {
    let parts = name.split('.').filter(|&part| part != "module");
    parts.skip_while(|part| WRAPPERS.contains(part)).collect::<Vec<_>>().join(".")
}
