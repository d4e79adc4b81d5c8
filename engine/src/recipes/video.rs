//! This engine's own recipe, for few steps per frame: the mean and covariance of features over a pyramid of the
//! picture.

use super::{ADAM, Level, Recipe, Start, Variable};
use crate::losses::{Distance, LossConfig, Reduction, Statistics, StyleLossKind, TotalVariation};
use crate::pooling::Pooling;

pub(super) fn recipe() -> Recipe {
    Recipe {
        input: None,
        variable: Variable::ClampedImage,
        start: Start::MatchedColors,
        scales: 3,
        kind: None,
        pooling: Pooling::Max,
        // No deeper layers: larger shapes come from the smaller levels, while relu4_1 and relu5_1 reproduce objects of
        // the style picture.
        content: LossConfig { optional: true, ..LossConfig::new(2.0, "relu3_1", Distance::Normalized, Reduction::Sum) },
        style: LossConfig {
            optional: true,
            ..LossConfig::new(100.0, "relu1_1, relu2_1, relu3_1", Distance::Normalized, Reduction::Mean)
        },
        style_loss: StyleLossKind::Statistics(Statistics::MeanCovariance),
        levels: vec![
            Level { style: 1.0, content: 1.0 },
            Level { style: 0.5, content: 1.0 },
            Level { style: 0.25, content: 0.0 },
        ],
        tv_weight: 4.0,
        total_variation: TotalVariation::MeanSquare,
        temporal_weight: 9000.0,
        method: ADAM,
        warm_start_rate: 2.0 / 3.0,
        first_iterations: 120,
        iterations: 4,
        patience: None,
    }
}
