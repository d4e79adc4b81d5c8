//! The process's one wgpu device, and the pipelines made on it.

use std::sync::{Arc, Mutex, Weak};

use wgpu::util::DeviceExt;

use super::GpuError;
use crate::filters::{Axis, Op};
use crate::frame::Depth;
use crate::sync::lock;

/// The shaders' bindings, as in `shaders/frame.wgsl`.
const BINDINGS: [wgpu::BufferBindingType; 5] = [
    wgpu::BufferBindingType::Uniform,
    wgpu::BufferBindingType::Storage { read_only: true },
    wgpu::BufferBindingType::Storage { read_only: true },
    wgpu::BufferBindingType::Storage { read_only: false },
    wgpu::BufferBindingType::Storage { read_only: true },
];

/// A compute pipeline, with how many samples (or words) one workgroup makes.
pub(super) struct Stage {
    pub(super) pipeline: wgpu::ComputePipeline,
    /// Words by rows.
    pub(super) tile: [u32; 2],
}

/// An open GPU with every pipeline. All elements of the process share one.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) bindings: wgpu::BindGroupLayout,
    pub(super) unpack: Stage,
    pub(super) pack: Stage,
    convolve: Stage,
    box_horizontal: Stage,
    box_vertical: Stage,
    rank: Stage,
    mode: Stage,
    unsharp: Stage,
    adapter: wgpu::AdapterInfo,
    error: Arc<Mutex<Option<String>>>,
}

impl Gpu {
    /// The process's GPU with `name` in its name, opened if nobody holds it or it was lost; one in software only if
    /// that will do.
    pub fn shared(name: &str, software: bool) -> Result<Arc<Self>, GpuError> {
        static SHARED: Mutex<Vec<Weak<Gpu>>> = Mutex::new(Vec::new());
        let mut shared = lock(&SHARED);
        shared.retain(|gpu| gpu.strong_count() > 0);
        let usable =
            |gpu: &Arc<Gpu>| gpu.check().is_ok() && contains(&gpu.adapter, name) && (software || !gpu.is_software());
        if let Some(gpu) = shared.iter().filter_map(Weak::upgrade).find(usable) {
            return Ok(gpu);
        }
        let gpu = Arc::new(pollster::block_on(Self::open(name, software))?);
        shared.push(Arc::downgrade(&gpu));
        Ok(gpu)
    }

    async fn open(name: &str, software: bool) -> Result<Self, GpuError> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
        descriptor.backends = wgpu::Backends::VULKAN;
        let adapter = find_adapter(&wgpu::Instance::new(descriptor), name).await?;
        let info = adapter.get_info();
        if info.device_type == wgpu::DeviceType::Cpu && !software {
            return Err(GpuError::NoAdapter);
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("stylefilter"),
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| GpuError::Open { adapter: info.name.clone(), reason: error.to_string() })?;
        Self::with_device(device, queue, info)
    }

    fn with_device(device: wgpu::Device, queue: wgpu::Queue, adapter: wgpu::AdapterInfo) -> Result<Self, GpuError> {
        // The first error stays: those after it only follow from it.
        let error = Arc::new(Mutex::new(None));
        let on_error = error.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| keep_first(&on_error, error.to_string())));
        let on_lost = error.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                keep_first(&on_lost, format!("device lost: {message}"));
            }
        });

        let bindings = bind_group_layout(&device);
        let stages = Stages::new(&device, &bindings);
        let gpu = Self {
            unpack: stages.make("unpack", include_str!("../../shaders/unpack.wgsl"), "main", [32, 4]),
            pack: stages.make("pack", include_str!("../../shaders/pack.wgsl"), "main", [32, 4]),
            convolve: stages.make("convolve", include_str!("../../shaders/convolve.wgsl"), "main", [32, 4]),
            box_horizontal: stages.make("box_blur", BOX_BLUR, "horizontal", [64, 16]),
            box_vertical: stages.make("box_blur", BOX_BLUR, "vertical", [64, 64]),
            rank: stages.make("rank", include_str!("../../shaders/rank.wgsl"), "main", [32, 4]),
            mode: stages.make("mode", include_str!("../../shaders/mode.wgsl"), "main", [32, 4]),
            unsharp: stages.make("unsharp", include_str!("../../shaders/unsharp.wgsl"), "main", [32, 4]),
            device,
            queue,
            bindings,
            adapter,
            error,
        };
        gpu.check()?;
        Ok(gpu)
    }

    /// Whether it is a CPU that does as if.
    fn is_software(&self) -> bool {
        self.adapter.device_type == wgpu::DeviceType::Cpu
    }

    /// The device's name, as its driver gives it.
    pub fn name(&self) -> String {
        let note = if self.is_software() { " (software)" } else { "" };
        format!("{}{note}", self.adapter.name)
    }

    /// Loses the device, as an unplugged one is lost.
    #[cfg(test)]
    pub fn lose(&self) {
        self.device.destroy();
    }

    /// Fails if the device has refused a command or was lost.
    pub(super) fn check(&self) -> Result<(), GpuError> {
        match &*lock(&self.error) {
            Some(reason) => Err(self.failed(reason)),
            None => Ok(()),
        }
    }

    pub(super) fn failed(&self, reason: impl ToString) -> GpuError {
        GpuError::Failed { adapter: self.name(), reason: reason.to_string() }
    }

    /// The pipeline that computes `op`, and its shader's parameters.
    pub(super) fn stage(&self, op: &Op) -> (&Stage, Vec<u32>) {
        match op {
            Op::Convolve(kernel) => {
                let weights = kernel.weights(Depth::default());
                let bottom_up = kernel.row_offset(0) > 0;
                let header = [kernel.cols as u32, kernel.rows() as u32, u32::from(bottom_up)];
                let floats = [weights.start, weights.reciprocal].into_iter().chain(weights.coefficients);
                (&self.convolve, header.into_iter().chain(floats.map(f32::to_bits)).collect())
            }
            Op::BoxBlur(axis, weights) => {
                let stage = match axis {
                    Axis::Horizontal => &self.box_horizontal,
                    Axis::Vertical => &self.box_vertical,
                };
                (stage, vec![weights.radius, weights.inner, weights.edge])
            }
            Op::Rank { size, rank } => (&self.rank, vec![*size, *rank]),
            Op::Mode { radius } => (&self.mode, vec![*radius]),
            Op::Unsharp { percent, threshold } => {
                (&self.unsharp, vec![percent.cast_unsigned(), threshold.cast_unsigned()])
            }
        }
    }

    pub(super) fn buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: false,
        })
    }

    pub(super) fn buffer_with(&self, label: &str, contents: &[u8], usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some(label), contents, usage })
    }

    /// Fails if no buffer of `needed` bytes can be bound.
    pub(super) fn check_size(&self, needed: u64) -> Result<(), GpuError> {
        let allowed = self.device.limits().max_storage_buffer_binding_size;
        if needed > allowed {
            return Err(GpuError::FrameTooLarge { adapter: self.name(), needed, allowed });
        }
        Ok(())
    }
}

const BOX_BLUR: &str = include_str!("../../shaders/box_blur.wgsl");

/// The fastest adapter, or the first with `name` in its name.
async fn find_adapter(instance: &wgpu::Instance, name: &str) -> Result<wgpu::Adapter, GpuError> {
    if name.is_empty() {
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        return instance.request_adapter(&options).await.map_err(|_| GpuError::NoAdapter);
    }
    let adapters = instance.enumerate_adapters(wgpu::Backends::VULKAN).await;
    let present = adapters.iter().map(|adapter| adapter.get_info().name).collect::<Vec<_>>().join(", ");
    adapters
        .into_iter()
        .find(|adapter| contains(&adapter.get_info(), name))
        .ok_or_else(|| GpuError::NoSuchAdapter { name: name.to_owned(), present })
}

fn contains(adapter: &wgpu::AdapterInfo, name: &str) -> bool {
    adapter.name.to_lowercase().contains(&name.to_lowercase())
}

fn keep_first(slot: &Mutex<Option<String>>, message: String) {
    lock(slot).get_or_insert(message);
}

fn bind_group_layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
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
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some("pass"), entries: &entries })
}

struct Stages<'a> {
    device: &'a wgpu::Device,
    layout: wgpu::PipelineLayout,
}

impl<'a> Stages<'a> {
    fn new(device: &'a wgpu::Device, bindings: &wgpu::BindGroupLayout) -> Self {
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("pass"),
            bind_group_layouts: &[Some(bindings)],
            ..Default::default()
        });
        Self { device, layout }
    }

    fn make(&self, label: &str, source: &str, entry_point: &str, tile: [u32; 2]) -> Stage {
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Wgsl([include_str!("../../shaders/frame.wgsl"), source].concat().into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&self.layout),
            module: &module,
            entry_point: Some(entry_point),
            compilation_options: Default::default(),
            cache: None,
        });
        Stage { pipeline, tile }
    }
}
