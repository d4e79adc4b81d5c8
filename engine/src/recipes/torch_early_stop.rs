//! A descendant of PyTorch's tutorial, which stops when the loss no longer falls.

use super::{Recipe, Variable};
use crate::losses::{Distance, LossConfig, Reduction};
use crate::normalization::Input;

pub(super) fn recipe() -> Recipe {
    let style_layers = "conv1_1, conv2_1, conv3_1, conv4_1, conv5_1";
    // The original multiplies features by these factors before they, or their Gram matrices, are compared.
    let (content_factor, style_factor): (f64, f64) = (0.025, 5.0);
    Recipe {
        input: Some(Input::RGB_1),
        variable: Variable::NormalizedInput,
        // 100 steps of 20 evaluations.
        first_iterations: 2000,
        iterations: 200,
        patience: Some(20),
        ..Recipe::of_program(
            LossConfig::new(content_factor.powi(2), "conv5_2", Distance::MeanSquare, Reduction::Sum),
            LossConfig::new(style_factor.powi(4), style_layers, Distance::MeanSquare, Reduction::Sum),
        )
    }
}
