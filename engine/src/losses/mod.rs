//! The losses that recipes put together. Each is a number, `()`.

mod distance;
mod statistics;
mod total_variation;

pub use distance::{Distance, Target};
pub(crate) use statistics::style_loss;
pub use statistics::{FeatureSums, GramDivisor, Statistics, gram};
pub use total_variation::TotalVariation;
