//! Compute pipelines, made from shaders when they are first needed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::shaders::{BINDINGS, Shader};
use super::user;
use crate::layout::Depth;
use crate::sync::lock;

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
