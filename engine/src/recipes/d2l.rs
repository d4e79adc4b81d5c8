//! "Dive into Deep Learning", section "Neural Style Transfer".

use super::{Recipe, Variable};
use crate::losses::{Distance, LossConfig, Reduction, TotalVariation};
use crate::optimizers::{Decay, OptimizerConfig};

pub(super) fn recipe() -> Recipe {
    // The original stores the output of convolutions, but the ReLU that follows each of them overwrites it. No ReLU
    // follows the last one.
    let (content_layer, style_layers) = ("relu4_4", "relu1_1, relu2_1, relu3_1, relu4_1, conv5_1");
    Recipe {
        variable: Variable::NormalizedInput,
        tv_weight: 10.0,
        total_variation: TotalVariation::HalfMeanAbsolute,
        method: OptimizerConfig::Adam { rate: 0.3, beta2: 0.999, decay: Some(Decay { every: 50, factor: 0.8 }) },
        first_iterations: 500,
        iterations: 50,
        ..Recipe::of_program(
            LossConfig::new(1.0, content_layer, Distance::MeanSquare, Reduction::Sum),
            // The original has a weight of 1000, and counts it ten times.
            LossConfig::new(1e4, style_layers, Distance::MeanSquare, Reduction::Sum),
        )
    }
}
