//! Networks that extract features, and networks that paint.

pub mod builtin;
pub mod fast_neural_style;
pub mod feed_forward;
mod layers;
pub(crate) mod models;
mod resnet_generator;
mod shipped;
mod torch_script;
mod unet_generator;
pub mod vgg;
