//! The configuration of a loss in a recipe: layers, distance and weight.

use super::Distance;
use crate::networks::vgg::{FeatureLayer, Vgg};
use crate::{Error, Result};

/// A loss over some layers.
#[derive(Clone, Debug, PartialEq)]
pub struct LossConfig {
    /// Names, or torchvision's indices, separated by commas.
    pub layers: String,
    /// Whether layers that the network lacks are skipped; if it lacks all of them, its last one is used.
    pub optional: bool,
    /// The distance of features or of their statistics.
    pub distance: Distance,
    /// The reduction of the layers' distances to one loss.
    pub reduction: Reduction,
    /// The loss's weight.
    pub weight: f64,
}

/// The reduction of the layers' distances to one loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
}

impl Reduction {
    /// The weight of each layer's distance, for this number of layers.
    pub fn weight(self, layers: usize) -> f64 {
        match self {
            Self::Sum => 1.0,
            Self::Mean => 1.0 / layers.max(1) as f64,
        }
    }
}

impl LossConfig {
    pub(crate) fn new(weight: f64, layers: &str, distance: Distance, reduction: Reduction) -> Self {
        Self { layers: layers.to_owned(), optional: false, distance, reduction, weight }
    }

    /// The same loss over other layers, which the network must have.
    pub(crate) fn with_layers(&self, layers: &str) -> Self {
        Self { layers: layers.to_owned(), optional: false, ..self.clone() }
    }

    /// The layers in `network`, in order, without duplicates.
    pub fn find_layers(&self, network: &Vgg) -> Result<Vec<FeatureLayer>> {
        let names = self.layers.split([',', ' ']).filter(|name| !name.is_empty());
        let found: Vec<_> = names.map(|name| network.feature_layer(name).ok_or(name)).collect();
        let mut layers: Vec<_> = found.iter().filter_map(|layer| layer.ok()).collect();
        if let Some(missing) = found.iter().find_map(|layer| layer.err())
            && !self.optional
        {
            return Err(Error::NoLayer { name: missing.to_owned(), last: network.last_layer() });
        }
        if layers.is_empty() {
            layers.extend(network.feature_layers().next_back());
        }
        layers.sort();
        layers.dedup();
        Ok(layers)
    }
}
