//! A plan prepared for frames of one layout.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::buffers::{Buffers, USER_STATE_BYTES};
use super::shaders::{EXTEND, PACK, Shader, UNPACK, USER_TILE};
use super::steps::{Code, Step, steps};
use super::uniforms::{Component, Geometry, UserState, vec4_bytes};
use super::user::MAX_LOOP_ITERATIONS;
use super::{Gpu, GpuError};
use crate::filters::{BorderMode, Margins, Plan};
use crate::layout::{Layout, Plane, PlaneBytes, PlaneBytesMut};

/// A device that does not finish a frame in this time counts as lost.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The error for a frame that does not have its layout's size; callers check this before.
const FRAME_TOO_SMALL: &str = "a frame is smaller than its caps require";

/// A plan on the GPU, with its buffers.
pub struct Program {
    gpu: Arc<Gpu>,
    layout: Layout,
    geometry: Geometry,
    buffers: Buffers,
    dispatches: Vec<Dispatch>,
    has_user_shader: bool,
}

/// A pipeline, and the vec4s and rows that one workgroup computes.
type Stage = (wgpu::ComputePipeline, [u32; 2]);

/// A call of a pipeline: its buffers and its number of workgroups.
struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    workgroups: [u32; 3],
}

impl Program {
    /// Prepares `plan` for frames of `layout`.
    pub fn new(gpu: Arc<Gpu>, layout: Layout, plan: &Plan) -> Result<Self, GpuError> {
        let geometry = Geometry::new(&layout, plan, Margins::default());
        let buffers = Buffers::new(&gpu, &geometry)?;
        let mut program = Self { gpu, layout, geometry, buffers, dispatches: Vec::new(), has_user_shader: false };
        program.set_plan(plan)?;
        Ok(program)
    }

    /// Runs `plan` from the next frame on.
    pub fn set_plan(&mut self, plan: &Plan) -> Result<(), GpuError> {
        let filters = steps(plan, self.layout.depth);
        let reach = filters.iter().flatten().fold(Margins::default(), |reach, step| reach.max(step.reach));
        self.geometry = Geometry::new(&self.layout, plan, reach);
        if !self.buffers.hold(&self.geometry) {
            self.buffers = Buffers::new(&self.gpu, &self.geometry)?;
        }
        self.gpu.queue.write_buffer(&self.buffers.uniforms, 0, bytemuck::bytes_of(&self.geometry.uniforms));
        self.has_user_shader = plan.needs_gpu();
        self.dispatches = self.dispatches(&filters, plan.mix)?;
        self.gpu.check()
    }

    fn dispatches(&self, filters: &[Vec<Step>], mix: u32) -> Result<Vec<Dispatch>, GpuError> {
        let Buffers { input, components, output, .. } = &self.buffers;
        let mut dispatches = Vec::new();
        let mut from = input;
        if !self.geometry.planar {
            from = &components[0];
            dispatches.extend(self.for_each_plane(&UNPACK, &[], [input, input, from]));
        }
        let mut steps_left = filters.iter().map(Vec::len).sum::<usize>();
        for filter in filters {
            let base = from;
            for step in filter {
                steps_left = steps_left.saturating_sub(1);
                // The filter's input must not be overwritten before its last step.
                let free = components.iter().find(|&buffer| buffer != from && buffer != base);
                let to = match free {
                    Some(free) if steps_left > 0 || !self.geometry.planar => free,
                    _ => output,
                };
                if step.border_mode != BorderMode::Truncate && step.reach != Margins::default() {
                    dispatches.push(self.extend(step, [to, to, from]));
                }
                let Margins { left, right, up, down } = step.untouched;
                let params = [&[left, right, up, down], &step.params[..]].concat();
                let buffers = [base, from, to];
                let stage = match &step.code {
                    Code::BuiltIn(shader, constants) => self.stage(shader, constants),
                    Code::User(text) => (self.gpu.user_pipeline(text, self.layout.depth)?, USER_TILE),
                };
                dispatches.push(self.dispatch(stage, &params, self.component_grid(), buffers));
                from = to;
            }
        }
        if !self.geometry.planar {
            dispatches.extend(self.for_each_plane(&PACK, &[mix], [input, from, output]));
        }
        Ok(dispatches)
    }

    fn stage(&self, shader: &'static Shader, constants: &[u32]) -> Stage {
        (self.gpu.pipeline(shader, constants, self.layout.depth), shader.tile())
    }

    /// Writes the samples that `step` reads outside the planes.
    fn extend(&self, step: &Step, buffers: [&wgpu::Buffer; 3]) -> Dispatch {
        let Margins { left, right, up, down } = step.reach;
        let (left, right) = (left.div_ceil(4), right.div_ceil(4));
        let components = self.geometry.components();
        let (rows, sides) = (up.saturating_add(down), left.saturating_add(right));
        let vec4s_of = |component: &Component| {
            let across = rows.saturating_mul(sides.saturating_add(component.vec4s));
            across.saturating_add(component.height.saturating_mul(sides.saturating_add(1)))
        };
        let vec4s = components.iter().map(vec4s_of).max().unwrap_or(0);
        let params = [step.border_mode as u32, left, right, up, down];
        self.dispatch(self.stage(&EXTEND, &[]), &params, [vec4s, 1, components.len() as u32], buffers)
    }

    /// The largest row in vec4s, the largest number of rows, and the number of the filtered components.
    fn component_grid(&self) -> [u32; 3] {
        let components = self.geometry.components();
        let vec4s = components.iter().map(|component| component.vec4s).max().unwrap_or(0);
        let rows = components.iter().map(|component| component.height).max().unwrap_or(0);
        [vec4s, rows, components.len() as u32]
    }

    /// Runs a shader on each of the frame's planes. One invocation processes four pixel groups.
    fn for_each_plane(
        &self,
        shader: &'static Shader,
        params: &[u32],
        buffers: [&wgpu::Buffer; 3],
    ) -> impl Iterator<Item = Dispatch> {
        let planes = self.geometry.planes().iter().zip(0..);
        planes.map(move |(plane, index)| {
            let grid = [plane.pitch.div_ceil(plane.group_size), plane.height, 1];
            let stage = self.stage(shader, &[plane.group_size, self.geometry.alpha_lane]);
            self.dispatch(stage, &[&[index], params].concat(), grid, buffers)
        })
    }

    fn dispatch(
        &self,
        (pipeline, tile): Stage,
        params: &[u32],
        [vec4s, rows, count]: [u32; 3],
        [base, from, to]: [&wgpu::Buffer; 3],
    ) -> Dispatch {
        let params = self.gpu.buffer_with("pass parameters", params, wgpu::BufferUsages::STORAGE);
        let entries: Vec<_> = [&self.buffers.uniforms, base, from, to, &params, &self.buffers.user_state]
            .into_iter()
            .zip(0..)
            .map(|(buffer, binding)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let bindings = self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("pass"),
            layout: self.gpu.bindings(),
            entries: &entries,
        });
        let workgroups = [vec4s.div_ceil(tile[0]), rows.div_ceil(tile[1]), count];
        Dispatch { pipeline, bindings, workgroups }
    }

    /// Filters a frame: reads the planes of `source`, writes those of `target`. `seconds` is its time in the stream.
    pub fn run(&self, source: &[PlaneBytes], target: &mut [PlaneBytesMut], seconds: f32) -> Result<(), GpuError> {
        self.upload(source)?;
        if self.has_user_shader {
            let user_state = UserState { runaway: 0, seconds };
            self.gpu.queue.write_buffer(&self.buffers.user_state, 0, bytemuck::bytes_of(&user_state));
        }
        let submission = self.submit();
        self.download(submission, target)
    }

    fn upload(&self, source: &[PlaneBytes]) -> Result<(), GpuError> {
        let upload = &self.buffers.upload;
        let mut mapped = upload.get_mapped_range_mut(..).map_err(|error| self.gpu.failed(error))?;
        for ((at, pitch, plane), bytes) in self.planes().zip(source) {
            for [in_memory, on_gpu] in copy_ranges(plane, bytes.stride, at, pitch) {
                let bytes = bytes.data.get(in_memory).ok_or_else(|| self.gpu.failed(FRAME_TOO_SMALL))?;
                mapped.slice(on_gpu).copy_from_slice(bytes);
            }
        }
        drop(mapped);
        upload.unmap();
        Ok(())
    }

    fn submit(&self) -> wgpu::SubmissionIndex {
        let Buffers { upload, input, output, download, .. } = &self.buffers;
        let size = self.geometry.frame_bytes;
        let mut encoder =
            self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("frame") });
        if upload != input {
            encoder.copy_buffer_to_buffer(upload, 0, input, 0, size);
        }
        for range in &self.geometry.unfiltered {
            let length = range.end.saturating_sub(range.start);
            encoder.copy_buffer_to_buffer(input, range.start, output, range.start, length);
        }
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for dispatch in &self.dispatches {
            pass.set_pipeline(&dispatch.pipeline);
            pass.set_bind_group(0, &dispatch.bindings, &[]);
            let [x, y, z] = dispatch.workgroups;
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        if download != output {
            encoder.copy_buffer_to_buffer(output, 0, download, 0, size);
        }
        if self.has_user_shader {
            let Buffers { user_state, user_state_download, .. } = &self.buffers;
            encoder.copy_buffer_to_buffer(user_state, 0, user_state_download, 0, USER_STATE_BYTES);
            encoder.map_buffer_on_submit(user_state_download, wgpu::MapMode::Read, .., |_| ());
        }
        // The callbacks do nothing: if a mapping fails, `get_mapped_range` returns the error.
        encoder.map_buffer_on_submit(upload, wgpu::MapMode::Write, .., |_| ());
        encoder.map_buffer_on_submit(download, wgpu::MapMode::Read, .., |_| ());
        self.gpu.queue.submit([encoder.finish()])
    }

    fn download(&self, submission: wgpu::SubmissionIndex, target: &mut [PlaneBytesMut]) -> Result<(), GpuError> {
        let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: Some(TIMEOUT) };
        self.gpu.device.poll(wait).map_err(|error| self.gpu.failed(error))?;
        self.gpu.check()?;
        let download = &self.buffers.download;
        let mapped = download.get_mapped_range(..).map_err(|error| self.gpu.failed(error))?;
        for ((at, pitch, plane), bytes) in self.planes().zip(target) {
            for [in_memory, on_gpu] in copy_ranges(plane, bytes.stride, at, pitch) {
                let bytes = bytes.data.get_mut(in_memory).zip(mapped.get(on_gpu));
                let (bytes, filtered) = bytes.ok_or_else(|| self.gpu.failed(FRAME_TOO_SMALL))?;
                bytes.copy_from_slice(filtered);
            }
        }
        drop(mapped);
        download.unmap();
        if self.has_user_shader { self.check_runaway() } else { Ok(()) }
    }

    /// Fails if the user's shader exceeded the loop limit.
    fn check_runaway(&self) -> Result<(), GpuError> {
        let download = &self.buffers.user_state_download;
        let mapped = download.get_mapped_range(..).map_err(|error| self.gpu.failed(error))?;
        let ended =
            bytemuck::try_pod_read_unaligned::<UserState>(&mapped).is_ok_and(|user_state| user_state.runaway == 0);
        drop(mapped);
        download.unmap();
        if ended { Ok(()) } else { Err(GpuError::Runaway { iterations: MAX_LOOP_ITERATIONS }) }
    }

    /// For each plane: on the GPU, its first byte and the bytes from one row to the next; and its size.
    fn planes(&self) -> impl Iterator<Item = (usize, usize, &Plane)> {
        let bytes = |vec4s: u32| (vec4s as usize).saturating_mul(vec4_bytes(self.layout.depth));
        let planes = self.geometry.planes().iter().zip(&self.layout.planes);
        planes.map(move |(on_gpu, plane)| (bytes(on_gpu.offset), bytes(on_gpu.pitch), plane))
    }
}

/// The byte ranges to copy for a plane, each in the frame's memory and on the GPU, where the plane starts at byte `at`.
fn copy_ranges(plane: &Plane, stride: usize, at: usize, pitch: usize) -> impl Iterator<Item = [Range<usize>; 2]> {
    let (rows, length) = match plane.height {
        // One run where no row moves against its neighbors; the last row may lack its padding.
        height if stride == pitch && height > 0 => {
            (1, height.saturating_sub(1).saturating_mul(stride).saturating_add(plane.row_bytes))
        }
        height => (height, plane.row_bytes),
    };
    (0..rows).map(move |row| {
        [(0, stride), (at, pitch)].map(|(first, stride)| {
            let start = row.saturating_mul(stride).saturating_add(first);
            start..start.saturating_add(length)
        })
    })
}
