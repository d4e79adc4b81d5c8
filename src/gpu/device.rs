//! The GPU: a wgpu device that all elements of the process share.

use std::sync::{Arc, Mutex, OnceLock, Weak};

use super::GpuError;
use super::pipelines::Pipelines;
use super::shaders::Shader;
use crate::layout::Depth;
use crate::sync::lock;

/// An open GPU.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pipelines: Pipelines,
    is_exact: OnceLock<Result<bool, GpuError>>,
    adapter: wgpu::AdapterInfo,
    /// The first error that the device reported.
    error: Arc<Mutex<Option<String>>>,
}

impl Gpu {
    /// The process's GPU with `name` in its name. It is opened if no element has it open, or if it was lost. Software
    /// drivers are accepted only with `allow_software`.
    pub fn shared(name: &str, allow_software: bool) -> Result<Arc<Self>, GpuError> {
        static SHARED: Mutex<Vec<Weak<Gpu>>> = Mutex::new(Vec::new());
        let mut shared = lock(&SHARED);
        shared.retain(|gpu| gpu.strong_count() > 0);
        let usable = |gpu: &Arc<Gpu>| {
            gpu.check().is_ok() && contains(&gpu.adapter, name) && (allow_software || !gpu.is_software())
        };
        if let Some(gpu) = shared.iter().filter_map(Weak::upgrade).find(usable) {
            return Ok(gpu);
        }
        let gpu = Arc::new(pollster::block_on(Self::open(name, allow_software))?);
        shared.push(Arc::downgrade(&gpu));
        Ok(gpu)
    }

    async fn open(name: &str, allow_software: bool) -> Result<Self, GpuError> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
        descriptor.backends = wgpu::Backends::VULKAN;
        let adapter = find_adapter(&wgpu::Instance::new(descriptor), name).await?;
        let info = adapter.get_info();
        if info.device_type == wgpu::DeviceType::Cpu && !allow_software {
            return Err(GpuError::Software { adapter: info.name });
        }
        // A discrete GPU would access mapped buffers through the bus, which is slower than copying them.
        let shares_memory = matches!(info.device_type, wgpu::DeviceType::IntegratedGpu | wgpu::DeviceType::Cpu);
        let mappable = if shares_memory { wgpu::Features::MAPPABLE_PRIMARY_BUFFERS } else { wgpu::Features::empty() };
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
        // Only the first error is kept: later ones are its consequences.
        let error = Arc::new(Mutex::new(None));
        let on_error = error.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| keep_first(&on_error, error.to_string())));
        let on_lost = error.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                keep_first(&on_lost, format!("device lost: {message}"));
            }
        });

        let gpu = Self { pipelines: Pipelines::new(&device), is_exact: OnceLock::new(), device, queue, adapter, error };
        gpu.check()?;
        Ok(gpu)
    }

    /// Whether this is a software driver, which runs on the CPU.
    pub fn is_software(&self) -> bool {
        self.adapter.device_type == wgpu::DeviceType::Cpu
    }

    /// The device's name, as reported by its driver.
    pub fn name(&self) -> String {
        let note = if self.is_software() { " (software)" } else { "" };
        format!("{}{note}", self.adapter.name)
    }

    /// Simulates the loss of the device.
    #[cfg(test)]
    pub fn lose(&self) {
        self.device.destroy();
    }

    /// Fails if the device has reported an error or was lost.
    pub(super) fn check(&self) -> Result<(), GpuError> {
        match &*lock(&self.error) {
            Some(reason) => Err(self.failed(reason)),
            None => Ok(()),
        }
    }

    /// An error of this device.
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

    /// Whether the host can map the buffers that shaders use.
    pub(super) fn shares_memory(&self) -> bool {
        self.device.features().contains(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
    }

    pub(super) fn bindings(&self) -> &wgpu::BindGroupLayout {
        &self.pipelines.bindings
    }

    /// Whether the device filters exactly: the result of `check`, which is run only once for each device.
    pub fn is_exact(&self, check: impl FnOnce() -> Result<bool, GpuError>) -> Result<bool, GpuError> {
        self.is_exact.get_or_init(check).clone()
    }

    /// Creates a buffer of `size` bytes. A buffer that the host writes is mapped.
    pub(super) fn buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: usage.contains(wgpu::BufferUsages::MAP_WRITE),
        })
    }

    /// Creates a buffer that contains `words`.
    pub(super) fn buffer_with(&self, label: &str, words: &[u32], usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let contents = bytemuck::cast_slice(words);
        // Not mapped at creation, which would panic after the device is lost.
        let buffer = self.buffer(label, contents.len() as u64, usage | wgpu::BufferUsages::COPY_DST);
        self.queue.write_buffer(&buffer, 0, contents);
        buffer
    }

    /// Fails if a buffer of `needed` bytes is too large to be bound.
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
    let available = adapters.iter().map(|adapter| adapter.get_info().name).collect::<Vec<_>>().join(", ");
    adapters
        .into_iter()
        .find(|adapter| contains(&adapter.get_info(), name))
        .ok_or_else(|| GpuError::NoSuchAdapter { name: name.to_owned(), available })
}

fn contains(adapter: &wgpu::AdapterInfo, name: &str) -> bool {
    adapter.name.to_lowercase().contains(&name.to_lowercase())
}

fn keep_first(slot: &Mutex<Option<String>>, message: String) {
    lock(slot).get_or_insert(message);
}
