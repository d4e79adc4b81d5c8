//! File names that pages send.

use std::path::{Path, PathBuf};

/// The path of a file in a folder, if it exists. A name with a folder in it, or of a hidden file, is refused.
pub fn path(folder: &Path, name: &str) -> Option<PathBuf> {
    let is_name = Path::new(name).file_name().is_some_and(|file| file == name) && !name.starts_with('.');
    Some(folder.join(name)).filter(|path| is_name && path.is_file())
}
