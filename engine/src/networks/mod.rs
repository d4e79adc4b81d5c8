//! Networks that extract features, networks that paint, and one that finds people.

pub mod builtin;
pub mod fast_neural_style;
pub mod feed_forward;
mod layers;
pub(crate) mod models;
pub(crate) mod person;
mod resnet_generator;
mod shipped;
mod torch_script;
mod unet_generator;
pub mod vgg;
