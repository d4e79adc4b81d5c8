//! The folder with the style pictures.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use image::{DynamicImage, ImageFormat};
use serde::Serialize;

use crate::settings::Share;
use crate::uploads;

/// The longer side of a thumbnail.
const THUMBNAIL: u32 = 256;

/// The pictures in a folder.
pub struct Styles {
    folder: PathBuf,
    /// The pictures at the last scan.
    found: Mutex<Vec<Style>>,
    /// The first file at the last scan that cannot be used, and the reason.
    unusable: Mutex<Option<String>>,
}

/// A picture: its file's name, its width and height.
#[derive(Clone, Serialize)]
pub struct Style {
    name: String,
    size: (u32, u32),
}

impl Styles {
    /// Opens a folder. If it does not exist, it is created with one painting in it.
    pub fn open(folder: PathBuf) -> image::ImageResult<Self> {
        if !folder.exists() {
            const SIZE: (u32, u32) = (640, 480);
            std::fs::create_dir_all(&folder)?;
            let pixels = painting::paint(SIZE.0 as usize, SIZE.1 as usize);
            image::save_buffer(folder.join("wheat field.jpg"), &pixels, SIZE.0, SIZE.1, image::ColorType::Rgb8)?;
        }
        let styles = Self { folder, found: Mutex::default(), unusable: Mutex::default() };
        styles.rescan();
        Ok(styles)
    }

    /// All pictures at the last scan, sorted by name.
    pub fn all(&self) -> Vec<Style> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A file of the folder that cannot be used, and the reason.
    pub fn unusable(&self) -> Option<String> {
        self.unusable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the folder again: users may put files into it themselves.
    pub fn rescan(&self) {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut names: Vec<_> = files.map(|file| file.file_name()).collect();
        names.sort();
        let (mut styles, mut unusable) = (Vec::new(), None);
        for name in names {
            let Some(path) = name.to_str().map_or(Some(self.folder.join(&name)), |name| self.path(name)) else {
                continue;
            };
            let size = image::image_dimensions(&path).map_err(|_| reason(&path));
            let style = name.clone().into_string().map_err(|_| "its name is not UTF-8".to_owned());
            match style.and_then(|name| Ok(Style { name, size: size? })) {
                Ok(style) => styles.push(style),
                Err(reason) => {
                    unusable.get_or_insert(format!("{} is not used: {reason}", name.to_string_lossy()));
                }
            }
        }
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = styles;
        *self.unusable.lock().unwrap_or_else(PoisonError::into_inner) = unusable;
    }

    /// The path of a picture, if it exists.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        uploads::path(&self.folder, name)
    }

    /// The paths of some pictures, as the element takes them.
    pub fn paths(&self, styles: &[Share]) -> Result<String, String> {
        let path = |Share { name, share }: &Share| {
            if !share.is_finite() || *share <= 0.0 {
                return Err(format!("the share of {name} must be more than 0"));
            }
            let path = self.path(name).ok_or_else(|| format!("no such style: {name}"))?.display().to_string();
            // Not escaped: if the whole text is the path of a file, the element does not split it at commas.
            match styles.len() > 1 && path.contains(',') {
                true => Err(format!("{path} cannot be mixed with other styles, since its path has a comma")),
                false => Ok(path),
            }
        };
        Ok(styles.iter().map(path).collect::<Result<Vec<_>, _>>()?.join(","))
    }

    /// Stores an uploaded picture as JPEG under a free name similar to `name`, which is returned.
    pub fn add(&self, name: &str, bytes: &[u8]) -> Result<String, String> {
        let picture =
            picture::decode(Cursor::new(bytes)).map_err(|reason| format!("{name} cannot be used: {reason}"))?;
        let picture = uploads::shrunk(DynamicImage::from(picture));
        let stem: String = Path::new(name).file_stem().unwrap_or_default().to_string_lossy().chars().take(60).collect();
        let stem = stem.replace(|c: char| !c.is_alphanumeric() && !"-_ ".contains(c), "-");
        let stem = Some(stem.trim_matches(['-', ' '])).filter(|stem| !stem.is_empty()).unwrap_or("style");
        let free = uploads::free_name(&self.folder, stem, "jpg");
        let bytes = jpeg(&picture).map_err(|error| error.to_string())?;
        std::fs::write(self.folder.join(&free), bytes).map_err(|error| format!("cannot write {free}: {error}"))?;
        self.rescan();
        Ok(free)
    }

    /// Deletes a picture.
    pub fn delete(&self, name: &str) -> Result<(), String> {
        let path = self.path(name).ok_or_else(|| format!("no such style: {name}"))?;
        std::fs::remove_file(path).map_err(|error| format!("cannot delete {name}: {error}"))?;
        self.rescan();
        Ok(())
    }

    /// A picture's thumbnail, as JPEG.
    pub fn thumbnail(&self, name: &str) -> Option<Vec<u8>> {
        let picture = DynamicImage::from(picture::read(&self.path(name)?).ok()?);
        jpeg(&picture.thumbnail(THUMBNAIL, THUMBNAIL)).ok()
    }
}

/// Why a file cannot be a style.
fn reason(path: &Path) -> String {
    picture::read(path).map_or_else(|error| error.to_string(), |_| "it has no size".into())
}

fn jpeg(picture: &DynamicImage) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.to_rgb8().write_to(&mut bytes, ImageFormat::Jpeg)?;
    Ok(bytes.into_inner())
}
