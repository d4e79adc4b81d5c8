//! The settings file. Its field names must stay: users have such files.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// The style's name.
    pub style: Option<String>,
    /// The model's name.
    pub model: Option<String>,
    /// The settings of each element, by the element's name.
    pub elements: BTreeMap<String, ElementSettings>,
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

impl Settings {
    /// Reads the file; None if it does not exist.
    pub fn load(path: &Path) -> Result<Option<Self>, String> {
        let of_file = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| of_file(&error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(of_file(&error)),
        }
    }

    /// Writes the file. A failure leaves the old file intact.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        let new = path.with_extension("new");
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        let written = fs::write(&new, bytes).and_then(|()| fs::rename(&new, path));
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}
