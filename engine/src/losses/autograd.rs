//! Gradients by autograd, for losses without a hand-written gradient. Only the loss is recorded, not the network before
//! it.

use tch::{Kind, Tensor};

use crate::Result;

/// The loss of `features`, `()`. Adds `weight` times its gradient to `gradient`.
pub(super) fn accumulate(
    features: &Tensor,
    weight: f64,
    gradient: &mut Tensor,
    loss: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let leaf = features.f_detach()?.f_to_kind(Kind::Float)?.f_set_requires_grad(true)?;
    let value = tch::with_grad(|| loss(&leaf))?;
    for own in Tensor::f_run_backward(&[&value], &[&leaf], false, false)? {
        let _ = gradient.f_add_(&own.f_mul_scalar(weight)?.f_to_kind(gradient.kind())?)?;
    }
    Ok(value.f_detach()?)
}
