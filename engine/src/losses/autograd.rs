//! Gradients by libtorch's tape, for losses without a gradient by hand. Only the loss is taped, not the network before it.

use tch::{Kind, Tensor};

use crate::Result;

/// The loss of `features`, `()`. Adds `weight` times its gradient.
pub(super) fn accumulate(
    features: &Tensor,
    weight: f64,
    gradient: &mut Tensor,
    loss: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let leaf = features.f_detach()?.f_to_kind(Kind::Float)?.f_set_requires_grad(true)?;
    let value = tch::with_grad(|| loss(&leaf))?;
    for slope in Tensor::f_run_backward(&[&value], &[&leaf], false, false)? {
        let _ = gradient.f_add_(&slope.f_mul_scalar(weight)?.f_to_kind(gradient.kind())?)?;
    }
    Ok(value.f_detach()?)
}
