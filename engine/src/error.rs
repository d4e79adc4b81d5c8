//! What can go wrong in the engine.

use std::path::PathBuf;

/// Why the engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A weight file is missing.
    #[error("weights {}: no such file", .0.display())]
    NotFound(PathBuf),
    /// A weight file is in no form that is read, or damaged.
    #[error("weights {}: cannot be read: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reader's words.
        reason: String,
    },
    /// A weight file holds another network.
    #[error("weights {}: not a VGG network: {reason}", .path.display())]
    NotVgg {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The device asked for cannot be used.
    #[error("device {name}: {reason}")]
    NoDevice {
        /// As asked for.
        name: String,
        /// Why not.
        reason: String,
    },
    /// A recipe takes features where the network has none.
    #[error(
        "the network has no layer {name}: it ends with {last}; give other layers, another recipe, or weights that go on"
    )]
    NoLayer {
        /// As the recipe or the user names it.
        name: String,
        /// The network's last.
        last: String,
    },
    /// What was set does not go together.
    #[error("{0}")]
    Settings(String),
    /// The caller wanted no more of it.
    #[error("stopped")]
    Stopped,
    /// A frame came before any style.
    #[error("no style was set")]
    NoStyle,
    /// A picture without pixels.
    #[error("a picture of {0} x {1} pixels has no area")]
    EmptyPicture(u32, u32),
    /// libtorch failed.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

impl Error {
    /// Whether there was not enough memory, of a GPU or the host.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Torch(error) if tells_of_memory(&error.to_string()))
    }
}

/// Whether libtorch's words are those for too little memory: of the engine's own pool, libtorch's allocators or CUDA.
pub(crate) fn tells_of_memory(words: &str) -> bool {
    ["not enough memory", "can't allocate memory", "out of memory"].iter().any(|of_memory| words.contains(of_memory))
}

/// The engine's results.
pub type Result<T> = std::result::Result<T, Error>;
