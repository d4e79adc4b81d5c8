//! Properties that list files.

use std::path::Path;

/// The files that `text` lists, separated by commas. A file's name may contain a comma itself.
pub fn listed(text: &str) -> Vec<&str> {
    match Path::new(text).exists() {
        true => vec![text],
        false => parts(text),
    }
}

/// The parts of a text that are separated by commas.
pub fn parts(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect()
}
