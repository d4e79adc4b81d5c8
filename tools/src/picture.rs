//! Reading and writing pictures.

use std::path::Path;

use tch::{Kind, Tensor};

use crate::Outcome;

/// The levels of a picture's file, `(3, H, W)`, bytes.
pub fn levels(path: &Path) -> Outcome<Tensor> {
    let picture = image::open(path).map_err(|error| format!("{}: {error}", path.display()))?.to_rgb8();
    let size = [i64::from(picture.height()), i64::from(picture.width()), 3];
    Ok(Tensor::from_slice(picture.as_raw()).view(size.as_slice()).permute([2, 0, 1]).contiguous())
}

/// A picture's file, `(1, 3, H, W)` in 0..1.
pub fn read(path: &Path) -> Outcome<Tensor> {
    Ok(levels(path)?.unsqueeze(0).to_kind(Kind::Float) / 255)
}

/// A picture `(1, 3, H, W)`, resized so that its longer side is `longest`.
pub fn resized(picture: &Tensor, longest: i64) -> Outcome<Tensor> {
    let (_, _, height, width) = picture.size4()?;
    let scale = longest as f64 / height.max(width) as f64;
    let size = [height, width].map(|side| ((side as f64 * scale).round() as i64).max(1));
    Ok(picture.f_internal_upsample_bicubic2d_aa(size, false, None, None)?.clamp(0.0, 1.0))
}

/// Writes a picture `(1, 3, H, W)`; what exceeds 0..1 is cut off.
pub fn write(picture: &Tensor, path: &Path) -> Outcome<()> {
    let (_, _, height, width) = picture.size4()?;
    let levels = (picture.clamp(0.0, 1.0) * 255).round().to_kind(Kind::Uint8).squeeze_dim(0).permute([1, 2, 0]);
    let bytes = Vec::try_from(levels.contiguous().flatten(0, -1))?;
    let picture = image::RgbImage::from_raw(width as u32, height as u32, bytes).ok_or("not a picture's size")?;
    Ok(picture.save(path).map_err(|error| format!("{}: {error}", path.display()))?)
}
