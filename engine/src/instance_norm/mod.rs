//! Instance normalization (D. Ulyanov, A. Vedaldi, V. Lempitsky, arXiv:1607.08022), with what follows it in a network.
#![expect(unsafe_code, reason = "calls a C++ function on tensors' memory")]

use std::ffi::c_void;
use std::ptr;

use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::convolution::channels_last;

unsafe extern "C" {
    fn style_engine_instance_norm(
        pixels: i64,
        channels: i64,
        epsilon: f64,
        bytes: i64,
        x: *mut c_void,
        scale: *const f32,
        shift: *const f32,
        after: i64,
        added: *const c_void,
    );
}

/// The number that is added to the variance (PyTorch's default).
pub(crate) const EPSILON: f64 = 1e-5;

/// The operation after a normalization.
#[derive(Clone, Copy)]
pub(crate) enum After<'a> {
    Nothing,
    Relu,
    /// The sum with a tensor of the same shape and kind.
    Add(&'a Tensor),
}

impl After<'_> {
    /// Applied by libtorch.
    pub fn apply(self, mut normalized: Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Nothing => normalized,
            Self::Relu => normalized.f_relu_()?,
            Self::Add(added) => normalized.f_add(added)?,
        })
    }
}

/// Normalizes each channel of `x`, `(1, C, H, W)`, to a mean of 0 and a variance of 1, then multiplies it by its number of
/// `scale` and adds that of `shift`, both `(C)`. `x` may be overwritten.
pub(crate) fn normalize(x: Tensor, scale_and_shift: Option<&[Tensor; 2]>, after: After) -> Result<Tensor> {
    if is_supported(&x) {
        return in_place(&x, scale_and_shift, after);
    }
    // Group normalization with a channel in each group. libtorch computes it faster than its instance normalization, but
    // its gradient is many times slower with channels last.
    let x = if x.requires_grad() { x.f_contiguous()? } else { x };
    let cast = |tensor: &Tensor| tensor.f_to_kind(x.kind());
    let [scale, shift] = match scale_and_shift {
        Some([scale, shift]) => [Some(cast(scale)?), Some(cast(shift)?)],
        None => [None, None],
    };
    let channels = x.size().get(1).copied().unwrap_or(1);
    after.apply(x.f_group_norm(channels, scale.as_ref(), shift.as_ref(), EPSILON, false)?)
}

/// Whether norm.cpp supports the tensor. Autograd does not support norm.cpp.
fn is_supported(x: &Tensor) -> bool {
    x.device() == Device::Cpu
        && [Kind::Float, Kind::BFloat16].contains(&x.kind())
        && !x.requires_grad()
        && x.size().first() == Some(&1)
        && x.numel() > 0
}

fn in_place(x: &Tensor, scale_and_shift: Option<&[Tensor; 2]>, after: After) -> Result<Tensor> {
    let (_, channels, height, width) = x.size4()?;
    let x = channels_last(x, x.kind())?;
    let number = |tensor: &Tensor| -> Result<Tensor> {
        Ok(tensor.f_expand([channels], false)?.f_to_kind(Kind::Float)?.f_contiguous()?)
    };
    let numbers = match scale_and_shift {
        Some([scale, shift]) => Some([number(scale)?, number(shift)?]),
        None => None,
    };
    let [scale, shift] = numbers
        .as_ref()
        .map_or([ptr::null(); 2], |numbers| numbers.each_ref().map(|tensor| tensor.data_ptr().cast_const().cast()));
    let added = match after {
        After::Add(added) => Some(channels_last(&added.f_expand_as(&x)?, x.kind())?),
        After::Nothing | After::Relu => None,
    };
    let after = match after {
        After::Nothing => 0,
        After::Relu => 1,
        After::Add(_) => 2,
    };
    let bytes = if x.kind() == Kind::BFloat16 { 2 } else { 4 };
    let added = added.as_ref().map_or(ptr::null(), |added| added.data_ptr().cast_const());
    // SAFETY: `x` and `added`, if not null, have this number of pixels and channels, channels last, and this number of bytes
    // per number; `scale` and `shift`, if not null, are `channels` floats. All live until the call returns.
    unsafe {
        let x = x.data_ptr();
        style_engine_instance_norm(height * width, channels, EPSILON, bytes, x, scale, shift, after, added);
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn normalized_values_are_libtorchs() {
        let noise = |seed, size: &[i64]| Random(seed).uniform(size.iter().product()).unwrap().view(size);
        for (channels, height, width) in [(8, 90, 71), (24, 5, 7), (3, 1, 1), (80, 40, 33)] {
            let [scale, shift] = [2, 3].map(|seed| noise(seed, &[channels]) + 0.5);
            let factors = [scale, shift];
            let offset = Tensor::arange(channels, (Kind::Float, Device::Cpu)).view([1, channels, 1, 1]) * 10.0;
            let x = noise(1, &[1, channels, height, width]) + offset;
            let added = noise(4, &[1, channels, height, width]);
            for (kind, tolerance) in [(Kind::Float, 1e-4), (Kind::BFloat16, 0.03)] {
                let [x, added] = [&x, &added].map(|tensor| channels_last(tensor, kind).unwrap());
                for after in [After::Nothing, After::Relu, After::Add(&added)] {
                    for factors in [None, Some(&factors)] {
                        // In 32 bits, libtorch's group normalization loses small variances beside large means.
                        let [scale, shift] = factors.map_or([None, None], |factors| {
                            factors.each_ref().map(|tensor| Some(tensor.to_kind(Kind::Double)))
                        });
                        let exact = x.to_kind(Kind::Double);
                        let exact = exact.group_norm(channels, scale.as_ref(), shift.as_ref(), EPSILON, false);
                        let after_exact = match after {
                            After::Add(added) => exact + added,
                            after => after.apply(exact).unwrap(),
                        };
                        let own = normalize(x.copy(), factors, after).unwrap();
                        let error = (own.to_kind(Kind::Double) - after_exact).abs().max().double_value(&[]);
                        assert!(own.kind() == kind && error < tolerance, "{channels} {height} {kind:?}: {error}");
                    }
                }
            }
        }
    }
}
