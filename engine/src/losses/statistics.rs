//! Style losses that compare statistics of features over all positions of a picture.
//!
//! All statistics follow from sums over positions. The sums of a picture's parts add up, so that the whole frame can be
//! compared even if only a part is painted.

use tch::{Kind, Tensor};

use super::{Distance, Extent, StyleLoss, Target};
use crate::Result;

/// A region of fewer positions has no statistics.
const MIN_POSITIONS: f64 = 4.0;

/// The divisor of a Gram matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GramDivisor {
    /// 1.
    One,
    /// The number of positions, `H W`.
    Positions,
    /// The number of features, `C H W`.
    Features,
}

/// The statistics of a layer's features that are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistics {
    /// The Gram matrix `F F^T` (L. Gatys, A. Ecker, M. Bethge, CVPR 2016, equation 3), divided.
    Gram(GramDivisor),
    /// The mean and the covariance. In a Gram matrix, the large means of a ReLU's output dominate the covariance, so
    /// that flat areas get a hatched texture (E. Risser, P. Wilmot, C. Barnes, arXiv:1701.08893, section 3).
    MeanCovariance,
}

/// Sums of features over positions, in 32 bits.
#[derive(Debug)]
pub struct FeatureSums {
    /// The number of positions, or the sum of their shares.
    positions: f64,
    /// The sums of the features, `(C)`.
    features: Tensor,
    /// The sums of their products, `F F^T`, `(C, C)`.
    products: Tensor,
}

impl FeatureSums {
    /// The sums of features `(1, C, H, W)`.
    pub fn of(features: &Tensor) -> Result<Self> {
        let rows = rows(features)?;
        Self::of_rows(&rows, &rows, rows.size2()?.0 as f64)
    }

    /// The sums of features `(H W, C)`; `weighted` are the same times the shares of their positions, which sum up to
    /// `positions`.
    fn of_rows(rows: &Tensor, weighted: &Tensor, positions: f64) -> Result<Self> {
        // bf16 has the range of f32, and each sum is rounded only once; f16 would overflow.
        let kind = if rows.kind() == Kind::BFloat16 { Kind::BFloat16 } else { Kind::Float };
        let (factors, weighted) = (rows.f_to_kind(kind)?, weighted.f_to_kind(kind)?);
        Ok(Self {
            positions,
            features: weighted.f_sum_dim_intlist([0].as_slice(), false, Kind::Float)?,
            products: product(&weighted.f_transpose(0, 1)?, &factors)?.f_to_kind(Kind::Float)?,
        })
    }

    /// The Gram matrix, `(C, C)`, divided.
    fn gram(&self, divisor: GramDivisor) -> Result<Tensor> {
        Ok(self.products.f_div_scalar(divisor.of(self))?)
    }

    /// The sums of this part of a picture and another one together.
    pub fn plus(&self, other: &Self) -> Result<Self> {
        Ok(Self {
            positions: self.positions + other.positions,
            features: self.features.f_add(&other.features)?,
            products: self.products.f_add(&other.products)?,
        })
    }

    /// The sums without those of a part of the picture.
    pub fn minus(&self, part: &Self) -> Result<Self> {
        Ok(Self {
            positions: self.positions - part.positions,
            features: self.features.f_sub(&part.features)?,
            products: self.products.f_sub(&part.products)?,
        })
    }
}

impl GramDivisor {
    fn of(self, sums: &FeatureSums) -> f64 {
        match self {
            Self::One => 1.0,
            Self::Positions => sums.positions,
            Self::Features => sums.positions * sums.features.numel() as f64,
        }
    }
}

impl Statistics {
    /// The statistics of features with these sums: `[Gram matrix (C, C)]`, or `[mean (C), covariance (C, C)]`.
    pub fn of(self, sums: &FeatureSums) -> Result<Vec<Tensor>> {
        match self {
            Self::Gram(divisor) => Ok(vec![sums.gram(divisor)?]),
            Self::MeanCovariance => {
                let positions = sums.positions;
                let mean = sums.features.f_div_scalar(positions)?;
                let covariance = sums.products.f_div_scalar(positions)?.f_sub(&mean.f_outer(&mean)?)?;
                Ok(vec![mean, covariance])
            }
        }
    }

    /// The gradient at the features from the gradient at their statistics. For features `F`, `(H W, C)`, it is
    /// `F A + b`; returns `A`, `(C, C)`, and `b`, `(C)`.
    fn gradient(self, sums: &FeatureSums, at_statistics: &[Tensor]) -> Result<Option<(Tensor, Option<Tensor>)>> {
        // The derivative of F F^T is dF F^T + F dF^T, and the gradient at F F^T is symmetric: hence the factor 2.
        match (self, at_statistics) {
            (Self::Gram(divisor), [at_gram]) => Ok(Some((at_gram.f_mul_scalar(2.0 / divisor.of(sums))?, None))),
            (Self::MeanCovariance, [at_mean, at_covariance]) => {
                let positions = sums.positions;
                let factor = at_covariance.f_mul_scalar(2.0 / positions)?;
                let of_mean = factor.f_mv(&sums.features.f_div_scalar(positions)?)?;
                Ok(Some((factor, Some(at_mean.f_div_scalar(positions)?.f_sub(&of_mean)?))))
            }
            _ => Ok(None),
        }
    }
}

/// The Gram matrix of features `(1, C, H, W)`: `F F^T` divided by `divisor`, `(C, C)`, in 32 bits.
pub fn gram(features: &Tensor, divisor: GramDivisor) -> Result<Tensor> {
    FeatureSums::of(features)?.gram(divisor)
}

/// The sum of the distances of a picture's statistics from the style's.
pub(super) struct StatisticsLoss {
    statistics: Statistics,
    /// One for each statistic.
    targets: Vec<Target>,
}

impl StatisticsLoss {
    /// Prepares for the weighted mean of styles' statistics; the weights sum up to 1. `positions` is the number of a
    /// picture's pixels.
    pub fn new(
        statistics: Statistics,
        styles: &[(&[Tensor], f64)],
        distance: Distance,
        positions: i64,
    ) -> Result<Self> {
        let mut blend: Vec<Tensor> = Vec::new();
        for (own, weight) in styles {
            let own = own.iter().map(|statistic| Ok(statistic.f_mul_scalar(*weight)?)).collect::<Result<Vec<_>>>()?;
            blend = match blend.is_empty() {
                true => own,
                false => blend.iter().zip(&own).map(|(sum, own)| Ok(sum.f_add(own)?)).collect::<Result<_>>()?,
            };
        }
        let targets = blend.into_iter().map(|statistic| Target::new(statistic, distance, positions));
        Ok(Self { statistics, targets: targets.collect::<Result<_>>()? })
    }
}

impl StyleLoss for StatisticsLoss {
    fn accumulate(&self, features: &Tensor, extent: Extent, weight: f64, gradient: &mut Tensor) -> Result<Tensor> {
        let features = rows(features)?;
        let positions = features.size2()?.0;
        let mut loss = Tensor::f_zeros([], (Kind::Float, features.device()))?;
        let (weighted, shares, sum) = match extent.region {
            Some(region) => {
                let shares = region.f_reshape([positions, 1])?;
                let sum = shares.f_sum(Kind::Float)?.f_double_value(&[])?;
                let shares = shares.f_to_kind(features.kind())?;
                (features.f_mul(&shares)?, shares, sum)
            }
            None => {
                let ones = Tensor::f_ones([positions, 1], (features.kind(), features.device()))?;
                (features.shallow_clone(), ones, positions as f64)
            }
        };
        if sum < MIN_POSITIONS {
            return Ok(loss);
        }
        let mut sums = FeatureSums::of_rows(&features, &weighted, sum)?;
        if let Some(outside) = extent.outside {
            sums = sums.plus(outside)?;
        }
        let share = sum / positions as f64;
        let weight = weight * share;
        let mut at_statistics = Vec::with_capacity(self.targets.len());
        for (statistic, target) in self.statistics.of(&sums)?.iter().zip(&self.targets) {
            let mut at_statistic = statistic.f_zeros_like()?;
            loss = loss.f_add(&target.accumulate(statistic, weight, &mut at_statistic)?)?;
            at_statistics.push(at_statistic);
        }
        if let Some((factor, offset)) = self.statistics.gradient(&sums, &at_statistics)? {
            let (_, channels, height, width) = gradient.size4()?;
            let mut sum = rows(gradient)?.f_unsqueeze(0)?;
            sum = add_product(sum, &weighted, &factor.f_to_kind(features.kind())?)?;
            if let Some(offset) = offset {
                // A matrix product, since a broadcast sum in 16 bits with few channels takes longer than all the rest.
                sum = add_product(sum, &shares, &offset.f_unsqueeze(0)?.f_to_kind(features.kind())?)?;
            }
            *gradient = sum.f_view([1, height, width, channels])?.f_permute([0, 3, 1, 2])?;
        }
        Ok(loss.f_mul_scalar(share)?)
    }
}

/// A product of matrices. It is computed as a batch of one, whose result does not depend on the alignment of the
/// factors.
fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Ok(a.f_unsqueeze(0)?.f_bmm(&b.f_unsqueeze(0)?)?.f_squeeze_dim(0)?)
}

/// The same, added to `sum`, a batch of one.
fn add_product(mut sum: Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Ok(sum.f_baddbmm_(&a.f_unsqueeze(0)?, &b.f_unsqueeze(0)?)?)
}

/// Features `(1, C, H, W)` as `(H W, C)`: a view if they are channels last.
fn rows(features: &Tensor) -> Result<Tensor> {
    let (_, channels, height, width) = features.size4()?;
    Ok(features.f_permute([0, 2, 3, 1])?.f_reshape([height * width, channels])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn noise(seed: u64, size: [i64; 4]) -> Tensor {
        Random(seed).uniform(size.iter().product()).unwrap().view(size)
    }

    #[test]
    fn a_regions_loss_is_that_of_its_weighted_statistics_times_its_share() {
        let [style, features] = [noise(1, [1, 3, 6, 5]), noise(2, [1, 3, 7, 9])];
        // Soft, and 0 in some columns.
        let region = (noise(3, [1, 1, 7, 9]) * 1.5 - 0.5).clamp(0.0, 1.0);
        let shares = region.reshape([63, 1]);
        let weighted = |features: &Tensor, shares: &Tensor| {
            let rows = features.squeeze_dim(0).flatten(1, 2).transpose(0, 1);
            let sum = shares.sum(Kind::Float);
            let mean = (&rows * shares).sum_dim_intlist([0].as_slice(), true, Kind::Float) / &sum;
            let centered = rows - &mean;
            (mean, (&centered * shares).transpose(0, 1).matmul(&centered) / sum)
        };
        let relative = |x: &Tensor, target: &Tensor| -> Tensor {
            (x - target).square().sum(Kind::Float) / target.square().sum(Kind::Float)
        };
        let leaf = features.copy().set_requires_grad(true);
        let (own, target) =
            (weighted(&leaf, &shares), weighted(&style, &Tensor::ones([30, 1], (Kind::Float, style.device()))));
        let expected = (relative(&own.0, &target.0) + relative(&own.1, &target.1)) * shares.mean(Kind::Float);
        let at_features = Tensor::run_backward(&[&expected], &[&leaf], false, false).remove(0);

        let style = Statistics::MeanCovariance.of(&FeatureSums::of(&style).unwrap()).unwrap();
        let loss = StatisticsLoss::new(Statistics::MeanCovariance, &[(&style, 1.0)], Distance::Normalized, 63).unwrap();
        let mut gradient = features.zeros_like();
        let extent = Extent { region: Some(&region), ..Extent::default() };
        let value = loss.accumulate(&features, extent, 3.0, &mut gradient).unwrap();
        assert!(value.allclose(&expected.detach(), 1e-4, 0.0, false), "{value} {expected}");
        let error = f64::try_from((&gradient - at_features * 3).abs().max()).unwrap();
        assert!(error < 1e-4 * f64::try_from(gradient.abs().max()).unwrap(), "{error}");
        let outside = region.le(0.0);
        assert_eq!(
            f64::try_from((gradient * outside).abs().max()).unwrap(),
            0.0,
            "outside of the region nothing moves"
        );

        let mut gradient = features.zeros_like();
        let nowhere = region.zeros_like();
        let extent = Extent { region: Some(&nowhere), ..Extent::default() };
        assert_eq!(f64::try_from(loss.accumulate(&features, extent, 3.0, &mut gradient).unwrap()).unwrap(), 0.0);
        assert_eq!(f64::try_from(gradient.abs().max()).unwrap(), 0.0);
    }
}
