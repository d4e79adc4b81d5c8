//! The tensors of a weight file, by name.

use std::collections::BTreeMap;

use tch::{Device, Tensor};

use super::checkpoint::{self, Reader};
use super::source::Source;
use super::stored::Stored;
use super::{Reason, WRAPPERS, first_line};

/// The number of names that an error lists.
const LISTED: usize = 6;

/// A file's tensors, which are read when they are needed.
pub(crate) struct Tensors {
    stored: BTreeMap<String, Stored>,
    reader: Reader,
}

impl Tensors {
    /// The tensors in a file. Names are without the parts that wrap a state dict, such as `state_dict` and `module`.
    pub fn new(file: Box<dyn Source>) -> Result<Self, Reason> {
        let (tensors, reader) = checkpoint::open(file)?;
        let stored = tensors.into_iter().map(|(name, stored)| (unwrapped(&name), stored)).collect();
        Ok(Self { stored, reader })
    }

    /// The shape of a tensor, if there is one of this name.
    pub fn shape(&self, name: &str) -> Option<&[i64]> {
        self.stored.get(name).map(|stored| stored.shape.as_slice())
    }

    /// The first names, for messages.
    pub fn names(&self) -> String {
        let names: Vec<_> = self.stored.keys().take(LISTED).map(String::as_str).collect();
        match self.stored.len() {
            0 => "it contains no tensors".into(),
            all if all > LISTED => format!("it contains {} and {} more", names.join(", "), all.saturating_sub(LISTED)),
            _ => format!("it contains {}", names.join(", ")),
        }
    }

    /// Reads the tensor of this name and shape, as 32-bit floats. All its numbers must be finite.
    pub fn read(&mut self, name: &str, shape: &[i64], device: Device) -> Result<Tensor, Reason> {
        let stored = self.stored.get(name).ok_or_else(|| format!("{name} is missing"))?;
        if stored.shape != shape {
            return Err(format!("{name} has shape {:?} instead of {shape:?}", stored.shape));
        }
        let tensor = self.reader.read(stored).map_err(|reason| format!("{name}: {reason}"))?;
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
