//! Style losses, which compare features with a style's at a layer. Each is one file and one row of [`StyleLossKind`].

use tch::Tensor;

use super::sliced_wasserstein::SlicedWasserstein;
use super::statistics::StatisticsLoss;
use super::{Distance, FeatureSums, Statistics};
use crate::{Error, Result};

/// A style loss at a layer, prepared for certain styles.
pub(crate) trait StyleLoss {
    /// The loss of features `(1, C, H, W)` in this extent, `()`. Adds `weight` times the gradient to `gradient`.
    fn accumulate(&self, features: &Tensor, extent: Extent, weight: f64, gradient: &mut Tensor) -> Result<Tensor>;
}

/// The part of a picture whose features are compared.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extent<'a> {
    /// The sums of the rest's features, if only a part of the picture is given.
    pub outside: Option<&'a FeatureSums>,
    /// The share of each position, `(1, 1, H, W)`, if the style is that of a region. The loss is that of the region, times
    /// its share of the picture.
    pub region: Option<&'a Tensor>,
}

/// A kind of style loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StyleLossKind {
    /// A distance of statistics of features.
    Statistics(Statistics),
    /// The sliced Wasserstein distance of features.
    SlicedWasserstein,
}

impl StyleLossKind {
    /// What the loss compares of a style's features `(1, C, H, W)`.
    pub(crate) fn describe(self, features: &Tensor) -> Result<Vec<Tensor>> {
        match self {
            Self::Statistics(statistics) => statistics.of(&FeatureSums::of(features)?),
            Self::SlicedWasserstein => SlicedWasserstein::describe(features),
        }
    }

    /// Prepares the loss for styles that were described, with their weights, which sum up to 1. Statistics are compared by
    /// `distance`; `positions` is the number of a picture's pixels.
    pub(crate) fn prepare(
        self,
        styles: &[(&[Tensor], f64)],
        distance: Distance,
        positions: i64,
    ) -> Result<Box<dyn StyleLoss>> {
        Ok(match self {
            Self::Statistics(statistics) => Box::new(StatisticsLoss::new(statistics, styles, distance, positions)?),
            Self::SlicedWasserstein => Box::new(SlicedWasserstein::new(styles)?.ok_or(Error::NoStyle)?),
        })
    }

    /// Whether the loss can be that of a region.
    pub(crate) fn has_regions(self) -> bool {
        matches!(self, Self::Statistics(_))
    }

    /// Whether the loss of a whole frame can be computed while only a part is painted.
    pub(crate) fn is_local(self) -> bool {
        self == Self::Statistics(Statistics::MeanCovariance)
    }
}
