//! The U-Net generators of pix2pix and CycleGAN in PyTorch (`unet_256`, `unet_128`), of any width and depth.
//!
//! P. Isola, J.-Y. Zhu, T. Zhou, A. Efros, "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR
//! 2017, appendix).

use tch::{Device, Tensor};

use super::feed_forward::{FeedForward, Kind};
use super::layers::{Convolution, Geometry, Layers, Norm, Normalized, Read};
use crate::Result;
use crate::convolution::channels_last;
use crate::instance_norm::After;
use crate::normalization::Input;
use crate::size::{cut, extended, multiples, size_of};
use crate::weights::Tensors;

/// The maximum number of levels: pictures are extended to multiples of 2 to this power.
const MAX_LEVELS: usize = 10;

/// The slope of the leaky ReLU for negative numbers.
const SLOPE: f64 = 0.2;

/// A network: each level halves the size, lets the next level work, doubles the size, and appends the result to what it
/// got.
pub(crate) struct UnetGenerator {
    first: Convolution,
    /// The convolutions between the first and the innermost one.
    down: Vec<Normalized>,
    innermost: Convolution,
    /// From the inside to the outside.
    up: Vec<Normalized>,
    last: Convolution,
}

impl UnetGenerator {
    pub const KIND: Kind = Kind {
        name: "U-Net generators of CycleGAN and pix2pix",
        recognizes: |tensors| {
            let side = |name| tensors.shape(name).and_then(|shape| shape.get(3).copied());
            side("0.weight") == Some(4) && side("1.model.1.weight") == Some(4)
        },
        read: |tensors, device| Ok(Box::new(Self::new(tensors, device)?)),
    };

    fn new(tensors: &mut Tensors, device: Device) -> Read<Self> {
        // A level is the layer 3 of the one around it; the outermost one has no activation and no normalization before.
        let level = |depth: usize| format!("1.model.{}", "3.model.".repeat(depth));
        let levels = (0..).take_while(|&depth| tensors.shape(&format!("{}1.weight", level(depth))).is_some()).count();
        if levels >= MAX_LEVELS {
            return Err(format!("it has {} levels; at most {MAX_LEVELS} are supported", levels + 1));
        }
        let inner = levels.saturating_sub(1);
        let (halved, doubled) = (Geometry::Halved { side: 4 }, Geometry::Doubled { side: 4 });
        let norm = Norm::of(tensors, &format!("{}1", level(0)), &format!("{}2", level(0)));
        let has_bias = norm != Norm::Batch;
        let mut layers = Layers::new(tensors, norm, device);

        let first = layers.convolution("0", halved, has_bias)?;
        let mut skipped = vec![first.channels];
        let mut down = Vec::new();
        for depth in 0..inner {
            let prefix = level(depth);
            down.push(layers.normalized(&format!("{prefix}1"), &format!("{prefix}2"), halved)?);
            skipped.push(layers.channels);
        }
        let innermost = layers.convolution(&format!("{}1", level(inner)), halved, has_bias)?;
        let mut up = Vec::new();
        for depth in (0..=inner).rev() {
            // The innermost level has no level and no normalization in between.
            let number = if depth == inner { 3 } else { 5 };
            let prefix = level(depth);
            up.push(layers.normalized(&format!("{prefix}{number}"), &format!("{prefix}{}", number + 1), doubled)?);
            layers.channels += skipped.pop().unwrap_or(0);
        }
        let last = layers.colors("3", doubled)?;
        Ok(Self { first, down, innermost, up, last })
    }

    /// The sides of pictures must be multiples of this: each level halves them.
    fn divisor(&self) -> i64 {
        2 << self.up.len()
    }
}

impl FeedForward for UnetGenerator {
    fn name(&self) -> String {
        format!("unet_{}, from {} channels", self.divisor(), self.first.channels)
    }

    fn input(&self) -> Input {
        Input::RGB_SIGNED
    }

    fn apply(&self, picture: &Tensor) -> Result<Tensor> {
        let size = size_of(picture)?;
        let whole = extended(picture, multiples(size, self.divisor()))?;
        let mut x = self.first.apply(&channels_last(&whole, whole.kind())?)?;
        let mut skipped = Vec::new();
        for layer in &self.down {
            skipped.push(x.shallow_clone());
            x = layer.apply(&leaky_relu(&x)?, After::Nothing)?;
        }
        skipped.push(x.shallow_clone());
        x = self.innermost.apply(&leaky_relu(&x)?)?;
        // The original's skip connections carry what the leaky ReLU gives, in place; the ReLU here makes that the same.
        for (layer, skipped) in self.up.iter().zip(skipped.iter().rev()) {
            x = Tensor::f_cat(&[skipped, &layer.apply(&x.f_relu_()?, After::Nothing)?], 1)?;
        }
        cut(&self.last.apply(&x.f_relu_()?)?.f_tanh_()?, size)
    }
}

fn leaky_relu(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_maximum(&x.f_mul_scalar(SLOPE)?)?)
}
