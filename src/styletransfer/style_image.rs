//! The files of style pictures, and their weights.

use std::path::{Path, PathBuf};

use image::RgbaImage;
use picture::PictureError;

use super::settings::Settings;
use crate::paths::{listed, parts};

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
    /// The file cannot be used.
    #[error("style {}: {error}", .path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: PictureError,
    },
}

/// The style pictures that are set, with their weights; there may be none beside a model, and for a dream without a guide.
pub fn read_styles(settings: &Settings) -> Result<Vec<(RgbaImage, f64)>, StyleError> {
    if settings.style.is_empty() && !settings.needs_style() {
        return Ok(Vec::new());
    }
    read_all(&settings.style, &settings.style_blend)
}

/// Reads style pictures from `paths`, which commas separate, and their weights from `blend`, which has one for each
/// picture; if it is empty, they are equal.
fn read_all(paths: &str, blend: &str) -> Result<Vec<(RgbaImage, f64)>, StyleError> {
    let paths = listed(paths);
    if paths.is_empty() {
        return Err(StyleError::NotSet);
    }
    let weights =
        weights(blend, paths.len()).map_err(|reason| StyleError::Blend { blend: blend.to_owned(), reason })?;
    paths.into_iter().zip(weights).map(|(path, weight)| Ok((read(Path::new(path))?, weight))).collect()
}

fn weights(blend: &str, count: usize) -> Result<Vec<f64>, String> {
    let weight = |text: &str| match text.parse::<f64>() {
        Ok(weight) if weight.is_finite() && weight >= 0.0 => Ok(weight),
        _ => Err(format!("'{text}' is not a weight of at least 0")),
    };
    let weights = parts(blend).into_iter().map(weight).collect::<Result<Vec<_>, _>>()?;
    match weights.len() {
        0 => Ok(vec![1.0; count]),
        given if given != count => Err(format!("{given} weights for {count} styles")),
        _ if weights.iter().sum::<f64>() <= 0.0 => Err("all weights are 0".into()),
        _ => Ok(weights),
    }
}

fn read(path: &Path) -> Result<RgbaImage, StyleError> {
    picture::read(path).map_err(|error| StyleError::Picture { path: path.to_owned(), error })
}
