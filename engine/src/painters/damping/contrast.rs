//! Local contrast: how much a picture varies around each place.

use tch::{Kind, Tensor};

use crate::Result;
use crate::size::size_of;

/// The side of the cells in which contrast is compared, in pixels.
pub(super) const CELL: i64 = 4;

/// The maximum factor of details: more would amplify what the mean of two pictures has beside the details.
pub(super) const MAX_GAIN: f64 = 1.5;

/// Added to variances, so that flat areas stay flat: a level in 255, squared.
pub(super) const NOISE: f64 = 1.5e-5;

/// `picture`, `(1, 3, H, W)`, with the local contrast of `sharp`, where it has less: a mean of pictures that do not match
/// exactly is blurred.
pub(super) fn restored(picture: &Tensor, sharp: &Tensor) -> Result<Tensor> {
    let size = size_of(picture)?;
    let stretched = |cells: &Tensor| cells.f_upsample_bilinear2d(size, false, None, None);
    let means = cell_means(picture)?;
    let own = variance(picture, &means)?;
    let wanted = variance(sharp, &cell_means(sharp)?)?;
    let gain = wanted.f_add_scalar(NOISE)?.f_div(&own.f_add_scalar(NOISE)?)?.f_sqrt()?.f_clamp(1.0, MAX_GAIN)?;
    let means = stretched(&means)?;
    Ok(means.f_addcmul(&picture.f_sub(&means)?, &stretched(&gain)?)?)
}

/// The means of cells; at the last edges, cells may be cut off.
fn cell_means(picture: &Tensor) -> Result<Tensor> {
    Ok(picture.f_avg_pool2d([CELL, CELL], [CELL, CELL], [0, 0], true, false, None::<i64>)?)
}

/// The variance within cells, the mean of all channels, `(1, 1, h, w)`.
fn variance(picture: &Tensor, means: &Tensor) -> Result<Tensor> {
    let variance = cell_means(&picture.f_square()?)?.f_sub(&means.f_square()?)?;
    Ok(variance.f_mean_dim([1i64].as_slice(), true, Kind::Float)?.f_clamp_min(0.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// The mean variance within cells.
    fn contrast(picture: &Tensor) -> f64 {
        variance(picture, &cell_means(picture).unwrap()).unwrap().mean(Kind::Float).double_value(&[])
    }

    #[test]
    fn a_blurred_picture_gets_its_contrast_back_and_a_sharp_one_stays() {
        let coarse = Random(1).uniform(3 * 24 * 32).unwrap().view([1, 3, 24, 32]);
        let sharp = coarse.upsample_bicubic2d([72, 96], false, None, None).clamp(0.0, 1.0);
        let blurred = sharp.avg_pool2d([3, 3], [1, 1], [1, 1], false, false, None::<i64>);
        assert!(contrast(&blurred) < 0.8 * contrast(&sharp));
        let ratio = contrast(&restored(&blurred, &sharp).unwrap()) / contrast(&sharp);
        assert!((0.9..1.1).contains(&ratio), "{ratio}");
        for (picture, sharp) in [(&sharp, &sharp), (&sharp, &blurred)] {
            let change = (restored(picture, sharp).unwrap() - picture).abs().max().double_value(&[]);
            assert!(change < 1e-5, "{change}");
        }
    }
}
