//! The engine's errors.

use std::path::PathBuf;

use style_engine_interface::MODELS;

/// Why a call of the engine failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A weight file is missing.
    #[error("weights {}: no such file", .0.display())]
    NotFound(PathBuf),
    /// A weight file has an unknown format or is damaged.
    #[error("weights {}: cannot be read: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// A weight file contains another kind of network.
    #[error("weights {}: not a VGG network: {reason}", .path.display())]
    NotVgg {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// A model's file is missing.
    #[error("model {}: no such file; models that need none: {}", .0.display(), MODELS.join(", "))]
    ModelNotFound(PathBuf),
    /// A model cannot be read, or is of an unknown kind.
    #[error("model {}: {reason}", .path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// A model's program cannot paint a picture.
    #[error("model {}: cannot paint a picture of {} x {} pixels: {reason}", .path.display(), .size[1], .size[0])]
    ModelFailed {
        /// The file.
        path: PathBuf,
        /// The picture's height and width.
        size: [i64; 2],
        /// The cause.
        reason: String,
    },
    /// The requested device cannot be used.
    #[error("device {name}: {reason}")]
    NoDevice {
        /// The requested device.
        name: String,
        /// The cause.
        reason: String,
    },
    /// A recipe or the user names a layer that the network does not have.
    #[error(
        "the network has no layer {name}: its last layer is {last}; set other layers, another recipe or deeper weights"
    )]
    NoLayer {
        /// The layer, as the recipe or the user names it.
        name: String,
        /// The network's last layer.
        last: String,
    },
    /// The settings contradict each other.
    #[error("{0}")]
    Settings(String),
    /// The caller stopped the frame.
    #[error("stopped")]
    Stopped,
    /// A frame was passed before any style was set.
    #[error("no style was set")]
    NoStyle,
    /// A picture has no pixels.
    #[error("a picture of {0} x {1} pixels has no area")]
    EmptyPicture(u32, u32),
    /// libtorch failed.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

impl Error {
    /// Whether a GPU or the host is out of memory.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Torch(error) if tells_of_memory(&error.to_string()))
    }
}

/// Whether a message of libtorch reports a lack of memory: from the engine's own pool, libtorch's allocators or CUDA.
pub(crate) fn tells_of_memory(message: &str) -> bool {
    ["not enough memory", "can't allocate memory", "out of memory"].iter().any(|phrase| message.contains(phrase))
}

/// The result of the engine's functions.
pub type Result<T> = std::result::Result<T, Error>;
