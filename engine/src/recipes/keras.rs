//! Keras' example "Neural style transfer", with L-BFGS.

use super::{Recipe, Start, Variable};
use crate::losses::{Distance, GramDivisor, LossConfig, Reduction, Statistics, StyleLossKind, TotalVariation};
use crate::normalization::Input;
use crate::optimizers::{OptimizerConfig, StepRule};

pub(super) fn recipe() -> Recipe {
    let style_layers = "relu1_1, relu2_1, relu3_1, relu4_1, relu5_1";
    Recipe {
        input: Some(Input::Caffe),
        variable: Variable::NormalizedInput,
        start: Start::Noise { from: -128.0, to: 97.0 },
        style_loss: StyleLossKind::Statistics(Statistics::Gram(GramDivisor::One)),
        tv_weight: 1.0,
        total_variation: TotalVariation::Power,
        // 15 rounds of 20 evaluations.
        method: OptimizerConfig::Lbfgs { rate: 1.0, history: 10, rule: StepRule::StrongWolfe { restart_every: 20 } },
        ..Recipe::of_program(
            LossConfig::new(0.025, "relu4_2", Distance::SumSquare, Reduction::Sum),
            LossConfig::new(1.0, style_layers, Distance::Gatys, Reduction::Mean),
        )
    }
}
