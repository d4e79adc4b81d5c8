//! The ResNet generators of CycleGAN and pix2pix in PyTorch (`resnet_9blocks`, `resnet_6blocks`), of any width.
//!
//! J.-Y. Zhu, T. Park, P. Isola, A. Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
//! Networks" (ICCV 2017, appendix).

use tch::{Device, Tensor};

use super::feed_forward::{FeedForward, Kind};
use super::layers::{Convolution, Encoder, Geometry, Layers, Norm, Normalized, Read};
use crate::Result;
use crate::instance_norm::After;
use crate::normalization::Input;
use crate::size::{cut, extended, size_of};
use crate::weights::Tensors;

/// The minimum of a picture's sides, in pixels: reflections must fit into it and into its quarter.
const MIN_SIDE: i64 = 8;

/// The number of the first residual block.
const FIRST_BLOCK: usize = 10;

/// A network. Its layers, including paddings and activations, are numbered.
pub(crate) struct ResnetGenerator {
    /// Three convolutions, of which the last two halve the size.
    encoder: Encoder,
    /// Two convolutions that double the size.
    decoder: Vec<Normalized>,
    last: Convolution,
}

impl ResnetGenerator {
    pub const KIND: Kind = Kind {
        name: "ResNet generators of CycleGAN and pix2pix",
        recognizes: |tensors| {
            let side = |name| tensors.shape(name).and_then(|shape| shape.get(3).copied());
            side("1.weight") == Some(7) && side("10.conv_block.1.weight") == Some(3)
        },
        read: |tensors, device| Ok(Box::new(Self::new(tensors, device)?)),
    };

    fn new(tensors: &mut Tensors, device: Device) -> Read<Self> {
        let block = |number: usize| format!("{number}.conv_block");
        let blocks =
            (FIRST_BLOCK..).take_while(|&number| tensors.shape(&format!("{}.1.weight", block(number))).is_some());
        let after_blocks = FIRST_BLOCK + blocks.count();
        // Networks with dropout have one more layer, without tensors, before a block's second convolution.
        let second = if tensors.shape("10.conv_block.5.weight").is_some() { 5 } else { 6 };
        let norm = Norm::of(tensors, "1", "2");
        let mut layers = Layers::new(tensors, norm, device);

        let mut layer = |prefix: &str, number: usize, geometry| {
            layers.normalized(&format!("{prefix}{number}"), &format!("{prefix}{}", number + 1), geometry)
        };
        let reflected = |side| Geometry::Reflected { side, stride: 1 };
        let (halved, doubled) = (Geometry::Halved { side: 3 }, Geometry::Doubled { side: 3 });
        let halving = vec![layer("", 1, reflected(7))?, layer("", 4, halved)?, layer("", 7, halved)?];
        let mut residuals = Vec::new();
        for number in FIRST_BLOCK..after_blocks {
            let prefix = format!("{}.", block(number));
            residuals.push([layer(&prefix, 1, reflected(3))?, layer(&prefix, second, reflected(3))?]);
        }
        let decoder = vec![layer("", after_blocks, doubled)?, layer("", after_blocks + 3, doubled)?];
        let last = layers.colors(&(after_blocks + 7).to_string(), reflected(7))?;
        Ok(Self { encoder: Encoder { halving, residuals }, decoder, last })
    }
}

impl FeedForward for ResnetGenerator {
    fn name(&self) -> String {
        format!("resnet_{}blocks, from {} channels", self.encoder.residuals.len(), self.encoder.channels())
    }

    fn input(&self) -> Input {
        Input::RGB_SIGNED
    }

    fn apply(&self, picture: &Tensor) -> Result<Tensor> {
        let size = size_of(picture)?;
        let mut x = self.encoder.apply(&extended(picture, size.map(|side| side.max(MIN_SIDE)))?)?;
        for layer in &self.decoder {
            x = layer.apply(&x, After::Relu)?;
        }
        // Halving rounds up, so that the result may be larger than the picture by up to three pixels.
        cut(&self.last.apply(&x)?.f_tanh_()?, size)
    }
}
