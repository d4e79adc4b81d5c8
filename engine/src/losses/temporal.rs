//! The temporal loss, which holds a frame to the last result.

use tch::{Kind, Tensor};

use crate::Result;
use crate::region::Region;

/// The last result, as a constraint on the next one.
pub struct TemporalConstraint {
    /// The last result, warped to this frame and shaped like the variable.
    pub warped: Tensor,
    /// How much each pixel is held, 0..1, `(1, 1, H, W)`.
    pub weight_map: Tensor,
    /// Which pixels must not change, true or false, `(1, 1, H, W)`.
    pub fixed: Tensor,
    /// The loss's weight.
    pub weight: f64,
}

impl TemporalConstraint {
    /// The constraint of a part of the frame.
    pub(crate) fn crop(&self, region: &Region) -> Result<Self> {
        let [warped, weight_map, fixed] = [&self.warped, &self.weight_map, &self.fixed].map(|values| region.of(values));
        Ok(Self { warped: warped?, weight_map: weight_map?, fixed: fixed?, weight: self.weight })
    }

    /// The weighted loss, `()`: the mean over all elements of the squared distance, where it counts (M. Ruder,
    /// A. Dosovitskiy, T. Brox, GCPR 2016, equation 8), times the part's `share` of the frame. Adds its gradient, and
    /// removes that of pixels that must not change.
    pub(crate) fn accumulate(&self, variable: &Tensor, share: f64, gradient: &mut Tensor) -> Result<Tensor> {
        let difference = variable.f_sub(&self.warped)?;
        let slope = 2.0 * self.weight * share / difference.numel() as f64;
        let pulled = difference.f_mul(&self.weight_map)?.f_mul_scalar(slope)?;
        let _ = gradient.f_add_(&pulled)?.f_masked_fill_(&self.fixed, 0.0)?;
        Ok(difference.f_mul(&pulled)?.f_sum(Kind::Float)?.f_div_scalar(2)?)
    }
}
