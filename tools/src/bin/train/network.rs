//! The parameters of a network of PyTorch's example `fast_neural_style`, as one vector.

use std::collections::BTreeMap;
use std::path::Path;

use style_engine::networks::fast_neural_style::FastNeuralStyle;
use style_engine::random::Random;
use style_engine::weights::{self, Tensors};
use tch::{Device, Kind, Tensor};
use tools::Outcome;

/// The last layer's parameters are stored divided by this: it gives levels in 0..255, and a step must not change it less
/// than the other layers.
const LEVELS: f64 = 127.5;
const LAST: &str = "deconv3.conv2d";

/// The names and shapes of a network's tensors, in their order.
pub struct Layout(Vec<(String, Vec<i64>)>);

impl Layout {
    /// Of a network with this number of channels in its first layer, and this number of residual blocks.
    pub fn new(channels: i64, blocks: i64) -> Self {
        let mut tensors = Vec::new();
        let mut layer = |conv: &str, norm: &str, [out, input, side]: [i64; 3]| {
            tensors.push((format!("{conv}.conv2d.weight"), vec![out, input, side, side]));
            tensors.push((format!("{conv}.conv2d.bias"), vec![out]));
            if !norm.is_empty() {
                tensors.push((format!("{norm}.weight"), vec![out]));
                tensors.push((format!("{norm}.bias"), vec![out]));
            }
        };
        let [first, second, third] = [channels, 2 * channels, 4 * channels];
        layer("conv1", "in1", [first, 3, 9]);
        layer("conv2", "in2", [second, first, 3]);
        layer("conv3", "in3", [third, second, 3]);
        for block in 1..=blocks {
            layer(&format!("res{block}.conv1"), &format!("res{block}.in1"), [third, third, 3]);
            layer(&format!("res{block}.conv2"), &format!("res{block}.in2"), [third, third, 3]);
        }
        layer("deconv1", "in4", [second, third, 3]);
        layer("deconv2", "in5", [first, second, 3]);
        layer("deconv3", "", [3, first, 9]);
        Self(tensors)
    }

    /// The number of parameters.
    pub fn len(&self) -> i64 {
        self.0.iter().map(|(_, shape)| shape.iter().product::<i64>()).sum()
    }

    /// Random parameters, `(len)`: convolutions as PyTorch starts them, and a last layer that gives gray.
    pub fn start(&self, random: &mut Random) -> Outcome<Tensor> {
        let mut fan_in = 1;
        let parts = self.0.iter().map(|(name, shape)| {
            let count: i64 = shape.iter().product();
            if shape.len() == 4 {
                fan_in = count / shape[0];
            }
            Ok(match name {
                name if name == &format!("{LAST}.bias")
                    || (name.contains("in") && name.ends_with("weight") && shape.len() == 1) =>
                {
                    Tensor::ones([count], (Kind::Float, Device::Cpu))
                }
                name if name.ends_with("weight") => (random.uniform(count)? * 2 - 1) / (fan_in as f64).sqrt(),
                _ => Tensor::zeros([count], (Kind::Float, Device::Cpu)),
            })
        });
        Ok(Tensor::cat(&parts.collect::<Outcome<Vec<_>>>()?, 0))
    }

    /// The parameters of a network's file.
    pub fn read(&self, path: &Path, device: Device) -> Outcome<Tensor> {
        let mut tensors = weights::open(path)?;
        let parts = self.0.iter().map(|(name, shape)| {
            let part = tensors.read(name, shape, device).map_err(|reason| format!("{}: {reason}", path.display()))?;
            Ok(if name.starts_with(LAST) { part / LEVELS } else { part }.flatten(0, -1))
        });
        Ok(Tensor::cat(&parts.collect::<Outcome<Vec<_>>>()?, 0))
    }

    /// The tensors by name, as in a file.
    pub fn tensors(&self, parameters: &Tensor, kind: Kind) -> Outcome<Vec<(String, Tensor)>> {
        let mut begin = 0;
        let part = |(name, shape): &(String, Vec<i64>)| {
            let count = shape.iter().product();
            let part = parameters.f_narrow(0, begin, count)?.f_view(shape.as_slice())?;
            begin += count;
            let part = if name.starts_with(LAST) { part * LEVELS } else { part };
            Ok((name.clone(), part.to_kind(kind)))
        };
        self.0.iter().map(part).collect()
    }

    /// The network with these parameters, whose gradients are tracked.
    pub fn network(&self, parameters: &Tensor) -> Outcome<FastNeuralStyle> {
        let tensors: BTreeMap<_, _> = self.tensors(parameters, Kind::Float)?.into_iter().collect();
        Ok(FastNeuralStyle::new(&mut Tensors::of(tensors), parameters.device())?)
    }
}
