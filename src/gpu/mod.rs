//! How filters run on a GPU: the process's one device, the passes as compute shaders, frames up and down.

mod buffers;
mod device;
mod program;
mod shaders;
mod steps;
#[cfg(test)]
mod tests;
mod uniforms;
mod user;

pub use device::Gpu;
pub use program::Program;
pub use user::check as check_shader;

/// Why the GPU could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// No Vulkan driver offers a device.
    #[error("no Vulkan device was found; install a driver (on Debian and Ubuntu: mesa-vulkan-drivers)")]
    NoAdapter,
    /// The CPU was asked for, which runs no shaders.
    #[error("filter=shader runs on a GPU alone, were it one in software; set backend=auto or gpu")]
    Needed,
    /// No device has the name asked for.
    #[error("adapter={name}: no GPU has this in its name; there are: {present}")]
    NoSuchAdapter {
        /// As asked for.
        name: String,
        /// The devices' names.
        present: String,
    },
    /// The device was found but could not be opened.
    #[error("{adapter} could not be opened: {reason}")]
    Open {
        /// The device's name.
        adapter: String,
        /// The driver's words.
        reason: String,
    },
    /// Frames of this size do not fit into the device's buffers.
    #[error("a frame takes {needed} bytes on the GPU, {adapter} allows {allowed} in one buffer; scale it down")]
    FrameTooLarge {
        /// The device's name.
        adapter: String,
        /// Bytes of the largest buffer needed.
        needed: u64,
        /// Bytes allowed.
        allowed: u64,
    },
    /// The device's arithmetic is not what the filters' exactness needs.
    #[error("{adapter} does not filter exactly")]
    Inexact {
        /// The device's name.
        adapter: String,
    },
    /// The user's shader cannot be compiled.
    #[error("the shader cannot be used: {0}")]
    Shader(String),
    /// The user's shader does not come to an end.
    #[error("the shader does not end: its loops took more than {turns} turns for one sample")]
    Runaway {
        /// The turns it was given.
        turns: u32,
    },
    /// The device refused a command, or stopped working.
    #[error("{adapter} failed: {reason}")]
    Failed {
        /// The device's name.
        adapter: String,
        /// The driver's words.
        reason: String,
    },
}
