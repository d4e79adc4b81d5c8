//! Recipes: a program's whole arithmetic as data. What its losses are and where they are taken, what brings them down, and
//! what it starts from.

use style_engine_interface::{Parameters, optimizer, pooling, precision, recipe};
use tch::Kind;

use crate::input::Input;
use crate::losses::{Distance, GramDivisor, Statistics, TotalVariation};
use crate::optimizers::{Decay, Method, StepRule};
use crate::pooling::Pooling;
use crate::vgg::{Tap, Vgg};
use crate::{Error, Result};

/// Everything that tells one program from another.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// What the network is fed, if not what its weights were trained for.
    pub input: Option<Input>,
    /// What the optimiser moves.
    pub variable: Variable,
    /// What it starts from, where there is no frame before.
    pub start: Start,
    /// Up to so many sizes that a first frame is painted at, each twice the one before.
    pub scales: u32,
    /// What features are computed in; `None`: what the device is quick at.
    pub kind: Option<Kind>,
    /// What halves the features.
    pub pooling: Pooling,
    /// What holds the frame's content: distances of features.
    pub content: Term,
    /// What draws to the style: distances of statistics of features.
    pub style: Term,
    /// The statistics.
    pub statistics: Statistics,
    /// The picture, half of it and so on: where features are compared. Small frames have fewer.
    pub levels: Vec<Level>,
    /// The weight of what smooths.
    pub tv_weight: f64,
    /// What smooths.
    pub total_variation: TotalVariation,
    /// The weight of what holds a frame to the one before.
    pub temporal_weight: f64,
    /// What brings the losses down.
    pub method: Method,
    /// What its rate is multiplied by where a frame is held to the one before: what is painted already needs finer strokes.
    pub held_rate: f64,
    /// Steps for a frame with none before it, each an evaluation of the losses.
    pub first_iterations: u32,
    /// Steps for each following frame.
    pub iterations: u32,
    /// After every so many steps it stops, if the loss has not fallen meanwhile.
    pub patience: Option<u32>,
}

/// What the optimiser moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Variable {
    /// The picture, kept within 0..1.
    BoundedPicture,
    /// What the network is fed.
    Fed,
}

/// What a first frame starts from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// Its content.
    Content,
    /// Its content in the style's colours: with their mean and covariance.
    MatchedColors,
    /// Uniform noise in what the network is fed.
    Noise {
        /// The smallest value.
        from: f64,
        /// The largest.
        to: f64,
    },
}

/// What the losses at a level of the picture's pyramid count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// The style's: as a share of that of all levels.
    pub style: f64,
    /// The content's: times the content's weight.
    pub content: f64,
}

impl Level {
    /// The picture itself as the only level.
    const WHOLE: Self = Self { style: 1.0, content: 1.0 };
}

/// A loss over some layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Names, or torchvision's indices, parted by commas.
    pub layers: String,
    /// Whether it does without those that the network lacks; where it lacks all, its last is taken.
    pub optional: bool,
    /// How features, or their statistics, are compared.
    pub distance: Distance,
    /// What becomes of the layers' distances.
    pub sum: Sum,
    /// The loss's weight.
    pub weight: f64,
}

/// How the layers' distances become one loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sum {
    /// Their sum.
    Total,
    /// Their mean.
    Mean,
}

/// The shorter side of the smallest level, in pixels.
const LEAST_SIDE: i64 = 32;

const ADAM: Method = Method::Adam {
    rate: 0.03,
    // Not the usual 0.999: with few steps a frame, older gradients are of other frames.
    beta2: 0.99,
    decay: None,
};

/// As `torch.optim.LBFGS` does by itself.
const TORCH_LBFGS: Method = Method::Lbfgs { rate: 1.0, history: 100, rule: StepRule::Whole };

impl Recipe {
    /// This engine's own, for few steps a frame.
    fn video() -> Self {
        Self {
            input: None,
            variable: Variable::BoundedPicture,
            start: Start::MatchedColors,
            scales: 3,
            kind: None,
            pooling: Pooling::Max,
            // No deeper: larger shapes come from the smaller levels, while relu4_1 and relu5_1 bring the style's own figures.
            content: Term { optional: true, ..Term::new(2.0, "relu3_1", Distance::Relative, Sum::Total) },
            style: Term {
                optional: true,
                ..Term::new(100.0, "relu1_1, relu2_1, relu3_1", Distance::Relative, Sum::Mean)
            },
            statistics: Statistics::MeanCovariance,
            levels: vec![
                Level { style: 1.0, content: 1.0 },
                Level { style: 0.5, content: 1.0 },
                Level { style: 0.25, content: 0.0 },
            ],
            tv_weight: 4.0,
            total_variation: TotalVariation::MeanSquare,
            temporal_weight: 9000.0,
            method: ADAM,
            held_rate: 2.0 / 3.0,
            first_iterations: 120,
            iterations: 4,
            patience: None,
        }
    }

    /// PyTorch's tutorial "Neural Transfer".
    fn pytorch_tutorial() -> Self {
        let style_layers = "conv1_1, conv1_2, conv2_1, conv2_2, conv3_1";
        Self {
            input: None,
            variable: Variable::BoundedPicture,
            start: Start::Content,
            scales: 1,
            kind: Some(Kind::Float),
            pooling: Pooling::Max,
            content: Term::new(1.0, "conv2_2", Distance::MeanSquare, Sum::Total),
            style: Term::new(1e6, style_layers, Distance::MeanSquare, Sum::Total),
            statistics: Statistics::Gram(GramDivisor::Features),
            levels: vec![Level::WHOLE],
            tv_weight: 0.0,
            total_variation: TotalVariation::MeanSquare,
            temporal_weight: 0.0,
            method: TORCH_LBFGS,
            held_rate: 1.0,
            first_iterations: 300,
            iterations: 30,
            patience: None,
        }
    }

    /// "Dive into Deep Learning", section "Neural Style Transfer".
    fn d2l() -> Self {
        // The program keeps each convolution's result, which the ReLU after it overwrites; the last has none.
        let (content_layer, style_layers) = ("relu4_4", "relu1_1, relu2_1, relu3_1, relu4_1, conv5_1");
        Self {
            input: None,
            variable: Variable::Fed,
            start: Start::Content,
            scales: 1,
            kind: Some(Kind::Float),
            pooling: Pooling::Max,
            content: Term::new(1.0, content_layer, Distance::MeanSquare, Sum::Total),
            // A weight of 1000, counted ten times.
            style: Term::new(1e4, style_layers, Distance::MeanSquare, Sum::Total),
            statistics: Statistics::Gram(GramDivisor::Features),
            levels: vec![Level::WHOLE],
            tv_weight: 10.0,
            total_variation: TotalVariation::HalfMeanAbsolute,
            temporal_weight: 0.0,
            method: Method::Adam { rate: 0.3, beta2: 0.999, decay: Some(Decay { every: 50, factor: 0.8 }) },
            held_rate: 1.0,
            first_iterations: 500,
            iterations: 50,
            patience: None,
        }
    }

    /// Keras' example "Neural style transfer", with L-BFGS.
    fn keras() -> Self {
        let style_layers = "relu1_1, relu2_1, relu3_1, relu4_1, relu5_1";
        Self {
            input: Some(Input::Caffe),
            variable: Variable::Fed,
            start: Start::Noise { from: -128.0, to: 97.0 },
            scales: 1,
            kind: Some(Kind::Float),
            pooling: Pooling::Max,
            content: Term::new(0.025, "relu4_2", Distance::SumSquare, Sum::Total),
            style: Term::new(1.0, style_layers, Distance::Gatys, Sum::Mean),
            statistics: Statistics::Gram(GramDivisor::One),
            levels: vec![Level::WHOLE],
            tv_weight: 1.0,
            total_variation: TotalVariation::Power,
            temporal_weight: 0.0,
            method: Method::Lbfgs { rate: 1.0, history: 10, rule: StepRule::Search { round: 20 } },
            held_rate: 1.0,
            // 15 rounds of 20 evaluations.
            first_iterations: 300,
            iterations: 30,
            patience: None,
        }
    }

    /// A descendant of PyTorch's tutorial, which stops when the loss no longer falls.
    fn torch_early_stop() -> Self {
        let style_layers = "conv1_1, conv2_1, conv3_1, conv4_1, conv5_1";
        // Features are weighted before they, or their products, are compared.
        let (content_factor, style_factor): (f64, f64) = (0.025, 5.0);
        Self {
            input: Some(Input::Plain),
            variable: Variable::Fed,
            start: Start::Content,
            scales: 1,
            kind: Some(Kind::Float),
            pooling: Pooling::Max,
            content: Term::new(content_factor.powi(2), "conv5_2", Distance::MeanSquare, Sum::Total),
            style: Term::new(style_factor.powi(4), style_layers, Distance::MeanSquare, Sum::Total),
            statistics: Statistics::Gram(GramDivisor::Features),
            levels: vec![Level::WHOLE],
            tv_weight: 0.0,
            total_variation: TotalVariation::MeanSquare,
            temporal_weight: 0.0,
            method: TORCH_LBFGS,
            held_rate: 1.0,
            // 100 steps of 20 evaluations.
            first_iterations: 2000,
            iterations: 200,
            patience: Some(20),
        }
    }

    /// The recipe of these parameters, with what they change in it.
    pub fn new(parameters: &Parameters, content_layers: &str, style_layers: &str) -> Result<Self> {
        let unknown = |what: &str, number: u32| Error::Settings(format!("there is no {what} {number}"));
        let mut recipe = match parameters.recipe {
            recipe::VIDEO => Self::video(),
            recipe::PYTORCH_TUTORIAL => Self::pytorch_tutorial(),
            recipe::D2L => Self::d2l(),
            recipe::KERAS => Self::keras(),
            recipe::TORCH_EARLY_STOP => Self::torch_early_stop(),
            number => return Err(unknown("recipe", number)),
        };
        for (term, layers) in [(&mut recipe.content, content_layers), (&mut recipe.style, style_layers)] {
            if !layers.trim().is_empty() {
                (term.layers, term.optional) = (layers.to_owned(), false);
            }
        }
        recipe.method = match parameters.optimizer {
            optimizer::AUTO => recipe.method,
            optimizer::ADAM if !matches!(recipe.method, Method::Adam { .. }) => ADAM,
            optimizer::LBFGS if !matches!(recipe.method, Method::Lbfgs { .. }) => TORCH_LBFGS,
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
    /// Whether a part of a frame can be painted by itself, its style compared as that of the whole frame.
    pub fn is_local(&self) -> bool {
        self.statistics == Statistics::MeanCovariance && matches!(self.method, Method::Adam { .. })
    }

    /// The levels of a frame of this height and width: as many as leave enough to see.
    pub fn levels_at(&self, size: [i64; 2]) -> &[Level] {
        let halvings = (1..self.levels.len()).take_while(|halvings| size[0].min(size[1]) >> halvings >= LEAST_SIDE);
        self.levels.get(..=halvings.count()).unwrap_or(&self.levels)
    }

    /// Whether the other's style targets serve this one.
    pub fn has_style_of(&self, other: &Self) -> bool {
        let what = |recipe: &Self| {
            let Self { input, kind, pooling, statistics, levels, style, .. } = recipe;
            (*input, *kind, *pooling, *statistics, levels.clone(), style.distance, style.layers.clone(), style.optional)
        };
        what(self) == what(other)
    }
}

impl Sum {
    /// What each of so many distances counts.
    pub fn share(self, layers: usize) -> f64 {
        match self {
            Self::Total => 1.0,
            Self::Mean => 1.0 / layers.max(1) as f64,
        }
    }
}

impl Term {
    fn new(weight: f64, layers: &str, distance: Distance, sum: Sum) -> Self {
        Self { layers: layers.to_owned(), optional: false, distance, sum, weight }
    }

    /// Where in `network` it is taken.
    pub fn taps(&self, network: &Vgg) -> Result<Vec<Tap>> {
        let names = self.layers.split([',', ' ']).filter(|name| !name.is_empty());
        let found: Vec<_> = names.map(|name| network.tap(name).ok_or(name)).collect();
        let mut taps: Vec<_> = found.iter().filter_map(|tap| tap.ok()).collect();
        if let Some(missing) = found.iter().find_map(|tap| tap.err())
            && !self.optional
        {
            return Err(Error::NoLayer { name: missing.to_owned(), last: last_layer(network) });
        }
        if taps.is_empty() {
            taps.extend(network.taps().next_back());
        }
        taps.sort();
        taps.dedup();
        Ok(taps)
    }
}

fn last_layer(network: &Vgg) -> String {
    network.taps().next_back().map_or_else(String::new, |tap| tap.to_string())
}
