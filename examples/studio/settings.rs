//! What is kept when the studio ends.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All that is kept.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Settings {
    pub source: Option<String>,
    pub look: Look,
    /// Those that were saved, by name.
    pub looks: BTreeMap<String, Look>,
}

/// What the pictures look like.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Look {
    /// The style's name.
    pub style: Option<String>,
    /// By the elements' names.
    pub elements: BTreeMap<String, Turned>,
}

/// How an element is set.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Turned {
    pub on: bool,
    /// The knobs that are not at their defaults.
    pub knobs: BTreeMap<String, Value>,
}

impl Settings {
    /// Those in a file; none if there is none yet.
    pub fn load(path: &Path) -> Result<Option<Self>, String> {
        let of_file = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| of_file(&error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(of_file(&error)),
        }
    }

    /// Writes them, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        let new = path.with_extension("new");
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        let written = fs::write(&new, bytes).and_then(|()| fs::rename(&new, path));
        written.map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }
}
