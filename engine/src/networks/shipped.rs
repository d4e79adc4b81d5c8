//! The feed-forward networks that come with the engine. docs/models.md explains how they were trained.

use std::path::Path;

use style_engine_interface::MODELS;

/// Safetensors in 16 bits. Their metadata name the painting, the photographs and the training.
static FILES: [&[u8]; MODELS.len()] = [
    include_bytes!("../../models/starry-night.safetensors"),
    include_bytes!("../../models/the-scream.safetensors"),
    include_bytes!("../../models/shipwreck.safetensors"),
];

/// The file of the network that is called like this.
pub(crate) fn find(name: &Path) -> Option<&'static [u8]> {
    let at = MODELS.iter().position(|own| Path::new(own) == name)?;
    FILES.get(at).copied()
}
