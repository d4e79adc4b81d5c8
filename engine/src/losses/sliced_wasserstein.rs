//! The sliced Wasserstein distance. It compares the whole distribution of features, not only its mean and covariance
//! (E. Heitz, K. Vanhoey, T. Chambon, L. Belcour, "A Sliced Wasserstein Loss for Neural Texture Synthesis", CVPR 2021,
//! section 3).

use tch::{Kind, Tensor};

use super::{Extent, StyleLoss, autograd};
use crate::Result;
use crate::random::Random;

/// The number of directions that features are projected on.
const DIRECTIONS: i64 = 16;

/// Scales the loss to the magnitude of a distance of statistics, so that the same weights can be used.
const SCALE: f64 = 8.0;

/// Added to the variance, so that a style of zeros does not cause a division by zero.
const EPSILON: f64 = 1e-12;

/// A style's sorted projections.
pub(super) struct SlicedWasserstein {
    /// Unit vectors, `(DIRECTIONS, C)`.
    directions: Tensor,
    /// The projections in ascending order, `(DIRECTIONS, positions)`.
    sorted: Tensor,
    /// The mean variance along the directions.
    variance: Tensor,
}

impl SlicedWasserstein {
    /// The directions and the sorted projections of a style's features `(1, C, H, W)`.
    pub fn describe(features: &Tensor) -> Result<Vec<Tensor>> {
        let (_, channels, _, _) = features.size4()?;
        let vectors = Random(0).normal(DIRECTIONS * channels)?.f_view([DIRECTIONS, channels])?;
        let lengths = vectors.f_square()?.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?.f_sqrt()?;
        let directions = vectors.f_div(&lengths)?.f_to_device(features.device())?;
        let sorted = projected(features, &directions)?;
        Ok(vec![directions, sorted])
    }

    /// Prepares for styles that [`Self::describe`] has described, with their weights, which sum up to 1: computes the
    /// barycenter along each direction. `None` if there are no styles.
    pub fn new(styles: &[(&[Tensor], f64)]) -> Result<Option<Self>> {
        let mut directions = None;
        let mut own = Vec::with_capacity(styles.len());
        for (described, weight) in styles {
            let [of_style, sorted] = described else { return Ok(None) };
            directions = Some(of_style.shallow_clone());
            own.push((sorted, *weight));
        }
        let Some(directions) = directions else { return Ok(None) };
        let positions = own.iter().filter_map(|(sorted, _)| sorted.size().last().copied()).max().unwrap_or(1);
        let mut sorted = Tensor::f_zeros([DIRECTIONS, positions], (Kind::Float, directions.device()))?;
        for (own, weight) in own {
            sorted = sorted.f_add(&resampled(own, positions)?.f_mul_scalar(weight)?)?;
        }
        let centered = sorted.f_sub(&sorted.f_mean_dim([1].as_slice(), true, Kind::Float)?)?;
        let variance = centered.f_square()?.f_mean(Kind::Float)?.f_add_scalar(EPSILON)?;
        Ok(Some(Self { directions, sorted, variance }))
    }
}

impl StyleLoss for SlicedWasserstein {
    /// The mean squared difference of the sorted projections, divided by the variance of the style's, times [`SCALE`].
    fn accumulate(&self, features: &Tensor, _extent: Extent, weight: f64, gradient: &mut Tensor) -> Result<Tensor> {
        let (_, _, height, width) = features.size4()?;
        let target = resampled(&self.sorted, height * width)?;
        autograd::accumulate(features, weight, gradient, |features| {
            let difference = projected(features, &self.directions)?.f_sub(&target)?;
            Ok(difference.f_square()?.f_mean(Kind::Float)?.f_div(&self.variance)?.f_mul_scalar(SCALE)?)
        })
    }
}

/// The projections of features `(1, C, H, W)`, sorted: `(DIRECTIONS, H W)`.
fn projected(features: &Tensor, directions: &Tensor) -> Result<Tensor> {
    let (_, channels, _, _) = features.size4()?;
    let columns = features.f_to_kind(Kind::Float)?.f_reshape([channels, -1])?;
    let (sorted, _) = directions.f_matmul(&columns)?.f_sort(1, false)?;
    Ok(sorted)
}

/// Sorted projections `(DIRECTIONS, n)`, interpolated linearly to another number of positions.
fn resampled(sorted: &Tensor, positions: i64) -> Result<Tensor> {
    if sorted.size().last() == Some(&positions) {
        return Ok(sorted.shallow_clone());
    }
    Ok(sorted.f_unsqueeze(0)?.f_upsample_linear1d([positions], true, None)?.f_squeeze_dim(0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(seed: u64, height: i64, width: i64) -> Tensor {
        Random(seed).normal(3 * height * width).unwrap().view([1, 3, height, width])
    }

    fn loss(style: &Tensor, features: &Tensor, weight: f64) -> (f64, Tensor) {
        let style = SlicedWasserstein::describe(style).unwrap();
        let loss = SlicedWasserstein::new(&[(&style, 1.0)]).unwrap().unwrap();
        let mut gradient = features.zeros_like();
        let value = loss.accumulate(features, Extent::default(), weight, &mut gradient).unwrap();
        (value.double_value(&[]), gradient)
    }

    #[test]
    fn the_order_of_positions_does_not_matter() {
        let style = features(1, 4, 6);
        assert!(loss(&style, &style.flip([2, 3]), 1.0).0 < 1e-12);
        let (without_variance, _) =
            loss(&style, &style.mean_dim([2i64, 3].as_slice(), true, Kind::Float).expand_as(&style), 1.0);
        assert!((without_variance / SCALE - 1.0).abs() < 1e-6, "{without_variance}");
        // The same distribution at four times the positions.
        assert!(loss(&style, &style.repeat([1, 1, 2, 2]), 1.0).0 < 0.05 * SCALE);
        assert!(loss(&style, &features(2, 4, 6), 1.0).0 > 0.05 * SCALE);
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (style, x) = (features(1, 4, 6), features(2, 5, 5));
        let (_, gradient) = loss(&style, &x, 3.0);
        let length = gradient.norm().double_value(&[]);
        let direction = gradient / length;
        let at = |step: f64| loss(&style, &(&x + &direction * step), 1.0).0;
        let slope = 3.0 * (at(1e-2) - at(-1e-2)) / 2e-2;
        assert!((slope / length - 1.0).abs() < 1e-2, "{slope} {length}");
    }
}
