//! The GPU backend: passes are compute shaders; frames are uploaded and downloaded.

mod buffers;
mod device;
mod pipelines;
mod program;
mod shaders;
mod steps;
#[cfg(test)]
mod tests;
mod uniforms;
mod user;
mod user_constants;
mod user_source;
mod wgsl_tokens;

pub use device::Gpu;
pub use program::Program;
pub use user::check as check_shader;

/// Why a GPU could not be opened or could not filter a frame.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// No Vulkan driver has a device.
    #[error("no Vulkan device was found; install a driver (on Debian and Ubuntu: mesa-vulkan-drivers)")]
    NoAdapter,
    /// Only a software driver has a device, where a real GPU was asked for.
    #[error("{adapter} is a software driver, which is slower than the filters for the CPU")]
    Software {
        /// The device's name.
        adapter: String,
    },
    /// The CPU was selected, which cannot run shaders.
    #[error("filter=shader needs a GPU or a software Vulkan driver; set backend=auto or gpu")]
    Needed,
    /// No device has the requested name.
    #[error("adapter={name}: no GPU has this in its name; available: {available}")]
    NoSuchAdapter {
        /// The requested name.
        name: String,
        /// The names of all devices.
        available: String,
    },
    /// The device was found but could not be opened.
    #[error("{adapter} could not be opened: {reason}")]
    Open {
        /// The device's name.
        adapter: String,
        /// The driver's message.
        reason: String,
    },
    /// Frames of this size do not fit in the device's buffers.
    #[error("a frame needs a buffer of {needed} bytes on the GPU, but {adapter} allows only {allowed}; scale it down")]
    FrameTooLarge {
        /// The device's name.
        adapter: String,
        /// The size of the largest buffer, in bytes.
        needed: u64,
        /// The maximum size, in bytes.
        allowed: u64,
    },
    /// The device's arithmetic does not give the same bytes as the CPU.
    #[error("{adapter} does not give the same bytes as the CPU")]
    Inexact {
        /// The device's name.
        adapter: String,
    },
    /// The user's shader cannot be compiled.
    #[error("the shader is invalid: {0}")]
    Shader(String),
    /// The user's shader does not end.
    #[error("the shader does not end: its loops ran more than {iterations} times for one sample")]
    Runaway {
        /// The maximum number of iterations.
        iterations: u32,
    },
    /// The device reported an error or was lost.
    #[error("{adapter} failed: {reason}")]
    Failed {
        /// The device's name.
        adapter: String,
        /// The driver's message.
        reason: String,
    },
}
