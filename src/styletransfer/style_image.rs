//! The style image's file.

use std::io;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, RgbaImage};

/// Why a style image could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StyleError {
    /// No path was given.
    #[error("style is not set; give the path of a picture, as in style=painting.jpg")]
    NotSet,
    /// The file cannot be opened.
    #[error("style {}: {error}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The file is no picture that can be read.
    #[error("style {}: not a picture that can be read (PNG, JPEG, WebP, GIF, BMP, TIFF): {error}", .path.display())]
    NotAPicture {
        /// The file.
        path: PathBuf,
        /// The decoder's words.
        error: ImageError,
    },
}

/// Reads a style image, turned upright as its camera says.
pub fn read(path: &str) -> Result<RgbaImage, StyleError> {
    if path.is_empty() {
        return Err(StyleError::NotSet);
    }
    let path = Path::new(path);
    let open_error = |error| StyleError::Open { path: path.to_owned(), error };
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(open_error)?;
    decode(reader).map(DynamicImage::into_rgba8).map_err(|error| match error {
        ImageError::IoError(error) if error.kind() == io::ErrorKind::IsADirectory => open_error(error),
        error => StyleError::NotAPicture { path: path.to_owned(), error },
    })
}

fn decode(reader: ImageReader<io::BufReader<std::fs::File>>) -> Result<DynamicImage, ImageError> {
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}
