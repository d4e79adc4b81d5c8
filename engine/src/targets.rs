//! What a picture's features are compared with, at each level of a pyramid of the picture.

use tch::Tensor;

use crate::Result;
use crate::losses::{FeatureSums, StyleLoss, Target};
use crate::networks::vgg::Vgg;
use crate::recipes::{Level, Recipe};
use crate::size::{halve, size_of};

/// The targets of the style losses.
pub struct StyleTargets {
    /// Height and width of the frames.
    pub(crate) size: [i64; 2],
    /// At each level, at each of the style's layers.
    pub(crate) levels: Vec<Vec<Box<dyn StyleLoss>>>,
}

/// The targets of the content loss: at each level, at each of the content's layers; none where it has no weight.
pub struct ContentTargets {
    pub(crate) levels: Vec<Vec<Target>>,
    /// The content loss's weight: the recipe's, unless it is changed.
    pub weight: f64,
}

/// The sums over the positions of a picture's features, or a part's, at each level, at each of the style's layers.
pub struct StyleSums(pub(crate) Vec<Vec<FeatureSums>>);

impl StyleSums {
    /// Of a normalized picture, at this number of levels.
    pub fn of(network: &Vgg, recipe: &Recipe, normalized: &Tensor, levels: usize) -> Result<Self> {
        let layers = recipe.style.find_layers(network)?;
        let sums = |normalized: &Tensor| {
            network.features(normalized, &layers, recipe.pooling)?.iter().map(FeatureSums::of).collect()
        };
        Ok(Self(pyramid(normalized, levels)?.iter().map(sums).collect::<Result<_>>()?))
    }

    /// With those of another part of the picture.
    pub fn plus(&self, other: &Self) -> Result<Self> {
        self.with(other, FeatureSums::plus)
    }

    /// Without those of a part of the picture.
    pub fn minus(&self, part: &Self) -> Result<Self> {
        self.with(part, FeatureSums::minus)
    }

    fn with(&self, other: &Self, both: fn(&FeatureSums, &FeatureSums) -> Result<FeatureSums>) -> Result<Self> {
        let at_level = |(own, other): (&Vec<FeatureSums>, &Vec<FeatureSums>)| {
            own.iter().zip(other).map(|(own, other)| both(own, other)).collect()
        };
        Ok(Self(self.0.iter().zip(&other.0).map(at_level).collect::<Result<_>>()?))
    }
}

/// A normalized picture and the levels below it, each half the size of the one before.
fn pyramid(normalized: &Tensor, levels: usize) -> Result<Vec<Tensor>> {
    let mut pyramid = vec![normalized.shallow_clone()];
    for _ in 1..levels {
        let smaller = pyramid.last().map(halve).transpose()?;
        pyramid.extend(smaller);
    }
    Ok(pyramid)
}

/// The rest of a frame of which a part is painted: with its sums the style is compared as the whole frame's.
pub struct Outside {
    /// The sums of the rest's features.
    pub sums: StyleSums,
    /// The part's share of the frame's positions.
    pub share: f64,
}

/// The targets of normalized style pictures, by their weights, which sum up to 1, for frames of this height and width. They have
/// as many levels as the frames and each of the pictures.
pub fn style_targets(network: &Vgg, recipe: &Recipe, styles: &[(Tensor, f64)], size: [i64; 2]) -> Result<StyleTargets> {
    let mut levels = recipe.levels_at(size).len();
    for (style, _) in styles {
        levels = levels.min(recipe.levels_at(size_of(style)?).len());
    }
    let positions = size.iter().product();
    let layers = recipe.style.find_layers(network)?;
    let mut pictures: Vec<(Tensor, f64)> =
        styles.iter().map(|(picture, weight)| (picture.shallow_clone(), *weight)).collect();
    let mut targets = Vec::with_capacity(levels);
    // Level by level, since features take much memory.
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
        let prepare = |styles: &Vec<_>| recipe.style_loss.prepare(styles, recipe.style.distance, positions);
        targets.push(at_layers.iter().map(prepare).collect::<Result<_>>()?);
    }
    Ok(StyleTargets { size, levels: targets })
}

/// The targets of a normalized picture's content, as part of frames of this height and width.
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
