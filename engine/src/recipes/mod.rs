//! Recipes: the whole arithmetic of a program as data: its losses and their layers, its optimizer, and its start.

mod d2l;
mod deepdream;
mod keras;
mod pytorch_tutorial;
mod torch_early_stop;
mod video;

use style_engine_interface::{Parameters, optimizer, pooling, precision, recipe, style_loss};
use tch::Kind;

use crate::losses::{GramDivisor, LossConfig, Statistics, StyleLossKind, TotalVariation};
use crate::normalization::Input;
use crate::optimizers::{OptimizerConfig, StepRule};
use crate::pooling::Pooling;
use crate::{Error, Result};

/// Everything that distinguishes one program from another.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The normalization, if not the one that the weights were trained with.
    pub input: Option<Input>,
    /// The variable that the optimizer moves.
    pub variable: Variable,
    /// The start of a frame without one before it.
    pub start: Start,
    /// The maximum number of sizes that a first frame is painted at, each twice the one before.
    pub scales: u32,
    /// The precision of features; `None`: the fastest on the device.
    pub kind: Option<Kind>,
    /// The network's pooling.
    pub pooling: Pooling,
    /// The content loss, a distance of features.
    pub content: LossConfig,
    /// The style loss.
    pub style: LossConfig,
    /// The kind of style loss.
    pub style_loss: StyleLossKind,
    /// The levels of the picture's pyramid at which features are compared: full size, half and so on. Small frames have
    /// fewer.
    pub levels: Vec<Level>,
    /// The weight of the total variation.
    pub tv_weight: f64,
    /// The form of the total variation.
    pub total_variation: TotalVariation,
    /// The weight of the temporal loss.
    pub temporal_weight: f64,
    /// The optimizer.
    pub method: OptimizerConfig,
    /// The factor of the optimizer's rate for a frame with a warm start, which needs finer changes.
    pub warm_start_rate: f64,
    /// Steps for a frame without one before it, each an evaluation of the losses.
    pub first_iterations: u32,
    /// Steps for each following frame.
    pub iterations: u32,
    /// The number of steps without a decrease of the loss after which the optimization stops.
    pub patience: Option<u32>,
}

/// The variable that the optimizer moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Variable {
    /// The picture, kept within 0..1.
    ClampedImage,
    /// The network's normalized input.
    NormalizedInput,
}

/// The start of a first frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// Its content.
    Content,
    /// Its content in the style's colors: with their mean and covariance.
    MatchedColors,
    /// Uniform noise as the network's normalized input.
    Noise {
        /// The minimum.
        from: f64,
        /// The maximum.
        to: f64,
    },
}

/// The weights of the losses at a level of the picture's pyramid.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// The weight of the style loss, relative to the sum of all levels' weights.
    pub style: f64,
    /// The factor of the content loss's weight.
    pub content: f64,
}

impl Level {
    /// The level of recipes without a pyramid: the picture itself.
    const WHOLE: Self = Self { style: 1.0, content: 1.0 };
}

/// The minimum of the smallest level's shorter side, in pixels.
const MIN_SIDE: i64 = 32;

const ADAM: OptimizerConfig = OptimizerConfig::Adam {
    rate: 0.03,
    // Instead of the usual 0.999: with few steps per frame, older gradients belong to other frames.
    beta2: 0.99,
    decay: None,
};

/// The defaults of `torch.optim.LBFGS`.
const TORCH_LBFGS: OptimizerConfig = OptimizerConfig::Lbfgs { rate: 1.0, history: 100, rule: StepRule::Fixed };

impl Recipe {
    /// The base of the recipes that follow programs for photographs: Gram matrices of the whole picture, compared in 32
    /// bits.
    fn of_program(content: LossConfig, style: LossConfig) -> Self {
        Self {
            input: None,
            variable: Variable::ClampedImage,
            start: Start::Content,
            scales: 1,
            kind: Some(Kind::Float),
            pooling: Pooling::Max,
            content,
            style,
            style_loss: StyleLossKind::Statistics(Statistics::Gram(GramDivisor::Features)),
            levels: vec![Level::WHOLE],
            tv_weight: 0.0,
            total_variation: TotalVariation::MeanSquare,
            temporal_weight: 0.0,
            method: TORCH_LBFGS,
            warm_start_rate: 1.0,
            first_iterations: 300,
            iterations: 30,
            patience: None,
        }
    }

    /// The recipe that `parameters` select, with the changes that they make to it.
    pub fn new(parameters: &Parameters, content_layers: &str, style_layers: &str) -> Result<Self> {
        let unknown = |what: &str, number: u32| Error::Settings(format!("unknown {what}: {number}"));
        let mut recipe = match parameters.recipe {
            recipe::VIDEO => video::recipe(),
            recipe::PYTORCH_TUTORIAL => pytorch_tutorial::recipe(),
            recipe::D2L => d2l::recipe(),
            recipe::KERAS => keras::recipe(),
            recipe::TORCH_EARLY_STOP => torch_early_stop::recipe(),
            recipe::DEEPDREAM => deepdream::recipe(),
            number => return Err(unknown("recipe", number)),
        };
        for (loss, layers) in [(&mut recipe.content, content_layers), (&mut recipe.style, style_layers)] {
            if !layers.trim().is_empty() {
                *loss = loss.with_layers(layers);
            }
        }
        recipe.style_loss = match parameters.style_loss {
            style_loss::AUTO => recipe.style_loss,
            style_loss::GRAM => StyleLossKind::Statistics(Statistics::Gram(GramDivisor::Positions)),
            style_loss::MEAN_COVARIANCE => StyleLossKind::Statistics(Statistics::MeanCovariance),
            style_loss::SLICED_WASSERSTEIN => StyleLossKind::SlicedWasserstein,
            number => return Err(unknown("style loss", number)),
        };
        recipe.method = match parameters.optimizer {
            optimizer::AUTO => recipe.method,
            optimizer::ADAM if !matches!(recipe.method, OptimizerConfig::Adam { .. }) => ADAM,
            optimizer::LBFGS if !matches!(recipe.method, OptimizerConfig::Lbfgs { .. }) => TORCH_LBFGS,
            optimizer::ADAM | optimizer::LBFGS => recipe.method,
            number => return Err(unknown("optimizer", number)),
        };
        recipe.pooling = match parameters.pooling {
            pooling::AUTO => recipe.pooling,
            pooling::MAX => Pooling::Max,
            pooling::AVERAGE => Pooling::Average,
            number => return Err(unknown("pooling", number)),
        };
        recipe.kind = match parameters.precision {
            precision::AUTO => recipe.kind,
            precision::F32 => Some(Kind::Float),
            precision::BF16 => Some(Kind::BFloat16),
            number => return Err(unknown("precision", number)),
        };
        let set = |own: &mut f64, value: f64| {
            if value >= 0.0 {
                *own = value;
            }
        };
        set(&mut recipe.content.weight, parameters.content_weight);
        set(&mut recipe.style.weight, parameters.style_weight);
        set(&mut recipe.tv_weight, parameters.tv_weight);
        set(&mut recipe.temporal_weight, parameters.temporal_weight);
        if parameters.learning_rate >= 0.0 {
            recipe.method = recipe.method.with_rate(parameters.learning_rate);
        }
        recipe.first_iterations = u32::try_from(parameters.first_iterations).unwrap_or(recipe.first_iterations);
        recipe.iterations = u32::try_from(parameters.iterations).unwrap_or(recipe.iterations);
        Ok(recipe)
    }
}

impl Recipe {
    /// Whether a part of a frame can be painted separately, with the style loss of the whole frame.
    pub fn is_local(&self) -> bool {
        self.style_loss.is_local() && matches!(self.method, OptimizerConfig::Adam { .. })
    }

    /// The levels for a frame of this height and width: small frames have fewer.
    pub fn levels_at(&self, size: [i64; 2]) -> &[Level] {
        let halvings = (1..self.levels.len()).take_while(|halvings| size[0].min(size[1]) >> halvings >= MIN_SIDE);
        self.levels.get(..=halvings.count()).unwrap_or(&self.levels)
    }

    /// Whether both recipes have the same style targets.
    pub fn has_style_of(&self, other: &Self) -> bool {
        let key = |recipe: &Self| {
            let Self { input, kind, pooling, style_loss, levels, style, .. } = recipe;
            (*input, *kind, *pooling, *style_loss, levels.clone(), style.distance, style.layers.clone(), style.optional)
        };
        key(self) == key(other)
    }
}
