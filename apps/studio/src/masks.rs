//! The folder with masks: pictures of where an element has an effect.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use image::DynamicImage;

use crate::uploads;

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
        uploads::path(&self.folder, name)
    }

    /// Stores an uploaded picture as a gray PNG file under a free name, which is returned.
    pub fn add(&self, bytes: &[u8]) -> Result<String, String> {
        let mask = picture::decode_mask(Cursor::new(bytes));
        let mask = mask.map_err(|reason| format!("the mask cannot be used: {reason}"))?;
        fs::create_dir_all(&self.folder)
            .map_err(|error| format!("cannot create {}: {error}", self.folder.display()))?;
        let name = uploads::free_name(&self.folder, "mask", "png");
        let mask = uploads::shrunk(DynamicImage::from(mask)).to_luma8();
        mask.save(self.folder.join(&name)).map_err(|error| format!("cannot write {name}: {error}"))?;
        Ok(name)
    }

    /// Deletes a mask.
    pub fn delete(&self, name: &str) {
        if let Some(path) = self.path(name) {
            // A mask that stays takes a little space only.
            let _ = fs::remove_file(path);
        }
    }
}
