//! The settings file. Its field names must stay: users have such files.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::json;

/// The contents of the settings file.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Settings {
    pub source: Option<String>,
    /// The current settings.
    pub look: Look,
    /// Saved looks, by name.
    pub looks: BTreeMap<String, Look>,
}

/// All settings of both elements. Unlike a GStreamer preset, a look also has the style or model, the masks, and which elements are on.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Look {
    /// The styles. A file may also have the name of a single one, or none.
    #[serde(rename = "style", deserialize_with = "one_or_several")]
    pub styles: Vec<Share>,
    /// The model's name.
    pub model: Option<String>,
    /// The settings of each element, by the element's name.
    pub elements: BTreeMap<String, ElementSettings>,
}

/// A style and its share in what is painted; only the ratios of shares count.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Share {
    pub name: String,
    pub share: f64,
}

/// The settings of an element.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ElementSettings {
    pub on: bool,
    /// The mask's name.
    pub mask: Option<String>,
    /// The properties that are not at their defaults.
    pub knobs: BTreeMap<String, Value>,
}

fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Share>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(String),
        Several(Vec<Share>),
    }
    Ok(match Option::deserialize(deserializer)? {
        None => Vec::new(),
        Some(Written::One(name)) => vec![Share { name, share: 1.0 }],
        Some(Written::Several(shares)) => shares,
    })
}

impl Settings {
    /// Reads the file; None if it does not exist.
    pub fn load(path: &Path) -> Result<Option<Self>, String> {
        json::read(path)
    }

    /// Writes the file. A failure leaves the old file intact.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        json::write(path, self)
    }
}
