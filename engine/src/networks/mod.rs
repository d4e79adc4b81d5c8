//! Networks that extract features, and networks that paint.

pub mod builtin;
pub(crate) mod fast_neural_style;
pub mod vgg;
