//! Targets: what a picture's features are compared with, at each level of a pyramid of the picture.

use tch::Tensor;

use crate::Result;
use crate::losses::{FeatureSums, StyleLoss, Target};
use crate::networks::vgg::Vgg;
use crate::recipes::{Level, Recipe};
use crate::size::{halve, size_of};

/// The targets of the style losses.
pub struct StyleTargets {
    /// Height and width of the frames.
    pub size: [i64; 2],
    /// For each level and each of the style's layers, one for each region: without masks there is one.
    pub(crate) levels: Vec<Vec<Vec<Box<dyn StyleLoss>>>>,
}

/// The targets of the content loss.
pub struct ContentTargets {
    /// For each level, one for each of the content's layers; none if the level has no content weight.
    pub(crate) levels: Vec<Vec<Target>>,
    /// The content loss's weight: the recipe's, unless it is changed.
    pub weight: f64,
}

/// The sums of a picture's features, or of a part's, over all positions: for each level, one for each of the style's
/// layers.
pub struct StyleSums(pub(crate) Vec<Vec<FeatureSums>>);

impl StyleSums {
    /// The sums of a normalized picture, `(1, 3, H, W)`, at this number of levels.
    pub fn of(network: &Vgg, recipe: &Recipe, normalized: &Tensor, levels: usize) -> Result<Self> {
        let layers = recipe.style.find_layers(network)?;
        let sums = |normalized: &Tensor| {
            network.features(normalized, &layers, recipe.pooling)?.iter().map(FeatureSums::of).collect()
        };
        Ok(Self(pyramid(normalized, levels)?.iter().map(sums).collect::<Result<_>>()?))
    }

    /// The sums of this part of a picture and another one together.
    pub fn plus(&self, other: &Self) -> Result<Self> {
        self.combine(other, FeatureSums::plus)
    }

    /// The sums without those of a part of the picture.
    pub fn minus(&self, part: &Self) -> Result<Self> {
        self.combine(part, FeatureSums::minus)
    }

    fn combine(&self, other: &Self, combine: fn(&FeatureSums, &FeatureSums) -> Result<FeatureSums>) -> Result<Self> {
        let at_level = |(own, other): (&Vec<FeatureSums>, &Vec<FeatureSums>)| {
            own.iter().zip(other).map(|(own, other)| combine(own, other)).collect()
        };
        Ok(Self(self.0.iter().zip(&other.0).map(at_level).collect::<Result<_>>()?))
    }
}

/// The pyramid of a normalized picture: the picture and smaller levels, each half the size of the one before.
fn pyramid(normalized: &Tensor, levels: usize) -> Result<Vec<Tensor>> {
    let mut pyramid = vec![normalized.shallow_clone()];
    for _ in 1..levels {
        let smaller = pyramid.last().map(halve).transpose()?;
        pyramid.extend(smaller);
    }
    Ok(pyramid)
}

/// The rest of a frame, if only a part is painted. With its sums, the style loss of the part is that of the whole
/// frame.
pub struct Outside {
    /// The sums of the rest's features.
    pub sums: StyleSums,
    /// The part's fraction of the frame's positions.
    pub share: f64,
}

/// What the style losses compare of a style picture: for each level and each of the style's layers, what
/// [`StyleLossKind::describe`](crate::losses::StyleLossKind) gives.
pub struct StyleDescription(Vec<Vec<Vec<Tensor>>>);

impl StyleDescription {
    /// Of a normalized picture, for frames of this height and width. There are as many levels as both allow.
    pub fn of(network: &Vgg, recipe: &Recipe, normalized: &Tensor, size: [i64; 2]) -> Result<Self> {
        let levels = recipe.levels_at(size).len().min(recipe.levels_at(size_of(normalized)?).len());
        let layers = recipe.style.find_layers(network)?;
        let mut picture = normalized.shallow_clone();
        let mut described = Vec::with_capacity(levels);
        // One level at a time, since features need much memory.
        for level in 0..levels {
            if level > 0 {
                picture = halve(&picture)?;
            }
            let features = network.features(&picture, &layers, recipe.pooling)?;
            described
                .push(features.iter().map(|features| recipe.style_loss.describe(features)).collect::<Result<_>>()?);
        }
        Ok(Self(described))
    }
}

impl StyleTargets {
    /// The targets of styles for frames of this height and width: for each region, its styles with their weights, which sum up
    /// to 1. Without masks there is one region. There are as many levels as all styles have.
    pub(crate) fn new(recipe: &Recipe, regions: &[Vec<(&StyleDescription, f64)>], size: [i64; 2]) -> Result<Self> {
        let positions = size.iter().product();
        let levels = regions.iter().flatten().map(|(style, _)| style.0.len()).min().unwrap_or(0);
        let layers = regions.iter().flatten().flat_map(|(style, _)| style.0.first()).map(Vec::len).min().unwrap_or(0);
        let prepare = |styles: &Vec<(&StyleDescription, f64)>, level: usize, layer: usize| {
            let styles: Vec<_> = styles
                .iter()
                .filter_map(|(style, weight)| Some((style.0.get(level)?.get(layer)?.as_slice(), *weight)))
                .collect();
            recipe.style_loss.prepare(&styles, recipe.style.distance, positions)
        };
        let at_layer = |level, layer| regions.iter().map(|styles| prepare(styles, level, layer)).collect();
        let at_level = |level| (0..layers).map(|layer| at_layer(level, layer)).collect();
        Ok(Self { size, levels: (0..levels).map(at_level).collect::<Result<_>>()? })
    }
}

/// The targets of normalized style pictures with their weights, which sum up to 1, for frames of this height and width.
pub fn style_targets(network: &Vgg, recipe: &Recipe, styles: &[(Tensor, f64)], size: [i64; 2]) -> Result<StyleTargets> {
    let described =
        |(picture, weight): &(Tensor, f64)| Ok((StyleDescription::of(network, recipe, picture, size)?, *weight));
    let described = styles.iter().map(described).collect::<Result<Vec<_>>>()?;
    StyleTargets::new(recipe, &[described.iter().map(|(style, weight)| (style, *weight)).collect()], size)
}

/// The content targets of a normalized picture, which is a frame of this height and width or a part of one.
pub fn content_targets(network: &Vgg, recipe: &Recipe, normalized: &Tensor, size: [i64; 2]) -> Result<ContentTargets> {
    let layers = recipe.content.find_layers(network)?;
    let positions = size_of(normalized)?.iter().product();
    let levels = recipe.levels_at(size);
    let at_level = |(normalized, level): (&Tensor, &Level)| -> Result<Vec<Target>> {
        if level.content == 0.0 {
            return Ok(Vec::new());
        }
        let features = network.features(normalized, &layers, recipe.pooling)?;
        features.into_iter().map(|features| Target::new(features, recipe.content.distance, positions)).collect()
    };
    let levels = pyramid(normalized, levels.len())?.iter().zip(levels).map(at_level).collect::<Result<_>>()?;
    Ok(ContentTargets { levels, weight: recipe.content.weight })
}
