//! What the programs that train networks share.

pub mod options;
pub mod picture;
pub mod pictures;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use style_engine::device;
use tch::{Device, Kind};

/// The result of what may fail; a program ends with the error's message.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// The number format for networks that are not trained themselves. On the CPU always f32: the engine's preferred one there
/// depends on a measurement, but the same seed must give the same network.
pub fn reproducible_kind(device: Device) -> Kind {
    if device == Device::Cpu { Kind::Float } else { device::preferred_kind(device) }
}

/// Writes a file beside its place, then moves it there: a program that is stopped leaves the old one.
pub fn replace(path: &Path, write: impl FnOnce(&Path) -> Outcome<()>) -> Outcome<()> {
    let mut draft = OsString::from(path);
    draft.push(".unfinished");
    write(draft.as_ref())?;
    Ok(fs::rename(&draft, path)?)
}
