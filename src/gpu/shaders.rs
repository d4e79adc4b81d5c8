//! The compute shaders and their pipelines.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::user;
use crate::layout::Depth;
use crate::sync::lock;

/// An entry point of a shader.
pub(super) struct Shader {
    pub(super) name: &'static str,
    pub(super) source: &'static str,
    pub(super) entry_point: &'static str,
    /// The pipeline-overridable constants, in addition to `wide`.
    pub(super) constants: &'static [&'static str],
    /// The invocations of a workgroup, along rows and columns.
    pub(super) workgroup: [u32; 2],
    /// The vec4s and the rows that one invocation computes.
    block: [u32; 2],
}

impl Shader {
    /// The vec4s and the rows that one workgroup computes.
    pub(super) fn tile(&self) -> [u32; 2] {
        let ([x, y], [vec4s, rows]) = (self.workgroup, self.block);
        [x.saturating_mul(vec4s), y.saturating_mul(rows)]
    }
}

/// The shader in `shaders/$name.wgsl`.
macro_rules! shader {
    ($name:literal, $entry_point:literal, $constants:expr, $workgroup:expr, $block:expr) => {
        Shader {
            name: $name,
            source: concat!(
                include_str!("../../shaders/frame.wgsl"),
                include_str!(concat!("../../shaders/", $name, ".wgsl"))
            ),
            entry_point: $entry_point,
            constants: &$constants,
            workgroup: $workgroup,
            block: $block,
        }
    };
}

/// The samples of a row, or of a column, that one invocation of box_blur.wgsl computes.
pub(super) const SEGMENT: u32 = 32;

pub(super) static UNPACK: Shader = shader!("unpack", "main", ["group_size", "alpha_lane"], [32, 4], [1, 1]);
pub(super) static PACK: Shader = shader!("pack", "main", ["group_size", "alpha_lane"], [32, 4], [1, 1]);
pub(super) static EXTEND: Shader = shader!("extend", "main", [], [64, 1], [1, 1]);
pub(super) static CONVOLVE: Shader = shader!("convolve", "main", ["cols", "rows"], [32, 4], [1, 1]);
pub(super) static BOX_HORIZONTAL: Shader = shader!("box_blur", "horizontal", [], [8, 16], [SEGMENT / 4, 1]);
pub(super) static BOX_VERTICAL: Shader = shader!("box_blur", "vertical", [], [64, 2], [1, SEGMENT]);
pub(super) static RANK: Shader = shader!("rank", "main", ["size"], [32, 4], [1, 1]);
pub(super) static MIN_MAX_HORIZONTAL: Shader = shader!("min_max", "horizontal", ["size"], [32, 4], [1, 1]);
pub(super) static MIN_MAX_VERTICAL: Shader = shader!("min_max", "vertical", ["size"], [32, 4], [1, 1]);
pub(super) static MODE: Shader = shader!("mode", "main", ["size"], [32, 4], [1, 1]);
pub(super) static UNSHARP: Shader = shader!("unsharp", "main", [], [32, 4], [1, 1]);

/// The shaders' bindings, by number: those of frame.wgsl, then that of user.wgsl.
pub(super) const BINDINGS: [wgpu::BufferBindingType; 6] = [
    wgpu::BufferBindingType::Uniform,
    wgpu::BufferBindingType::Storage { read_only: true },
    wgpu::BufferBindingType::Storage { read_only: true },
    wgpu::BufferBindingType::Storage { read_only: false },
    wgpu::BufferBindingType::Storage { read_only: true },
    wgpu::BufferBindingType::Storage { read_only: false },
];

/// A cache of pipelines. Each is made when it is first needed.
pub(super) struct Pipelines {
    pub(super) bindings: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
    built_in: Mutex<HashMap<Key, wgpu::ComputePipeline>>,
    /// Pipelines of users' shaders, with the text and whether samples take two bytes; the latest last.
    users: Mutex<Vec<(Arc<str>, bool, wgpu::ComputePipeline)>>,
}

/// The number of users' shaders that are cached.
const MAX_CACHED: usize = 8;

/// The vec4s and the rows that one workgroup of shade.wgsl computes: one for each invocation.
pub(super) const USER_TILE: [u32; 2] = [32, 4];

/// A shader's name and entry point, its constants, and whether samples take two bytes.
type Key = (&'static str, &'static str, Vec<u32>, bool);

impl Pipelines {
    pub(super) fn new(device: &wgpu::Device) -> Self {
        let entries: Vec<_> = BINDINGS
            .into_iter()
            .zip(0..)
            .map(|(ty, binding)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
                count: None,
            })
            .collect();
        let bindings = device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some("pass"), entries: &entries });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("pass"),
            bind_group_layouts: &[Some(&bindings)],
            ..Default::default()
        });
        Self { bindings, layout, built_in: Mutex::default(), users: Mutex::default() }
    }

    /// The pipeline that runs `shader` with these constants on samples of this depth.
    pub(super) fn get(
        &self,
        device: &wgpu::Device,
        shader: &'static Shader,
        constants: &[u32],
        depth: Depth,
    ) -> wgpu::ComputePipeline {
        let wide = depth.bytes() > 1;
        let key = (shader.name, shader.entry_point, constants.to_vec(), wide);
        lock(&self.built_in).entry(key).or_insert_with(|| self.make(device, shader, constants, wide)).clone()
    }

    fn make(
        &self,
        device: &wgpu::Device,
        shader: &'static Shader,
        constants: &[u32],
        wide: bool,
    ) -> wgpu::ComputePipeline {
        let source = wgpu::ShaderSource::Wgsl(shader.source.into());
        let own = shader.constants.iter().zip(constants).map(|(&name, &value)| (name, f64::from(value)));
        let constants: Vec<_> = own.chain([("wide", f64::from(u8::from(wide)))]).collect();
        self.compile(device, shader.name, source, shader.entry_point, &constants)
    }

    /// The pipeline that runs a user's shader; `text` must have been validated.
    pub(super) fn user(
        &self,
        device: &wgpu::Device,
        text: &Arc<str>,
        depth: Depth,
    ) -> Result<wgpu::ComputePipeline, String> {
        let wide = depth.bytes() > 1;
        let mut users = lock(&self.users);
        if let Some((.., pipeline)) = users.iter().find(|(cached, for_wide, _)| cached == text && *for_wide == wide) {
            return Ok(pipeline.clone());
        }
        let source = wgpu::ShaderSource::Naga(Cow::Owned(user::module(text)?));
        // Errors that only compilation finds, such as a constant that is NaN, are reported as the shader's, not the
        // device's.
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let pipeline = self.compile(device, "user", source, "main", &[("wide", f64::from(u8::from(wide)))]);
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(error.to_string());
        }
        users.push((text.clone(), wide, pipeline.clone()));
        let excess = users.len().saturating_sub(MAX_CACHED);
        users.drain(..excess);
        Ok(pipeline)
    }

    fn compile(
        &self,
        device: &wgpu::Device,
        label: &str,
        source: wgpu::ShaderSource,
        entry_point: &str,
        constants: &[(&str, f64)],
    ) -> wgpu::ComputePipeline {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(label), source });
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&self.layout),
            module: &module,
            entry_point: Some(entry_point),
            compilation_options: wgpu::PipelineCompilationOptions { constants, ..Default::default() },
            cache: None,
        })
    }
}
