//! The losses that recipes combine. Each returns its value, `()`, and adds its gradient to a given one.

mod autograd;
mod config;
mod distance;
mod excitation;
mod sliced_wasserstein;
mod statistics;
mod style;
mod temporal;
mod total_variation;

pub use config::{LossConfig, Reduction};
pub use distance::{Distance, Target};
pub(crate) use excitation::Excitation;
pub use statistics::{FeatureSums, GramDivisor, Statistics, gram};
pub use style::StyleLossKind;
pub(crate) use style::{Extent, StyleLoss};
pub use temporal::TemporalConstraint;
pub use total_variation::TotalVariation;
