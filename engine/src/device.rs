//! Devices: the CPU and CUDA GPUs.

use std::ffi::{OsStr, c_int, c_uint};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use tch::{Device, Kind, Tensor};

use crate::convolution::{Convolution, channels_last};
use crate::{Error, Result};

/// The compute capability of Ampere, the first generation with fast bf16.
const FIRST_MAJOR_WITH_BF16: c_int = 8;

/// The device called `name`: `cpu`, `cuda`, `cuda:N`, or `auto`, which is CUDA if it works, else the CPU.
pub fn find(name: &str) -> Result<Device> {
    let found = match name.split_once(':') {
        None if name == "auto" => Ok(cuda(0).unwrap_or(Device::Cpu)),
        None if name == "cpu" => Ok(Device::Cpu),
        None if name == "cuda" => cuda(0),
        Some(("cuda", index)) if index.parse::<usize>().is_ok() => cuda(index.parse().unwrap_or_default()),
        _ => Err("must be auto, cpu, cuda or cuda:N".into()),
    };
    found.map_err(|reason| Error::NoDevice { name: name.to_owned(), reason })
}

/// Why [`find`] gives the CPU for `auto`; none if it gives CUDA.
pub fn why_not_cuda() -> Option<String> {
    cuda(0).err()
}

fn cuda(index: usize) -> std::result::Result<Device, String> {
    load_cuda()?;
    let count = tch::Cuda::device_count();
    match index < count as usize {
        true => Ok(Device::Cuda(index)),
        false => Err(format!("there are {count} CUDA devices, numbered from 0")),
    }
}

/// The number format in which convolutions are fastest: bf16 if the device computes it faster than f32, else f32.
pub fn preferred_kind(device: Device) -> Kind {
    static ON_CPU: OnceLock<bool> = OnceLock::new();
    let is_bf16_faster = match device {
        Device::Cuda(index) => cuda_major(index).is_some_and(|major| major >= FIRST_MAJOR_WITH_BF16),
        // Of the processors with bf16 instructions, some are twice as fast with them, others half as fast.
        _ => cpu_has_bf16() && *ON_CPU.get_or_init(|| is_bf16_faster_on_cpu().unwrap_or(false)),
    };
    if is_bf16_faster { Kind::BFloat16 } else { Kind::Float }
}

fn cpu_has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether a convolution is faster in bf16 than in f32, by a measurement of some 20 milliseconds.
fn is_bf16_faster_on_cpu() -> Result<bool> {
    let convolve = |kind: Kind| -> Result<Box<dyn Fn() -> Result<Duration>>> {
        let ones = |size: [i64; 4]| Tensor::f_ones(size, (kind, Device::Cpu));
        let convolution = Convolution::new(&ones([32, 32, 3, 3])?, None)?;
        let picture = channels_last(&ones([1, 32, 64, 64])?, kind)?;
        Ok(Box::new(move || {
            let begin = Instant::now();
            let _response = convolution.apply(&picture, false)?;
            Ok(begin.elapsed())
        }))
    };
    let [in_bf16, in_f32] = [convolve(Kind::BFloat16)?, convolve(Kind::Float)?];
    // Alternating, and the minimum of each, so that other programs and the order do not affect the result.
    let mut min = [Duration::MAX; 2];
    for _ in 0..32 {
        min = [min[0].min(in_bf16()?), min[1].min(in_f32()?)];
    }
    Ok(min[0] < min[1])
}

/// The major version of a GPU's compute capability, as reported by the driver.
#[expect(unsafe_code, reason = "calls the NVIDIA driver")]
fn cuda_major(index: usize) -> Option<c_int> {
    type Init = unsafe extern "C" fn(c_uint) -> c_int;
    type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
    type GetAttribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
    const COMPUTE_CAPABILITY_MAJOR: c_int = 75;

    let (mut device, mut major) = (0, 0);
    // SAFETY: the library is already open (see `load_cuda`); names and types are those of cuda.h, where 0 means
    // success.
    let succeeds = unsafe {
        let driver = Library::open(Some("libcuda.so.1"), RTLD_NOW).ok()?;
        let init = driver.get::<Init>(b"cuInit\0").ok()?;
        let get = driver.get::<Get>(b"cuDeviceGet\0").ok()?;
        let get_attribute = driver.get::<GetAttribute>(b"cuDeviceGetAttribute\0").ok()?;
        init(0) == 0
            && get(&mut device, c_int::try_from(index).ok()?) == 0
            && get_attribute(&mut major, COMPUTE_CAPABILITY_MAJOR, device) == 0
    };
    succeeds.then_some(major)
}

/// Opens libtorch's CUDA library. The engine does not link it, so that it also runs on machines without CUDA.
fn load_cuda() -> std::result::Result<(), String> {
    static LOADED: Mutex<bool> = Mutex::new(false);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if *loaded {
        return Ok(());
    }
    // First the driver: without it, opening libtorch_cuda.so and its gigabytes of dependencies would be useless.
    open(Path::new("libcuda.so.1")).map_err(|reason| format!("no NVIDIA driver: {reason}"))?;
    let torch = loaded_library("libtorch_cpu.so").ok_or("libtorch_cpu.so is not loaded")?;
    open(&torch.with_file_name("libtorch_cuda.so")).map_err(|reason| format!("libtorch's CUDA library: {reason}"))?;
    *loaded = true;
    Ok(())
}

#[expect(unsafe_code, reason = "opening a library runs its initializers")]
fn open(path: &Path) -> std::result::Result<(), String> {
    // SAFETY: the initializers of the NVIDIA driver and of libtorch have no preconditions; the library is never closed.
    match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            std::mem::forget(library);
            Ok(())
        }
        // The dynamic linker's message.
        Err(error) => Err(std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)),
    }
}

/// The path of a shared library that this process has loaded.
fn loaded_library(name: &str) -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let paths = maps.lines().filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])));
    paths.into_iter().find(|path| path.file_name() == Some(OsStr::new(name))).map(Path::to_owned)
}
