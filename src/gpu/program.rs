//! A plan made ready for frames of one layout.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use wgpu::BufferUsages as Usage;

use super::shaders::{BOX_HORIZONTAL, BOX_VERTICAL, CONVOLVE, MODE, PACK, RANK, Shader, UNPACK, UNSHARP};
use super::uniforms::{Geometry, quad_bytes};
use super::{Gpu, GpuError, uniforms};
use crate::filters::{Axis, Chroma, KernelOrder, Margins, Op, Pass, Plan};
use crate::frame::{Depth, Layout, Plane, PlaneBytes, PlaneBytesMut};

/// After this long without an answer the device counts as lost.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A plan on the GPU, with the buffers its frames pass through.
pub struct Program {
    gpu: Arc<Gpu>,
    layout: Layout,
    geometry: Geometry,
    uniforms: wgpu::Buffer,
    input: wgpu::Buffer,
    components: [wgpu::Buffer; 3],
    output: wgpu::Buffer,
    download: wgpu::Buffer,
    dispatches: Vec<Dispatch>,
}

/// A pipeline with its buffers and size.
struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    workgroups: [u32; 3],
}

impl Program {
    /// Prepares `plan` for frames of `layout`.
    pub fn new(gpu: Arc<Gpu>, layout: Layout, plan: &Plan) -> Result<Self, GpuError> {
        // The buffers hold every component, so that they serve each later plan too.
        let everything = Plan { chroma: Chroma::Filter, alpha: true, ..Plan::default() };
        let Geometry { frame_bytes, component_bytes, uniforms, .. } = Geometry::new(&layout, &everything);
        gpu.check_size(frame_bytes.max(component_bytes))?;
        let buffer = |label, size, usage| gpu.buffer(label, size, usage);
        let mut program = Self {
            geometry: Geometry::new(&layout, plan),
            uniforms: buffer("frame uniforms", size_of_val(&uniforms) as u64, Usage::UNIFORM | Usage::COPY_DST),
            input: buffer("input frame", frame_bytes, Usage::STORAGE | Usage::COPY_DST),
            components: ["components A", "components B", "components C"]
                .map(|label| buffer(label, component_bytes, Usage::STORAGE)),
            output: buffer("output frame", frame_bytes, Usage::STORAGE | Usage::COPY_SRC),
            download: buffer("download", frame_bytes, Usage::MAP_READ | Usage::COPY_DST),
            dispatches: Vec::new(),
            gpu,
            layout,
        };
        program.set_plan(plan)?;
        Ok(program)
    }

    /// Runs `plan` from the next frame on.
    pub fn set_plan(&mut self, plan: &Plan) -> Result<(), GpuError> {
        self.geometry = Geometry::new(&self.layout, plan);
        self.gpu.queue.write_buffer(&self.uniforms, 0, bytemuck::bytes_of(&self.geometry.uniforms));

        let filtered = &self.geometry.uniforms.components[..self.geometry.components];
        let [mut from, mut to, mut spare] = self.components.each_ref();
        let mut dispatches = vec![self.dispatch(&UNPACK, filtered, &[], [&self.input, &self.input, from])];
        for filter in &plan.filters {
            let base = from;
            for pass in &filter.passes {
                let (shader, op) = shader(&pass.op, self.layout.depth);
                dispatches.push(self.dispatch(shader, filtered, &params(pass, op), [base, from, to]));
                // What the filter began with must last until its end.
                (from, to, spare) = if from == base { (to, spare, from) } else { (to, from, spare) };
            }
        }
        let planes = &self.geometry.uniforms.planes[..self.geometry.planes];
        dispatches.push(self.dispatch(&PACK, planes, &[plan.mix], [&self.input, from, &self.output]));
        self.dispatches = dispatches;
        self.gpu.check()
    }

    fn dispatch(
        &self,
        shader: &'static Shader,
        grids: &[impl Grid],
        params: &[u32],
        [base, from, to]: [&wgpu::Buffer; 3],
    ) -> Dispatch {
        // A binding cannot be empty.
        let params = if params.is_empty() { &[0] } else { params };
        let params = self.gpu.buffer_with("pass parameters", params, Usage::STORAGE);
        let entries: Vec<_> = [&self.uniforms, base, from, to, &params]
            .into_iter()
            .zip(0..)
            .map(|(buffer, binding)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let bindings = self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("pass"),
            layout: self.gpu.bindings(),
            entries: &entries,
        });
        let quads = grids.iter().map(Grid::pitch).max().unwrap_or(0);
        let rows = grids.iter().map(Grid::height).max().unwrap_or(0);
        let workgroups = [quads.div_ceil(shader.tile[0]), rows.div_ceil(shader.tile[1]), grids.len() as u32];
        Dispatch { pipeline: self.gpu.pipeline(shader, self.layout.depth), bindings, workgroups }
    }

    /// Filters a frame: reads the planes of `source`, writes those of `target`.
    pub fn run(&self, source: &[PlaneBytes], target: &mut [PlaneBytesMut]) -> Result<(), GpuError> {
        self.upload(source)?;
        let submission = self.submit();
        self.download(submission, target)
    }

    fn upload(&self, source: &[PlaneBytes]) -> Result<(), GpuError> {
        let size = NonZero::new(self.geometry.frame_bytes).ok_or_else(|| self.gpu.failed("the frame is empty"))?;
        let mut staging = self
            .gpu
            .queue
            .write_buffer_with(&self.input, 0, size)
            .ok_or_else(|| self.gpu.failed("no memory for the frame's upload"))?;
        for ((at, pitch, plane), bytes) in self.planes().zip(source) {
            for (from, to, length) in spans(plane, bytes.stride, pitch) {
                staging.slice(at + to..at + to + length).copy_from_slice(&bytes.data[from..from + length]);
            }
        }
        Ok(())
    }

    fn submit(&self) -> wgpu::SubmissionIndex {
        let mut encoder =
            self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("frame") });
        for dispatch in &self.dispatches {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&dispatch.pipeline);
            pass.set_bind_group(0, &dispatch.bindings, &[]);
            let [x, y, z] = dispatch.workgroups;
            pass.dispatch_workgroups(x, y, z);
        }
        encoder.copy_buffer_to_buffer(&self.output, 0, &self.download, 0, self.geometry.frame_bytes);
        // The callback has nothing to do: a failed mapping shows when the range is asked for.
        encoder.map_buffer_on_submit(&self.download, wgpu::MapMode::Read, .., |_| ());
        self.gpu.queue.submit([encoder.finish()])
    }

    fn download(&self, submission: wgpu::SubmissionIndex, target: &mut [PlaneBytesMut]) -> Result<(), GpuError> {
        let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: Some(TIMEOUT) };
        self.gpu.device.poll(wait).map_err(|error| self.gpu.failed(error))?;
        self.gpu.check()?;
        let mapped = self.download.get_mapped_range(..).map_err(|error| self.gpu.failed(error))?;
        for ((at, pitch, plane), bytes) in self.planes().zip(target) {
            for (to, from, length) in spans(plane, bytes.stride, pitch) {
                bytes.data[to..to + length].copy_from_slice(&mapped[at + from..at + from + length]);
            }
        }
        drop(mapped);
        self.download.unmap();
        Ok(())
    }

    /// Each plane's first byte and bytes from row to row on the GPU, with its size.
    fn planes(&self) -> impl Iterator<Item = (usize, usize, &Plane)> {
        let quad = quad_bytes(self.layout.depth);
        let on_gpu = self.geometry.uniforms.planes.iter();
        on_gpu
            .zip(&self.layout.planes)
            .map(move |(gpu, plane)| (gpu.offset as usize * quad, gpu.pitch as usize * quad, plane))
    }
}

/// A pass's parameters for its shader: what it sees outside, what it keeps, then its operation's own.
fn params(pass: &Pass, op: Vec<u32>) -> Vec<u32> {
    let Margins { left, right, up, down } = pass.keep;
    [pass.outside as u32, left, right, up, down].into_iter().chain(op).collect()
}

/// The shader that computes `op`, and its parameters.
fn shader(op: &Op, depth: Depth) -> (&'static Shader, Vec<u32>) {
    match op {
        Op::Convolve(kernel) => {
            let order = u32::from(kernel.order == KernelOrder::BottomUp);
            let offset = kernel.rounding_offset(depth).to_bits();
            let header = [kernel.cols as u32, kernel.rows() as u32, order, offset];
            (&CONVOLVE, header.into_iter().chain(kernel.coefficients.iter().map(|c| c.to_bits())).collect())
        }
        Op::BoxBlur(axis, weights) => {
            let shader = match axis {
                Axis::Horizontal => &BOX_HORIZONTAL,
                Axis::Vertical => &BOX_VERTICAL,
            };
            (shader, vec![weights.radius, weights.inner, weights.edge])
        }
        Op::Rank { size, rank } => (&RANK, vec![*size, *rank]),
        Op::Mode { radius } => (&MODE, vec![*radius]),
        Op::Unsharp { percent, threshold } => {
            let limit = i32::MAX / percent.saturating_abs().max(1);
            (&UNSHARP, [*percent, limit, *threshold].map(i32::cast_unsigned).to_vec())
        }
    }
}

/// The runs of bytes that make up a plane: offset at one stride, offset at the other, length.
fn spans(plane: &Plane, stride: usize, other_stride: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let (rows, length) = match plane.height {
        // One run where no row moves against its neighbours; the last row may lack its padding.
        height if stride == other_stride && height > 0 => (1, (height - 1) * stride + plane.row_bytes),
        height => (height, plane.row_bytes),
    };
    (0..rows).map(move |row| (row * stride, row * other_stride, length))
}

/// What a dispatch covers, in quads and rows.
trait Grid {
    fn pitch(&self) -> u32;
    fn height(&self) -> u32;
}

impl Grid for uniforms::Component {
    fn pitch(&self) -> u32 {
        self.pitch
    }
    fn height(&self) -> u32 {
        self.height
    }
}

impl Grid for uniforms::Plane {
    fn pitch(&self) -> u32 {
        self.pitch
    }
    fn height(&self) -> u32 {
        self.height
    }
}
