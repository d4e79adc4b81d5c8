//! 3 x 3 convolutions. On the CPU, oneDNN's operators include the ReLU and reuse packed weights.
#![expect(unsafe_code, reason = "calls operators of libtorch that tch does not offer")]

use std::cell::OnceCell;
use std::ffi::{CStr, c_char};
use std::ptr;

use tch::{Device, Kind, TchError, Tensor};

unsafe extern "C" {
    fn style_engine_onednn_is_available() -> bool;
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

/// A C++ tensor, `at::Tensor`.
enum Object {}

/// A convolution with stride 1 and padding 1.
pub(crate) struct Convolution {
    /// `(out, in, 3, 3)`, channels last.
    pub weight: Tensor,
    bias: Option<Tensor>,
    /// The weight in oneDNN's own layout, if oneDNN computes the convolution: otherwise every call would reorder it.
    packed: OnceCell<Option<Tensor>>,
}

impl Convolution {
    /// A convolution with this weight, `(out, in, 3, 3)`, and bias, `(out)`.
    pub fn new(weight: &Tensor, bias: Option<Tensor>) -> Result<Self, TchError> {
        Ok(Self { weight: channels_last(weight, weight.kind())?, bias, packed: OnceCell::new() })
    }

    /// The output, `(1, in, H, W) -> (1, out, H, W)`, followed by a ReLU if `rectified`.
    pub fn apply(&self, x: &Tensor, rectified: bool) -> Result<Tensor, TchError> {
        let packed = match self.packed.get() {
            Some(packed) => packed,
            None => {
                let packed = self.pack(x);
                self.packed.get_or_init(|| packed)
            }
        };
        // Autograd does not support oneDNN's operators.
        if let Some(packed) = packed
            && !x.requires_grad()
            && !self.weight.requires_grad()
        {
            return self.convolve(x, packed, rectified);
        }
        let mut response = x.f_conv2d(&self.weight, self.bias.as_ref(), [1, 1], [1, 1], [1, 1], 1)?;
        if rectified { response.f_relu_() } else { Ok(response) }
    }

    /// The weight in oneDNN's layout for inputs like `x`; `None` if oneDNN cannot convolve them: it lacks bf16 on some
    /// processors.
    fn pack(&self, x: &Tensor) -> Option<Tensor> {
        // SAFETY: may be called from any thread, at any time.
        let is_available = unsafe { style_engine_onednn_is_available() };
        if !is_available || x.device() != Device::Cpu || ![Kind::Float, Kind::BFloat16].contains(&x.kind()) {
            return None;
        }
        // SAFETY: the tensors live until the call returns.
        let packed =
            new_tensor(|packed| unsafe { style_engine_onednn_pack(object(&self.weight), object(x), packed) }).ok()?;
        self.convolve(x, &packed, false).is_ok().then_some(packed)
    }

    fn convolve(&self, x: &Tensor, packed: &Tensor, rectified: bool) -> Result<Tensor, TchError> {
        let bias = self.bias.as_ref().map_or(ptr::null(), object);
        // SAFETY: the tensors live until the call returns; the bias may be null.
        new_tensor(|output| unsafe { style_engine_onednn_convolve(object(x), object(packed), bias, rectified, output) })
    }
}

fn object(tensor: &Tensor) -> *const Object {
    tensor.as_ptr().cast()
}

/// The tensor that a call creates, or the error that it returns.
fn new_tensor(call: impl FnOnce(*mut *mut Object) -> *mut c_char) -> Result<Tensor, TchError> {
    let mut output = ptr::null_mut();
    let error = call(&raw mut output);
    if error.is_null() {
        // SAFETY: the tensor was created by `new`, as tch's own are, and is now owned by the result.
        return Ok(unsafe { Tensor::from_ptr(output.cast()) });
    }
    // SAFETY: the string ends with NUL, was allocated by `strdup`, and is freed only here.
    unsafe {
        let message = CStr::from_ptr(error).to_string_lossy().into_owned();
        free(error);
        Err(TchError::Torch(message))
    }
}

/// `x`, `(N, C, H, W)`, in this kind and with channels last in memory, the layout in which convolutions are fastest.
pub(crate) fn channels_last(x: &Tensor, kind: Kind) -> Result<Tensor, TchError> {
    x.f_permute([0, 2, 3, 1])?.f_to_kind(kind)?.f_contiguous()?.f_permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn results_are_libtorchs_at_every_size() {
        let noise = |seed, size: &[i64]| Random(seed).uniform(size.iter().product()).unwrap().view(size) - 0.5;
        let (weight, bias) = (noise(1, &[16, 24, 3, 3]), noise(2, &[16]));
        let convolution = Convolution::new(&weight, Some(bias.shallow_clone())).unwrap();
        // The weight is packed for the first size and used for all.
        for [height, width] in [[40, 60], [7, 90], [100, 33]] {
            let x = noise(3, &[1, 24, height, width]);
            let x = channels_last(&x, Kind::Float).unwrap();
            let response = x.conv2d(&weight, Some(&bias), [1, 1], [1, 1], [1, 1], 1);
            for (rectified, expected) in [(false, response.shallow_clone()), (true, response.relu())] {
                let error = (convolution.apply(&x, rectified).unwrap() - expected).abs().max();
                assert!(error.double_value(&[]) < 1e-4, "{height} x {width}, {rectified}: {error}");
            }
        }
        // SAFETY: may be called at any time.
        let is_available = unsafe { style_engine_onednn_is_available() };
        assert_eq!(
            convolution.packed.get().is_some_and(Option::is_some),
            is_available,
            "oneDNN is used if it is available"
        );
    }

    #[test]
    fn a_wrong_input_is_an_error() {
        let weight = Tensor::ones([4, 3, 3, 3], (Kind::Float, Device::Cpu));
        let convolution = Convolution::new(&weight, None).unwrap();
        let error = convolution.apply(&Tensor::ones([1, 5, 8, 8], (Kind::Float, Device::Cpu)), true).unwrap_err();
        assert!(error.to_string().contains("channels"), "{error}");
    }
}
