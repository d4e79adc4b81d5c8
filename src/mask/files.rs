//! Masks from picture files.

use std::io;
use std::path::{Path, PathBuf};

use picture::{Indices, PictureError};

use super::Grid;
use crate::paths::listed;

/// Why a mask cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// The file cannot be used.
    #[error("mask {}: {error}", .path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: PictureError,
    },
    /// The masks do not fit the styles or models.
    #[error(
        "the number of masks, {masks}, does not fit {regions} styles or models: set a mask for each, as in style=a.jpg,b.jpg \
         mask=a.png,b.png, or for each but the last, which then takes the rest"
    )]
    Count {
        /// Masks.
        masks: usize,
        /// Styles or models.
        regions: usize,
    },
    /// There is more than one mask for an element that takes one.
    #[error("{0} masks: set a single one, as in mask=mask.png")]
    NotSingle(usize),
    /// A frame of the mask cannot be read.
    #[error("a frame of the mask cannot be read")]
    Unreadable,
}

/// The error as GStreamer's message.
pub fn message(error: MaskError) -> gst::ErrorMessage {
    match &error {
        MaskError::Count { .. } | MaskError::NotSingle(_) => gst::error_msg!(gst::ResourceError::Settings, ("{error}")),
        MaskError::Picture { error: PictureError::Io(cause), .. } if cause.kind() == io::ErrorKind::NotFound => {
            gst::error_msg!(gst::ResourceError::NotFound, ("{error}"))
        }
        MaskError::Picture { .. } | MaskError::Unreadable => gst::error_msg!(gst::ResourceError::Read, ("{error}")),
    }
}

/// The masks of the property `mask`.
#[derive(Default)]
pub struct Pictures {
    /// One for each mask.
    pub grids: Vec<Grid>,
    /// Whether they are those of an indexed picture: no pixel belongs to two.
    pub are_indexed: bool,
}

/// Reads the masks of `regions` from `paths`, which commas separate. If a single picture is indexed, the first region is where
/// it has the index 0, and so on.
pub fn read(paths: &str, regions: usize) -> Result<Pictures, MaskError> {
    let paths: Vec<_> = listed(paths).into_iter().filter(|path| !path.is_empty()).map(Path::new).collect();
    if let [path] = *paths
        && regions > 1
        && let Some(indices) = picture::read_indices(path).map_err(|error| unusable(path, error))?
    {
        return Ok(Pictures {
            grids: (0..regions).map(|region| of_index(&indices, region)).collect(),
            are_indexed: true,
        });
    }
    Ok(Pictures { grids: paths.into_iter().map(read_one).collect::<Result<_, _>>()?, are_indexed: false })
}

fn unusable(path: &Path, error: PictureError) -> MaskError {
    MaskError::Picture { path: path.to_owned(), error }
}

/// The mask of the pixels with this index.
fn of_index(indices: &Indices, index: usize) -> Grid {
    let is_inside = |value: &Option<u8>| value.is_some_and(|value| usize::from(value) == index);
    let values = indices.values.iter().map(|value| if is_inside(value) { 1.0 } else { 0.0 }).collect();
    Grid { width: indices.width as usize, height: indices.height as usize, values }
}

fn read_one(path: &Path) -> Result<Grid, MaskError> {
    let gray = picture::read_mask(path).map_err(|error| unusable(path, error))?;
    let (width, height) = (gray.width() as usize, gray.height() as usize);
    let values = gray.into_raw().into_iter().map(|sample| f32::from(sample) / f32::from(u16::MAX)).collect();
    Ok(Grid { width, height, values })
}

/// Whether this number of masks divides frames into `regions`: a mask for each, or for each but the last. No mask is no
/// division.
pub fn check_count(masks: usize, regions: usize) -> Result<(), MaskError> {
    match masks {
        0 => Ok(()),
        _ if masks == regions || masks.saturating_add(1) == regions => Ok(()),
        _ if regions <= 1 => Err(MaskError::NotSingle(masks)),
        _ => Err(MaskError::Count { masks, regions }),
    }
}
