//! Files in JSON.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads a file; None if it does not exist.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, String> {
    let of_file = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| of_file(&error)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(of_file(&error)),
    }
}

/// Writes a file. A failure leaves the old file intact.
pub fn write(path: &Path, content: &impl Serialize) -> Result<(), String> {
    let new = path.with_extension("new");
    let bytes = serde_json::to_vec_pretty(content).map_err(|error| error.to_string())?;
    let written = fs::write(&new, bytes).and_then(|()| fs::rename(&new, path));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}
