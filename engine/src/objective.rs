//! What is brought down: a recipe's losses, for one frame at one size.

use tch::{Kind, Tensor};

use crate::Result;
use crate::input::Normalisation;
use crate::losses::{Grid, Target, grams, pull_grams};
use crate::optimizers::Evaluation;
use crate::recipe::{Recipe, Sum};
use crate::size::size_of;
use crate::vgg::{Tap, Vgg};
use crate::window::Window;

/// The losses, `()`, without their weights.
pub struct Losses {
    /// Of the style.
    pub style: Tensor,
    /// Of the content.
    pub content: Tensor,
    /// The total variation.
    pub tv: Tensor,
}

/// A loss over some layers, with what it compares with.
pub struct Targets {
    at: Vec<(Tap, Target)>,
    /// What each layer's distance counts.
    share: f64,
}

impl Targets {
    fn new(at: Vec<(Tap, Target)>, sum: Sum) -> Self {
        let share = match sum {
            Sum::Total => 1.0,
            Sum::Mean => 1.0 / at.len().max(1) as f64,
        };
        Self { at, share }
    }

    fn taps(&self) -> impl Iterator<Item = Tap> {
        self.at.iter().map(|&(tap, _)| tap)
    }

    fn at(&self, tap: Tap) -> Option<&Target> {
        self.at.iter().find(|(own, _)| *own == tap).map(|(_, target)| target)
    }
}

/// The style of pictures, what the network is fed for each, in these shares of 1: for frames of so many positions.
pub fn style_targets(network: &Vgg, recipe: &Recipe, styles: &[(Tensor, f64)], positions: i64) -> Result<Targets> {
    let taps = recipe.style.taps(network)?;
    let mut blends: Vec<Option<Tensor>> = taps.iter().map(|_| None).collect();
    for (style, share) in styles {
        let features = network.features(style, &taps, recipe.pooling)?;
        for (blend, features) in blends.iter_mut().zip(&features) {
            let part = grams(features, &Grid::WHOLE, recipe.gram)?.f_mul_scalar(*share)?;
            *blend = Some(match blend.take() {
                Some(blend) => blend.f_add(&part)?,
                None => part,
            });
        }
    }
    let target = |(tap, blend): (Tap, Tensor)| Ok((tap, Target::new(blend, recipe.style.distance, positions)?));
    let at = taps.into_iter().zip(blends.into_iter().flatten()).map(target).collect::<Result<_>>()?;
    Ok(Targets::new(at, recipe.style.sum))
}

/// The content of a picture, what the network is fed for it.
pub fn content_targets(network: &Vgg, recipe: &Recipe, picture: &Tensor) -> Result<Targets> {
    let taps = recipe.content.taps(network)?;
    let features = network.features(picture, &taps, recipe.pooling)?;
    let positions = size_of(picture)?.iter().product();
    let target = |(tap, features)| Ok((tap, Target::new(features, recipe.content.distance, positions)?));
    let at = taps.into_iter().zip(features).map(target).collect::<Result<_>>()?;
    Ok(Targets::new(at, recipe.content.sum))
}

/// What holds a picture to the last result.
pub struct Hold {
    /// That result, moved to where it belongs now, shaped like the variable.
    pub moved: Tensor,
    /// How much each place is drawn to it, 0..1, `(1, 1, H, W)`.
    pub drawn: Tensor,
    /// Where it stays, true or false, `(1, 1, H, W)`.
    pub frozen: Tensor,
}

impl Hold {
    /// That of a part of the frame.
    pub(crate) fn within(&self, window: &Window) -> Result<Self> {
        let Self { moved, drawn, frozen } = self;
        Ok(Self { moved: window.of(moved)?, drawn: window.of(drawn)?, frozen: window.of(frozen)? })
    }
}

/// A recipe's losses.
pub struct Objective<'a> {
    network: &'a Vgg,
    recipe: &'a Recipe,
    /// Where features are taken, in order.
    taps: Vec<Tap>,
    style: &'a Targets,
    content: &'a Targets,
    hold: Option<&'a Hold>,
}

impl<'a> Objective<'a> {
    /// Compares with these.
    pub fn new(
        network: &'a Vgg,
        recipe: &'a Recipe,
        style: &'a Targets,
        content: &'a Targets,
        hold: Option<&'a Hold>,
    ) -> Self {
        let mut taps: Vec<_> = style.taps().chain(content.taps()).collect();
        taps.sort();
        taps.dedup();
        Self { network, recipe, taps, style, content, hold }
    }

    /// The weighted sum of the losses of a picture, or of what the network is fed itself if there is no `input` that makes it
    /// from a picture, with style compared in each tile of `grid`; its gradient; and the losses apart.
    pub fn evaluate(
        &self,
        variable: &Tensor,
        grid: &Grid,
        input: Option<&Normalisation>,
    ) -> Result<(Evaluation, Losses)> {
        let Recipe { style: for_style, content: for_content, total_variation, tv_weight, .. } = self.recipe;
        let ([style, content], mut gradient) = match input {
            Some(input) => {
                let (losses, gradient) = self.pull(&input.apply(variable)?, grid)?;
                (losses, input.back(&gradient)?)
            }
            None => self.pull(variable, grid)?,
        };
        let tv = total_variation.pull(variable, *tv_weight, &gradient)?;
        let of_features = style.f_mul_scalar(for_style.weight)?.f_add(&content.f_mul_scalar(for_content.weight)?)?;
        let mut loss = of_features.f_add(&tv.f_mul_scalar(*tv_weight)?)?;
        if let Some(Hold { moved, drawn, frozen }) = self.hold {
            // The sum over what is seen, over all elements (M. Ruder, A. Dosovitskiy, T. Brox, GCPR 2016, equation 8).
            let apart = variable.f_sub(moved)?;
            let pulled = apart.f_mul(drawn)?.f_mul_scalar(2.0 * self.recipe.temporal_weight / apart.numel() as f64)?;
            loss = loss.f_add(&apart.f_mul(&pulled)?.f_sum(Kind::Float)?.f_div_scalar(2)?)?;
            gradient = gradient.f_add_(&pulled)?.f_masked_fill_(frozen, 0.0)?;
        }
        Ok((Evaluation { loss, gradient }, Losses { style, content, tv }))
    }

    /// The losses of style and of content, and the gradient of their weighted sum at what the network is fed.
    fn pull(&self, fed: &Tensor, grid: &Grid) -> Result<([Tensor; 2], Tensor)> {
        let Recipe { style, content, gram, pooling, .. } = self.recipe;
        let mut losses = [0, 1].map(|_| Vec::new());
        let trace = self.network.trace(fed, &self.taps, *pooling)?;
        let gradient = trace.back(|index, features, gradient| {
            let Some(&tap) = self.taps.get(index) else { return Ok(()) };
            if let Some(target) = self.style.at(tap) {
                let weight = style.weight * self.style.share;
                losses[0].push(pull_grams(features, grid, *gram, target, weight, gradient)?);
            }
            if let Some(target) = self.content.at(tap) {
                losses[1].push(target.pull(features, content.weight * self.content.share, gradient)?);
            }
            Ok(())
        })?;
        let [style, content] = losses;
        let sum = |losses: Vec<Tensor>, share: f64| -> Result<Tensor> {
            Ok(Tensor::f_stack(&losses, 0)?.f_sum(Kind::Float)?.f_mul_scalar(share)?)
        };
        Ok(([sum(style, self.style.share)?, sum(content, self.content.share)?], gradient))
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

    /// The losses of features as libtorch's tape goes back through them.
    fn taped(network: &Vgg, recipe: &Recipe, grid: &Grid, pictures: [&Tensor; 3]) -> Tensor {
        let [fed, style, content] = pictures;
        let features = |fed: &Tensor, term: &crate::recipe::Term| {
            network.features(fed, &term.taps(network).unwrap(), recipe.pooling).unwrap()
        };
        let relative = |x: &Tensor, target: &Tensor| {
            let apart: Tensor = x - target;
            apart.square().sum(Kind::Float) / x.size()[0] / target.square().sum(Kind::Float)
        };
        // Tile by tile, each of rows and columns that are picked one by one.
        let picked = |grid: &Grid, axis: usize, length: i64, tile: i64| {
            let side = length / grid.tiles[axis];
            let even = side * grid.tiles[axis];
            let begin = (grid.shift[axis] * (length - even + 1) as f64) as i64;
            let shift = (grid.shift[axis] * side as f64) as i64;
            let lines = (0..side).map(|line| begin + (tile * side + line - shift).rem_euclid(even));
            Tensor::from_slice(&lines.collect::<Vec<_>>())
        };
        let gram = |features: &Tensor, grid: &Grid| {
            let (_, channels, height, width) = features.size4().unwrap();
            let [down, across] = grid.tiles;
            let tiles = (0..down * across).map(|tile| {
                let rows = features.index_select(2, &picked(grid, 0, height, tile / across));
                let flat = rows.index_select(3, &picked(grid, 1, width, tile % across)).reshape([channels, -1]);
                flat.matmul(&flat.transpose(0, 1)) / flat.size()[1]
            });
            Tensor::stack(&tiles.collect::<Vec<_>>(), 0)
        };
        let mut loss = Tensor::from(0f32);
        let (of_fed, of_style) = (features(fed, &recipe.style), features(style, &recipe.style));
        for (x, style) in of_fed.iter().zip(&of_style) {
            loss += relative(&gram(x, grid), &gram(style, &Grid::WHOLE)) * recipe.style.weight / of_fed.len() as f64;
        }
        for (x, content) in features(fed, &recipe.content).iter().zip(&features(content, &recipe.content)) {
            loss += relative(x, content) * recipe.content.weight;
        }
        loss
    }

    #[test]
    fn the_way_back_gives_the_gradient_that_libtorch_s_tape_gives() {
        let network = builtin::network(Device::Cpu).unwrap();
        let [fed, style, content] = [1, 2, 3].map(|seed| noise(seed, [1, 3, 61, 83]));
        // Tiles that fill the features, do not, and lie around the corner.
        let grids = [Grid::WHOLE, Grid { tiles: [3, 4], shift: [0.0, 0.0] }, Grid { tiles: [3, 4], shift: [0.4, 0.9] }];
        for pooling in [Pooling::Max, Pooling::Average] {
            let recipe = Recipe { pooling, ..Recipe::new(&Parameters::default(), "conv2_1", "").unwrap() };
            let recipe = Recipe { tv_weight: 0.0, ..recipe };
            let of_style = style_targets(&network, &recipe, &[(style.shallow_clone(), 1.0)], 1).unwrap();
            for grid in grids {
                let of_content = content_targets(&network, &recipe, &content).unwrap();
                let objective = Objective::new(&network, &recipe, &of_style, &of_content, None);
                let (own, _) = objective.evaluate(&fed, &grid, None).unwrap();

                let leaf = fed.copy().set_requires_grad(true);
                let loss = taped(&network, &recipe, &grid, [&leaf, &style, &content]);
                let gradient = Tensor::run_backward(&[&loss], &[&leaf], false, false).remove(0);
                assert!(own.loss.allclose(&loss.detach(), 1e-4, 0.0, false), "{grid:?} {} {loss}", own.loss);
                let apart = f64::try_from((&own.gradient - &gradient).abs().max()).unwrap();
                let largest = f64::try_from(gradient.abs().max()).unwrap();
                assert!(apart < 1e-4 * largest, "{pooling:?} {grid:?}: {apart} of {largest}");
            }
        }
    }
}
