//! The folder with the pictures to paint in the style of.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use serde::Serialize;

use crate::painting;

/// The longest side of a picture that is taken, and the memory that reading it may take, in bytes.
const LONGEST: u32 = 12_000;
const MEMORY: u64 = 512 << 20;

/// The longest side of a picture that is kept; a larger one is made smaller.
const KEPT: u32 = 2048;

/// The longest side of a thumbnail.
const THUMBNAIL: u32 = 256;

/// The pictures of a folder.
pub struct Styles {
    folder: PathBuf,
    /// What was there when last looked.
    found: Mutex<Vec<Style>>,
}

/// A picture, by its file's name; width and height.
#[derive(Clone, Serialize)]
pub struct Style {
    name: String,
    size: (u32, u32),
}

impl Styles {
    /// Those of this folder, which is made, with a painting in it, if there is none.
    pub fn open(folder: PathBuf) -> image::ImageResult<Self> {
        if !folder.exists() {
            const SIZE: (u32, u32) = (640, 480);
            std::fs::create_dir_all(&folder)?;
            let pixels = painting::paint(SIZE.0 as usize, SIZE.1 as usize);
            image::save_buffer(folder.join("wheat field.jpg"), &pixels, SIZE.0, SIZE.1, image::ColorType::Rgb8)?;
        }
        let styles = Self { folder, found: Mutex::default() };
        styles.look();
        Ok(styles)
    }

    /// All, by name, as they were when last looked.
    pub fn all(&self) -> Vec<Style> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks what there is: people may put files there, too.
    pub fn look(&self) {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        let mut styles: Vec<_> = names
            .filter_map(|name| Some(Style { size: image::image_dimensions(self.path(&name)?).ok()?, name }))
            .collect();
        styles.sort_by(|a, b| a.name.cmp(&b.name));
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = styles;
    }

    /// The path of a picture that is there.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let is_name = Path::new(name).file_name().is_some_and(|file| file == name) && !name.starts_with('.');
        Some(self.folder.join(name)).filter(|path| is_name && path.is_file())
    }

    /// Adds a picture from a file's bytes, under a name like `name`; returns its name.
    pub fn add(&self, name: &str, bytes: &[u8]) -> Result<String, String> {
        let picture = read(bytes).map_err(|reason| format!("{name} cannot be used: {reason}"))?;
        let picture =
            if picture.width().max(picture.height()) > KEPT { picture.thumbnail(KEPT, KEPT) } else { picture };
        let stem: String = Path::new(name).file_stem().unwrap_or_default().to_string_lossy().chars().take(60).collect();
        let stem = stem.replace(|c: char| !c.is_alphanumeric() && !"-_ ".contains(c), "-");
        let stem = Some(stem.trim_matches(['-', ' '])).filter(|stem| !stem.is_empty()).unwrap_or("style");
        let names =
            (1..).map(|number| if number == 1 { format!("{stem}.jpg") } else { format!("{stem} {number}.jpg") });
        let free = names.into_iter().find(|name| !self.folder.join(name).exists()).unwrap_or_default();
        let bytes = jpeg(&picture).map_err(|error| error.to_string())?;
        std::fs::write(self.folder.join(&free), bytes).map_err(|error| format!("{free} cannot be written: {error}"))?;
        self.look();
        Ok(free)
    }

    /// Takes one away.
    pub fn delete(&self, name: &str) -> Result<(), String> {
        let path = self.path(name).ok_or_else(|| format!("there is no {name}"))?;
        std::fs::remove_file(path).map_err(|error| format!("{name} cannot be deleted: {error}"))?;
        self.look();
        Ok(())
    }

    /// A small one, as JPEG.
    pub fn thumbnail(&self, name: &str) -> Option<Vec<u8>> {
        let picture = image::open(self.path(name)?).ok()?;
        jpeg(&picture.thumbnail(THUMBNAIL, THUMBNAIL)).ok()
    }
}

fn read(bytes: &[u8]) -> Result<DynamicImage, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    if reader.format().is_none() {
        return Err("it is not a picture (PNG, JPEG, WebP, GIF, BMP or TIFF)".into());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST);
    limits.max_image_height = Some(LONGEST);
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let orientation =
        image::ImageDecoder::orientation(&mut decoder).unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn jpeg(picture: &DynamicImage) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.to_rgb8().write_to(&mut bytes, ImageFormat::Jpeg)?;
    Ok(bytes.into_inner())
}
