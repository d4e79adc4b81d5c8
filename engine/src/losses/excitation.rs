//! The excitation of features, which a dream raises (A. Mordvintsev, C. Olah, M. Tyka, "Inceptionism: Going Deeper into
//! Neural Networks", 2015). As a loss it is negative.

use tch::{Device, Kind, Tensor};

use crate::Result;

/// The maximum number of products of features that are held in memory at once.
const MAX_PRODUCTS: i64 = 1 << 22;

/// The target of a layer's activations.
pub(crate) struct Excitation {
    /// The chosen channels' indices; `None`: all.
    channels: Option<Tensor>,
    /// The guides' features in these channels, `(C, M)`, one column for each position.
    guide: Option<Tensor>,
}

impl Excitation {
    /// The excitation of these channels; if there are none, of all. `guides` are features, `(1, C, H, W)`, with their
    /// weights; there may be none.
    pub fn new(channels: &[i64], guides: &[(Tensor, f64)], device: Device) -> Result<Self> {
        let channels = match channels {
            [] => None,
            channels => Some(Tensor::f_from_slice(channels)?.f_to_device(device)?),
        };
        let mut excitation = Self { channels, guide: None };
        let columns = |(features, weight): &(Tensor, f64)| -> Result<Tensor> {
            Ok(excitation.chosen(features)?.f_flatten(2, 3)?.f_squeeze_dim(0)?.f_mul_scalar(*weight)?)
        };
        let columns = guides.iter().map(columns).collect::<Result<Vec<_>>>()?;
        excitation.guide = if columns.is_empty() { None } else { Some(Tensor::f_cat(&columns, 1)?) };
        Ok(excitation)
    }

    /// The loss of features `(1, C, H, W)`, `()`. Adds `weight` times its gradient to `gradient`.
    ///
    /// Without a guide, it is half of the mean square of the chosen features; with one, the mean product of each
    /// position's features with those of the guide that match them best, both negated.
    pub fn accumulate(&self, features: &Tensor, weight: f64, gradient: &mut Tensor) -> Result<Tensor> {
        let chosen = self.chosen(features)?;
        let (direction, share) = match &self.guide {
            Some(guide) => (best_matches(&chosen, guide)?, 1.0),
            None => (chosen.shallow_clone(), 0.5),
        };
        let count = chosen.numel() as f64;
        let own = direction.f_mul_scalar(-weight / count)?.f_to_kind(gradient.kind())?;
        let _ = match &self.channels {
            Some(channels) => gradient.f_index_add_(1, channels, &own)?,
            None => gradient.f_add_(&own)?,
        };
        Ok(chosen.f_mul(&direction)?.f_sum(Kind::Float)?.f_mul_scalar(-share / count)?)
    }

    /// The chosen channels, in 32 bits.
    fn chosen(&self, features: &Tensor) -> Result<Tensor> {
        let chosen = match &self.channels {
            Some(channels) => features.f_index_select(1, channels)?,
            None => features.shallow_clone(),
        };
        Ok(chosen.f_to_kind(Kind::Float)?)
    }
}

/// For each position of `features`, `(1, C, H, W)`, the column of `guide`, `(C, M)`, with the largest product with them.
fn best_matches(features: &Tensor, guide: &Tensor) -> Result<Tensor> {
    let (_, columns) = guide.size2()?;
    let rows = features.f_flatten(2, 3)?.f_squeeze_dim(0)?.f_transpose(0, 1)?;
    let best = |rows: &Tensor| rows.f_matmul(guide)?.f_argmax(1, false);
    let parts = rows.f_split((MAX_PRODUCTS / columns).max(1), 0)?;
    let best = parts.iter().map(best).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(guide.f_index_select(1, &Tensor::f_cat(&best, 0)?)?.f_view_as(features)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn the_gradient_is_that_of_autograd() {
        let noise = |seed, size: [i64; 4]| Random(seed).uniform(size.iter().product()).unwrap().view(&size[..]) - 0.5;
        let features = noise(1, [1, 6, 5, 7]).set_requires_grad(true);
        for channels in [vec![], vec![4, 1]] {
            for guides in [vec![], vec![(noise(2, [1, 6, 3, 4]), 0.75), (noise(3, [1, 6, 2, 9]), 0.25)]] {
                let excitation = Excitation::new(&channels, &guides, Device::Cpu).unwrap();
                let chosen = |features: &Tensor| match channels.as_slice() {
                    [] => features.shallow_clone(),
                    channels => features.index_select(1, &Tensor::from_slice(channels)),
                };
                let expected: Tensor = if guides.is_empty() {
                    -chosen(&features).square().mean(Kind::Float) / 2
                } else {
                    let columns: Vec<_> =
                        guides.iter().map(|(own, share)| chosen(own).flatten(2, 3) * *share).collect();
                    let products = chosen(&features).flatten(2, 3).transpose(1, 2).matmul(&Tensor::cat(&columns, 2));
                    -products.amax([2i64].as_slice(), false).sum(Kind::Float) / chosen(&features).numel() as f64
                };
                let slope = Tensor::run_backward(&[&expected], &[&features], false, false).remove(0);
                let mut gradient = features.detach().zeros_like();
                let loss = excitation.accumulate(&features.detach(), 3.0, &mut gradient).unwrap();
                assert!(loss.allclose(&expected.detach(), 1e-5, 0.0, false), "{loss} {expected}");
                assert!(gradient.allclose(&(slope * 3.0), 1e-5, 1e-9, false), "{channels:?} {}", guides.len());
            }
        }
    }
}
