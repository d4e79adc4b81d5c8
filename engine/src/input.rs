//! What a network is fed: pictures, RGB in 0..1, in the range that its weights were trained for.

use tch::{Device, Tensor};

use crate::Result;

/// A convention of what stands in the channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// RGB in 0..1, normalised by ImageNet's mean and standard deviation (torchvision).
    ImageNet,
    /// BGR in 0..255, less ImageNet's mean (Caffe, and Keras after it).
    Caffe,
    /// RGB in 0..1.
    Plain,
}

/// A convention ready for pictures on a device.
pub struct Normalisation {
    reversed: bool,
    range: f64,
    /// `(1, 3, 1, 1)`.
    mean: Tensor,
    /// `(1, 3, 1, 1)`.
    std: Tensor,
}

impl Input {
    /// Prepares for pictures on `device`.
    pub fn on(self, device: Device) -> Result<Normalisation> {
        let (reversed, range, mean, std) = match self {
            Self::ImageNet => (false, 1.0, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            Self::Caffe => (true, 255.0, [103.939, 116.779, 123.68], [1.0; 3]),
            Self::Plain => (false, 1.0, [0.0; 3], [1.0; 3]),
        };
        let channels = |values: [f32; 3]| Tensor::f_from_slice(&values)?.f_view([1, 3, 1, 1])?.f_to_device(device);
        Ok(Normalisation { reversed, range, mean: channels(mean)?, std: channels(std)? })
    }
}

impl Normalisation {
    /// What the network is fed for a picture, `(1, 3, H, W)` in 0..1.
    pub fn apply(&self, picture: &Tensor) -> Result<Tensor> {
        let picture = if self.reversed { picture.f_flip([1])? } else { picture.shallow_clone() };
        Ok(picture.f_mul_scalar(self.range)?.f_sub(&self.mean)?.f_div(&self.std)?)
    }

    /// The picture for what the network is fed.
    pub fn undo(&self, fed: &Tensor) -> Result<Tensor> {
        let picture = fed.f_mul(&self.std)?.f_add(&self.mean)?.f_div_scalar(self.range)?;
        Ok(if self.reversed { picture.f_flip([1])? } else { picture })
    }
}
