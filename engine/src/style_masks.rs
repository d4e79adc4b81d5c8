//! Masks that divide a frame among styles or models (L. Gatys, A. Ecker, M. Bethge, A. Hertzmann, E. Shechtman, "Controlling
//! Perceptual Factors in Neural Style Transfer", CVPR 2017, section 4).

use tch::{Device, Kind, Tensor};

use crate::{Error, Result};

/// Where less than this is covered by any mask, nothing is painted.
const MIN_COVERED: f64 = 1e-3;

/// A style's share that differs by more than this is a change.
const MIN_CHANGE: f64 = 0.05;

/// The masks of the first styles, `(1, masks, H, W)` in 0..1. Earlier ones lie over later ones. If there is one style more,
/// it takes the rest.
pub(crate) struct StyleMasks(Tensor);

impl StyleMasks {
    /// From one mask or more, each `(1, 1, H, W)`.
    pub fn new(masks: &[Tensor]) -> Result<Self> {
        Ok(Self(Tensor::f_cat(masks, 1)?))
    }

    /// On a device.
    pub fn to(self, device: Device) -> Result<Self> {
        Ok(Self(self.0.f_to_device(device)?))
    }

    /// The share of each style in each pixel at this height and width, `(1, styles, H, W)`. They sum up to 1 where anything
    /// is painted.
    pub fn shares(&self, size: [i64; 2], styles: usize) -> Result<Tensor> {
        let masks = averaged(&self.0, size)?;
        let count = masks.size4()?.1;
        let mut rest = masks.f_narrow(1, 0, 1)?.f_ones_like()?;
        let mut shares = Vec::with_capacity(styles);
        for index in 0..count {
            let share = masks.f_narrow(1, index, 1)?.f_mul(&rest)?;
            rest = rest.f_sub(&share)?;
            shares.push(share);
        }
        if shares.len() + 1 == styles {
            shares.push(rest);
            return Ok(Tensor::f_cat(&shares, 1)?);
        }
        if shares.len() != styles {
            return Err(Error::Settings(format!(
                "the number of masks, {count}, does not fit {styles} styles or models: set a mask for each, or for each but the last"
            )));
        }
        let shares = Tensor::f_cat(&shares, 1)?;
        let covered = shares.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?;
        Ok(shares.f_div(&covered.f_clamp_min(MIN_COVERED)?)?.f_clamp(0.0, 1.0)?)
    }
}

/// Shares at another height and width, by averaging.
pub(crate) fn averaged(shares: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    Ok(shares.f_adaptive_avg_pool2d(size)?)
}

/// Which pixels belong to other styles than before, `(1, 1, H, W)`, true or false.
pub(crate) fn changed(before: &Tensor, now: &Tensor) -> Result<Tensor> {
    Ok(now.f_sub(before)?.f_abs()?.f_amax([1i64].as_slice(), true)?.f_gt(MIN_CHANGE)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(values: &[f32]) -> Tensor {
        Tensor::from_slice(values).view([1, 1, 1, values.len() as i64])
    }

    fn shares(masks: &[Tensor], styles: usize) -> Vec<f32> {
        let shares = StyleMasks::new(masks).unwrap().shares([1, 3], styles).unwrap();
        Vec::try_from(shares.flatten(0, -1)).unwrap()
    }

    #[test]
    fn earlier_masks_lie_over_later_ones_and_a_last_style_takes_the_rest() {
        let first = mask(&[1.0, 0.5, 0.0]);
        assert_eq!(shares(&[first.shallow_clone()], 2), [1.0, 0.5, 0.0, 0.0, 0.5, 1.0]);
        let second = mask(&[1.0, 1.0, 0.5]);
        assert_eq!(shares(&[first, second], 3), [1.0, 0.5, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.5]);
    }

    #[test]
    fn a_mask_for_each_style_leaves_the_rest_unpainted() {
        let masks = [mask(&[0.5, 0.0, 0.0]), mask(&[0.0, 0.25, 0.0])];
        assert_eq!(shares(&masks, 2), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        assert!(StyleMasks::new(&masks).unwrap().shares([1, 3], 4).is_err());
    }
}
