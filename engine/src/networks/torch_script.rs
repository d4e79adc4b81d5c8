//! TorchScript modules, programs that libtorch runs: any network from a picture to a picture that PyTorch has exported.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use tch::{CModule, Device, Kind, TchError, Tensor};

use super::feed_forward::FeedForward;
use crate::error::tells_of_memory;
use crate::normalization::Input;
use crate::size::{cut, extended, multiples, size_of, stretch};
use crate::{Error, Result};

/// If a module rejects a picture's size, the sides are extended to multiples of these: a network that halves the size
/// several times often takes no others.
const DIVISORS: [i64; 3] = [8, 32, 256];

/// A module.
pub(crate) struct TorchScript {
    module: CModule,
    path: PathBuf,
    /// The sides of pictures are extended to multiples of this: 1, or what a picture has needed so far.
    divisor: Cell<i64>,
}

impl TorchScript {
    /// Loads a module, which may already run parts of its program.
    pub fn open(path: &Path, device: Device) -> Result<Self> {
        let load = || {
            let mut module = CModule::load_on_device(path, device)?;
            module.f_set_eval()?;
            Ok(module)
        };
        let module = load().map_err(|error| Error::Model { path: path.to_owned(), reason: cause(&error) })?;
        Ok(Self { module, path: path.to_owned(), divisor: Cell::new(1) })
    }

    /// The painted picture; for the module, the sides of `picture` are extended to multiples of `divisor`.
    fn paint(&self, picture: &Tensor, divisor: i64) -> Result<Tensor> {
        let size = size_of(picture)?;
        let failed = |reason| Error::ModelFailed { path: self.path.clone(), size, reason };
        // A copy, even if it has the same size: the module may change it.
        let whole = extended(picture, multiples(size, divisor))?;
        let painted = self
            .module
            .forward_ts(&[&whole])
            .map_err(|error| if tells_of_memory(&error.to_string()) { error.into() } else { failed(cause(&error)) })?;
        let [height, width] = size_of(&whole)?;
        match painted.size()[..] {
            // Modules that enlarge pictures do so by whole numbers; any other size would be a guess about the edges.
            [1, 3, h, w] if h > 0 && h % height == 0 && w % width == 0 && h / height == w / width => {
                let painted = painted.f_to_device(picture.device())?.f_to_kind(Kind::Float)?;
                cut(&stretch(&painted, [height, width])?, size)
            }
            ref shape => Err(failed(format!(
                "it gives a tensor of shape {shape:?} instead of [1, 3, {height}, {width}] or a whole multiple of that size"
            ))),
        }
    }
}

impl FeedForward for TorchScript {
    fn name(&self) -> String {
        "TorchScript module".into()
    }

    fn input(&self) -> Input {
        Input::RGB_1
    }

    fn has_precisions(&self) -> bool {
        false
    }

    fn apply(&self, picture: &Tensor) -> Result<Tensor> {
        let has_failed = |painted: &Result<Tensor>| matches!(painted, Err(Error::ModelFailed { .. }));
        let last = self.divisor.get();
        let first = self.paint(picture, last);
        if !has_failed(&first) {
            return first;
        }
        for larger in DIVISORS.into_iter().filter(|&divisor| divisor > last) {
            let painted = self.paint(picture, larger);
            if !has_failed(&painted) {
                self.divisor.set(larger);
                return painted;
            }
        }
        first
    }
}

/// The reason in libtorch's message, which also lists the calls of the program.
fn cause(error: &TchError) -> String {
    let message = match error {
        TchError::Torch(message) => message,
        error => &error.to_string(),
    };
    let lines = || message.lines().map(str::trim).filter(|line| !line.is_empty());
    let exception = lines().rev().find(|line| line.contains("Error: "));
    exception.or(lines().next()).unwrap_or_default().to_owned()
}
