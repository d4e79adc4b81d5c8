//! The interface of networks that paint a picture in one pass, and of the kinds of their files.

use tch::{Device, Tensor};

use super::layers::Read;
use crate::Result;
use crate::normalization::Input;
use crate::weights::Tensors;

/// A network that paints a picture in one pass.
pub trait FeedForward {
    /// The network in words.
    fn name(&self) -> String;

    /// The form of the pictures that the network was trained with, as far as it is known. The result has the same form.
    fn input(&self) -> Input;

    /// Whether the network computes in the precision of the picture that it gets, instead of in f32 only.
    fn has_precisions(&self) -> bool {
        true
    }

    /// The painted picture, `(1, 3, H, W)`, like `picture`.
    fn apply(&self, picture: &Tensor) -> Result<Tensor>;
}

/// A kind of network.
pub(crate) struct Kind {
    /// Whose networks they are.
    pub name: &'static str,
    /// Whether the tensors are those of such a network.
    pub recognizes: fn(&Tensors) -> bool,
    /// Reads a network.
    pub read: fn(&mut Tensors, Device) -> Read<Box<dyn FeedForward>>,
}
