//! Networks of the VGG family: blocks of 3 x 3 convolutions, each followed by a ReLU, with pooling between blocks.
//!
//! K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR 2015).

use std::fmt;

use tch::{Device, Tensor};

use crate::Result;
use crate::input::Input;

/// A convolution's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layer {
    /// From 1.
    pub block: usize,
    /// The convolution within its block, from 1.
    pub conv: usize,
}

/// Where features are taken: `conv4_2` is what block 4's convolution 2 gives, `relu4_2` what its ReLU leaves of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tap {
    /// The convolution.
    pub layer: Layer,
    /// Whether after its ReLU.
    pub rectified: bool,
}

impl fmt::Display for Tap {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = if self.rectified { "relu" } else { "conv" };
        write!(f, "{kind}{}_{}", self.layer.block, self.layer.conv)
    }
}

/// What halves a block's result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// The largest of 2 x 2, which VGG was trained with.
    #[default]
    Max,
    /// Their mean (L. Gatys, A. Ecker, M. Bethge, CVPR 2016, section 2).
    Average,
}

impl Pooling {
    /// `(1, C, H, W) -> (1, C, H / 2, W / 2)`, rounded down.
    pub(crate) fn apply(self, x: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.size4()?;
        // A picture smaller than the network's reach stays as it is.
        if height < 2 || width < 2 {
            return Ok(x.shallow_clone());
        }
        Ok(match self {
            Self::Max => x.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?,
            Self::Average => x.f_avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None::<i64>)?,
        })
    }
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
    /// What its weights were trained for.
    pub input: Input,
    /// Where its weights are.
    pub device: Device,
}

impl Vgg {
    /// A network of these convolutions, on their device.
    pub fn new(convs: Vec<Conv>, input: Input, device: Device) -> Self {
        Self { convs, input, device }
    }

    /// Where features can be taken, in order.
    pub fn taps(&self) -> impl DoubleEndedIterator<Item = Tap> {
        self.convs.iter().flat_map(|conv| [false, true].map(|rectified| Tap { layer: conv.layer, rectified }))
    }

    /// The tap called `name`: `conv4_2`, `relu4_2`, or its index among the layers of torchvision's `features`, where a ReLU
    /// follows each convolution and a pooling each block.
    pub fn tap(&self, name: &str) -> Option<Tap> {
        let index = |tap: Tap| {
            let before = self.convs.iter().take_while(|conv| conv.layer < tap.layer).count();
            2 * before + (tap.layer.block - 1) + usize::from(tap.rectified)
        };
        self.taps().find(|&tap| tap.to_string() == name || index(tap).to_string() == name)
    }

    /// The features of `x`, `(1, 3, H, W)` as the weights expect it, at each of `wanted`: `(1, C, h, w)`.
    ///
    /// `wanted` must be in order; nothing is computed past its last.
    pub fn features(&self, x: &Tensor, wanted: &[Tap], pooling: Pooling) -> Result<Vec<Tensor>> {
        let mut x = x.shallow_clone();
        let mut features = Vec::with_capacity(wanted.len());
        let mut block = 1;
        for conv in &self.convs {
            if features.len() == wanted.len() {
                break;
            }
            if conv.layer.block != block {
                x = pooling.apply(&x)?;
                block = conv.layer.block;
            }
            for rectified in [false, true] {
                x = if rectified { x.f_relu()? } else { conv.apply(&x)? };
                if wanted.contains(&Tap { layer: conv.layer, rectified }) {
                    features.push(x.shallow_clone());
                }
            }
        }
        Ok(features)
    }
}
