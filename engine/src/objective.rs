//! The objective that the optimizer minimizes: a recipe's losses, for one frame at one size.
//!
//! Features are compared at each level of a pyramid of the picture, each half the size of the one before. A shape that
//! is larger than a shallow network's receptive field fits into it at a smaller level.

use tch::{Kind, Tensor};

use crate::Result;
use crate::losses::{Extent, TemporalConstraint};
use crate::networks::vgg::{FeatureLayer, Vgg};
use crate::normalization::Normalizer;
use crate::optimizers::Evaluation;
use crate::recipes::Recipe;
use crate::size::{halve, halve_gradient, size_of};
use crate::style_masks::averaged;
use crate::targets::{ContentTargets, Outside, StyleTargets};

/// The losses, `()`, without their weights.
pub struct Losses {
    /// The style loss: the weighted mean of the levels.
    pub style: Tensor,
    /// The content loss: the weighted sum of the levels.
    pub content: Tensor,
    /// The total variation.
    pub tv: Tensor,
}

impl Losses {
    /// The values as numbers.
    pub(crate) fn values(&self) -> Result<LossValues> {
        let value = |loss: &Tensor| loss.f_double_value(&[]);
        Ok(LossValues { style: value(&self.style)?, content: value(&self.content)?, tv: value(&self.tv)? })
    }
}

/// [`Losses`] as numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LossValues {
    pub style: f64,
    pub content: f64,
    pub tv: f64,
}

/// The context of a frame, or of a part of it: the last result and the rest of the frame.
#[derive(Clone, Copy, Default)]
pub struct Context<'a> {
    /// The constraint to the last result, if there is one.
    pub constraint: Option<&'a TemporalConstraint>,
    /// The rest of the frame, if this is a part of it.
    pub outside: Option<&'a Outside>,
    /// The share of each style, `(1, styles, H, W)`, if masks divide the frame.
    pub shares: Option<&'a Tensor>,
}

/// The weighted sum of a recipe's losses.
pub struct Objective<'a> {
    network: &'a Vgg,
    recipe: &'a Recipe,
    style: &'a StyleTargets,
    content: &'a ContentTargets,
    context: Context<'a>,
    style_layers: Vec<FeatureLayer>,
    content_layers: Vec<FeatureLayer>,
}

impl<'a> Objective<'a> {
    /// The objective for these targets. Fails if the network lacks a layer that the recipe requires.
    pub fn new(
        network: &'a Vgg,
        recipe: &'a Recipe,
        style: &'a StyleTargets,
        content: &'a ContentTargets,
        context: Context<'a>,
    ) -> Result<Self> {
        let (style_layers, content_layers) = (recipe.style.find_layers(network)?, recipe.content.find_layers(network)?);
        Ok(Self { network, recipe, style, content, context, style_layers, content_layers })
    }

    /// Evaluates a picture, `(1, 3, H, W)`, or its normalized form if `input` is `None`. Returns the weighted sum of
    /// the losses with its gradient, and the losses separately.
    pub fn evaluate(&self, variable: &Tensor, input: Option<&Normalizer>) -> Result<(Evaluation, Losses)> {
        let Recipe { style: for_style, total_variation, .. } = self.recipe;
        let fraction = self.painted_fraction();
        let mut losses = [Vec::new(), Vec::new()];
        let mut gradient = match input {
            Some(input) => input.back(&self.add_levels(0, &input.apply(variable)?, &mut losses)?)?,
            None => self.add_levels(0, variable, &mut losses)?,
        };
        let zero = Tensor::f_zeros([], (Kind::Float, variable.device()))?;
        let sum = |losses: &[Tensor]| losses.iter().try_fold(zero.shallow_clone(), |sum, loss| sum.f_add(loss));
        let [style, content] = [sum(&losses[0])?, sum(&losses[1])?];

        let tv_weight = self.recipe.tv_weight * fraction;
        let tv = total_variation.accumulate(variable, tv_weight, &gradient)?;
        let content_weight = self.content.weight * fraction;
        let of_features = style.f_mul_scalar(for_style.weight)?.f_add(&content.f_mul_scalar(content_weight)?)?;
        let mut loss = of_features.f_add(&tv.f_mul_scalar(tv_weight)?)?;
        if let Some(constraint) = self.context.constraint {
            loss = loss.f_add(&constraint.accumulate(variable, fraction, &mut gradient)?)?;
        }
        Ok((Evaluation { loss, gradient }, Losses { style, content, tv }))
    }

    /// The fraction of the frame's positions that is painted. Losses that are means over positions are weighted by it.
    fn painted_fraction(&self) -> f64 {
        self.context.outside.map_or(1.0, |outside| outside.share)
    }

    /// Appends the style and content losses of this level and of smaller ones, without the recipe's weights, to
    /// `losses`. Returns the gradient of their weighted sum at `normalized`, the picture at this level.
    fn add_levels(&self, level: usize, normalized: &Tensor, losses: &mut [Vec<Tensor>; 2]) -> Result<Tensor> {
        let gradient = self.add_level(level, normalized, losses)?;
        // The content has all of the frame's levels; the style may have fewer.
        if level + 1 >= self.content.levels.len() {
            return Ok(gradient);
        }
        let at_half = self.add_levels(level + 1, &halve(normalized)?, losses)?;
        Ok(gradient.f_add(&halve_gradient(normalized, &at_half)?)?)
    }

    /// The same, at one level only.
    fn add_level(&self, level: usize, normalized: &Tensor, losses: &mut [Vec<Tensor>; 2]) -> Result<Tensor> {
        let Recipe { style, content, pooling, .. } = self.recipe;
        let style_targets = self.style.levels.get(level).map(Vec::as_slice).unwrap_or_default();
        let content_targets = self.content.levels.get(level).map(Vec::as_slice).unwrap_or_default();
        if style_targets.is_empty() && content_targets.is_empty() {
            return Ok(normalized.f_zeros_like()?);
        }
        let weights = self.recipe.levels_at(self.style.size);
        let own = weights.get(level).copied().unwrap_or_default();
        let sum: f64 = weights.iter().take(self.style.levels.len()).map(|level| level.style).sum();
        let style_weight = own.style / sum * style.reduction.weight(self.style_layers.len());
        let content_weight = own.content * content.reduction.weight(self.content_layers.len());
        let fraction = self.painted_fraction();
        let outside = self.context.outside.and_then(|outside| outside.sums.0.get(level));

        let (has_style, has_content) = (!style_targets.is_empty(), !content_targets.is_empty());
        let mut layers: Vec<FeatureLayer> = self.style_layers.iter().filter(|_| has_style).copied().collect();
        layers.extend(self.content_layers.iter().filter(|_| has_content));
        layers.sort();
        layers.dedup();
        let trace = self.network.trace(normalized, &layers, *pooling)?;
        trace.back(|index, features, gradient| {
            let Some(layer) = layers.get(index) else { return Ok(()) };
            if let Some(at) = self.style_layers.iter().position(|own| own == layer)
                && let Some(of_styles) = style_targets.get(at)
            {
                let outside = outside.and_then(|outside| outside.get(at));
                let weight = style.weight * style_weight;
                let shares = self.context.shares.map(|shares| averaged(shares, size_of(features)?)).transpose()?;
                for (index, loss) in (0..).zip(of_styles) {
                    let region = shares.as_ref().map(|shares| shares.f_narrow(1, index, 1)).transpose()?;
                    let extent = Extent { outside, region: region.as_ref() };
                    let loss = loss.accumulate(features, extent, weight, gradient)?;
                    losses[0].push(loss.f_mul_scalar(style_weight)?);
                }
            }
            if let Some(at) = self.content_layers.iter().position(|own| own == layer)
                && let Some(target) = content_targets.get(at)
            {
                let loss = target.accumulate(features, self.content.weight * fraction * content_weight, gradient)?;
                losses[1].push(loss.f_mul_scalar(content_weight)?);
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
    use crate::networks::builtin;
    use crate::pooling::Pooling;
    use crate::targets::{StyleSums, content_targets, style_targets};

    fn noise(seed: u64, size: [i64; 4]) -> Tensor {
        crate::random::Random(seed).uniform(size.iter().product()).unwrap().view(&size[..])
    }

    /// The loss, computed with operations that autograd records. `outside` is the rest of the frame, to the right.
    fn loss_by_autograd(
        network: &Vgg,
        recipe: &Recipe,
        size: [i64; 2],
        pictures: [&Tensor; 3],
        outside: Option<&Tensor>,
    ) -> Tensor {
        let relative = |x: &Tensor, target: &Tensor| {
            let difference: Tensor = x - target;
            difference.square().sum(Kind::Float) / target.square().sum(Kind::Float)
        };
        let statistics = |rows: &Tensor| {
            let mean = rows.mean_dim([0].as_slice(), false, Kind::Float);
            let centered = rows - &mean;
            (mean, centered.transpose(0, 1).matmul(&centered) / rows.size()[0])
        };
        let rows = |features: &Tensor| features.squeeze_dim(0).flatten(1, 2).transpose(0, 1);
        let mut loss = Tensor::from(0f32);
        let (levels, style_levels) = (recipe.levels_at(size), recipe.levels_at(size_of(pictures[1]).unwrap()).len());
        let sum: f64 = levels.iter().take(style_levels).map(|level| level.style).sum();
        let mut pictures = pictures.map(Tensor::shallow_clone);
        let mut outside = outside.map(Tensor::shallow_clone);
        for (at, level) in levels.iter().enumerate() {
            let style_weight = if at < style_levels { level.style / sum } else { 0.0 };
            let features = |normalized: &Tensor, loss: &crate::losses::LossConfig| {
                network.features(normalized, &loss.find_layers(network).unwrap(), recipe.pooling).unwrap()
            };
            let [normalized, style, content] = &pictures;
            let outside_features = outside.as_ref().map(|normalized| features(normalized, &recipe.style));
            let both = [features(normalized, &recipe.style), features(style, &recipe.style)];
            for (index, (x, style)) in both[0].iter().zip(&both[1]).enumerate() {
                let rest = outside_features.as_ref().map(|outside| rows(&outside[index]));
                let x = rest.map_or_else(|| rows(x), |rest| Tensor::cat(&[rows(x), rest], 0));
                let (own, target) = (statistics(&x), statistics(&rows(style)));
                let distance = relative(&own.0, &target.0) + relative(&own.1, &target.1);
                loss += distance * recipe.style.weight * style_weight / both[0].len() as f64;
            }
            let fraction = if outside.is_some() { 0.5 } else { 1.0 };
            for (x, content) in features(normalized, &recipe.content).iter().zip(&features(content, &recipe.content)) {
                loss += relative(x, content) * recipe.content.weight * level.content * fraction;
            }
            let half = |picture: &Tensor| picture.avg_pool2d([2, 2], [2, 2], [0, 0], true, false, None::<i64>);
            (pictures, outside) = (pictures.each_ref().map(half), outside.as_ref().map(half));
        }
        loss
    }

    #[test]
    fn the_gradient_is_that_of_autograd() {
        let network = builtin::network(Device::Cpu).unwrap();
        let [normalized, large, content, rest] = [1, 2, 3, 4].map(|seed| noise(seed, [1, 3, 131, 152]));
        // It has two levels, but the frame has three.
        let small = noise(5, [1, 3, 70, 152]);
        let size = [131, 304];
        let cases = [(Pooling::Max, &large, false), (Pooling::Average, &small, false), (Pooling::Max, &large, true)];
        for (pooling, style, is_part) in cases {
            let recipe = Recipe::new(&Parameters::default(), "conv2_1", "").unwrap();
            let recipe = Recipe { pooling, tv_weight: 0.0, ..recipe };
            assert_eq!(recipe.levels_at(size).len(), 3);
            let of_style = style_targets(&network, &recipe, &[(style.shallow_clone(), 1.0)], size).unwrap();
            let of_content = content_targets(&network, &recipe, &content, size).unwrap();
            let outside = Outside { sums: StyleSums::of(&network, &recipe, &rest, 3).unwrap(), share: 0.5 };
            let context = Context { outside: is_part.then_some(&outside), ..Context::default() };
            let objective = Objective::new(&network, &recipe, &of_style, &of_content, context).unwrap();
            let (own, _) = objective.evaluate(&normalized, None).unwrap();

            let leaf = normalized.copy().set_requires_grad(true);
            let loss = loss_by_autograd(&network, &recipe, size, [&leaf, style, &content], is_part.then_some(&rest));
            let gradient = Tensor::run_backward(&[&loss], &[&leaf], false, false).remove(0);
            assert!(own.loss.allclose(&loss.detach(), 1e-4, 0.0, false), "{is_part} {} {loss}", own.loss);
            let error = f64::try_from((&own.gradient - &gradient).abs().max()).unwrap();
            let largest = f64::try_from(gradient.abs().max()).unwrap();
            assert!(error < 1e-4 * largest, "{pooling:?} {is_part}: {error} of {largest}");
        }
    }
}
