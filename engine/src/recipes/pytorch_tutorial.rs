//! PyTorch's tutorial "Neural Transfer".

use super::Recipe;
use crate::losses::{Distance, LossConfig, Reduction};

pub(super) fn recipe() -> Recipe {
    let style_layers = "conv1_1, conv1_2, conv2_1, conv2_2, conv3_1";
    Recipe::of_program(
        LossConfig::new(1.0, "conv2_2", Distance::MeanSquare, Reduction::Sum),
        LossConfig::new(1e6, style_layers, Distance::MeanSquare, Reduction::Sum),
    )
}
