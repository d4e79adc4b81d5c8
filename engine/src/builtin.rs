//! The network for users without a weight file: VGG11's topology to conv4_1, slim, with weights from a seed.
//!
//! Untrained features carry style once each layer's scale is right (K. He, Y. Wang, J. Hopcroft, "A Powerful
//! Generative Model Using Random Weights for the Deep Image Representation", NIPS 2016), so every layer is scaled to
//! unit variance on a picture whose spectrum is that of photographs (D. Mishkin, J. Matas, "All You Need Is a Good
//! Init", ICLR 2016).

use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::input::Input;
use crate::random::Random;
use crate::vgg::{Conv, Layer, Pooling, Vgg};

/// Convolutions and channels of each block.
const BLOCKS: [(usize, i64); 4] = [(1, 24), (1, 48), (2, 96), (1, 96)];

const SEED: u64 = 1;

/// The side of the picture that the layers are scaled on.
const SIDE: i64 = 128;

/// The built-in network.
pub fn network(device: Device) -> Result<Vgg> {
    seeded(&BLOCKS, SEED, device)
}

/// A network of so many convolutions and channels a block, with weights from a seed.
pub fn seeded(blocks: &[(usize, i64)], seed: u64, device: Device) -> Result<Vgg> {
    let mut random = Random(seed);
    let mut x = photograph_like(&mut random)?;
    let mut channels = 3;
    let mut convs = Vec::new();
    for (block, &(count, out)) in (1..).zip(blocks) {
        if block > 1 {
            (x, _) = Pooling::Max.apply(&x)?;
        }
        for conv in 1..=count {
            let weight = orthogonal(&mut random, out, channels)?;
            let conv = scaled(Layer { block, conv }, weight, &x)?;
            x = conv.apply(&x, true)?;
            channels = out;
            convs.push(Conv::new(conv.layer, &conv.weight.f_to_device(device)?, conv.bias.f_to_device(device)?)?);
        }
    }
    Ok(Vgg::new(convs, Input::ImageNet, device))
}

/// A convolution whose channels have unit variance on `x`, before the ReLU. It has no bias: with the mean taken out, the
/// Gram matrices would lose the style's palette.
fn scaled(layer: Layer, weight: Tensor, x: &Tensor) -> Result<Conv> {
    let bias = Tensor::f_zeros([weight.size()[0]], (Kind::Float, Device::Cpu))?;
    let conv = Conv::new(layer, &weight, bias)?;
    let std = conv.apply(x, false)?.f_std_dim([0, 2, 3].as_slice(), false, false)?.f_add_scalar(1e-5)?;
    Ok(Conv::new(layer, &weight.f_div(&std.f_view([-1, 1, 1, 1])?)?, conv.bias)?)
}

/// `(out, input, 3, 3)` whose rows, or columns where those are fewer, are orthonormal.
fn orthogonal(random: &mut Random, out: i64, input: i64) -> Result<Tensor> {
    let fan_in = input * 9;
    let gaussian = random.normal(out.max(fan_in) * out.min(fan_in))?.f_view([out.max(fan_in), out.min(fan_in)])?;
    let (q, r) = Tensor::f_linalg_qr(&gaussian, "reduced")?;
    // The signs of R's diagonal make the choice of Q unique, whatever the solver.
    let q = q.f_mul(&r.f_diagonal(0, 0, 1)?.f_sign()?)?;
    let q = if out > fan_in { q } else { q.f_transpose(0, 1)? };
    Ok(q.f_contiguous()?.f_view([out, input, 3, 3])?)
}

/// A picture `(1, 3, SIDE, SIDE)`, as the network sees it after VGG's normalisation: Gaussian noise summed over octaves,
/// which gives photographs' 1/f spectrum.
fn photograph_like(random: &mut Random) -> Result<Tensor> {
    let mut picture = Tensor::f_zeros([1, 3, SIDE, SIDE], (Kind::Float, Device::Cpu))?;
    let mut side = 2;
    while side <= SIDE {
        let octave = random.normal(3 * side * side)?.f_view([1, 3, side, side])?;
        picture = picture.f_add(&octave.f_upsample_bilinear2d([SIDE, SIDE], false, None, None)?)?;
        side *= 2;
    }
    Ok(picture)
}
