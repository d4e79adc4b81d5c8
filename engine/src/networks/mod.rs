//! Networks: where features come from.

pub mod builtin;
pub mod vgg;
