//! The buffers of a program on a GPU.

use wgpu::BufferUsages as Usage;

use super::uniforms::{Frame, Geometry, UserState};
use super::{Gpu, GpuError};

/// The size of [`UserState`].
pub(super) const USER_STATE_BYTES: u64 = size_of::<UserState>() as u64;

/// The buffers of a program. They are reused for every frame, and by other plans if they are large enough.
pub(super) struct Buffers {
    /// [`Frame`].
    pub(super) uniforms: wgpu::Buffer,
    /// The input frame, written by the host; mapped between frames.
    pub(super) upload: wgpu::Buffer,
    /// The input frame, read by shaders: `upload` itself if host and GPU share memory.
    pub(super) input: wgpu::Buffer,
    /// The components' planes: the input and output of a pass, and the input of a filter's first pass.
    pub(super) components: [wgpu::Buffer; 3],
    /// The output frame, written by shaders.
    pub(super) output: wgpu::Buffer,
    /// [`UserState`].
    pub(super) user_state: wgpu::Buffer,
    /// The same, read by the host.
    pub(super) user_state_download: wgpu::Buffer,
    /// The output frame, read by the host: `output` itself if host and GPU share memory.
    pub(super) download: wgpu::Buffer,
}

impl Buffers {
    pub(super) fn new(gpu: &Gpu, geometry: &Geometry) -> Result<Self, GpuError> {
        let &Geometry { frame_bytes, component_bytes, .. } = geometry;
        gpu.check_size(frame_bytes.max(component_bytes))?;
        let frame = |label, usage| gpu.buffer(label, frame_bytes, usage);
        let input_usage = Usage::STORAGE | Usage::COPY_SRC;
        let output_usage = Usage::STORAGE | Usage::COPY_DST;
        let (upload, input, output, download);
        if gpu.shares_memory() {
            upload = frame("input frame", input_usage | Usage::MAP_WRITE);
            input = upload.clone();
            output = frame("output frame", output_usage | Usage::MAP_READ);
            download = output.clone();
        } else {
            upload = frame("upload", Usage::MAP_WRITE | Usage::COPY_SRC);
            input = frame("input frame", input_usage | Usage::COPY_DST);
            output = frame("output frame", output_usage | Usage::COPY_SRC);
            download = frame("download", Usage::MAP_READ | Usage::COPY_DST);
        }
        Ok(Self {
            uniforms: gpu.buffer("frame uniforms", size_of::<Frame>() as u64, Usage::UNIFORM | Usage::COPY_DST),
            upload,
            input,
            components: ["components A", "components B", "components C"]
                .map(|label| gpu.buffer(label, component_bytes, Usage::STORAGE)),
            output,
            user_state: gpu.buffer("user state", USER_STATE_BYTES, Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC),
            user_state_download: gpu.buffer("user state download", USER_STATE_BYTES, Usage::MAP_READ | Usage::COPY_DST),
            download,
        })
    }

    /// Whether the buffers are large enough.
    pub(super) fn hold(&self, geometry: &Geometry) -> bool {
        self.input.size() >= geometry.frame_bytes && self.components[0].size() >= geometry.component_bytes
    }
}
