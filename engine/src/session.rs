//! A film being repainted: the style, and what carries over from frame to frame.

use std::path::Path;
use std::time::Instant;

use style_engine_interface::{Parameters, Stats, warm_start};
use tch::{Device, Kind, Tensor};

use crate::adam::Adam;
use crate::losses::{Target, gram, relative_distance, total_variation};
use crate::vgg::{Layer, Vgg};
use crate::{Error, Result, builtin, device, weights};

/// How much of the paint a frame takes over: what no longer fits the content wears off, and since the style loss is a
/// sum over the whole picture, it wears off everywhere, lest what was just uncovered stay a photograph beside paint.
const PAINT_KEPT: f64 = 0.9;

/// A network on a device, with a style and the last result.
pub struct Session {
    vgg: Vgg,
    style_layers: Vec<Layer>,
    content_layer: Layer,
    /// Both, in order.
    layers: Vec<Layer>,
    device: Device,
    network: String,
    parameters: Parameters,
    style: Option<Tensor>,
    /// The style's Gram matrices, with the frame size that they were taken for.
    style_targets: Option<([i64; 2], Vec<Target>)>,
    previous: Option<Painted>,
    stats: Stats,
}

/// A finished frame at the size it was optimised at.
struct Painted {
    /// What was painted over, `(1, 3, H, W)`.
    content: Tensor,
    /// The result, of the same shape.
    picture: Tensor,
    adam: Adam,
}

/// What the optimiser brings down, each without its weight.
struct Losses {
    style: Tensor,
    content: Tensor,
    tv: Tensor,
}

impl Session {
    /// Opens a network (`None`: the built-in one) on a device (see [`device::find`]).
    pub fn new(weights: Option<&Path>, device: &str) -> Result<Self> {
        let device = device::find(device)?;
        let vgg = match weights {
            Some(path) => weights::load(path, device)?,
            None => builtin::network(device)?,
        };
        let origin = weights.map_or("built-in network".into(), |path| path.display().to_string());
        let content_layer =
            vgg.content_layer().ok_or_else(|| tch::TchError::Shape("a network without layers".into()))?;
        let style_layers = vgg.style_layers();
        let wanted = |layer: &Layer| style_layers.contains(layer) || *layer == content_layer;
        let layers: Vec<_> = vgg.layers().filter(wanted).collect();
        let deepest = layers.last().copied().unwrap_or(content_layer);
        let channels = vgg.convs[0].weight.size()[0];
        Ok(Self {
            network: format!("{origin} (to {deepest}, from {channels} channels)"),
            style_layers,
            content_layer,
            layers,
            vgg,
            device,
            parameters: Parameters::default(),
            style: None,
            style_targets: None,
            previous: None,
            stats: Stats::default(),
        })
    }

    /// The network in words: where it is from, its deepest layer in use and its first layer's channels.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The device in words: `cpu` or `cuda:N`.
    pub fn device(&self) -> String {
        match self.device {
            Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".into(),
        }
    }

    /// What became of the last frame.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Sets how frames are repainted, from the next one on.
    pub fn set_parameters(&mut self, parameters: Parameters) {
        self.parameters = parameters;
    }

    /// Sets the style: a picture `(1, 3, H, W)` in 0..1. The next frame starts from the last result all the same.
    pub fn set_style(&mut self, picture: &Tensor) -> Result<()> {
        self.style = Some(picture.f_to_device(self.device)?);
        self.style_targets = None;
        Ok(())
    }

    /// Forgets the last result.
    pub fn reset(&mut self) {
        self.previous = None;
    }

    /// Repaints a frame, `(1, 3, H, W)` in 0..1 as is the result.
    pub fn stylize(&mut self, frame: &Tensor) -> Result<Tensor> {
        let begin = Instant::now();
        let frame = frame.f_to_device(self.device)?;
        let (_, _, height, width) = frame.size4()?;
        let size = working_size([height, width], i64::from(self.parameters.size));
        let content = resize(&frame, size)?;
        self.prepare_style(size)?;

        let (start, steps) = self.start(&content)?;
        let painted = self.optimise(&content, start, steps)?;
        let result = resize(&painted.picture, [height, width])?.f_to_device(Device::Cpu)?;
        self.previous = Some(painted);
        self.stats.frames += 1;
        self.stats.steps = steps;
        self.stats.milliseconds = begin.elapsed().as_secs_f64() * 1e3;
        Ok(result)
    }

    /// Takes the style's Gram matrices, with its longer side that of the frames so that strokes keep their size.
    fn prepare_style(&mut self, size: [i64; 2]) -> Result<()> {
        if self.style_targets.as_ref().is_some_and(|(for_size, _)| *for_size == size) {
            return Ok(());
        }
        let style = self.style.as_ref().ok_or(Error::NoStyle)?;
        let (_, _, height, width) = style.size4()?;
        let style = resize(style, scaled([height, width], size[0].max(size[1])))?;
        let targets = tch::no_grad(|| {
            let features = self.vgg.features(&style, &self.style_layers)?;
            features.iter().map(|features| Target::new(gram(features)?)).collect::<Result<_>>()
        })?;
        self.style_targets = Some((size, targets));
        Ok(())
    }

    /// What a frame starts from, and how many steps it gets.
    fn start(&mut self, content: &Tensor) -> Result<(Painted, u32)> {
        match self.previous.take() {
            Some(previous)
                if self.parameters.warm_start == warm_start::PREVIOUS && previous.picture.size() == content.size() =>
            {
                Ok((previous.carried_to(content)?, self.parameters.iterations))
            }
            _ => {
                let fresh = Painted {
                    content: content.shallow_clone(),
                    picture: content.shallow_clone(),
                    adam: Adam::new(content)?,
                };
                Ok((fresh, self.parameters.first_iterations))
            }
        }
    }

    fn optimise(&mut self, content: &Tensor, mut painted: Painted, steps: u32) -> Result<Painted> {
        let content = tch::no_grad(|| Target::new(self.vgg.features(content, &[self.content_layer])?.remove(0)))?;
        for step in 0..steps {
            let picture = painted.picture.f_detach()?.f_set_requires_grad(true)?;
            let losses = self.losses(&picture, &content)?;
            let loss = losses.weighted(&self.parameters)?;
            let gradient = Tensor::f_run_backward(&[&loss], &[&picture], false, false)?.remove(0);
            painted.picture = tch::no_grad(|| -> Result<Tensor> {
                let picture = painted.adam.step(&picture, &gradient, self.parameters.learning_rate)?;
                Ok(picture.f_clamp(0.0, 1.0)?)
            })?;
            if step + 1 == steps {
                losses.record(&mut self.stats)?;
            }
        }
        Ok(painted)
    }

    fn losses(&self, picture: &Tensor, content: &Target) -> Result<Losses> {
        let features = self.vgg.features(picture, &self.layers)?;
        let zero = || Tensor::f_zeros([], (Kind::Float, self.device));
        let (mut style, mut content_loss) = (zero()?, zero()?);
        let mut targets = self.style_targets.iter().flat_map(|(_, targets)| targets);
        for (layer, features) in self.layers.iter().zip(&features) {
            if self.style_layers.contains(layer)
                && let Some(target) = targets.next()
            {
                let distance = relative_distance(&gram(features)?, target)?;
                style = style.f_add(&distance.f_div_scalar(self.style_layers.len() as i64)?)?;
            }
            if *layer == self.content_layer {
                content_loss = relative_distance(features, content)?;
            }
        }
        Ok(Losses { style, content: content_loss, tv: total_variation(picture)? })
    }
}

impl Painted {
    /// What the next frame starts from: its own content under this frame's paint. The picture as it is would stand
    /// still: a few steps cannot move what is painted.
    fn carried_to(self, content: &Tensor) -> Result<Self> {
        let paint = self.picture.f_sub(&self.content)?.f_mul_scalar(PAINT_KEPT)?;
        let picture = content.f_add(&paint)?.f_clamp(0.0, 1.0)?;
        Ok(Self { content: content.shallow_clone(), picture, adam: self.adam })
    }
}

impl Losses {
    fn weighted(&self, parameters: &Parameters) -> Result<Tensor> {
        let style = self.style.f_mul_scalar(parameters.style_weight)?;
        let content = self.content.f_mul_scalar(parameters.content_weight)?;
        Ok(style.f_add(&content)?.f_add(&self.tv.f_mul_scalar(parameters.tv_weight)?)?)
    }

    fn record(&self, stats: &mut Stats) -> Result<()> {
        stats.style_loss = self.style.f_double_value(&[])?;
        stats.content_loss = self.content.f_double_value(&[])?;
        stats.tv_loss = self.tv.f_double_value(&[])?;
        Ok(())
    }
}

/// The size at which to optimise: `size`, height then width, with its longer side brought down to `longest` (0: as is).
fn working_size(size: [i64; 2], longest: i64) -> [i64; 2] {
    if longest == 0 || size[0].max(size[1]) <= longest { size } else { scaled(size, longest) }
}

/// `size` with its longer side brought to `longest`.
fn scaled(size: [i64; 2], longest: i64) -> [i64; 2] {
    let ratio = longest as f64 / size[0].max(size[1]) as f64;
    size.map(|side| ((side as f64 * ratio).round() as i64).max(1))
}

/// `(1, 3, H, W)` brought to another size, smoothly either way.
fn resize(picture: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    if picture.size()[2..] == size {
        return Ok(picture.shallow_clone());
    }
    Ok(picture.f_internal_upsample_bicubic2d_aa(size, false, None, None)?.f_clamp(0.0, 1.0)?)
}
