//! What filters run on: a GPU, or the CPU.

use std::sync::Arc;

use crate::cpu;
use crate::filters::Plan;
use crate::frame::{Layout, PlaneBytes, PlaneBytesMut};
use crate::gpu::{self, Gpu, GpuError};

/// Where to look for something to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// A real GPU, else the CPU.
    Auto,
    /// A GPU, were it one in software.
    Gpu,
    /// The CPU.
    Cpu,
}

/// Something to run on.
#[derive(Clone)]
pub enum Backend {
    /// The process's GPU.
    Gpu(Arc<Gpu>),
    /// All cores.
    Cpu,
}

/// A plan ready for frames of one layout.
pub enum Program {
    /// On a GPU.
    Gpu(gpu::Program),
    /// On the CPU.
    Cpu(cpu::Program),
}

impl Backend {
    /// Opens what `choice` asks for.
    pub fn open(choice: Choice) -> Result<Self, GpuError> {
        match choice {
            Choice::Cpu => Ok(Self::Cpu),
            Choice::Gpu => Gpu::shared().map(Self::Gpu),
            Choice::Auto => Ok(Gpu::shared().ok().filter(|gpu| !gpu.is_software()).map_or(Self::Cpu, Self::Gpu)),
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Self::Gpu(gpu) => gpu.name(),
            Self::Cpu => format!("CPU, {} threads", rayon::current_num_threads()),
        }
    }

    /// Prepares `plan` for frames of `layout`.
    pub fn program(&self, layout: Layout, plan: &Plan) -> Result<Program, GpuError> {
        match self {
            Self::Gpu(gpu) => gpu::Program::new(gpu.clone(), layout, plan).map(Program::Gpu),
            Self::Cpu => Ok(Program::Cpu(cpu::Program::new(layout, plan))),
        }
    }
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

    /// Filters a frame: reads the planes of `source`, writes those of `target`.
    pub fn run(&mut self, source: &[PlaneBytes], target: &mut [PlaneBytesMut]) -> Result<(), GpuError> {
        match self {
            Self::Gpu(program) => program.run(source, target),
            Self::Cpu(program) => {
                program.run(source, target);
                Ok(())
            }
        }
    }
}
