//! Bicubic warping on the CPU.
#![expect(unsafe_code, reason = "calls a C++ function on tensors' memory")]

use tch::{TchError, Tensor};

use crate::Result;

unsafe extern "C" {
    fn style_engine_warp_bicubic(shape: *const Shape, values: *const f32, flow: *const f32, warped: *mut f32);
}

/// The shape of planes of values, as in bicubic.cpp.
#[repr(C)]
struct Shape {
    channels: i64,
    height: i64,
    width: i64,
}

/// As [`super::warp`] with [`super::Filter::Bicubic`], of 32-bit floats on the CPU: `values`, `(1, C, H, W)`, and a flow,
/// `(1, 2, H, W)`, which leads beyond the edges by less than a frame.
pub(super) fn bicubic(values: &Tensor, flow: &Tensor) -> Result<Tensor> {
    let (_, channels, height, width) = values.size4()?;
    if flow.size() != [1, 2, height, width] || i32::try_from(height * width).is_err() {
        return Err(TchError::Shape(format!("a flow of {:?} for {height} x {width} pixels", flow.size())).into());
    }
    let (values, flow) = (values.f_contiguous()?, flow.f_contiguous()?);
    let warped = values.f_empty_like()?;
    let shape = Shape { channels, height, width };
    // SAFETY: the tensors are contiguous 32-bit floats on the CPU, which the caller checks, of these shapes. The function
    // reads within planes whatever the flow is.
    unsafe {
        style_engine_warp_bicubic(
            &raw const shape,
            values.data_ptr().cast(),
            flow.data_ptr().cast(),
            warped.data_ptr().cast(),
        );
    }
    Ok(warped)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::flow::Filter;
    use crate::flow::sampling::{sample, targets};
    use crate::random::Random;

    #[test]
    fn the_result_is_libtorchs() {
        let noise = |seed, size: &[i64]| Random(seed).uniform(size.iter().product()).unwrap().view(size);
        for size in [[31, 40], [40, 50]] {
            let [height, width] = size;
            let values = noise(1, &[1, 5, height, width]);
            // Some pixels stand still, and some come from beyond the edges.
            let smooth = noise(2, &[1, 2, 3, 3]).upsample_bicubic2d(size, false, None, None) * 8 - 4;
            let still = noise(3, &[1, 1, height, width]).lt(0.2);
            let far = noise(4, &[1, 1, height, width]).gt(0.9).to_kind(Kind::Float) * 4 + 1;
            let flow = smooth.masked_fill(&still, 0.0) * far;
            let expected = sample(&values, &targets(&flow).unwrap(), Filter::Bicubic).unwrap();
            let error = (bicubic(&values, &flow).unwrap() - expected).abs().max().double_value(&[]);
            assert!(error < 1e-4, "{size:?}: {error}");
        }
    }

    #[test]
    fn no_flow_leads_out_of_memory() {
        let values = Tensor::ones([1, 2, 3, 1], (Kind::Float, Device::Cpu));
        for motion in [f64::NAN, f64::INFINITY, -1e30, 1e30, -7.5] {
            let flow = Tensor::full([1, 2, 3, 1], motion, (Kind::Float, Device::Cpu));
            assert!(bicubic(&values, &flow).unwrap().allclose(&values, 1e-5, 0.0, true), "{motion}");
        }
        assert!(bicubic(&values, &Tensor::zeros([1, 2, 1, 3], (Kind::Float, Device::Cpu))).is_err());
    }
}
