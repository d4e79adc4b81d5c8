//! The files of style pictures.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use image::RgbaImage;
use picture::PictureError;

use super::engine::{Rgba, StylePicture};
use super::fade::Share;

/// Why styles cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StyleError {
    /// No path was given.
    #[error(
        "style is not set: set it to the path of a picture, as in style=painting.jpg, or set a model; only recipe=deepdream \
         needs neither"
    )]
    NotSet,
    /// The weights are no numbers, or not one for each picture.
    #[error(
        "style-blend=\"{blend}\": {reason}; it must have a weight for each style, as in style=a.jpg,b.jpg style-blend=0.7,0.3"
    )]
    Blend {
        /// The property.
        blend: String,
        /// The fault.
        reason: String,
    },
    /// The numbers of models and styles do not fit.
    #[error("{models} models do not fit {styles} styles: set a single model, or one for each style")]
    Models {
        /// The number of models.
        models: usize,
        /// The number of styles.
        styles: usize,
    },
    /// The list contradicts itself or other properties.
    #[error("style-list: {0}")]
    List(String),
    /// The file cannot be used.
    #[error("style {}: {error}", .path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: PictureError,
    },
}

/// The style pictures in use.
#[derive(Default)]
pub struct Pictures {
    pictures: Vec<Picture>,
    /// The number of pictures that were read.
    read: u64,
    /// The next one, which a thread reads.
    ahead: Option<(String, JoinHandle<Result<RgbaImage, StyleError>>)>,
}

struct Picture {
    name: String,
    /// Another one for each file that is read.
    id: u64,
    image: RgbaImage,
}

impl Pictures {
    /// Reads the pictures that are not there yet.
    pub fn read(&mut self, shares: &[Share]) -> Result<(), StyleError> {
        for Share { name, .. } in shares {
            if self.pictures.iter().any(|picture| picture.name == *name) {
                continue;
            }
            let image = match self.ahead.take_if(|(ahead, _)| ahead == name) {
                Some((_, thread)) => thread.join().unwrap_or_else(|_| read(name)),
                None => read(name),
            }?;
            self.read = self.read.saturating_add(1);
            self.pictures.push(Picture { name: name.clone(), id: self.read, image });
        }
        Ok(())
    }

    /// Begins to read a picture that will be needed.
    pub fn read_ahead(&mut self, name: &str) {
        let is_there = self.pictures.iter().any(|picture| picture.name == name);
        if is_there || self.ahead.as_ref().is_some_and(|(ahead, _)| ahead == name) {
            return;
        }
        let own = name.to_owned();
        let thread = std::thread::Builder::new().name("style-list".into()).spawn(move || read(&own));
        // Without a thread, it is read when it is needed.
        self.ahead = thread.ok().map(|thread| (name.to_owned(), thread));
    }

    /// Forgets all other pictures.
    pub fn keep(&mut self, shares: &[Share]) {
        self.pictures.retain(|picture| shares.iter().any(|share| share.name == picture.name));
    }

    /// The pictures with their shares, as the engine takes them.
    pub fn shared(&self, shares: &[Share]) -> Vec<StylePicture<'_>> {
        let mut pictures = Vec::with_capacity(shares.len());
        for Share { name, weight, region } in shares {
            if let Some(Picture { id, image, .. }) = self.pictures.iter().find(|picture| picture.name == *name) {
                let (width, height) = image.dimensions();
                let stride = (width as usize).saturating_mul(4);
                let picture = Rgba { data: image, width, height, stride, is_deep: false };
                pictures.push(StylePicture { picture, id: *id, weight: *weight, region: *region });
            }
        }
        pictures
    }
}

fn read(name: &str) -> Result<RgbaImage, StyleError> {
    picture::read(Path::new(name)).map_err(|error| StyleError::Picture { path: name.into(), error })
}
