//! The temporal loss, which keeps a frame close to the last result.

use tch::{Kind, Tensor};

use crate::Result;
use crate::region::Region;

/// The last result, as a constraint on the next one.
pub struct TemporalConstraint {
    /// The last result, warped to this frame and shaped like the variable.
    pub warped: Tensor,
    /// The weight of each pixel, 0..1, `(1, 1, H, W)`.
    pub weight_map: Tensor,
    /// The mask of pixels that must not change, `(1, 1, H, W)`, boolean.
    pub fixed: Tensor,
    /// The loss's weight.
    pub weight: f64,
}

impl TemporalConstraint {
    /// The constraint for a part of the frame.
    pub(crate) fn crop(&self, region: &Region) -> Result<Self> {
        let [warped, weight_map, fixed] = [&self.warped, &self.weight_map, &self.fixed].map(|values| region.of(values));
        Ok(Self { warped: warped?, weight_map: weight_map?, fixed: fixed?, weight: self.weight })
    }

    /// The weighted loss, `()`: the mean over all elements of the squared difference times the weight map (M. Ruder, A.
    /// Dosovitskiy, T. Brox, GCPR 2016, equation 8), times `fraction`, the painted fraction of the frame. Adds its
    /// gradient to `gradient`, and sets the gradient of fixed pixels to 0.
    pub(crate) fn accumulate(&self, variable: &Tensor, fraction: f64, gradient: &mut Tensor) -> Result<Tensor> {
        let difference = variable.f_sub(&self.warped)?;
        let factor = 2.0 * self.weight * fraction / difference.numel() as f64;
        let own = difference.f_mul(&self.weight_map)?.f_mul_scalar(factor)?;
        let _ = gradient.f_add_(&own)?.f_masked_fill_(&self.fixed, 0.0)?;
        Ok(difference.f_mul(&own)?.f_sum(Kind::Float)?.f_div_scalar(2)?)
    }
}
