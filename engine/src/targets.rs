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
    /// For each level and each of the style's layers, one for all styles, or one for each if masks divide the frame.
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

/// The targets of normalized style pictures with their weights, which sum up to 1, for frames of this height and width. If
/// they are `divided` by masks, each style has its own, and weights do not count. There are as many levels as the frames and
/// the smallest style picture allow.
pub fn style_targets(
    network: &Vgg,
    recipe: &Recipe,
    styles: &[(Tensor, f64)],
    size: [i64; 2],
    divided: bool,
) -> Result<StyleTargets> {
    let mut levels = recipe.levels_at(size).len();
    for (style, _) in styles {
        levels = levels.min(recipe.levels_at(size_of(style)?).len());
    }
    let positions = size.iter().product();
    let layers = recipe.style.find_layers(network)?;
    let mut pictures: Vec<(Tensor, f64)> =
        styles.iter().map(|(picture, weight)| (picture.shallow_clone(), *weight)).collect();
    let mut targets = Vec::with_capacity(levels);
    // One level at a time, since features need much memory.
    for level in 0..levels {
        let mut at_layers: Vec<Vec<(Tensor, f64)>> = layers.iter().map(|_| Vec::new()).collect();
        for (picture, weight) in &mut pictures {
            if level > 0 {
                *picture = halve(picture)?;
            }
            for (at_layer, features) in at_layers.iter_mut().zip(network.features(picture, &layers, recipe.pooling)?) {
                at_layer.push((features, *weight));
            }
        }
        let prepare = |styles: &[_]| recipe.style_loss.prepare(styles, recipe.style.distance, positions);
        let at_layer = |styles: &Vec<(Tensor, f64)>| match divided {
            true => styles.iter().map(|(features, _)| prepare(&[(features.shallow_clone(), 1.0)])).collect(),
            false => Ok(vec![prepare(styles)?]),
        };
        targets.push(at_layers.iter().map(at_layer).collect::<Result<_>>()?);
    }
    Ok(StyleTargets { size, levels: targets })
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
