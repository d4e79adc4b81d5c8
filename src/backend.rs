//! Backends: filters run on a GPU or on the CPU.

use std::sync::Arc;

use crate::cpu;
use crate::filters::{Border, BorderMode, FixedKernel, Kernel, KernelOrder, Plan, Rounding, median, unsharp_mask};
use crate::gpu::{self, Gpu, GpuError};
use crate::layout::{Layout, PlaneBytes, PlaneBytesMut};

/// The backend that the user selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// A real GPU if there is one, else the CPU.
    Auto,
    /// A GPU, or a software Vulkan driver.
    Gpu,
    /// The CPU.
    Cpu,
}

/// An open backend.
#[derive(Clone)]
pub enum Backend {
    /// A GPU, which is shared by all elements of the process.
    Gpu(Arc<Gpu>),
    /// All cores of the CPU.
    Cpu,
}

/// A plan prepared for frames of one layout.
pub enum Program {
    /// On a GPU.
    Gpu(Box<gpu::Program>),
    /// On the CPU.
    Cpu(cpu::Program),
}

impl Backend {
    /// Opens a backend. If there are several GPUs, the one with `adapter` in its name is opened. With `needs_gpu`, the CPU
    /// is not an option. If the CPU stands in for a GPU, the reason comes with it.
    pub fn open(choice: Choice, adapter: &str, needs_gpu: bool) -> Result<(Self, Option<GpuError>), GpuError> {
        match choice {
            Choice::Cpu if needs_gpu => Err(GpuError::Needed),
            Choice::Cpu => Ok((Self::Cpu, None)),
            Choice::Auto if adapter.is_empty() && !needs_gpu => Ok(match Self::open_gpu("", false) {
                Ok(gpu) => (gpu, None),
                Err(reason) => (Self::Cpu, Some(reason)),
            }),
            Choice::Auto | Choice::Gpu => Ok((Self::open_gpu(adapter, true)?, None)),
        }
    }

    /// Whether this backend can be used for these settings: it is what [`Self::open`] would open, or it is the CPU that
    /// took over from a lost GPU.
    pub fn suits(&self, choice: Choice, adapter: &str, needs_gpu: bool) -> bool {
        match self {
            Self::Cpu => !needs_gpu,
            // The CPU is faster than a software driver.
            Self::Gpu(gpu) => needs_gpu || choice != Choice::Auto || !adapter.is_empty() || !gpu.is_software(),
        }
    }

    fn open_gpu(adapter: &str, allow_software: bool) -> Result<Self, GpuError> {
        let gpu = Gpu::shared(adapter, allow_software)?;
        if !gpu.is_exact(|| is_exact(&gpu))? {
            return Err(GpuError::Inexact { adapter: gpu.name() });
        }
        Ok(Self::Gpu(gpu))
    }

    /// The device's name.
    pub fn name(&self) -> String {
        match self {
            Self::Gpu(gpu) => gpu.name(),
            Self::Cpu => format!("CPU, {} threads", rayon::current_num_threads()),
        }
    }

    /// Prepares `plan` for frames of `layout`.
    pub fn program(&self, layout: Layout, plan: &Plan) -> Result<Program, GpuError> {
        match self {
            Self::Gpu(gpu) => {
                gpu::Program::new(gpu.clone(), layout, plan).map(|program| Program::Gpu(Box::new(program)))
            }
            Self::Cpu => Ok(Program::Cpu(cpu::Program::new(layout, plan))),
        }
    }
}

/// Whether the GPU gives the same bytes as the CPU for a small frame. The filters reveal fused multiply-adds, and use
/// every kind of integer arithmetic.
fn is_exact(gpu: &Arc<Gpu>) -> Result<bool, GpuError> {
    const SIDE: usize = 61;
    let clamp = Border::Extend(BorderMode::Clamp);
    let kernel =
        Kernel::parse("0.1 0.7 -0.3; 0.2 1.1 0.4; -0.9 0.6 0.3", 1.7, 0.3, KernelOrder::BottomUp, Rounding::HalfUp);
    let filters = [
        Some(FixedKernel::DETAIL.kernel().filter(Border::Copy)),
        kernel.ok().map(|kernel| kernel.filter(clamp)),
        Some(unsharp_mask(2.3, 1.7, 180, 2, clamp)),
        median(3, clamp).ok(),
    ];
    let plan = Plan { filters: filters.into_iter().flatten().collect(), mix: 256, ..Plan::default() };
    let layout = Layout::gray(SIDE, SIDE);
    // A Weyl sequence: every level occurs, without a visible pattern.
    let samples: Vec<u8> = (0..SIDE * SIDE).map(|index| (index.wrapping_mul(40_503) >> 8) as u8).collect();
    let [on_gpu, on_cpu] = [Backend::Gpu(gpu.clone()), Backend::Cpu].map(|backend| {
        let mut result = vec![0; samples.len()];
        let source = PlaneBytes { data: &samples, stride: SIDE };
        let target = PlaneBytesMut { data: &mut result, stride: SIDE };
        backend.program(layout.clone(), &plan)?.run(&[source], &mut [target], 0.0)?;
        Ok(result)
    });
    Ok(on_gpu? == on_cpu?)
}

impl Program {
    /// Runs `plan` from the next frame on.
    pub fn set_plan(&mut self, plan: &Plan) -> Result<(), GpuError> {
        match self {
            Self::Gpu(program) => program.set_plan(plan),
            Self::Cpu(program) => {
                program.set_plan(plan);
                Ok(())
            }
        }
    }

    /// Filters a frame: reads the planes of `source`, writes those of `target`. `seconds` is its time in the stream.
    pub fn run(&mut self, source: &[PlaneBytes], target: &mut [PlaneBytesMut], seconds: f32) -> Result<(), GpuError> {
        match self {
            Self::Gpu(program) => program.run(source, target, seconds),
            Self::Cpu(program) => {
                program.run(source, target);
                Ok(())
            }
        }
    }
}
