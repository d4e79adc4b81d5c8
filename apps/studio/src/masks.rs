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

    /// Stores an uploaded picture as a gray PNG file under a free name, which is returned. A PNG file with a palette of
    /// colors stays as it is, since its indices can divide frames among styles.
    pub fn add(&self, bytes: &[u8]) -> Result<String, String> {
        let mask = picture::decode_mask(Cursor::new(bytes));
        let mask = mask.map_err(|reason| format!("the mask cannot be used: {reason}"))?;
        fs::create_dir_all(&self.folder)
            .map_err(|error| format!("cannot create {}: {error}", self.folder.display()))?;
        let name = uploads::free_name(&self.folder, "mask", "png");
        let path = self.folder.join(&name);
        let failed = |error: &dyn std::fmt::Display| format!("cannot write {name}: {error}");
        fs::write(&path, bytes).map_err(|error| failed(&error))?;
        if !picture::read_indices(&path).is_ok_and(|indices| indices.is_some()) {
            let mask = uploads::shrunk(DynamicImage::from(mask)).to_luma8();
            mask.save(&path).map_err(|error| failed(&error))?;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG file of two pixels with a palette.
    fn paletted(palette: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_palette(palette);
        encoder.write_header().unwrap().write_image_data(&[0, 1]).unwrap();
        bytes
    }

    #[test]
    fn a_mask_is_gray_unless_it_has_a_palette_of_colors() {
        let folder = std::env::temp_dir().join(format!("masks-{}", std::process::id()));
        let masks = Masks::open(folder.clone());
        let stored = |bytes: &[u8]| fs::read(masks.path(&masks.add(bytes).unwrap()).unwrap()).unwrap();
        let colors = paletted(&[200, 0, 0, 0, 200, 0]);
        assert_eq!(stored(&colors), colors);
        let gray = stored(&paletted(&[0, 0, 0, 90, 90, 90]));
        assert_eq!(
            image::load_from_memory(&gray).unwrap(),
            DynamicImage::from(image::GrayImage::from_vec(2, 1, vec![0, 90]).unwrap())
        );
        assert!(masks.add(&colors[..40]).unwrap_err().contains("cannot be used"));
        fs::remove_dir_all(folder).unwrap();
    }
}
