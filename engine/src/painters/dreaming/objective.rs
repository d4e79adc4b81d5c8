//! The objective of a dream: the excitation of some layers' features.

use tch::{Kind, Tensor};

use crate::losses::Excitation;
use crate::networks::vgg::{FeatureLayer, Vgg};
use crate::normalization::Normalizer;
use crate::optimizers::Evaluation;
use crate::recipes::Recipe;
use crate::size::{resize, scaled, size_of};
use crate::{Error, Result};

/// The longer side of a guide at the scale 1, in pixels: each of its positions is compared with each of the frame's.
const GUIDE_SIDE: f64 = 256.0;

/// The layers, in order, and what is raised at each.
pub(super) struct DreamObjective {
    layers: Vec<FeatureLayer>,
    excitations: Vec<Excitation>,
}

impl DreamObjective {
    /// The excitation of a recipe's layers in these channels (negative: none). `guides`, if there are any, are resized
    /// by `scale`.
    pub fn new(
        network: &Vgg,
        recipe: &Recipe,
        input: &Normalizer,
        channels: &[i32],
        guides: &[(Tensor, f64)],
        scale: f64,
    ) -> Result<Self> {
        let layers = recipe.content.find_layers(network)?;
        let mut at_layers: Vec<Vec<(Tensor, f64)>> = layers.iter().map(|_| Vec::new()).collect();
        for (picture, weight) in guides {
            let longest = (GUIDE_SIDE * scale).round() as i64;
            let picture = input.apply(&resize(picture, scaled(size_of(picture)?, longest))?)?;
            let features = network.features(&picture, &layers, recipe.pooling)?;
            at_layers.iter_mut().zip(features).for_each(|(at_layer, features)| at_layer.push((features, *weight)));
        }
        let channels: Vec<i64> = chosen(channels).collect();
        let excitation = |guides: &Vec<_>| Excitation::new(&channels, guides, network.device);
        Ok(Self { excitations: at_layers.iter().map(excitation).collect::<Result<_>>()?, layers })
    }

    /// The loss of a picture, `(1, 3, H, W)` in 0..1, which is seen shifted by `shift` pixels, and its gradient.
    pub fn evaluate(
        &self,
        network: &Vgg,
        recipe: &Recipe,
        input: &Normalizer,
        picture: &Tensor,
        shift: [i64; 2],
    ) -> Result<Evaluation> {
        let seen = picture.f_roll(shift, [2, 3])?;
        let weight = recipe.content.weight * recipe.content.reduction.weight(self.layers.len());
        let mut loss = Tensor::f_zeros([], (Kind::Float, picture.device()))?;
        let trace = network.trace(&input.apply(&seen)?, &self.layers, recipe.pooling)?;
        let gradient = trace.back(|index, features, gradient| {
            if let Some(excitation) = self.excitations.get(index) {
                let own = excitation.accumulate(features, weight, gradient)?;
                loss = loss.f_add(&own.f_mul_scalar(weight)?)?;
            }
            Ok(())
        })?;
        let gradient = input.back(&gradient)?.f_roll(shift.map(|pixels| -pixels), [2, 3])?;
        if recipe.tv_weight > 0.0 {
            let tv = recipe.total_variation.accumulate(picture, recipe.tv_weight, &gradient)?;
            loss = loss.f_add(&tv.f_mul_scalar(recipe.tv_weight)?)?;
        }
        Ok(Evaluation { loss, gradient })
    }
}

/// The indices in a list of channels.
pub(super) fn chosen(channels: &[i32]) -> impl Iterator<Item = i64> {
    channels.iter().filter(|&&channel| channel >= 0).map(|&channel| channel.into())
}

/// Fails if one of the recipe's layers lacks one of the channels.
pub(super) fn check_channels(network: &Vgg, recipe: &Recipe, channels: &[i32]) -> Result<()> {
    for layer in recipe.content.find_layers(network)? {
        let conv = network.convs.iter().find(|conv| conv.layer == layer.conv);
        let count = conv.and_then(|conv| conv.bias.size().first().copied()).unwrap_or(0);
        if let Some(missing) = chosen(channels).find(|&channel| channel >= count) {
            return Err(Error::Settings(format!(
                "channels: {layer} has no channel {missing}: this network's are 0 to {} there",
                count - 1
            )));
        }
    }
    Ok(())
}
