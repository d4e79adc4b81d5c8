//! The student's start: the teacher's layers with fewer channels, or random weights.

use style_engine::networks::vgg::{Layer, Vgg};
use style_engine::normalization::Input;
use style_engine::pooling::Pooling;
use style_engine::random::Random;
use tch::{Device, Kind, Tensor};
use tools::Outcome;

/// A convolution's layer, weight `(out, in, 3, 3)` and bias `(out)`.
pub type Convolution = (Layer, Tensor, Tensor);

/// The side of the picture by which random layers are scaled.
const SIDE: i64 = 128;

/// Regularizes the least squares, since channels may be nearly equal: a share of their mean square.
const RIDGE: f64 = 1e-6;

/// A network with these numbers of channels for each convolution of each block. As long as its topology agrees with the
/// teacher's, if there is one, its layers are the teacher's, pruned by their features of the `pictures`. All other
/// layers have random weights from the seed.
pub fn network(channels: &[Vec<i64>], teacher: Option<(&Vgg, &Tensor)>, seed: u64) -> Outcome<Vec<Convolution>> {
    let layers = (1..).zip(channels).flat_map(|(block, channels)| {
        (1..).zip(channels).map(move |(conv, &channels)| (Layer { block, conv }, channels))
    });
    let layers: Vec<_> = layers.collect();
    let mut pruned = match teacher {
        Some((teacher, pictures)) => pruned(teacher, &layers, pictures)?,
        None => Vec::new(),
    }
    .into_iter();
    let mut random = Random(seed);
    let mut x = photograph_like(&mut random)?;
    let mut convs: Vec<Convolution> = Vec::new();
    for (layer, out) in layers {
        if convs.last().is_some_and(|(last, ..)| last.block < layer.block) {
            x = x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
        }
        let conv = match pruned.next() {
            Some(conv) => conv,
            None => (layer, scaled(&orthogonal(&mut random, out, x.size()[1])?, &x), Tensor::zeros([out], FLOAT)),
        };
        x = convolve(&x, &conv.1, Some(&conv.2)).relu();
        convs.push(conv);
    }
    Ok(convs)
}

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

fn convolve(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    x.conv2d(weight, bias, [1, 1], [1, 1], [1, 1], 1)
}

/// The teacher's layers as far as the topologies agree. Each layer keeps the channels from which the others can best be
/// reconstructed, and its weights compensate for the channels that its input lacks (Y. He, X. Zhang, J. Sun, "Channel
/// Pruning for Accelerating Very Deep Neural Networks", ICCV 2017; the channels are chosen greedily).
fn pruned(teacher: &Vgg, layers: &[(Layer, i64)], pictures: &Tensor) -> Outcome<Vec<Convolution>> {
    let common = teacher.convs.iter().zip(layers).take_while(|(conv, (layer, _))| conv.layer == *layer).count();
    let rectified: Vec<_> = teacher.feature_layers().filter(|layer| layer.rectified).take(common).collect();
    let features = teacher.features(&Input::ImageNet.on(teacher.device)?.apply(pictures)?, &rectified, Pooling::Max)?;
    let mut convs = Vec::new();
    // The linear map that reconstructs the teacher's previous layer from the student's.
    let mut rebuilt = Tensor::eye(3, (Kind::Double, Device::Cpu));
    for ((conv, features), (layer, channels)) in teacher.convs.iter().zip(&features).zip(layers) {
        let features = features.to_device(Device::Cpu).to_kind(Kind::Double).transpose(0, 1).flatten(1, 3);
        let products = features.matmul(&features.transpose(0, 1)) / features.size()[1] as f64;
        let kept = best(&products, *channels);
        let ridge = Tensor::eye(kept.size()[0], (Kind::Double, Device::Cpu)) * products.trace() * RIDGE;
        let weight = conv.weight.to_device(Device::Cpu).to_kind(Kind::Double).index_select(0, &kept);
        let weight = weight.permute([0, 2, 3, 1]).matmul(&rebuilt).permute([0, 3, 1, 2]).contiguous();
        let bias = conv.bias.to_device(Device::Cpu).index_select(0, &kept);
        convs.push((*layer, weight.to_kind(Kind::Float), bias.to_kind(Kind::Float)));
        let of_kept = products.index_select(1, &kept);
        rebuilt = of_kept.matmul(&(of_kept.index_select(0, &kept) + ridge).inverse());
    }
    Ok(convs)
}

/// The `count` channels from which all channels can best be reconstructed linearly, given the channels' products `(C,
/// C)`. They are chosen greedily: each explains most of what the ones before it leave.
fn best(products: &Tensor, count: i64) -> Tensor {
    let mut left = products.copy();
    let mut kept = Vec::new();
    for _ in 0..count.min(products.size()[0]) {
        let lengths = left.diagonal(0, 0, 1);
        let is_left = lengths.gt_tensor(&(products.trace() * 1e-12));
        let explains = left.square().sum_dim_intlist([0i64].as_slice(), false, Kind::Double) / lengths;
        let channel = explains.where_scalarother(&is_left, -1.0).argmax(None, false);
        let row = left.index_select(0, &channel.view([1]));
        left -= row.transpose(0, 1).matmul(&row) / row.index_select(1, &channel.view([1]));
        kept.push(channel.int64_value(&[]));
    }
    kept.sort_unstable();
    kept.dedup();
    Tensor::from_slice(&kept)
}

/// Scales a weight so that its channels have unit variance on `x`, before the ReLU. Even untrained features represent
/// style if each layer has the right scale (K. He, Y. Wang, J. Hopcroft, "A Powerful Generative Model Using Random
/// Weights for the Deep Image Representation", NIPS 2016; D. Mishkin, J. Matas, "All You Need Is a Good Init", ICLR
/// 2016).
fn scaled(weight: &Tensor, x: &Tensor) -> Tensor {
    let std = convolve(x, weight, None).std_dim([0, 2, 3].as_slice(), false, false) + 1e-5;
    weight / std.view([-1, 1, 1, 1])
}

/// A random weight `(out, input, 3, 3)`. As a matrix, its rows are orthonormal, or its columns if there are fewer of
/// them.
fn orthogonal(random: &mut Random, out: i64, input: i64) -> Outcome<Tensor> {
    let fan_in = input * 9;
    let gaussian = random.normal(out.max(fan_in) * out.min(fan_in))?.view([out.max(fan_in), out.min(fan_in)]);
    let (q, r) = Tensor::linalg_qr(&gaussian, "reduced");
    // The signs of R's diagonal make the choice of Q unique, whatever the solver.
    let q = q * r.diagonal(0, 0, 1).sign();
    let q = if out > fan_in { q } else { q.transpose(0, 1) };
    Ok(q.contiguous().view([out, input, 3, 3]))
}

/// A picture `(1, 3, SIDE, SIDE)` after VGG's normalization: a sum of octaves of Gaussian noise, which has the 1/f
/// spectrum of photographs.
fn photograph_like(random: &mut Random) -> Outcome<Tensor> {
    let mut picture = Tensor::zeros([1, 3, SIDE, SIDE], FLOAT);
    let mut side = 2;
    while side <= SIDE {
        let octave = random.normal(3 * side * side)?.view([1, 3, side, side]);
        picture += octave.upsample_bilinear2d([SIDE, SIDE], false, None, None);
        side *= 2;
    }
    Ok(picture)
}
