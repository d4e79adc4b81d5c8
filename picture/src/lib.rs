//! Reads picture files as a viewer shows them: whole, upright, and over white where they are transparent; and masks.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod indices;
mod jpeg;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::{
    DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Luma, LumaA, RgbaImage,
};

pub use indices::Indices;

/// Why a picture cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The file cannot be opened or read.
    #[error(transparent)]
    Io(io::Error),
    /// The file has a known format that is not supported.
    #[error("a picture in {0}, which is not supported; convert it to PNG or JPEG")]
    Unsupported(&'static str),
    /// A part of the file is missing.
    #[error("the file is cut off: its JPEG data has no end")]
    CutOff,
    /// There is nothing to see.
    #[error("every pixel is transparent")]
    Transparent,
    /// The file is damaged, or is not a picture.
    #[error("not a readable picture (PNG, JPEG, WebP, GIF, BMP or TIFF): {0}")]
    Unreadable(ImageError),
}

impl From<ImageError> for PictureError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::IoError(error) if error.kind() == io::ErrorKind::IsADirectory => Self::Io(error),
            error => Self::Unreadable(error),
        }
    }
}

/// Reads a file; the result is opaque.
pub fn read(path: &Path) -> Result<RgbaImage, PictureError> {
    File::open(path).map_err(PictureError::Io).and_then(|file| decode(BufReader::new(file)))
}

/// Reads a file's content; the result is opaque.
pub fn decode(content: impl BufRead + Seek) -> Result<RgbaImage, PictureError> {
    over_white(decode_any(content)?)
}

/// Reads a file as a mask: the brightness of its pixels, 0 where they are transparent.
pub fn read_mask(path: &Path) -> Result<ImageBuffer<Luma<u16>, Vec<u16>>, PictureError> {
    File::open(path).map_err(PictureError::Io).and_then(|file| decode_mask(BufReader::new(file)))
}

/// Reads a file's content as [`read_mask`] reads a file.
pub fn decode_mask(content: impl BufRead + Seek) -> Result<ImageBuffer<Luma<u16>, Vec<u16>>, PictureError> {
    let picture = decode_any(content)?;
    let (width, height) = (picture.width(), picture.height());
    let pixels = picture.into_luma_alpha16();
    let mut mask = ImageBuffer::new(width, height);
    for (Luma([brightness]), LumaA([luma, alpha])) in mask.pixels_mut().zip(pixels.pixels()) {
        *brightness = (f64::from(*luma) * f64::from(*alpha) / f64::from(u16::MAX)).round() as u16;
    }
    Ok(mask)
}

/// Reads the palette indices of a PNG file; none if it is no such file, or has a palette of grays only.
pub fn read_indices(path: &Path) -> Result<Option<Indices>, PictureError> {
    Ok(indices::decode(BufReader::new(File::open(path).map_err(PictureError::Io)?)))
}

/// Decodes any picture, upright.
fn decode_any(mut content: impl BufRead + Seek) -> Result<DynamicImage, PictureError> {
    if let Some(format) = heif(&mut content).map_err(PictureError::Io)? {
        return Err(PictureError::Unsupported(format));
    }
    let reader = ImageReader::new(content).with_guessed_format().map_err(PictureError::Io)?;
    let picture = match reader.format() {
        Some(ImageFormat::Jpeg) => {
            let mut bytes = Vec::new();
            reader.into_inner().read_to_end(&mut bytes).map_err(PictureError::Io)?;
            if !jpeg::is_whole(&bytes) {
                return Err(PictureError::CutOff);
            }
            upright(ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg))
        }
        _ => upright(reader),
    };
    Ok(picture?)
}

/// The name of the format if it is one of the HEIF family, whose files begin with a box `ftyp`.
fn heif(content: &mut (impl BufRead + Seek)) -> io::Result<Option<&'static str>> {
    let mut start = Vec::new();
    content.by_ref().take(12).read_to_end(&mut start)?;
    content.rewind()?;
    Ok(match start.get(4..) {
        Some(b"ftypavif" | b"ftypavis") => Some("AVIF"),
        Some(b"ftypheic" | b"ftypheix" | b"ftyphevc" | b"ftyphevx" | b"ftypheim" | b"ftypheis" | b"ftypmif1") => {
            Some("HEIC")
        }
        _ => None,
    })
}

/// Decodes a picture and turns it upright by its EXIF orientation.
fn upright(reader: ImageReader<impl BufRead + Seek>) -> Result<DynamicImage, ImageError> {
    let mut decoder = reader.into_decoder()?;
    // A damaged header may claim more than there is memory.
    Limits::default().reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// The picture on white paper: the colors of transparent pixels, which nobody sees, are gone.
fn over_white(picture: DynamicImage) -> Result<RgbaImage, PictureError> {
    let has_alpha = picture.color().has_alpha();
    let mut picture = picture.into_rgba8();
    if !has_alpha {
        return Ok(picture);
    }
    if picture.pixels().all(|&image::Rgba([.., alpha])| alpha == 0) {
        return Err(PictureError::Transparent);
    }
    for pixel in picture.pixels_mut() {
        let [colors @ .., alpha] = &mut pixel.0;
        let opacity = f32::from(*alpha) / 255.0;
        for color in colors {
            *color = (f32::from(*color) * opacity + 255.0 * (1.0 - opacity)).round() as u8;
        }
        *alpha = u8::MAX;
    }
    Ok(picture)
}

#[cfg(test)]
mod tests;
