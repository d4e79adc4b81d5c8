//! Layers of feed-forward networks: convolutions with the edges that they need, and normalization after them.

use tch::{Device, Tensor};

use crate::Result;
use crate::convolution::channels_last;
use crate::weights::{Reason, Tensors};

/// A value read from a file, or the reason why it cannot be read.
pub type Read<T> = std::result::Result<T, Reason>;

/// The number that normalization adds to the variance (PyTorch's default).
const EPSILON: f64 = 1e-5;

/// How a convolution with a square kernel treats a picture's size and edges.
#[derive(Clone, Copy)]
pub enum Geometry {
    /// Divides the size by `stride`, with reflections beyond the edges.
    Reflected { side: i64, stride: i64 },
    /// Halves the size, with a zero beyond each edge.
    Halved { side: i64 },
    /// Doubles the size, by a transposed convolution.
    Doubled { side: i64 },
}

/// A convolution.
pub struct Convolution {
    /// `(out, in, side, side)`, if transposed `(in, out, side, side)`; channels last.
    weight: Tensor,
    bias: Option<Tensor>,
    geometry: Geometry,
    /// Of the output.
    pub channels: i64,
}

/// The statistics that normalize the channels of a convolution's output to a mean of 0 and a variance of 1.
#[derive(Clone, Copy, PartialEq)]
pub enum Norm {
    /// The statistics of the picture.
    Instance,
    /// The same, with a scale and a shift for each channel.
    AffineInstance,
    /// The statistics of the pictures that the network was trained with, then a scale and a shift.
    Batch,
}

/// A convolution with normalization.
pub struct Normalized {
    pub convolution: Convolution,
    /// None with [`Norm::Instance`].
    scale_and_shift: Option<[Tensor; 2]>,
    /// With [`Norm::Batch`], the mean and the variance.
    statistics: Option<[Tensor; 2]>,
}

/// The first half of a network: convolutions that halve the size, then blocks whose result is added to their input.
pub struct Encoder {
    pub halving: Vec<Normalized>,
    pub residuals: Vec<[Normalized; 2]>,
}

/// Reads the layers of a network, in the order in which a picture passes them.
pub struct Layers<'a> {
    tensors: &'a mut Tensors,
    norm: Norm,
    device: Device,
    /// The channels of the next layer's input.
    pub channels: i64,
}

impl Norm {
    /// The kind of normalization called `norm`, after the convolution called `convolution`: batch normalization replaces
    /// the convolution's bias. Statistics beside a bias are ignored: old files have some that training did not use.
    pub fn of(tensors: &Tensors, convolution: &str, norm: &str) -> Self {
        let has = |layer: &str, part| tensors.shape(&format!("{layer}.{part}")).is_some();
        match (has(convolution, "bias"), has(norm, "weight")) {
            (false, _) => Self::Batch,
            (true, true) => Self::AffineInstance,
            (true, false) => Self::Instance,
        }
    }
}

impl<'a> Layers<'a> {
    /// Of a network for pictures of three colors.
    pub fn new(tensors: &'a mut Tensors, norm: Norm, device: Device) -> Self {
        Self { tensors, norm, device, channels: 3 }
    }

    /// The convolution called `name`.
    pub fn convolution(&mut self, name: &str, geometry: Geometry, has_bias: bool) -> Read<Convolution> {
        let weight = format!("{name}.weight");
        let (side, is_transposed) = match geometry {
            Geometry::Reflected { side, .. } | Geometry::Halved { side } => (side, false),
            Geometry::Doubled { side } => (side, true),
        };
        let shape = self.tensors.shape(&weight).ok_or_else(|| format!("{weight} is missing"))?;
        let channels = shape.get(usize::from(is_transposed)).copied().unwrap_or(0).max(1);
        let [first, second] = if is_transposed { [self.channels, channels] } else { [channels, self.channels] };
        let weight = self.tensors.read(&weight, &[first, second, side, side], self.device)?;
        let weight = channels_last(&weight, weight.kind()).map_err(|error| error.to_string())?;
        self.channels = channels;
        let bias = if has_bias { Some(self.of_channels(&format!("{name}.bias"))?) } else { None };
        Ok(Convolution { weight, bias, geometry, channels })
    }

    /// The convolution called `name`, which gives three colors.
    pub fn colors(&mut self, name: &str, geometry: Geometry) -> Read<Convolution> {
        let last = self.convolution(name, geometry, true)?;
        if last.channels != 3 {
            return Err(format!("{name} gives {} channels instead of 3", last.channels));
        }
        Ok(last)
    }

    /// The convolution called `name` with the normalization called `norm`.
    pub fn normalized(&mut self, name: &str, norm: &str, geometry: Geometry) -> Read<Normalized> {
        let convolution = self.convolution(name, geometry, self.norm != Norm::Batch)?;
        // The first version of PyTorch's example fast_neural_style has names of its own.
        let affine = match self.tensors.shape(&format!("{norm}.scale")) {
            Some(_) => ["scale", "shift"],
            None => ["weight", "bias"],
        };
        let scale_and_shift = if self.norm == Norm::Instance { None } else { Some(self.pair(norm, affine)?) };
        let statistics = match self.norm {
            Norm::Batch => Some(self.pair(norm, ["running_mean", "running_var"])?),
            _ => None,
        };
        Ok(Normalized { convolution, scale_and_shift, statistics })
    }

    /// Two numbers for each channel.
    fn pair(&mut self, layer: &str, [first, second]: [&str; 2]) -> Read<[Tensor; 2]> {
        Ok([self.of_channels(&format!("{layer}.{first}"))?, self.of_channels(&format!("{layer}.{second}"))?])
    }

    /// A number for each channel.
    fn of_channels(&mut self, name: &str) -> Read<Tensor> {
        self.tensors.read(name, &[self.channels], self.device)
    }
}

impl Convolution {
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = (&self.weight, self.bias.as_ref());
        Ok(match self.geometry {
            Geometry::Reflected { side, stride } => {
                x.f_reflection_pad2d([side / 2; 4])?.f_conv2d(weight, bias, [stride; 2], [0, 0], [1, 1], 1)?
            }
            Geometry::Halved { .. } => x.f_conv2d(weight, bias, [2, 2], [1, 1], [1, 1], 1)?,
            // A kernel of an odd side would give a row and a column less than twice as many.
            Geometry::Doubled { side } => {
                x.f_conv_transpose2d(weight, bias, [2, 2], [1, 1], [side % 2; 2], 1, [1, 1])?
            }
        })
    }
}

impl Normalized {
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let response = self.convolution.apply(x)?;
        let [scale, shift] = match &self.scale_and_shift {
            Some([scale, shift]) => [Some(scale), Some(shift)],
            None => [None, None],
        };
        Ok(match &self.statistics {
            Some([mean, variance]) => {
                response.f_batch_norm(scale, shift, Some(mean), Some(variance), false, 0.0, EPSILON, false)?
            }
            // Instance normalization is group normalization with a channel in each group, which libtorch does faster.
            None => response.f_group_norm(self.convolution.channels, scale, shift, EPSILON, false)?,
        })
    }
}

impl Encoder {
    /// The channels of the first layer.
    pub fn channels(&self) -> i64 {
        self.halving.first().map_or(0, |first| first.convolution.channels)
    }

    pub fn apply(&self, picture: &Tensor) -> Result<Tensor> {
        let mut x = channels_last(picture, picture.kind())?;
        for layer in &self.halving {
            x = layer.apply(&x)?.f_relu_()?;
        }
        for [first, second] in &self.residuals {
            x = second.apply(&first.apply(&x)?.f_relu_()?)?.f_add(&x)?;
        }
        Ok(x)
    }
}
