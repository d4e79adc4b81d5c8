//! The buffers that frames pass through on a GPU.

use wgpu::BufferUsages as Usage;

use super::uniforms::{Frame, Geometry, Live};
use super::{Gpu, GpuError};

/// The size of [`Live`].
pub(super) const LIVE_BYTES: u64 = size_of::<Live>() as u64;

/// They stay from frame to frame; only what they are used for changes with the plan.
pub(super) struct Buffers {
    pub(super) uniforms: wgpu::Buffer,
    /// What the host writes; mapped for that between frames.
    pub(super) upload: wgpu::Buffer,
    /// The frame as it came: `upload` itself where host and GPU share memory.
    pub(super) input: wgpu::Buffer,
    /// Components, before and after a pass, and what a filter began with.
    pub(super) components: [wgpu::Buffer; 3],
    pub(super) output: wgpu::Buffer,
    /// `Live` of user.wgsl, and where the host reads it.
    pub(super) live: wgpu::Buffer,
    pub(super) live_download: wgpu::Buffer,
    /// What the host reads: `output` itself where host and GPU share memory.
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
            live: gpu.buffer("live", LIVE_BYTES, Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC),
            live_download: gpu.buffer("live download", LIVE_BYTES, Usage::MAP_READ | Usage::COPY_DST),
            download,
        })
    }

    /// Whether they are large enough.
    pub(super) fn hold(&self, geometry: &Geometry) -> bool {
        self.input.size() >= geometry.frame_bytes && self.components[0].size() >= geometry.component_bytes
    }
}
