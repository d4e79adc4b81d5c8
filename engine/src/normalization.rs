//! Normalization: from pictures, RGB in 0..1, to the input that a network was trained with.

use tch::{Device, Tensor};

use crate::Result;

/// A convention for a network's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// RGB in 0..1, normalized by ImageNet's mean and standard deviation (torchvision).
    ImageNet,
    /// BGR in 0..255, minus ImageNet's mean (Caffe and Keras).
    Caffe,
    /// A range from `low` to `high`, of RGB or else BGR.
    Range {
        /// Whether the channels are in the order BGR.
        is_bgr: bool,
        /// The value of black.
        low: f64,
        /// The value of white.
        high: f64,
    },
}

/// A convention, prepared for pictures on a device.
pub struct Normalizer {
    /// Whether the channels are in the order BGR.
    reversed: bool,
    /// The factor and the offset of each channel, `(1, 3, 1, 1)`.
    scale: Tensor,
    shift: Tensor,
}

impl Input {
    /// RGB in 0..1.
    pub const RGB_1: Self = Self::Range { is_bgr: false, low: 0.0, high: 1.0 };
    /// RGB in 0..255.
    pub const RGB_255: Self = Self::Range { is_bgr: false, low: 0.0, high: 255.0 };
    /// RGB in -1..1.
    pub const RGB_SIGNED: Self = Self::Range { is_bgr: false, low: -1.0, high: 1.0 };
    /// BGR in 0..1.
    pub const BGR_1: Self = Self::Range { is_bgr: true, low: 0.0, high: 1.0 };
    /// BGR in 0..255.
    pub const BGR_255: Self = Self::Range { is_bgr: true, low: 0.0, high: 255.0 };
    /// BGR in -1..1.
    pub const BGR_SIGNED: Self = Self::Range { is_bgr: true, low: -1.0, high: 1.0 };

    /// Prepares this convention for pictures on `device`.
    pub fn on(self, device: Device) -> Result<Normalizer> {
        // Each channel's mean and standard deviation.
        let (reversed, range, channels) = match self {
            Self::ImageNet => (false, 1.0, [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]),
            Self::Caffe => (true, 255.0, [(103.939, 1.0), (116.779, 1.0), (123.68, 1.0)]),
            Self::Range { is_bgr, low, high } => (is_bgr, high - low, [(-low, 1.0); 3]),
        };
        let of_each = |value: &dyn Fn(f64, f64) -> f64| {
            let values = channels.map(|(mean, std)| value(mean, std) as f32);
            Tensor::f_from_slice(&values)?.f_view([1, 3, 1, 1])?.f_to_device(device)
        };
        Ok(Normalizer { reversed, scale: of_each(&|_, std| range / std)?, shift: of_each(&|mean, std| -mean / std)? })
    }
}

impl Normalizer {
    /// The normalized form of a picture, `(1, 3, H, W)` in 0..1.
    pub fn apply(&self, picture: &Tensor) -> Result<Tensor> {
        let picture = self.in_order(picture)?;
        Ok(self.shift.f_addcmul(&picture, &self.scale)?)
    }

    /// The gradient at a picture, from the gradient at its normalized form.
    pub(crate) fn back(&self, gradient: &Tensor) -> Result<Tensor> {
        self.in_order(&gradient.f_mul(&self.scale)?)
    }

    /// The picture that has this normalized form.
    pub fn undo(&self, normalized: &Tensor) -> Result<Tensor> {
        self.in_order(&normalized.f_sub(&self.shift)?.f_div(&self.scale)?)
    }

    fn in_order(&self, picture: &Tensor) -> Result<Tensor> {
        Ok(if self.reversed { picture.f_flip([1])? } else { picture.shallow_clone() })
    }
}
