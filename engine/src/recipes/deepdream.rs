//! DeepDream, with the numbers of its first notebook (A. Mordvintsev, C. Olah, M. Tyka, 2015).

use super::Recipe;
use crate::losses::{Distance, LossConfig, Reduction};
use crate::optimizers::OptimizerConfig;

pub(super) fn recipe() -> Recipe {
    // Its distances are not used: features are raised, or drawn to a guide's.
    let raised = LossConfig { optional: true, ..LossConfig::new(1.0, "relu4_3", Distance::MeanSquare, Reduction::Sum) };
    Recipe {
        method: OptimizerConfig::NormalizedGradient { rate: 1.5 },
        temporal_weight: 9.0,
        first_iterations: 10,
        iterations: 1,
        ..Recipe::of_program(raised.clone(), raised)
    }
}
