//! Style losses: what makes up a style at a layer. Each is one file, and one row of [`StyleLossKind`].

use tch::Tensor;

use super::sliced_wasserstein::SlicedWasserstein;
use super::statistics::StatisticsLoss;
use super::{Distance, FeatureSums, Statistics};
use crate::{Error, Result};

/// A style loss at a layer, prepared for the styles.
pub(crate) trait StyleLoss {
    /// The loss of features `(1, C, H, W)`, those of the picture or of a part of it, `()`. The rest of the picture has the sums
    /// `outside`. Adds `weight` times the gradient at the features.
    fn accumulate(
        &self,
        features: &Tensor,
        outside: Option<&FeatureSums>,
        weight: f64,
        gradient: &mut Tensor,
    ) -> Result<Tensor>;
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
    /// The loss for styles' features `(1, C, H, W)` at a layer, by their weights, which sum up to 1. `distance` compares
    /// statistics; `positions` is the number of a picture's pixels.
    pub(crate) fn prepare(
        self,
        styles: &[(Tensor, f64)],
        distance: Distance,
        positions: i64,
    ) -> Result<Box<dyn StyleLoss>> {
        Ok(match self {
            Self::Statistics(statistics) => Box::new(StatisticsLoss::new(statistics, styles, distance, positions)?),
            Self::SlicedWasserstein => Box::new(SlicedWasserstein::new(styles)?.ok_or(Error::NoStyle)?),
        })
    }

    /// Whether a part of a frame can be painted by itself, compared as the whole frame.
    pub(crate) fn is_local(self) -> bool {
        self == Self::Statistics(Statistics::MeanCovariance)
    }
}
