//! The values of the read-only properties.

use super::engine::{Number, Statistic};
use super::latency::Latency;

/// The values of the read-only properties.
#[derive(Default)]
pub struct Shown {
    pub(super) network: Option<String>,
    pub(super) device: String,
    pub(super) statistics: Vec<Statistic>,
    pub(super) latency: Latency,
}

impl Shown {
    /// The `stats` property.
    pub(super) fn stats(&self) -> gst::Structure {
        let mut structure = gst::Structure::builder("styletransfer-stats").field("device", &self.device).build();
        for Statistic { name, value } in &self.statistics {
            match *value {
                Number::Whole(value) => structure.set(name.as_str(), value),
                Number::Real(value) => structure.set(name.as_str(), value),
            }
        }
        structure
    }
}
