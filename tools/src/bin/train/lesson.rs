//! What the network learns: the losses of the element, of photographs and of photographs that move.

use std::path::Path;

use style_engine::flow::{self, Filter};
use style_engine::losses::TemporalConstraint;
use style_engine::networks::builtin;
use style_engine::networks::fast_neural_style::FastNeuralStyle;
use style_engine::networks::feed_forward::FeedForward;
use style_engine::networks::vgg::Vgg;
use style_engine::normalization::{Input, Normalizer};
use style_engine::objective::{Context, Objective};
use style_engine::random::Random;
use style_engine::recipes::Recipe;
use style_engine::targets::{StyleTargets, content_targets, style_targets};
use style_engine::weights;
use style_engine_interface::Parameters;
use tch::{Device, Kind, Tensor};
use tools::options::Options;
use tools::picture::resized;
use tools::{Outcome, reproducible_kind};

/// The maximum motion of a photograph, in pixels, and the maximum change of its scale.
const MOTION: f64 = 8.0;
const ZOOM: f64 = 0.03;

/// The standard deviation of the noise that is added to moved photographs, in levels of 0..1.
const NOISE: f64 = 0.02;

/// A network for features, and a style.
pub struct Lesson {
    vgg: Vgg,
    vgg_input: Normalizer,
    recipe: Recipe,
    style: StyleTargets,
    temporal_weight: f64,
    /// From pictures to what the trained network takes.
    input: Normalizer,
}

impl Lesson {
    /// For photographs of `side` x `side` pixels.
    pub fn new(options: &Options, styles: &[Tensor], side: i64, device: Device) -> Outcome<Self> {
        let parameters = Parameters {
            content_weight: options.number("content-weight", -1.0)?,
            style_weight: options.number("style-weight", -1.0)?,
            tv_weight: options.number("tv-weight", -1.0)?,
            ..Parameters::default()
        };
        let recipe = Recipe::new(&parameters, "", "")?;
        let vgg = match options.text("weights") {
            Some(path) => weights::load(Path::new(path), device)?,
            None => builtin::network(device)?,
        };
        let vgg = vgg.to_kind(reproducible_kind(device))?;
        let vgg_input = recipe.input.unwrap_or(vgg.input).on(device)?;
        let style_side = options.number("style-side", 256)?;
        let prepared = |style: &Tensor| -> Outcome<(Tensor, f64)> {
            Ok((vgg_input.apply(&resized(style, style_side)?.to_device(device))?, 1.0 / styles.len() as f64))
        };
        let styles = styles.iter().map(prepared).collect::<Outcome<Vec<_>>>()?;
        Ok(Self {
            style: style_targets(&vgg, &recipe, &styles, [side, side])?,
            temporal_weight: options.number("temporal-weight", 300.0)?,
            input: Input::RGB_255.on(device)?,
            vgg,
            vgg_input,
            recipe,
        })
    }

    /// The network's pictures of photographs, `(N, 3, H, W)`, which may exceed 0..1.
    pub fn paint(&self, network: &FastNeuralStyle, contents: &Tensor) -> Outcome<Tensor> {
        Ok(self.input.undo(&network.apply(&self.input.apply(contents)?)?)?)
    }

    /// A loss whose gradient is that of the losses of photographs `(N, 3, side, side)`, and the means of the losses: style,
    /// content, total variation, temporal.
    pub fn losses(
        &self,
        network: &FastNeuralStyle,
        contents: &Tensor,
        random: &mut Random,
    ) -> Outcome<(Tensor, [f64; 4])> {
        let count = contents.size()[0];
        let (moved, flow, known) = moved(contents, random)?;
        let before = tch::no_grad(|| self.paint(network, contents))?;
        let painted = self.paint(network, &moved)?;
        let current = painted.detach();
        let mut gradients = Vec::new();
        let mut sums = [0.0; 4];
        for index in 0..count {
            let part = |pictures: &Tensor| pictures.narrow(0, index, 1);
            let content =
                content_targets(&self.vgg, &self.recipe, &self.vgg_input.apply(&part(&moved))?, self.style.size)?;
            let warped = flow::warp(&part(&before), &part(&flow), Filter::Bilinear)?;
            let constraint = TemporalConstraint {
                fixed: part(&current).narrow(1, 0, 1).zeros_like().to_kind(Kind::Bool),
                weight_map: part(&known),
                warped,
                weight: self.temporal_weight,
            };
            let context = Context { constraint: Some(&constraint), ..Context::default() };
            let objective = Objective::new(&self.vgg, &self.recipe, &self.style, &content, context)?;
            let (evaluation, losses) = objective.evaluate(&part(&current), Some(&self.vgg_input))?;
            let temporal = (part(&current) - &constraint.warped).square() * &constraint.weight_map;
            for (sum, loss) in
                sums.iter_mut().zip([&losses.style, &losses.content, &losses.tv, &temporal.mean(Kind::Float)])
            {
                *sum += loss.double_value(&[]) / count as f64;
            }
            gradients.push(evaluation.gradient);
        }
        let surrogate = (painted * Tensor::cat(&gradients, 0)).sum(Kind::Float) / count as f64;
        Ok((surrogate, sums))
    }
}

/// Photographs as a moving camera would see them next, with noise; the flow from them to the photographs before, `(N, 2, H,
/// W)`; and the mask of what was seen there, `(N, 1, H, W)`.
fn moved(contents: &Tensor, random: &mut Random) -> Outcome<(Tensor, Tensor, Tensor)> {
    let (count, _, height, width) = contents.size4()?;
    let (mut flows, mut masks) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let mut signed = || 2.0 * f64::from(random.draw()) - 1.0;
        let (right, down, zoom) = (MOTION * signed(), MOTION * signed(), ZOOM * signed());
        let along = |pixels: i64, shift: f64| {
            let positions = Tensor::arange(pixels, (Kind::Float, contents.device()));
            let flow = (&positions - (pixels - 1) as f64 / 2.0) * zoom + shift;
            let target = positions + &flow;
            let is_inside = target.ge(0.0).logical_and(&target.le((pixels - 1) as f64));
            (flow, is_inside.to_kind(Kind::Float))
        };
        let ((x, inside_x), (y, inside_y)) = (along(width, right), along(height, down));
        let size = [height, width];
        flows.push(Tensor::stack(&[x.unsqueeze(0).expand(size, false), y.unsqueeze(1).expand(size, false)], 0));
        masks.push((inside_x.unsqueeze(0) * inside_y.unsqueeze(1)).unsqueeze(0));
    }
    let flow = Tensor::stack(&flows, 0);
    let noise = random.normal(contents.numel() as i64)?.view_as(contents).to_device(contents.device()) * NOISE;
    let moved = flow::warp(contents, &flow, Filter::Bilinear)? + noise;
    Ok((moved.clamp(0.0, 1.0), flow, Tensor::stack(&masks, 0)))
}
