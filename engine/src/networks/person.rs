//! Finds people: the network of MediaPipe's Selfie Segmentation, whose weights are built in. It is a MobileNetV3 (A. Howard et
//! al., "Searching for MobileNetV3", ICCV 2019) with a decoder.
//!
//! The weights are those of The MediaPipe Authors (Apache-2.0), converted by tools/person/convert.py; layers have the names
//! that they have there.

use std::io::Cursor;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::layers::Read;
use crate::convolution::channels_last;
use crate::size::size_of;
use crate::weights::Tensors;
use crate::{Error, Result};

/// Safetensors in 16 bits. Their metadata names their origin.
static FILE: &[u8] = include_bytes!("../../weights/person.safetensors");

/// The sides of the pictures that the network was trained with: all pictures, stretched.
pub(crate) const SIDE: i64 = 256;

/// Less certainty than this counts as none, and as little doubt as none: a wall is not painted a little, and blending passes
/// over what is clear.
const NEGLIGIBLE: f64 = 0.05;

/// The network.
pub(crate) struct PersonNetwork {
    /// `conv2d`, `conv2d_1` and so on.
    convolutions: Vec<Layer>,
    /// `depthwise_conv2d` and so on: a filter for each channel.
    depthwise: Vec<Layer>,
    /// The last one, which doubles the size.
    segment: Layer,
}

/// A convolution.
struct Layer {
    weight: Tensor,
    bias: Tensor,
}

impl PersonNetwork {
    /// The built-in network.
    pub fn new(device: Device) -> Result<Self> {
        Self::read(device)
            .map_err(|reason| Error::Model { path: Path::new("of the built-in person mask").into(), reason })
    }

    fn read(device: Device) -> Read<Self> {
        let mut tensors = Tensors::new(Box::new(Cursor::new(FILE)))?;
        let mut layer = |name: &str| -> Read<Option<Layer>> {
            let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
            let (Some(shape), Some(channels)) = (tensors.shape(&weight), tensors.shape(&bias)) else { return Ok(None) };
            let (weight, bias) = (tensors.read(&weight, &shape, device)?, tensors.read(&bias, &channels, device)?);
            let weight = channels_last(&weight, Kind::Float).map_err(|error| error.to_string())?;
            Ok(Some(Layer { weight, bias }))
        };
        let mut all = |name: &str| -> Read<Vec<Layer>> {
            let mut layers = Vec::new();
            while let Some(next) = match layers.len() {
                0 => layer(name)?,
                number => layer(&format!("{name}_{number}"))?,
            } {
                layers.push(next);
            }
            Ok(layers)
        };
        let (convolutions, depthwise) = (all("conv2d")?, all("depthwise_conv2d")?);
        let segment = layer("segment")?.ok_or("segment.weight is missing")?;
        Ok(Self { convolutions, depthwise, segment })
    }

    /// How certainly each pixel shows a person, 0 to 1, `(1, 1, SIDE, SIDE)`. The picture, `(1, 3, SIDE, SIDE)`, is in 0..1.
    pub fn find(&self, picture: &Tensor) -> Result<Tensor> {
        // With interleaved channels it takes less than half the time.
        let half = self.convolve(0, &channels_last(picture, Kind::Float)?, 2)?.f_hardswish()?;
        let wide = self.convolve(1, &half, 1)?.f_relu()?;
        let wide = self.filter(0, &wide, 2)?.f_relu()?;
        let quarter = self.convolve(4, &self.excited(2, &wide, &wide)?, 1)?;
        let wide = self.convolve(5, &quarter, 1)?.f_relu()?;
        let narrow = self.convolve(6, &self.filter(1, &wide, 2)?.f_relu()?, 1)?;
        let wide = self.convolve(7, &narrow, 1)?.f_relu()?;
        let eighth = self.convolve(8, &self.filter(2, &wide, 1)?.f_relu()?, 1)?.f_add(&narrow)?;
        let mut x = self.bottleneck(9, 3, &eighth, 2)?;
        for block in 0..4 {
            x = self.bottleneck(13 + 4 * block, 4 + block, &x, 1)?.f_add(&x)?;
        }
        let weights = self.convolve(30, &mean(&x)?, 1)?.f_sigmoid()?;
        x = self.convolve(29, &x, 1)?.f_relu()?.f_mul(&weights)?;
        x = self.merged(31, 8, &x, &eighth)?;
        x = self.merged(35, 9, &x, &quarter)?;
        x = self.merged(39, 10, &x, &half)?;
        let Layer { weight, bias } = &self.segment;
        let certainty = x.f_conv_transpose2d(weight, Some(bias), [2, 2], [0, 0], [0, 0], 1, [1, 1])?.f_sigmoid()?;
        let clear = certainty.f_sub_scalar(NEGLIGIBLE)?.f_div_scalar(1.0 - 2.0 * NEGLIGIBLE)?;
        Ok(clear.f_clamp(0.0, 1.0)?)
    }

    /// An inverted bottleneck with an excitation, of the convolutions from this number on.
    fn bottleneck(&self, first: usize, filter: usize, x: &Tensor, stride: i64) -> Result<Tensor> {
        let wide = self.convolve(first, x, 1)?.f_hardswish()?;
        let wide = self.filter(filter, &wide, stride)?.f_hardswish()?;
        self.convolve(first + 3, &self.excited(first + 1, &wide, &wide)?, 1)
    }

    /// A step of the decoder: doubles the size of `x`, and adds `skipped`, which the encoder had at that size.
    fn merged(&self, first: usize, filter: usize, x: &Tensor, skipped: &Tensor) -> Result<Tensor> {
        let doubled = x.f_upsample_bilinear2d(size_of(skipped)?, false, None, None)?;
        let x = self.convolve(first, &doubled, 1)?;
        let chosen = self.excited(first + 1, skipped, &skipped.f_add(&x)?)?.f_add(&x)?;
        let x = self.convolve(first + 3, &chosen, 1)?.f_relu()?;
        Ok(self.filter(filter, &x, 1)?.f_relu()?.f_add(&x)?)
    }

    /// `x` with each channel weighted by what two convolutions make of the means of `by`.
    fn excited(&self, first: usize, x: &Tensor, by: &Tensor) -> Result<Tensor> {
        let squeezed = self.convolve(first, &mean(by)?, 1)?.f_relu()?;
        Ok(x.f_mul(&self.convolve(first + 1, &squeezed, 1)?.f_sigmoid()?)?)
    }

    fn convolve(&self, number: usize, x: &Tensor, stride: i64) -> Result<Tensor> {
        apply(layer(&self.convolutions, number)?, x, stride, 1)
    }

    fn filter(&self, number: usize, x: &Tensor, stride: i64) -> Result<Tensor> {
        let layer = layer(&self.depthwise, number)?;
        apply(layer, x, stride, layer.bias.size1()?)
    }
}

fn layer(layers: &[Layer], number: usize) -> Result<&Layer> {
    layers.get(number).ok_or_else(|| Error::Settings(format!("the person mask's network has no layer {number}")))
}

/// A convolution whose padding is the smaller half above and on the left, as in TensorFlow.
fn apply(Layer { weight, bias }: &Layer, x: &Tensor, stride: i64, groups: i64) -> Result<Tensor> {
    let padding = size_of(weight)?[0] - stride;
    let (before, after) = (padding.max(0) / 2, (padding.max(0) + 1) / 2);
    if before == after {
        return Ok(x.f_conv2d(weight, Some(bias), [stride; 2], [before; 2], [1, 1], groups)?);
    }
    let padded = x.f_constant_pad_nd([before, after, before, after])?;
    Ok(padded.f_conv2d(weight, Some(bias), [stride; 2], [0, 0], [1, 1], groups)?)
}

/// The mean of each channel, `(1, C, 1, 1)`.
fn mean(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_adaptive_avg_pool2d([1, 1])?)
}
