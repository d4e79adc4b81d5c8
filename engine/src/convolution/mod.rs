//! 3 x 3 convolutions, with as little about each as its device allows.
#![expect(unsafe_code, reason = "calls operators of libtorch's that tch does not offer")]

use std::cell::OnceCell;
use std::ffi::{CStr, c_char};
use std::ptr;

use tch::{Device, Kind, TchError, Tensor};

unsafe extern "C" {
    fn style_engine_onednn_is_there() -> bool;
    fn style_engine_onednn_pack(weight: *const Object, input: *const Object, packed: *mut *mut Object) -> *mut c_char;
    fn style_engine_onednn_convolve(
        input: *const Object,
        packed: *const Object,
        bias: *const Object,
        rectified: bool,
        output: *mut *mut Object,
    ) -> *mut c_char;
    fn free(memory: *mut c_char);
}

/// A tensor, as C++ has it.
enum Object {}

/// A convolution of stride and padding 1.
pub(crate) struct Convolution {
    /// `(out, in, 3, 3)`, channels side by side.
    pub weight: Tensor,
    bias: Option<Tensor>,
    /// The weight as oneDNN wants it, where oneDNN computes: else each call would lay it out anew.
    packed: OnceCell<Option<Tensor>>,
}

impl Convolution {
    /// With this weight, `(out, in, 3, 3)`, and bias, `(out)`.
    pub fn new(weight: &Tensor, bias: Option<Tensor>) -> Result<Self, TchError> {
        Ok(Self { weight: channels_last(weight, weight.kind())?, bias, packed: OnceCell::new() })
    }

    /// `(1, in, H, W) -> (1, out, H, W)`; `rectified`: with a ReLU.
    pub fn apply(&self, x: &Tensor, rectified: bool) -> Result<Tensor, TchError> {
        let packed = match self.packed.get() {
            Some(packed) => packed,
            None => {
                let packed = self.pack(x);
                self.packed.get_or_init(|| packed)
            }
        };
        // libtorch's tape does not know oneDNN's operators.
        if let Some(packed) = packed
            && !x.requires_grad()
            && !self.weight.requires_grad()
        {
            return self.convolve(x, packed, rectified);
        }
        let mut response = x.f_conv2d(&self.weight, self.bias.as_ref(), [1, 1], [1, 1], [1, 1], 1)?;
        if rectified { response.f_relu_() } else { Ok(response) }
    }

    /// The weight laid out for pictures like `x`, where oneDNN can convolve them: it has no bf16 on some processors.
    fn pack(&self, x: &Tensor) -> Option<Tensor> {
        // SAFETY: may be called from any thread, at any time.
        let is_there = unsafe { style_engine_onednn_is_there() };
        if !is_there || x.device() != Device::Cpu || ![Kind::Float, Kind::BFloat16].contains(&x.kind()) {
            return None;
        }
        // SAFETY: tensors that live through the call.
        let packed =
            made(|packed| unsafe { style_engine_onednn_pack(object(&self.weight), object(x), packed) }).ok()?;
        self.convolve(x, &packed, false).is_ok().then_some(packed)
    }

    fn convolve(&self, x: &Tensor, packed: &Tensor, rectified: bool) -> Result<Tensor, TchError> {
        let bias = self.bias.as_ref().map_or(ptr::null(), object);
        // SAFETY: tensors that live through the call, and none.
        made(|output| unsafe { style_engine_onednn_convolve(object(x), object(packed), bias, rectified, output) })
    }
}

fn object(tensor: &Tensor) -> *const Object {
    tensor.as_ptr().cast()
}

/// The tensor that a call makes, unless it tells why it cannot.
fn made(call: impl FnOnce(*mut *mut Object) -> *mut c_char) -> Result<Tensor, TchError> {
    let mut output = ptr::null_mut();
    let error = call(&raw mut output);
    if error.is_null() {
        // SAFETY: a tensor made by `new`, as tch's own are, which now owns it.
        return Ok(unsafe { Tensor::from_ptr(output.cast()) });
    }
    // SAFETY: a string that ends with 0, made by `strdup`, which nobody else frees.
    unsafe {
        let words = CStr::from_ptr(error).to_string_lossy().into_owned();
        free(error);
        Err(TchError::Torch(words))
    }
}

/// A tensor `(N, C, H, W)` of this kind whose channels lie side by side in memory, as convolutions are quick at.
pub(crate) fn channels_last(x: &Tensor, kind: Kind) -> Result<Tensor, TchError> {
    x.f_permute([0, 2, 3, 1])?.f_to_kind(kind)?.f_contiguous()?.f_permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn gives_what_libtorch_s_own_gives_at_every_size() {
        let noise = |seed, size: &[i64]| Random(seed).uniform(size.iter().product()).unwrap().view(size) - 0.5;
        let (weight, bias) = (noise(1, &[16, 24, 3, 3]), noise(2, &[16]));
        let convolution = Convolution::new(&weight, Some(bias.shallow_clone())).unwrap();
        // Laid out for the first, used for all.
        for [height, width] in [[40, 60], [7, 90], [100, 33]] {
            let x = noise(3, &[1, 24, height, width]);
            let x = channels_last(&x, Kind::Float).unwrap();
            let response = x.conv2d(&weight, Some(&bias), [1, 1], [1, 1], [1, 1], 1);
            for (rectified, expected) in [(false, response.shallow_clone()), (true, response.relu())] {
                let apart = (convolution.apply(&x, rectified).unwrap() - expected).abs().max();
                assert!(apart.double_value(&[]) < 1e-4, "{height} x {width}, {rectified}: {apart}");
            }
        }
        // SAFETY: may be called at any time.
        let is_there = unsafe { style_engine_onednn_is_there() };
        assert_eq!(
            convolution.packed.get().is_some_and(Option::is_some),
            is_there,
            "oneDNN convolves where it is there"
        );
    }

    #[test]
    fn what_cannot_be_convolved_is_told() {
        let weight = Tensor::ones([4, 3, 3, 3], (Kind::Float, Device::Cpu));
        let convolution = Convolution::new(&weight, None).unwrap();
        let error = convolution.apply(&Tensor::ones([1, 5, 8, 8], (Kind::Float, Device::Cpu)), true).unwrap_err();
        assert!(error.to_string().contains("channels"), "{error}");
    }
}
