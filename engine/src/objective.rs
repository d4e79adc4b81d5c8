//! What is brought down: a recipe's losses, for one frame at one size.

use tch::{Kind, Tensor};

use crate::Result;
use crate::losses::{Grid, Target, grams};
use crate::optimizers::Evaluation;
use crate::recipe::{Recipe, Sum, Term};
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
pub struct Targets(Vec<(Tap, Target)>);

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
    Ok(Targets(taps.into_iter().zip(blends.into_iter().flatten()).map(target).collect::<Result<_>>()?))
}

/// The content of a picture, what the network is fed for it.
pub fn content_targets(network: &Vgg, recipe: &Recipe, picture: &Tensor) -> Result<Targets> {
    let taps = recipe.content.taps(network)?;
    let features = network.features(picture, &taps, recipe.pooling)?;
    let positions = picture.size()[2..].iter().product();
    let target = |(tap, features)| Ok((tap, Target::new(features, recipe.content.distance, positions)?));
    Ok(Targets(taps.into_iter().zip(features).map(target).collect::<Result<_>>()?))
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
    content: Targets,
    hold: Option<&'a Hold>,
}

impl<'a> Objective<'a> {
    /// Compares with these.
    pub fn new(
        network: &'a Vgg,
        recipe: &'a Recipe,
        style: &'a Targets,
        content: Targets,
        hold: Option<&'a Hold>,
    ) -> Self {
        let mut taps: Vec<_> = style.0.iter().chain(&content.0).map(|&(tap, _)| tap).collect();
        taps.sort();
        taps.dedup();
        Self { network, recipe, taps, style, content, hold }
    }

    /// The weighted sum of the losses for a variable from which `fed` makes what the network is fed, with style compared in
    /// each tile of `grid`; its gradient; and the losses apart.
    pub fn evaluate(
        &self,
        variable: &Tensor,
        grid: &Grid,
        fed: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<(Evaluation, Losses)> {
        let variable = variable.f_detach()?.f_set_requires_grad(true)?;
        let losses = self.losses(&variable, grid, &fed(&variable)?)?;
        let Recipe { style, content, tv_weight, temporal_weight, .. } = self.recipe;
        let mut loss = losses.style.f_mul_scalar(style.weight)?.f_add(&losses.content.f_mul_scalar(content.weight)?)?;
        loss = loss.f_add(&losses.tv.f_mul_scalar(*tv_weight)?)?;
        if let Some(Hold { moved, drawn, .. }) = self.hold {
            // The sum over what is seen, over all elements (M. Ruder, A. Dosovitskiy, T. Brox, GCPR 2016, equation 8).
            let apart = variable.f_sub(moved)?.f_square()?.f_mul(drawn)?.f_mean(Kind::Float)?;
            loss = loss.f_add(&apart.f_mul_scalar(*temporal_weight)?)?;
        }
        let mut gradient = Tensor::f_run_backward(&[&loss], &[&variable], false, false)?.remove(0);
        if let Some(hold) = self.hold {
            gradient = gradient.f_masked_fill(&hold.frozen, 0.0)?;
        }
        Ok((Evaluation { loss: loss.f_detach()?, gradient }, losses))
    }

    fn losses(&self, variable: &Tensor, grid: &Grid, fed: &Tensor) -> Result<Losses> {
        let features = self.network.features(fed, &self.taps, self.recipe.pooling)?;
        let style_distance =
            |features: &Tensor, target: &Target| target.distance(&grams(features, grid, self.recipe.gram)?);
        let content_distance = |features: &Tensor, target: &Target| target.distance(features);
        Ok(Losses {
            style: self.sum(&self.recipe.style, self.style, &features, style_distance)?,
            content: self.sum(&self.recipe.content, &self.content, &features, content_distance)?,
            tv: self.recipe.total_variation.of(variable)?,
        })
    }

    fn sum(
        &self,
        term: &Term,
        targets: &Targets,
        features: &[Tensor],
        distance: impl Fn(&Tensor, &Target) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mut sum = Tensor::f_zeros([], (Kind::Float, self.network.device))?;
        for (tap, target) in &targets.0 {
            for (_, features) in self.taps.iter().zip(features).filter(|(of, _)| *of == tap) {
                sum = sum.f_add(&distance(features, target)?)?;
            }
        }
        Ok(match term.sum {
            Sum::Total => sum,
            Sum::Mean => sum.f_div_scalar(targets.0.len().max(1) as i64)?,
        })
    }
}
