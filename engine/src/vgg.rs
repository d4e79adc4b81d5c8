//! Networks of the VGG family: blocks of 3 x 3 convolutions, each followed by a ReLU, with pooling between blocks.
//!
//! K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR 2015).

use std::fmt;

use tch::{Device, Tensor};

use crate::Result;

/// ImageNet's mean and standard deviation of R, G, B in 0..1, which VGG's input is normalised with.
pub(crate) const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
pub(crate) const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// A layer's place: `relu4_2` is block 4, convolution 2, after its ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layer {
    /// From 1.
    pub block: usize,
    /// The convolution within its block, from 1.
    pub conv: usize,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "relu{}_{}", self.block, self.conv)
    }
}

/// Halves a block's result, by the largest of 2 x 2: `(1, C, H, W) -> (1, C, H / 2, W / 2)`, rounded down.
pub(crate) fn pool(x: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = x.size4()?;
    // A frame smaller than the network's reach stays as it is.
    if height < 2 || width < 2 {
        return Ok(x.shallow_clone());
    }
    Ok(x.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?)
}

/// A 3 x 3 convolution.
pub struct Conv {
    /// Where it stands.
    pub layer: Layer,
    /// `(out, in, 3, 3)`.
    pub weight: Tensor,
    /// `(out)`.
    pub bias: Tensor,
}

impl Conv {
    /// The response before the ReLU: `(1, in, H, W) -> (1, out, H, W)`.
    pub(crate) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_conv2d(&self.weight, Some(&self.bias), [1, 1], [1, 1], [1, 1], 1)?)
    }
}

/// A feature extractor.
pub struct Vgg {
    /// In order.
    pub convs: Vec<Conv>,
    mean: Tensor,
    std: Tensor,
}

impl Vgg {
    /// A network of these convolutions, on their device.
    pub fn new(convs: Vec<Conv>, device: Device) -> Result<Self> {
        let channels = |values: &[f32]| Tensor::from_slice(values).f_view([1, 3, 1, 1])?.f_to_device(device);
        Ok(Self { convs, mean: channels(&MEAN)?, std: channels(&STD)? })
    }

    /// The layers there are, in order.
    pub fn layers(&self) -> impl Iterator<Item = Layer> {
        self.convs.iter().map(|conv| conv.layer)
    }

    /// The usual layers for style: the first of each block.
    pub fn style_layers(&self) -> Vec<Layer> {
        self.layers().filter(|layer| layer.conv == 1).collect()
    }

    /// The usual layer for content, relu4_2, or the deepest where the network ends before it.
    pub fn content_layer(&self) -> Option<Layer> {
        let usual = Layer { block: 4, conv: 2 };
        self.layers().find(|&layer| layer == usual).or_else(|| self.layers().last())
    }

    /// The features of `picture`, `(1, 3, H, W)` in 0..1, after the ReLU of each of `wanted`: `(1, C, h, w)`.
    ///
    /// `wanted` must be in order; nothing is computed past its last.
    pub fn features(&self, picture: &Tensor, wanted: &[Layer]) -> Result<Vec<Tensor>> {
        let mut x = picture.f_sub(&self.mean)?.f_div(&self.std)?;
        let mut features = Vec::with_capacity(wanted.len());
        let mut block = 1;
        for conv in &self.convs {
            if features.len() == wanted.len() {
                break;
            }
            if conv.layer.block != block {
                x = pool(&x)?;
                block = conv.layer.block;
            }
            x = conv.apply(&x)?.f_relu()?;
            if wanted.contains(&conv.layer) {
                features.push(x.shallow_clone());
            }
        }
        Ok(features)
    }
}
