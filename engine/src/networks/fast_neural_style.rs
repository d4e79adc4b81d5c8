//! The feed-forward networks of PyTorch's example `fast_neural_style`, of any width.
//!
//! J. Johnson, A. Alahi, L. Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution" (ECCV 2016,
//! supplementary material), with instance normalization (D. Ulyanov, A. Vedaldi, V. Lempitsky, arXiv:1607.08022) and
//! nearest-neighbor upsampling before convolutions.

use tch::{Device, Tensor};

use super::feed_forward::{FeedForward, Kind};
use super::layers::{Convolution, Encoder, Geometry, Layers, Norm, Normalized, Read};
use crate::Result;
use crate::instance_norm::After;
use crate::normalization::Input;
use crate::size::{cut, extended, size_of};
use crate::weights::Tensors;

/// The minimum of a picture's sides, in pixels: reflections around the first convolution must fit into it.
const MIN_SIDE: i64 = 16;

/// A network.
pub struct FastNeuralStyle {
    /// Three convolutions, of which the last two halve the size.
    encoder: Encoder,
    /// Two convolutions, each after doubling the size.
    decoder: Vec<Normalized>,
    last: Convolution,
}

impl FastNeuralStyle {
    pub(crate) const KIND: Kind = Kind {
        name: "PyTorch's example fast_neural_style",
        recognizes: |tensors| {
            ["conv1.conv2d.weight", "deconv3.conv2d.weight"].iter().all(|name| tensors.shape(name).is_some())
        },
        read: |tensors, device| Ok(Box::new(Self::new(tensors, device)?)),
    };

    /// Reads a network. Fails with the reason if tensors are missing or have other shapes.
    pub fn new(tensors: &mut Tensors, device: Device) -> Read<Self> {
        // The example has 5 blocks.
        let blocks = (1..).take_while(|block| tensors.shape(&format!("res{block}.conv1.conv2d.weight")).is_some());
        let blocks = blocks.count();
        let mut layers = Layers::new(tensors, Norm::AffineInstance, device);
        let mut layer = |conv: &str, norm: &str, geometry| layers.normalized(&format!("{conv}.conv2d"), norm, geometry);
        let reflected = |side, stride| Geometry::Reflected { side, stride };
        let halved = reflected(3, 2);
        let halving = vec![
            layer("conv1", "in1", reflected(9, 1))?,
            layer("conv2", "in2", halved)?,
            layer("conv3", "in3", halved)?,
        ];
        let mut residuals = Vec::new();
        for block in 1..=blocks {
            let mut half =
                |number| layer(&format!("res{block}.conv{number}"), &format!("res{block}.in{number}"), reflected(3, 1));
            residuals.push([half(1)?, half(2)?]);
        }
        let decoder =
            vec![layer("deconv1", "in4", Geometry::Upsampled)?, layer("deconv2", "in5", Geometry::Upsampled)?];
        let last = layers.colors("deconv3.conv2d", reflected(9, 1))?;
        Ok(Self { encoder: Encoder { halving, residuals }, decoder, last })
    }
}

impl FeedForward for FastNeuralStyle {
    fn name(&self) -> String {
        format!("fast_neural_style, from {} channels", self.encoder.channels())
    }

    fn input(&self) -> Input {
        Input::RGB_255
    }

    fn apply(&self, picture: &Tensor) -> Result<Tensor> {
        let size = size_of(picture)?;
        let mut x = self.encoder.apply(&extended(picture, size.map(|side| side.max(MIN_SIDE)))?)?;
        for layer in &self.decoder {
            x = layer.apply(&x, After::Relu)?;
        }
        // Halving rounds up, so that the result may be larger than the picture by up to three pixels.
        cut(&self.last.apply(&x)?, size)
    }
}
