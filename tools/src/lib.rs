//! What the programs that train networks share.

pub mod options;
pub mod picture;
pub mod pictures;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// The result of what may fail; a program ends with the error's message.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Writes a file beside its place, then moves it there: a program that is stopped leaves the old one.
pub fn replace(path: &Path, write: impl FnOnce(&Path) -> Outcome<()>) -> Outcome<()> {
    let mut draft = OsString::from(path);
    draft.push(".unfinished");
    write(draft.as_ref())?;
    Ok(fs::rename(&draft, path)?)
}
