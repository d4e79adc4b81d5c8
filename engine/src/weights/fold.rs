//! Convolutions from their tensors, with what lies before or behind them multiplied in.

use tch::{Device, TchError, Tensor};

use super::checkpoint::Reader;
use super::layers::{ConvTensors, Named, Norm};
use super::{Reason, in_words};
use crate::vgg::{Conv, MEAN, STD};

/// What batch normalisation adds to the variance (PyTorch's default).
const EPSILON: f64 = 1e-5;

/// What Caffe's VGG has subtracted from R, G and B in 0..255.
const CAFFE_MEAN: [f32; 3] = [123.68, 116.779, 103.939];

/// Reads a convolution that takes what [`crate::vgg::Vgg`] gives it.
pub fn read(tensors: &ConvTensors, reader: &mut Reader, device: Device) -> Result<Conv, Reason> {
    let mut read = |Named { name, tensor }| reader.read(tensor).map_err(|reason| format!("{name}: {reason}"));
    let (mut weight, mut bias) = (read(tensors.weight)?, read(tensors.bias)?);
    if let Some(Norm { weight: scale, bias: shift, mean, variance }) = tensors.norm {
        let norm = [read(scale)?, read(shift)?, read(mean)?, read(variance)?];
        (weight, bias) = with_norm(&weight, &bias, &norm).map_err(in_words)?;
    }
    if tensors.caffe_input {
        (weight, bias) = from_caffe(&weight, &bias).map_err(in_words)?;
    }
    let on_device = |tensor: Tensor| tensor.f_to_device(device).map_err(in_words);
    Ok(Conv { layer: tensors.layer, weight: on_device(weight)?, bias: on_device(bias)? })
}

/// Batch normalisation makes `y = w x + b` into `(y - mean) k + shift` with `k = scale / sqrt(variance + epsilon)`,
/// which is `(w k) x + (b - mean) k + shift`.
fn with_norm(weight: &Tensor, bias: &Tensor, norm: &[Tensor; 4]) -> Result<(Tensor, Tensor), TchError> {
    let [scale, shift, mean, variance] = norm;
    let k = scale.f_div(&variance.f_add_scalar(EPSILON)?.f_sqrt()?)?;
    Ok((weight.f_mul(&k.f_view([-1, 1, 1, 1])?)?, bias.f_sub(mean)?.f_mul(&k)?.f_add(shift)?))
}

/// Caffe's input is `c = 255 p - CAFFE_MEAN` in the order B, G, R, for p in 0..1; ours is `x = (p - MEAN) / STD`.
///
/// With `p = STD x + MEAN`, `c = (255 STD) x + (255 MEAN - CAFFE_MEAN)` in each channel, so that
/// `w c + b = (w 255 STD) x + b + the sum of w (255 MEAN - CAFFE_MEAN)`, with the channels of w turned around. At the
/// border, where zeros are padded, a sixth of a percent of the range is all that the means differ by.
fn from_caffe(weight: &Tensor, bias: &Tensor) -> Result<(Tensor, Tensor), TchError> {
    let per_channel = |values: [f32; 3]| Tensor::f_from_slice(&values)?.f_view([1, 3, 1, 1]);
    let rgb = weight.f_flip([1])?;
    let offset = per_channel(std::array::from_fn(|c| 255.0 * MEAN[c] - CAFFE_MEAN[c]))?;
    let added = rgb.f_mul(&offset)?.f_sum_dim_intlist([1, 2, 3].as_slice(), false, None)?;
    Ok((rgb.f_mul(&per_channel(STD.map(|std| 255.0 * std))?)?, bias.f_add(&added)?))
}
