//! Builds convolutions from their tensors, and folds batch normalization into them.

use tch::{Device, TchError, Tensor};

use super::checkpoint::Reader;
use super::layers::{ConvTensors, Named, Norm};
use super::{Reason, first_line};
use crate::networks::vgg::Conv;

/// The number that batch normalization adds to the variance (PyTorch's default).
const EPSILON: f64 = 1e-5;

/// Reads a convolution.
pub fn read(tensors: &ConvTensors, reader: &mut Reader, device: Device) -> Result<Conv, Reason> {
    let mut read = |Named { name, tensor }| reader.read(tensor).map_err(|reason| format!("{name}: {reason}"));
    let (mut weight, mut bias) = (read(tensors.weight)?, read(tensors.bias)?);
    if let Some(Norm { weight: scale, bias: shift, mean, variance }) = tensors.norm {
        let norm = [read(scale)?, read(shift)?, read(mean)?, read(variance)?];
        (weight, bias) = with_norm(&weight, &bias, &norm).map_err(first_line)?;
    }
    // A single NaN or infinity would spread to every pixel of every picture.
    for (tensor, Named { name, .. }) in [(&weight, &tensors.weight), (&bias, &tensors.bias)] {
        let all = tensor.f_isfinite().and_then(|finite| finite.f_all()?.f_int64_value(&[])).map_err(first_line)?;
        if all == 0 {
            return Err(format!("{name}: not all of its numbers are finite"));
        }
    }
    let on_device = |tensor: Tensor| tensor.f_to_device(device).map_err(first_line);
    Conv::new(tensors.layer, &on_device(weight)?, on_device(bias)?).map_err(first_line)
}

/// Folds batch normalization into a weight and a bias. It changes `y = w x + b` to `(y - mean) k + shift` with
/// `k = scale / sqrt(variance + epsilon)`, which is `(w k) x + (b - mean) k + shift`.
fn with_norm(weight: &Tensor, bias: &Tensor, norm: &[Tensor; 4]) -> Result<(Tensor, Tensor), TchError> {
    let [scale, shift, mean, variance] = norm;
    let k = scale.f_div(&variance.f_add_scalar(EPSILON)?.f_sqrt()?)?;
    Ok((weight.f_mul(&k.f_view([-1, 1, 1, 1])?)?, bias.f_sub(mean)?.f_mul(&k)?.f_add(shift)?))
}
