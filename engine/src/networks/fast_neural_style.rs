//! The feed-forward networks of PyTorch's example `fast_neural_style`, of any width: a picture becomes a painting in one
//! pass.
//!
//! J. Johnson, A. Alahi, L. Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution" (ECCV 2016,
//! supplementary material), with instance normalization (D. Ulyanov, A. Vedaldi, V. Lempitsky, arXiv:1607.08022) and
//! nearest-neighbor upsampling before convolutions.

use tch::{Device, Tensor};

use crate::Result;
use crate::convolution::channels_last;
use crate::size::size_of;
use crate::weights::{Reason, Tensors};

/// The number that instance normalization adds to the variance (PyTorch's default).
const EPSILON: f64 = 1e-5;

/// The minimum of a picture's sides, in pixels: reflections around the first convolution must fit into it.
const MIN_SIDE: i64 = 16;

/// The maximum number of residual blocks; the example has 5.
const MAX_BLOCKS: usize = 64;

/// A network. Pictures are RGB in 0..255 inside.
pub(crate) struct FastNeuralStyle {
    /// Three convolutions, of which the last two halve the size.
    encoder: Vec<Normalized>,
    residuals: Vec<[Normalized; 2]>,
    /// Two convolutions, each after doubling the size.
    decoder: Vec<Normalized>,
    last: Convolution,
    /// The channels of the first layer.
    pub channels: i64,
}

impl FastNeuralStyle {
    /// Whether the tensors are those of such a network.
    pub fn recognizes(tensors: &Tensors) -> bool {
        ["conv1.conv2d.weight", "deconv3.conv2d.weight"].iter().all(|name| tensors.shape(name).is_some())
    }

    /// Reads a network.
    pub fn new(tensors: &mut Tensors, device: Device) -> std::result::Result<Self, Reason> {
        let mut input = 3;
        let mut layer = |conv: &str, norm: &str, side: i64, stride: i64| {
            let convolution = Convolution::new(tensors, conv, input, side, stride, device)?;
            input = convolution.channels;
            let [scale, shift] = norm_tensors(tensors, norm, input, device)?;
            Ok::<_, Reason>(Normalized { convolution, scale, shift })
        };
        let encoder = vec![layer("conv1", "in1", 9, 1)?, layer("conv2", "in2", 3, 2)?, layer("conv3", "in3", 3, 2)?];
        let mut residuals = Vec::new();
        for block in 1..=MAX_BLOCKS {
            match layer(&format!("res{block}.conv1"), &format!("res{block}.in1"), 3, 1) {
                Ok(first) => {
                    residuals.push([first, layer(&format!("res{block}.conv2"), &format!("res{block}.in2"), 3, 1)?])
                }
                Err(_) if block > 1 => break,
                Err(reason) => return Err(reason),
            }
        }
        let decoder = vec![layer("deconv1", "in4", 3, 1)?, layer("deconv2", "in5", 3, 1)?];
        let channels = encoder.first().map_or(0, |first| first.convolution.channels);
        let last = Convolution::new(tensors, "deconv3", input, 9, 1, device)?;
        if last.channels != 3 {
            return Err(format!("deconv3 gives {} channels instead of 3", last.channels));
        }
        Ok(Self { encoder, residuals, decoder, last, channels })
    }

    /// The painted picture, `(1, 3, H, W)` in 0..1, like `picture`.
    pub fn apply(&self, picture: &Tensor) -> Result<Tensor> {
        let [height, width] = size_of(picture)?;
        let missing = |side: i64| (MIN_SIDE - side).max(0);
        let padded = picture.f_replication_pad2d([0, missing(width), 0, missing(height)])?;
        let mut x = channels_last(&padded.f_mul_scalar(255)?, padded.kind())?;
        for layer in &self.encoder {
            x = layer.apply(&x)?.f_relu_()?;
        }
        for [first, second] in &self.residuals {
            let inner = second.apply(&first.apply(&x)?.f_relu_()?)?;
            x = inner.f_add(&x)?;
        }
        for layer in &self.decoder {
            let [height, width] = size_of(&x)?;
            x = layer.apply(&x.f_upsample_nearest2d([2 * height, 2 * width], None, None)?)?.f_relu_()?;
        }
        // Halving rounds up, so that the result may be larger than the picture by up to three pixels.
        let painted = self.last.apply(&x)?.f_narrow(2, 0, height)?.f_narrow(3, 0, width)?;
        Ok(painted.f_div_scalar(255)?.f_clamp(0.0, 1.0)?.f_contiguous()?)
    }
}

/// A convolution with reflections beyond the edges.
struct Convolution {
    /// `(out, in, side, side)`, channels last.
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    /// Pixels beyond each edge.
    reach: i64,
    /// Of the output.
    channels: i64,
}

impl Convolution {
    fn new(
        tensors: &mut Tensors,
        name: &str,
        input: i64,
        side: i64,
        stride: i64,
        device: Device,
    ) -> std::result::Result<Self, Reason> {
        let weight = format!("{name}.conv2d.weight");
        let channels = tensors.shape(&weight).and_then(|shape| shape.first().copied()).filter(|out| *out > 0);
        let channels = channels.ok_or_else(|| format!("{weight} is missing"))?;
        let weight = tensors.read(&weight, &[channels, input, side, side], device)?;
        Ok(Self {
            weight: channels_last(&weight, weight.kind()).map_err(|error| error.to_string())?,
            bias: tensors.read(&format!("{name}.conv2d.bias"), &[channels], device)?,
            stride,
            reach: side / 2,
            channels,
        })
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let padded = x.f_reflection_pad2d([self.reach; 4])?;
        Ok(padded.f_conv2d(&self.weight, Some(&self.bias), [self.stride; 2], [0, 0], [1, 1], 1)?)
    }
}

/// A convolution with instance normalization.
struct Normalized {
    convolution: Convolution,
    scale: Tensor,
    shift: Tensor,
}

impl Normalized {
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let response = self.convolution.apply(x)?;
        // Instance normalization is group normalization with a channel in each group, which libtorch does faster.
        let groups = self.convolution.channels;
        Ok(response.f_group_norm(groups, Some(&self.scale), Some(&self.shift), EPSILON, false)?)
    }
}

/// The scale and the shift of a normalization, which the example's first version calls by these names.
fn norm_tensors(
    tensors: &mut Tensors,
    name: &str,
    channels: i64,
    device: Device,
) -> std::result::Result<[Tensor; 2], Reason> {
    let parts = match tensors.shape(&format!("{name}.scale")) {
        Some(_) => ["scale", "shift"],
        None => ["weight", "bias"],
    };
    let [scale, shift] = parts.map(|part| tensors.read(&format!("{name}.{part}"), &[channels], device));
    Ok([scale?, shift?])
}
