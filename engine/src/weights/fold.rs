//! Convolutions from their tensors, with the batch normalisation behind them multiplied in.

use tch::{Device, TchError, Tensor};

use super::checkpoint::Reader;
use super::layers::{ConvTensors, Named, Norm};
use super::{Reason, in_words};
use crate::networks::vgg::Conv;

/// What batch normalisation adds to the variance (PyTorch's default).
const EPSILON: f64 = 1e-5;

/// Reads a convolution.
pub fn read(tensors: &ConvTensors, reader: &mut Reader, device: Device) -> Result<Conv, Reason> {
    let mut read = |Named { name, tensor }| reader.read(tensor).map_err(|reason| format!("{name}: {reason}"));
    let (mut weight, mut bias) = (read(tensors.weight)?, read(tensors.bias)?);
    if let Some(Norm { weight: scale, bias: shift, mean, variance }) = tensors.norm {
        let norm = [read(scale)?, read(shift)?, read(mean)?, read(variance)?];
        (weight, bias) = with_norm(&weight, &bias, &norm).map_err(in_words)?;
    }
    // One number that is none would be every pixel of every picture.
    for (tensor, Named { name, .. }) in [(&weight, &tensors.weight), (&bias, &tensors.bias)] {
        let all = tensor.f_isfinite().and_then(|finite| finite.f_all()?.f_int64_value(&[])).map_err(in_words)?;
        if all == 0 {
            return Err(format!("{name}: not all of it are finite numbers"));
        }
    }
    let on_device = |tensor: Tensor| tensor.f_to_device(device).map_err(in_words);
    Conv::new(tensors.layer, &on_device(weight)?, on_device(bias)?).map_err(in_words)
}

/// Batch normalisation makes `y = w x + b` into `(y - mean) k + shift` with `k = scale / sqrt(variance + epsilon)`,
/// which is `(w k) x + (b - mean) k + shift`.
fn with_norm(weight: &Tensor, bias: &Tensor, norm: &[Tensor; 4]) -> Result<(Tensor, Tensor), TchError> {
    let [scale, shift, mean, variance] = norm;
    let k = scale.f_div(&variance.f_add_scalar(EPSILON)?.f_sqrt()?)?;
    Ok((weight.f_mul(&k.f_view([-1, 1, 1, 1])?)?, bias.f_sub(mean)?.f_mul(&k)?.f_add(shift)?))
}
