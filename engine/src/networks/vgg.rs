//! Networks of the VGG family: blocks of 3 x 3 convolutions, each followed by a ReLU, with pooling between blocks.
//!
//! K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR 2015).

use std::cell::OnceCell;
use std::fmt;

use tch::{Device, Kind, TchError, Tensor};

use crate::convolution::{Convolution, channels_last};
use crate::normalization::Input;
use crate::pooling::{Pooled, Pooling};
use crate::{Error, Result};

/// The position of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layer {
    /// The block, from 1.
    pub block: usize,
    /// The convolution within its block, from 1.
    pub conv: usize,
}

/// A layer whose features can be used: `conv4_2` is the output of block 4's convolution 2, `relu4_2` that of its ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeatureLayer {
    /// The convolution.
    pub conv: Layer,
    /// Whether it is the output of the ReLU.
    pub rectified: bool,
}

impl fmt::Display for FeatureLayer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = if self.rectified { "relu" } else { "conv" };
        write!(f, "{kind}{}_{}", self.conv.block, self.conv.conv)
    }
}

/// A 3 x 3 convolution.
pub struct Conv {
    /// Its position.
    pub layer: Layer,
    /// `(out, in, 3, 3)`.
    pub weight: Tensor,
    /// `(out)`.
    pub bias: Tensor,
    convolution: Convolution,
    /// The convolution of the backward pass, made when it is first needed.
    adjoint: OnceCell<Convolution>,
}

impl Conv {
    /// A convolution with this weight, `(out, in, 3, 3)`, and bias, `(out)`.
    pub fn new(layer: Layer, weight: &Tensor, bias: Tensor) -> std::result::Result<Self, TchError> {
        let convolution = Convolution::new(weight, Some(bias.shallow_clone()))?;
        Ok(Self { layer, weight: convolution.weight.shallow_clone(), bias, convolution, adjoint: OnceCell::new() })
    }

    /// The output, before the ReLU or after: `(1, in, H, W) -> (1, out, H, W)`.
    pub(crate) fn apply(&self, x: &Tensor, rectified: bool) -> Result<Tensor> {
        Ok(self.convolution.apply(x, rectified)?)
    }

    /// The gradient at the input, from the gradient at the output. It is a convolution too, and as fast.
    fn back(&self, gradient: &Tensor) -> Result<Tensor> {
        let adjoint = match self.adjoint.get() {
            Some(adjoint) => adjoint,
            None => {
                let mirrored = self.weight.f_flip([2, 3])?.f_transpose(0, 1)?;
                let adjoint = Convolution::new(&mirrored, None)?;
                self.adjoint.get_or_init(|| adjoint)
            }
        };
        Ok(adjoint.apply(gradient, false)?)
    }
}

/// A VGG network as a feature extractor.
pub struct Vgg {
    /// The convolutions, in order.
    pub convs: Vec<Conv>,
    /// The convention of the input that the weights were trained with.
    pub input: Input,
    /// The device of the weights.
    pub device: Device,
    /// The default of `recipe=deepdream`, for a network whose last layer as a whole gives garish dreams.
    pub dream: Option<Dream>,
}

/// A layer's channels that look well in dreams.
#[derive(Clone, Copy, Debug)]
pub struct Dream {
    /// The layer's name.
    pub layer: &'static str,
    /// The channels' numbers, from 0.
    pub channels: &'static [i32],
}

impl Vgg {
    /// A network of these convolutions, on their device.
    pub fn new(convs: Vec<Conv>, input: Input, device: Device) -> Self {
        Self { convs, input, device, dream: None }
    }

    /// The same network that computes in another precision.
    pub fn to_kind(&self, kind: Kind) -> Result<Self> {
        let convert = |conv: &Conv| Conv::new(conv.layer, &conv.weight.f_to_kind(kind)?, conv.bias.f_to_kind(kind)?);
        let convs = self.convs.iter().map(convert).collect::<std::result::Result<_, TchError>>()?;
        Ok(Self { convs, ..*self })
    }

    /// The layers whose features can be used, in order.
    pub fn feature_layers(&self) -> impl DoubleEndedIterator<Item = FeatureLayer> {
        self.convs.iter().flat_map(|conv| [false, true].map(|rectified| FeatureLayer { conv: conv.layer, rectified }))
    }

    /// The name of the last layer.
    pub(crate) fn last_layer(&self) -> String {
        self.feature_layers().next_back().map_or_else(String::new, |layer| layer.to_string())
    }

    /// The layer called `name`: `conv4_2`, `relu4_2`, or its index in torchvision's `features`, where a ReLU follows
    /// each convolution and a pooling each block.
    pub fn feature_layer(&self, name: &str) -> Option<FeatureLayer> {
        self.feature_layers().find(|&layer| layer.to_string() == name || self.index(layer).to_string() == name)
    }

    /// The layer's index in torchvision's `features`.
    pub(crate) fn index(&self, layer: FeatureLayer) -> usize {
        let before = self.convs.iter().take_while(|conv| conv.layer < layer.conv).count();
        2 * before + (layer.conv.block - 1) + usize::from(layer.rectified)
    }

    /// The features of `x`, `(1, 3, H, W)`, normalized as the weights expect it, at each layer of `wanted`:
    /// `(1, C, h, w)`, in the network's precision.
    ///
    /// `wanted` must be in order; nothing is computed beyond its last layer.
    pub fn features(&self, x: &Tensor, wanted: &[FeatureLayer], pooling: Pooling) -> Result<Vec<Tensor>> {
        self.forward(x, wanted, pooling, &mut |_| ())
    }

    /// The same, with a record of the forward pass for the gradient.
    pub(crate) fn trace(&self, x: &Tensor, wanted: &[FeatureLayer], pooling: Pooling) -> Result<Trace<'_>> {
        let mut passed = Vec::new();
        let features = self.forward(x, wanted, pooling, &mut |step| {
            // The gradient of a pooling includes that of the ReLU before it.
            if matches!(step, Passed::Pool(..)) && matches!(passed.last(), Some(Passed::Relu { .. })) {
                passed.pop();
            }
            passed.push(step);
        })?;
        Ok(Trace { features, passed })
    }

    fn forward<'a>(
        &'a self,
        x: &Tensor,
        wanted: &[FeatureLayer],
        pooling: Pooling,
        pass: &mut dyn FnMut(Passed<'a>),
    ) -> Result<Vec<Tensor>> {
        let kind = self.convs.first().map_or(Kind::Float, |conv| conv.weight.kind());
        let mut x = channels_last(x, kind)?;
        let mut features = Vec::with_capacity(wanted.len());
        let mut block = 1;
        for conv in &self.convs {
            if features.len() == wanted.len() {
                break;
            }
            if conv.layer.block != block {
                block = conv.layer.block;
                let (_, _, height, width) = x.size4()?;
                // A picture of one row or column cannot be halved.
                if height >= 2 && width >= 2 {
                    let (halved, pooled) = pooling.apply(&x)?;
                    pass(Passed::Pool(pooling, pooled));
                    x = halved;
                }
            }
            let at = |rectified| FeatureLayer { conv: conv.layer, rectified };
            let is_wanted = wanted.contains(&at(false));
            let response = conv.apply(&x, !is_wanted)?;
            pass(Passed::Conv(conv));
            if is_wanted {
                features.push(response.shallow_clone());
                pass(Passed::Features);
            }
            x = if is_wanted { response.f_relu()? } else { response };
            pass(Passed::Relu { output: x.shallow_clone() });
            if wanted.contains(&at(true)) {
                features.push(x.shallow_clone());
                pass(Passed::Features);
            }
        }
        Ok(features)
    }
}

/// An operation of the forward pass, with what its gradient needs.
enum Passed<'a> {
    Conv(&'a Conv),
    Relu { output: Tensor },
    Pool(Pooling, Pooled),
    Features,
}

/// A forward pass, for the gradient at its input. The backward pass is written by hand instead of by autograd: nothing
/// is computed for the weights, the memory of each layer is freed once it is passed, and losses add their gradients in
/// closed form.
pub(crate) struct Trace<'a> {
    features: Vec<Tensor>,
    passed: Vec<Passed<'a>>,
}

impl Trace<'_> {
    /// The gradient at the network's input, `(1, 3, H, W)` in 32 bits. `add_gradient` is called for each wanted layer,
    /// the last one first, with its index, its features and the gradient there, to which it adds the losses' own.
    pub fn back(mut self, mut add_gradient: impl FnMut(usize, &Tensor, &mut Tensor) -> Result<()>) -> Result<Tensor> {
        let mut gradient: Option<Tensor> = None;
        while let Some(passed) = self.passed.pop() {
            gradient = Some(match (passed, gradient.take()) {
                (Passed::Features, gradient) => {
                    let Some(features) = self.features.pop() else { break };
                    let mut gradient = gradient.map_or_else(|| features.f_zeros_like(), Ok)?;
                    add_gradient(self.features.len(), &features, &mut gradient)?;
                    gradient
                }
                // There is no gradient beyond the last wanted layer.
                (_, None) => continue,
                (Passed::Conv(conv), Some(gradient)) => conv.back(&gradient)?,
                (Passed::Relu { output }, Some(gradient)) => output.f_threshold_backward(&gradient, 0)?,
                (Passed::Pool(pooling, pooled), Some(gradient)) => pooling.back(&pooled, &gradient)?,
            });
        }
        let none = || Error::Settings("no layer is compared".into());
        Ok(gradient.ok_or_else(none)?.f_to_kind(Kind::Float)?.f_contiguous()?)
    }
}
