//! The models: feed-forward networks, which paint in one pass.

use std::path::PathBuf;

use serde::Serialize;
use style_engine_interface::MODELS;

use crate::uploads;

/// The networks that come with the engine, and those in a folder.
pub struct Models {
    folder: PathBuf,
}

/// A model.
#[derive(Serialize)]
pub struct Model {
    name: String,
    /// Whether it comes with the engine: the page has a picture of what it paints.
    shipped: bool,
}

impl Models {
    /// Opens a folder. It need not exist.
    pub fn open(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// All models: the engine's, then the folder's files.
    pub fn all(&self) -> Vec<Model> {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut names: Vec<_> = files.filter_map(|file| file.file_name().into_string().ok()).collect();
        names.retain(|name| uploads::path(&self.folder, name).is_some());
        names.sort();
        let shipped = MODELS.map(|name| Model { name: name.into(), shipped: true });
        shipped.into_iter().chain(names.into_iter().map(|name| Model { name, shipped: false })).collect()
    }

    /// The value of the element's property `model` for a name, if there is such a model.
    pub fn find(&self, name: &str) -> Option<String> {
        let path = uploads::path(&self.folder, name).map(|path| path.display().to_string());
        MODELS.contains(&name).then(|| name.to_owned()).or(path)
    }
}
