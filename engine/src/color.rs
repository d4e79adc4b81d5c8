//! Color: brightness, and matching a picture's color statistics.

use tch::{Kind, Tensor};

use crate::Result;

/// The weights of R, G and B in brightness (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Added to variances, so that a picture of a single color does not cause a division by zero.
const MIN_VARIANCE: f64 = 1e-5;

/// The brightness of RGB values, `(N, 3, H, W) -> (N, 1, H, W)`.
pub fn gray(colors: &Tensor) -> Result<Tensor> {
    let weights = Tensor::f_from_slice(&LUMA)?.f_view([1, 3, 1, 1])?.f_to_device(colors.device())?;
    Ok(colors.f_mul(&weights)?.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?)
}

/// The brightness of a color, in its own range.
pub(crate) fn luma(color: [f32; 3]) -> f32 {
    color.iter().zip(LUMA).map(|(value, weight)| value * weight).sum()
}

/// The mean, `(3, 1)`, and covariance, `(3, 3)`, of a picture's colors.
pub struct ColorStatistics {
    mean: Tensor,
    covariance: Tensor,
}

impl ColorStatistics {
    /// Of a picture, `(1, 3, H, W)`.
    pub fn of(picture: &Tensor) -> Result<Self> {
        Self::of_region(picture, &picture.f_narrow(1, 0, 1)?.f_ones_like()?)
    }

    /// Of a region of a picture with these shares of its pixels, `(1, 1, H, W)`.
    pub fn of_region(picture: &Tensor, shares: &Tensor) -> Result<Self> {
        let colors = picture.f_reshape([3, -1])?.f_to_kind(Kind::Double)?;
        let shares = shares.f_reshape([1, -1])?.f_to_kind(Kind::Double)?;
        let weights = shares.f_div(&shares.f_sum(Kind::Double)?.f_clamp_min(1.0)?)?;
        let mean = colors.f_mul(&weights)?.f_sum_dim_intlist([1].as_slice(), true, Kind::Double)?;
        let centered = colors.f_sub(&mean)?;
        let covariance = centered.f_mul(&weights)?.f_matmul(&centered.f_transpose(0, 1)?)?;
        let floor = Tensor::f_eye(3, (Kind::Double, picture.device()))?.f_mul_scalar(MIN_VARIANCE)?;
        Ok(Self { mean, covariance: covariance.f_add(&floor)? })
    }

    /// The weighted mean of statistics, whose weights sum up to 1; `None` if there are none.
    pub fn blend<'a>(statistics: impl Iterator<Item = (&'a Self, f64)>) -> Result<Option<Self>> {
        let mut blend: Option<Self> = None;
        for (Self { mean, covariance }, weight) in statistics {
            let (mean, covariance) = (mean.f_mul_scalar(weight)?, covariance.f_mul_scalar(weight)?);
            blend = Some(match blend {
                Some(sum) => Self { mean: sum.mean.f_add(&mean)?, covariance: sum.covariance.f_add(&covariance)? },
                None => Self { mean, covariance },
            });
        }
        Ok(blend)
    }

    /// The square root of the channels' mean variance: about 0.2 to 0.3 for most pictures, near 0 for a single color.
    pub fn contrast(&self) -> Result<f64> {
        Ok(self.covariance.f_diagonal(0, 0, 1)?.f_mean(Kind::Double)?.f_double_value(&[])?.sqrt())
    }

    /// `picture`, `(1, 3, H, W)` in 0..1, transformed linearly to this mean and covariance: L. Gatys, M. Bethge, A.
    /// Hertzmann, E. Shechtman, "Preserving Color in Neural Artistic Style Transfer" (arXiv:1606.05897), section 3,
    /// with the matrix square roots of Image Analogies.
    pub fn apply_to(&self, picture: &Tensor) -> Result<Tensor> {
        self.apply_from(&Self::of(picture)?, picture)
    }

    /// The same, from `own` statistics, as those of a region of the picture.
    pub fn apply_from(&self, own: &Self, picture: &Tensor) -> Result<Tensor> {
        let map = power(&self.covariance, 0.5)?.f_matmul(&power(&own.covariance, -0.5)?)?;
        let colors = picture.f_reshape([3, -1])?.f_to_kind(Kind::Double)?;
        let moved = map.f_matmul(&colors.f_sub(&own.mean)?)?.f_add(&self.mean)?;
        Ok(moved.f_to_kind(Kind::Float)?.f_reshape(picture.size())?.f_clamp(0.0, 1.0)?)
    }
}

/// A power of a symmetric positive definite matrix.
fn power(matrix: &Tensor, exponent: f64) -> Result<Tensor> {
    let (values, vectors) = matrix.f_linalg_eigh("L")?;
    let scaled = vectors.f_mul(&values.f_clamp_min(1e-12)?.f_pow_tensor_scalar(exponent)?)?;
    Ok(scaled.f_matmul(&vectors.f_transpose(0, 1)?)?)
}
