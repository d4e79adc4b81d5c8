//! The process's one wgpu device.

use std::sync::{Arc, Mutex, OnceLock, Weak};

use super::GpuError;
use super::shaders::{Pipelines, Shader};
use crate::layout::Depth;
use crate::sync::lock;

/// An open GPU. All elements of the process share one.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pipelines: Pipelines,
    checked: OnceLock<Result<bool, GpuError>>,
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
        // On a card of its own, shaders would reach for the host's memory through the bus.
        let shared = matches!(info.device_type, wgpu::DeviceType::IntegratedGpu | wgpu::DeviceType::Cpu);
        let mappable = if shared { wgpu::Features::MAPPABLE_PRIMARY_BUFFERS } else { wgpu::Features::empty() };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("stylefilter"),
            required_features: adapter.features() & mappable,
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

        let gpu = Self { pipelines: Pipelines::new(&device), checked: OnceLock::new(), device, queue, adapter, error };
        gpu.check()?;
        Ok(gpu)
    }

    /// Whether it is a CPU that does as if.
    pub fn is_software(&self) -> bool {
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

    /// The pipeline that runs `shader` with these constants on samples of this depth.
    pub(super) fn pipeline(&self, shader: &'static Shader, constants: &[u32], depth: Depth) -> wgpu::ComputePipeline {
        self.pipelines.get(&self.device, shader, constants, depth)
    }

    /// The pipeline that runs a user's shader on samples of this depth.
    pub(super) fn user_pipeline(&self, text: &Arc<str>, depth: Depth) -> Result<wgpu::ComputePipeline, GpuError> {
        self.pipelines.user(&self.device, text, depth).map_err(GpuError::Shader)
    }

    /// Whether the host may write and read the very buffers that shaders use.
    pub(super) fn shares_memory(&self) -> bool {
        self.device.features().contains(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
    }

    pub(super) fn bindings(&self) -> &wgpu::BindGroupLayout {
        &self.pipelines.bindings
    }

    /// What `check` found when it first ran on this device.
    pub fn checked(&self, check: impl FnOnce() -> Result<bool, GpuError>) -> Result<bool, GpuError> {
        self.checked.get_or_init(check).clone()
    }

    /// A new buffer; one that the host writes is mapped for that.
    pub(super) fn buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: usage.contains(wgpu::BufferUsages::MAP_WRITE),
        })
    }

    /// A buffer with these words in it.
    pub(super) fn buffer_with(&self, label: &str, words: &[u32], usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let contents = bytemuck::cast_slice(words);
        // Not mapped at its creation: that panics once the device is lost.
        let buffer = self.buffer(label, contents.len() as u64, usage | wgpu::BufferUsages::COPY_DST);
        self.queue.write_buffer(&buffer, 0, contents);
        buffer
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
