//! The style images' files, and their shares.

use std::io;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, RgbaImage};

/// Why a style image could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StyleError {
    /// No path was given.
    #[error("style is not set; give the path of a picture, as in style=painting.jpg")]
    NotSet,
    /// The shares cannot be read, or are not as many as the pictures.
    #[error(
        "style-blend=\"{blend}\": {reason}; give a share for each style, as in style=a.jpg,b.jpg style-blend=0.7,0.3"
    )]
    Blend {
        /// As it was set.
        blend: String,
        /// What is wrong.
        reason: String,
    },
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

/// Reads style images, whose paths are parted by commas, with their shares, which `blend` gives in the same way; without
/// it they are equal.
pub fn read_all(paths: &str, blend: &str) -> Result<Vec<(RgbaImage, f64)>, StyleError> {
    // A comma may be part of a single file's name.
    let paths = if Path::new(paths).exists() { vec![paths] } else { listed(paths) };
    if paths.is_empty() {
        return Err(StyleError::NotSet);
    }
    let shares = shares(blend, paths.len()).map_err(|reason| StyleError::Blend { blend: blend.to_owned(), reason })?;
    paths.into_iter().zip(shares).map(|(path, share)| Ok((read(Path::new(path))?, share))).collect()
}

fn listed(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn shares(blend: &str, count: usize) -> Result<Vec<f64>, String> {
    let share = |text: &str| match text.parse::<f64>() {
        Ok(share) if share.is_finite() && share >= 0.0 => Ok(share),
        _ => Err(format!("'{text}' is no share")),
    };
    let shares = listed(blend).into_iter().map(share).collect::<Result<Vec<_>, _>>()?;
    match shares.len() {
        0 => Ok(vec![1.0; count]),
        given if given != count => Err(format!("{given} shares for {count} styles")),
        _ if shares.iter().sum::<f64>() <= 0.0 => Err("the shares are all 0".into()),
        _ => Ok(shares),
    }
}

/// Reads a picture, turned upright as its camera says.
fn read(path: &Path) -> Result<RgbaImage, StyleError> {
    let open_error = |error| StyleError::Open { path: path.to_owned(), error };
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(open_error)?;
    decode(reader).map(DynamicImage::into_rgba8).map_err(|error| match error {
        ImageError::IoError(error) if error.kind() == io::ErrorKind::IsADirectory => open_error(error),
        error => StyleError::NotAPicture { path: path.to_owned(), error },
    })
}

fn decode(reader: ImageReader<io::BufReader<std::fs::File>>) -> Result<DynamicImage, ImageError> {
    let mut decoder = reader.into_decoder()?;
    // What a file claims may be more than there is memory.
    Limits::default().reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}
