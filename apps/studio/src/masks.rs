//! The folder with masks: pictures of where an element has an effect.

use std::fs;
use std::path::PathBuf;

use image::DynamicImage;

use crate::names;

/// The maximum width and height of a stored mask; a larger one is scaled down.
const MAX_STORED_SIDE: u32 = 2048;

/// The masks in a folder.
pub struct Masks {
    folder: PathBuf,
}

impl Masks {
    /// Opens a folder. It is created with the first mask.
    pub fn open(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The path of a mask, if it exists.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        names::path(&self.folder, name)
    }

    /// Stores an uploaded picture as a gray PNG file under a free name, which is returned.
    pub fn add(&self, bytes: &[u8]) -> Result<String, String> {
        fs::create_dir_all(&self.folder)
            .map_err(|error| format!("cannot create {}: {error}", self.folder.display()))?;
        let free = (1..).map(|number| format!("mask {number}.png")).find(|name| !self.folder.join(name).exists());
        let name = free.unwrap_or_default();
        let path = self.folder.join(&name);
        let stored = fs::write(&path, bytes)
            .map_err(|error| format!("cannot write {name}: {error}"))
            .and_then(|()| picture::read_mask(&path).map_err(|reason| format!("the mask cannot be used: {reason}")))
            .and_then(|mask| {
                let mask = DynamicImage::from(mask);
                let is_large = mask.width().max(mask.height()) > MAX_STORED_SIDE;
                let mask = if is_large { mask.thumbnail(MAX_STORED_SIDE, MAX_STORED_SIDE) } else { mask };
                mask.to_luma8().save(&path).map_err(|error| format!("cannot write {name}: {error}"))
            });
        if stored.is_err() {
            // A file that was not written need not be removed.
            let _ = fs::remove_file(&path);
        }
        stored.map(|()| name)
    }

    /// Deletes all masks that are not among these names.
    pub fn keep(&self, names: &[&str]) {
        for file in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if !file.file_name().to_str().is_some_and(|name| names.contains(&name)) {
                // A mask that stays takes a little space only.
                let _ = fs::remove_file(file.path());
            }
        }
    }
}
