//! Files in the studio's folders: names that pages send, and uploaded pictures.

use std::path::{Path, PathBuf};

use image::DynamicImage;

/// The maximum width and height of a stored picture; a larger one is scaled down.
const MAX_STORED_SIDE: u32 = 2048;

/// The path of a file in a folder, if it exists. A name with a folder in it, or of a hidden file, is refused.
pub fn path(folder: &Path, name: &str) -> Option<PathBuf> {
    let is_name = Path::new(name).file_name().is_some_and(|file| file == name) && !name.starts_with('.');
    Some(folder.join(name)).filter(|path| is_name && path.is_file())
}

/// A name that no file in a folder has: `stem.extension`, or the same with a number.
pub fn free_name(folder: &Path, stem: &str, extension: &str) -> String {
    let name = |number: u32| match number {
        1 => format!("{stem}.{extension}"),
        _ => format!("{stem} {number}.{extension}"),
    };
    (1..).map(name).find(|name| !folder.join(name).exists()).unwrap_or_default()
}

/// A picture, not larger than it is stored.
pub fn shrunk(picture: DynamicImage) -> DynamicImage {
    let is_large = picture.width().max(picture.height()) > MAX_STORED_SIDE;
    if is_large { picture.thumbnail(MAX_STORED_SIDE, MAX_STORED_SIDE) } else { picture }
}
