//! Networks that extract features.

pub mod builtin;
pub mod vgg;
