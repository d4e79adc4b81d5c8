//! The objective that the optimizer minimizes: a recipe's losses, for one frame at one size.
//!
//! Features are compared at each level of a pyramid of the picture, each half the size of the one before. A shape that is too
//! large for a shallow network's receptive field fits into it at a smaller level.

use tch::{Kind, Tensor};

use crate::Result;
use crate::input::Normalisation;
use crate::losses::{FeatureSums, Target, style_loss};
use crate::optimizers::Evaluation;
use crate::recipe::{Level, Recipe};
use crate::size::{halve, halve_gradient, size_of};
use crate::vgg::{Tap, Vgg};
use crate::window::Window;

/// The losses, `()`, without their weights.
pub struct Losses {
    /// Of the style: the levels' mean, by their weights.
    pub style: Tensor,
    /// Of the content: the levels' sum, by their weights.
    pub content: Tensor,
    /// The total variation.
    pub tv: Tensor,
}

/// What style is compared with.
pub struct StyleTargets {
    /// Height and width of the frames.
    pub(crate) size: [i64; 2],
    /// At each level, at each of the style's taps, one for each statistic.
    levels: Vec<Vec<Vec<Target>>>,
}

/// What content is compared with: at each level, at each of the content's taps; nothing where it has no weight.
pub struct ContentTargets {
    levels: Vec<Vec<Target>>,
    /// The content loss's weight: the recipe's, unless it is changed.
    pub weight: f64,
}

/// The sums over the positions of a picture's features, or a part's, at each level, at each of the style's taps.
pub struct StyleSums(Vec<Vec<FeatureSums>>);

impl StyleSums {
    /// Of what the network is fed for a picture, at so many levels.
    pub fn of(network: &Vgg, recipe: &Recipe, fed: &Tensor, levels: usize) -> Result<Self> {
        let taps = recipe.style.taps(network)?;
        let sums = |fed: &Tensor| network.features(fed, &taps, recipe.pooling)?.iter().map(FeatureSums::of).collect();
        Ok(Self(pyramid(fed, levels)?.iter().map(sums).collect::<Result<_>>()?))
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

/// `fed`, what the network is fed for a picture, and each level that follows.
fn pyramid(fed: &Tensor, levels: usize) -> Result<Vec<Tensor>> {
    let mut pyramid = vec![fed.shallow_clone()];
    for _ in 1..levels {
        let smaller = pyramid.last().map(halve).transpose()?;
        pyramid.extend(smaller);
    }
    Ok(pyramid)
}

/// The style of pictures, what the network is fed for each, in these shares of 1, for frames of this height and width. There
/// are as many levels as the frames and each of the pictures have.
pub fn style_targets(network: &Vgg, recipe: &Recipe, styles: &[(Tensor, f64)], size: [i64; 2]) -> Result<StyleTargets> {
    let mut levels = recipe.levels_at(size).len();
    for (style, _) in styles {
        levels = levels.min(recipe.levels_at(size_of(style)?).len());
    }
    let positions = size.iter().product();
    // For each level and tap, the styles' statistics, each multiplied by its share.
    let mut blends: Vec<Vec<Vec<Tensor>>> = Vec::new();
    for (style, share) in styles {
        let StyleSums(sums) = StyleSums::of(network, recipe, style, levels)?;
        let statistics = |sums: &FeatureSums| -> Result<Vec<Tensor>> {
            recipe.statistics.of(sums)?.iter().map(|statistic| Ok(statistic.f_mul_scalar(*share)?)).collect()
        };
        let parts = sums.iter().map(|level| level.iter().map(statistics).collect::<Result<Vec<_>>>());
        let parts = parts.collect::<Result<Vec<_>>>()?;
        if blends.is_empty() {
            blends = parts;
            continue;
        }
        for (blend, part) in blends.iter_mut().flatten().flatten().zip(parts.iter().flatten().flatten()) {
            *blend = blend.f_add(part)?;
        }
    }
    let target = |blend: Tensor| Target::new(blend, recipe.style.distance, positions);
    let at_tap = |blends: Vec<Tensor>| blends.into_iter().map(target).collect();
    let at_level = |taps: Vec<Vec<Tensor>>| taps.into_iter().map(at_tap).collect();
    Ok(StyleTargets { size, levels: blends.into_iter().map(at_level).collect::<Result<_>>()? })
}

/// The content of a picture, what the network is fed for it, as part of frames of this height and width.
pub fn content_targets(network: &Vgg, recipe: &Recipe, fed: &Tensor, size: [i64; 2]) -> Result<ContentTargets> {
    let taps = recipe.content.taps(network)?;
    let positions = size_of(fed)?.iter().product();
    let levels = recipe.levels_at(size);
    let at_level = |(fed, level): (&Tensor, &Level)| -> Result<Vec<Target>> {
        if level.content == 0.0 {
            return Ok(Vec::new());
        }
        let features = network.features(fed, &taps, recipe.pooling)?;
        features.into_iter().map(|features| Target::new(features, recipe.content.distance, positions)).collect()
    };
    let levels = pyramid(fed, levels.len())?.iter().zip(levels).map(at_level).collect::<Result<_>>()?;
    Ok(ContentTargets { levels, weight: recipe.content.weight })
}

/// What holds a picture to the last result.
pub struct Hold {
    /// That result, moved to where it belongs now, shaped like the variable.
    pub moved: Tensor,
    /// How much each place is drawn to it, 0..1, `(1, 1, H, W)`.
    pub drawn: Tensor,
    /// Where it stays, true or false, `(1, 1, H, W)`.
    pub frozen: Tensor,
    /// The weight of the mean square distance to it.
    pub weight: f64,
    /// The rest of the frame, where this is a part of it.
    pub outside: Option<Outside>,
}

/// The rest of a frame of which a part is painted: with its sums the style is compared as the whole frame's.
pub struct Outside {
    /// The sums of the rest's features.
    pub sums: StyleSums,
    /// The part's share of the frame's positions.
    pub share: f64,
}

impl Hold {
    /// That of a part of the frame.
    pub(crate) fn within(&self, window: &Window, outside: Option<Outside>) -> Result<Self> {
        let [moved, drawn, frozen] = [&self.moved, &self.drawn, &self.frozen].map(|values| window.of(values));
        Ok(Self { moved: moved?, drawn: drawn?, frozen: frozen?, weight: self.weight, outside })
    }
}

/// A recipe's losses.
pub struct Objective<'a> {
    network: &'a Vgg,
    recipe: &'a Recipe,
    style: &'a StyleTargets,
    content: &'a ContentTargets,
    hold: Option<&'a Hold>,
    style_taps: Vec<Tap>,
    content_taps: Vec<Tap>,
}

impl<'a> Objective<'a> {
    /// Compares with these.
    pub fn new(
        network: &'a Vgg,
        recipe: &'a Recipe,
        style: &'a StyleTargets,
        content: &'a ContentTargets,
        hold: Option<&'a Hold>,
    ) -> Result<Self> {
        let (style_taps, content_taps) = (recipe.style.taps(network)?, recipe.content.taps(network)?);
        Ok(Self { network, recipe, style, content, hold, style_taps, content_taps })
    }

    /// The weighted sum of the losses of a picture, or of what the network is fed itself if there is no `input` that makes it
    /// from a picture; its gradient; and the losses apart.
    pub fn evaluate(&self, variable: &Tensor, input: Option<&Normalisation>) -> Result<(Evaluation, Losses)> {
        let Recipe { style: for_style, total_variation, .. } = self.recipe;
        let share = self.share();
        let mut losses = [Vec::new(), Vec::new()];
        let mut gradient = match input {
            Some(input) => input.back(&self.add_levels(0, &input.apply(variable)?, &mut losses)?)?,
            None => self.add_levels(0, variable, &mut losses)?,
        };
        let zero = Tensor::f_zeros([], (Kind::Float, variable.device()))?;
        let sum = |losses: &[Tensor]| losses.iter().try_fold(zero.shallow_clone(), |sum, loss| sum.f_add(loss));
        let [style, content] = [sum(&losses[0])?, sum(&losses[1])?];

        let tv_weight = self.recipe.tv_weight * share;
        let tv = total_variation.pull(variable, tv_weight, &gradient)?;
        let content_weight = self.content.weight * share;
        let of_features = style.f_mul_scalar(for_style.weight)?.f_add(&content.f_mul_scalar(content_weight)?)?;
        let mut loss = of_features.f_add(&tv.f_mul_scalar(tv_weight)?)?;
        if let Some(Hold { moved, drawn, frozen, weight, .. }) = self.hold {
            // The sum over what is seen, over all elements (M. Ruder, A. Dosovitskiy, T. Brox, GCPR 2016, equation 8).
            let apart = variable.f_sub(moved)?;
            let slope = 2.0 * weight * share / apart.numel() as f64;
            let pulled = apart.f_mul(drawn)?.f_mul_scalar(slope)?;
            loss = loss.f_add(&apart.f_mul(&pulled)?.f_sum(Kind::Float)?.f_div_scalar(2)?)?;
            gradient = gradient.f_add_(&pulled)?.f_masked_fill_(frozen, 0.0)?;
        }
        Ok((Evaluation { loss, gradient }, Losses { style, content, tv }))
    }

    /// The share of the frame's positions that is painted: losses that are means over these count by it.
    fn share(&self) -> f64 {
        self.outside().map_or(1.0, |outside| outside.share)
    }

    fn outside(&self) -> Option<&Outside> {
        self.hold.and_then(|hold| hold.outside.as_ref())
    }

    /// Adds the losses of style and of content at this level and the smaller ones, without their weights; the gradient of
    /// their weighted sum at `fed`, what the network is fed at this level.
    fn add_levels(&self, level: usize, fed: &Tensor, losses: &mut [Vec<Tensor>; 2]) -> Result<Tensor> {
        let gradient = self.add_level(level, fed, losses)?;
        // The content's levels are all that the frame has; the style may have fewer.
        if level + 1 >= self.content.levels.len() {
            return Ok(gradient);
        }
        let at_half = self.add_levels(level + 1, &halve(fed)?, losses)?;
        Ok(gradient.f_add(&halve_gradient(fed, &at_half)?)?)
    }

    /// The same at one level.
    fn add_level(&self, level: usize, fed: &Tensor, losses: &mut [Vec<Tensor>; 2]) -> Result<Tensor> {
        let Recipe { style, content, statistics, pooling, .. } = self.recipe;
        let style_targets = self.style.levels.get(level).map(Vec::as_slice).unwrap_or_default();
        let content_targets = self.content.levels.get(level).map(Vec::as_slice).unwrap_or_default();
        if style_targets.is_empty() && content_targets.is_empty() {
            return Ok(fed.f_zeros_like()?);
        }
        let weights = self.recipe.levels_at(self.style.size);
        let own = weights.get(level).copied().unwrap_or_default();
        let of_all: f64 = weights.iter().take(self.style.levels.len()).map(|level| level.style).sum();
        let style_share = own.style / of_all * style.sum.share(self.style_taps.len());
        let content_share = own.content * content.sum.share(self.content_taps.len());
        let share = self.share();
        let outside = self.outside().and_then(|outside| outside.sums.0.get(level));

        let (has_style, has_content) = (!style_targets.is_empty(), !content_targets.is_empty());
        let mut taps: Vec<Tap> = self.style_taps.iter().filter(|_| has_style).copied().collect();
        taps.extend(self.content_taps.iter().filter(|_| has_content));
        taps.sort();
        taps.dedup();
        let trace = self.network.trace(fed, &taps, *pooling)?;
        trace.back(|index, features, gradient| {
            let Some(tap) = taps.get(index) else { return Ok(()) };
            if let Some(at) = self.style_taps.iter().position(|own| own == tap)
                && let Some(targets) = style_targets.get(at)
            {
                let outside = outside.and_then(|outside| outside.get(at));
                let weight = style.weight * style_share;
                let loss = style_loss(*statistics, targets, features, outside, weight, gradient)?;
                losses[0].push(loss.f_mul_scalar(style_share)?);
            }
            if let Some(at) = self.content_taps.iter().position(|own| own == tap)
                && let Some(target) = content_targets.get(at)
            {
                let loss = target.pull(features, self.content.weight * share * content_share, gradient)?;
                losses[1].push(loss.f_mul_scalar(content_share)?);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use style_engine_interface::Parameters;
    use tch::Device;

    use super::*;
    use crate::builtin;
    use crate::pooling::Pooling;

    fn noise(seed: u64, size: [i64; 4]) -> Tensor {
        crate::random::Random(seed).uniform(size.iter().product()).unwrap().view(&size[..])
    }

    /// The loss of features as libtorch's tape goes back through it, of a picture that `outside` lies to the right of.
    fn taped(
        network: &Vgg,
        recipe: &Recipe,
        size: [i64; 2],
        pictures: [&Tensor; 3],
        outside: Option<&Tensor>,
    ) -> Tensor {
        let relative = |x: &Tensor, target: &Tensor| {
            let apart: Tensor = x - target;
            apart.square().sum(Kind::Float) / target.square().sum(Kind::Float)
        };
        let statistics = |rows: &Tensor| {
            let mean = rows.mean_dim([0].as_slice(), false, Kind::Float);
            let centered = rows - &mean;
            (mean, centered.transpose(0, 1).matmul(&centered) / rows.size()[0])
        };
        let rows = |features: &Tensor| features.squeeze_dim(0).flatten(1, 2).transpose(0, 1);
        let mut loss = Tensor::from(0f32);
        let (levels, style_levels) = (recipe.levels_at(size), recipe.levels_at(size_of(pictures[1]).unwrap()).len());
        let of_all: f64 = levels.iter().take(style_levels).map(|level| level.style).sum();
        let mut pictures = pictures.map(Tensor::shallow_clone);
        let mut outside = outside.map(Tensor::shallow_clone);
        for (at, level) in levels.iter().enumerate() {
            let of_style = if at < style_levels { level.style / of_all } else { 0.0 };
            let features = |fed: &Tensor, term: &crate::recipe::Term| {
                network.features(fed, &term.taps(network).unwrap(), recipe.pooling).unwrap()
            };
            let [fed, style, content] = &pictures;
            let of_outside = outside.as_ref().map(|fed| features(fed, &recipe.style));
            let both = [features(fed, &recipe.style), features(style, &recipe.style)];
            for (index, (x, style)) in both[0].iter().zip(&both[1]).enumerate() {
                let beside = of_outside.as_ref().map(|outside| rows(&outside[index]));
                let x = beside.map_or_else(|| rows(x), |beside| Tensor::cat(&[rows(x), beside], 0));
                let (own, target) = (statistics(&x), statistics(&rows(style)));
                let distance = relative(&own.0, &target.0) + relative(&own.1, &target.1);
                loss += distance * recipe.style.weight * of_style / both[0].len() as f64;
            }
            let share = if outside.is_some() { 0.5 } else { 1.0 };
            for (x, content) in features(fed, &recipe.content).iter().zip(&features(content, &recipe.content)) {
                loss += relative(x, content) * recipe.content.weight * level.content * share;
            }
            let half = |picture: &Tensor| halve(picture).unwrap();
            (pictures, outside) = (pictures.each_ref().map(half), outside.as_ref().map(half));
        }
        loss
    }

    #[test]
    fn the_way_back_gives_the_gradient_that_libtorch_s_tape_gives() {
        let network = builtin::network(Device::Cpu).unwrap();
        let [fed, large, content, beside] = [1, 2, 3, 4].map(|seed| noise(seed, [1, 3, 131, 152]));
        // It has two levels, the frame three.
        let small = noise(5, [1, 3, 70, 152]);
        let size = [131, 304];
        let cases = [(Pooling::Max, &large, false), (Pooling::Average, &small, false), (Pooling::Max, &large, true)];
        for (pooling, style, is_part) in cases {
            let recipe = Recipe::new(&Parameters::default(), "conv2_1", "").unwrap();
            let recipe = Recipe { pooling, tv_weight: 0.0, ..recipe };
            assert_eq!(recipe.levels_at(size).len(), 3);
            let of_style = style_targets(&network, &recipe, &[(style.shallow_clone(), 1.0)], size).unwrap();
            let of_content = content_targets(&network, &recipe, &content, size).unwrap();
            let hold = Hold {
                moved: fed.shallow_clone(),
                drawn: Tensor::zeros([1, 1, 131, 152], (Kind::Float, Device::Cpu)),
                frozen: Tensor::zeros([1, 1, 131, 152], (Kind::Bool, Device::Cpu)),
                weight: 0.0,
                outside: Some(Outside { sums: StyleSums::of(&network, &recipe, &beside, 3).unwrap(), share: 0.5 }),
            };
            let objective =
                Objective::new(&network, &recipe, &of_style, &of_content, is_part.then_some(&hold)).unwrap();
            let (own, _) = objective.evaluate(&fed, None).unwrap();

            let leaf = fed.copy().set_requires_grad(true);
            let loss = taped(&network, &recipe, size, [&leaf, style, &content], is_part.then_some(&beside));
            let gradient = Tensor::run_backward(&[&loss], &[&leaf], false, false).remove(0);
            assert!(own.loss.allclose(&loss.detach(), 1e-4, 0.0, false), "{is_part} {} {loss}", own.loss);
            let apart = f64::try_from((&own.gradient - &gradient).abs().max()).unwrap();
            let largest = f64::try_from(gradient.abs().max()).unwrap();
            assert!(apart < 1e-4 * largest, "{pooling:?} {is_part}: {apart} of {largest}");
        }
    }
}
