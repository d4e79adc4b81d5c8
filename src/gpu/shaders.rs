//! The compute shaders, and the pipelines made of them.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::frame::Depth;
use crate::sync::lock;

/// An entry point of a shader.
pub(super) struct Shader {
    name: &'static str,
    source: &'static str,
    entry_point: &'static str,
    /// What is given when a pipeline is made.
    constants: &'static [&'static str],
    /// What one workgroup makes: quads by rows.
    pub(super) tile: [u32; 2],
}

/// The shader in `shaders/$name.wgsl`.
macro_rules! shader {
    ($name:literal, $entry_point:literal, $constants:expr, $tile:expr) => {
        Shader {
            name: $name,
            source: concat!(
                include_str!("../../shaders/frame.wgsl"),
                include_str!(concat!("../../shaders/", $name, ".wgsl"))
            ),
            entry_point: $entry_point,
            constants: &$constants,
            tile: $tile,
        }
    };
}

pub(super) static UNPACK: Shader = shader!("unpack", "main", [], [32, 4]);
pub(super) static PACK: Shader = shader!("pack", "main", [], [32, 4]);
pub(super) static EXTEND: Shader = shader!("extend", "main", [], [64, 1]);
pub(super) static CONVOLVE: Shader = shader!("convolve", "main", ["cols", "rows"], [32, 4]);
pub(super) static BOX_HORIZONTAL: Shader = shader!("box_blur", "horizontal", [], [64, 16]);
pub(super) static BOX_VERTICAL: Shader = shader!("box_blur", "vertical", [], [64, 64]);
pub(super) static RANK: Shader = shader!("rank", "main", ["size"], [32, 4]);
pub(super) static EXTREME_HORIZONTAL: Shader = shader!("extreme", "horizontal", ["size"], [32, 4]);
pub(super) static EXTREME_VERTICAL: Shader = shader!("extreme", "vertical", ["size"], [32, 4]);
pub(super) static MODE: Shader = shader!("mode", "main", ["size"], [32, 4]);
pub(super) static UNSHARP: Shader = shader!("unsharp", "main", [], [32, 4]);

/// The shaders' bindings, as in `shaders/frame.wgsl`.
const BINDINGS: [wgpu::BufferBindingType; 5] = [
    wgpu::BufferBindingType::Uniform,
    wgpu::BufferBindingType::Storage { read_only: true },
    wgpu::BufferBindingType::Storage { read_only: true },
    wgpu::BufferBindingType::Storage { read_only: false },
    wgpu::BufferBindingType::Storage { read_only: true },
];

/// Pipelines, each made when it is first needed.
pub(super) struct Pipelines {
    pub(super) bindings: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
    made: Mutex<HashMap<Key, wgpu::ComputePipeline>>,
}

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
        Self { bindings, layout, made: Mutex::default() }
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
        lock(&self.made).entry(key).or_insert_with(|| self.make(device, shader, constants, wide)).clone()
    }

    fn make(
        &self,
        device: &wgpu::Device,
        shader: &'static Shader,
        constants: &[u32],
        wide: bool,
    ) -> wgpu::ComputePipeline {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(shader.name),
            source: wgpu::ShaderSource::Wgsl(shader.source.into()),
        });
        let own = shader.constants.iter().zip(constants).map(|(&name, &value)| (name, f64::from(value)));
        let constants: Vec<_> = own.chain([("wide", f64::from(u8::from(wide)))]).collect();
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(shader.name),
            layout: Some(&self.layout),
            module: &module,
            entry_point: Some(shader.entry_point),
            compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
            cache: None,
        })
    }
}
