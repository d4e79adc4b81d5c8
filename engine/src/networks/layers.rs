//! Layers of feed-forward networks: convolutions with the edges that they need, and normalization after them.

use std::cell::RefCell;

use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::convolution::channels_last;
use crate::instance_norm::{After, EPSILON, normalize};
use crate::size::size_of;
use crate::weights::{Reason, Tensors};

/// A value read from a file, or the reason why it cannot be read.
pub type Read<T> = std::result::Result<T, Reason>;

/// Convolutions with a kernel of at least this side compute several neighboring columns at once, as channels: pictures have
/// only three channels, and processors compute on vectors of 16.
const WIDE: i64 = 7;
const COLUMNS: i64 = 4;

/// How a convolution with a square kernel treats a picture's size and edges.
#[derive(Clone, Copy)]
pub enum Geometry {
    /// Divides the size by `stride`, with reflections beyond the edges.
    Reflected { side: i64, stride: i64 },
    /// Doubles the size by repeating pixels, then convolves with a kernel of 3 x 3 and reflections beyond the edges.
    Upsampled,
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
    /// The weight and the bias as they were last computed with.
    arranged: RefCell<Option<Arranged>>,
}

/// A weight and a bias, in the form and the precision in which they are computed with.
struct Arranged {
    weight: Tensor,
    bias: Option<Tensor>,
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
            Geometry::Upsampled => (3, false),
            Geometry::Doubled { side } => (side, true),
        };
        let shape = self.tensors.shape(&weight).ok_or_else(|| format!("{weight} is missing"))?;
        let channels = shape.get(usize::from(is_transposed)).copied().unwrap_or(0).max(1);
        let [first, second] = if is_transposed { [self.channels, channels] } else { [channels, self.channels] };
        let weight = self.tensors.read(&weight, &[first, second, side, side], self.device)?;
        self.channels = channels;
        let bias = if has_bias { Some(self.of_channels(&format!("{name}.bias"))?) } else { None };
        Ok(Convolution { weight, bias, geometry, channels, arranged: RefCell::default() })
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
        let Arranged { weight, bias } = self.arranged(x.kind())?;
        let convolve = |x: &Tensor, stride: i64, padding: i64| {
            x.f_conv2d(&weight, bias.as_ref(), [stride; 2], [padding; 2], [1, 1], 1)
        };
        Ok(match self.geometry {
            Geometry::Reflected { side, stride: 1 } if side >= WIDE => {
                let [_, width] = size_of(x)?;
                let x = x.f_reflection_pad2d([COLUMNS, COLUMNS, side / 2, side / 2])?;
                let missing = (COLUMNS - width % COLUMNS) % COLUMNS;
                let x = if missing > 0 { x.f_constant_pad_nd([0, missing])? } else { x };
                columns_of(&convolve(&columns_as_channels(&x)?, 1, 0)?, self.channels)?.f_narrow(3, 0, width)?
            }
            Geometry::Reflected { side, stride } => convolve(&x.f_reflection_pad2d([side / 2; 4])?, stride, 0)?,
            Geometry::Upsampled => doubled(&convolve(&x.f_replication_pad2d([1; 4])?, 1, 0)?, self.channels)?,
            Geometry::Halved { .. } => convolve(x, 2, 1)?,
            // A kernel of an odd side would give a row and a column less than twice as many.
            Geometry::Doubled { side } => {
                x.f_conv_transpose2d(&weight, bias.as_ref(), [2, 2], [1, 1], [side % 2; 2], 1, [1, 1])?
            }
        })
    }

    /// The weight and the bias to compute with, in this precision.
    fn arranged(&self, kind: Kind) -> Result<Arranged> {
        let clone = |arranged: &Arranged| Arranged {
            weight: arranged.weight.shallow_clone(),
            bias: arranged.bias.as_ref().map(Tensor::shallow_clone),
        };
        if let Some(last) = &*self.arranged.borrow()
            && last.weight.kind() == kind
        {
            return Ok(clone(last));
        }
        let (weight, copies) = match self.geometry {
            Geometry::Reflected { side, stride: 1 } if side >= WIDE => (for_columns(&self.weight, side)?, COLUMNS),
            Geometry::Upsampled => (for_doubling(&self.weight)?, 4),
            _ => (self.weight.shallow_clone(), 1),
        };
        let bias = self.bias.as_ref().map(|bias| bias.f_repeat([copies])?.f_to_kind(kind)).transpose()?;
        let arranged = Arranged { weight: channels_last(&weight, kind)?, bias };
        if !self.weight.requires_grad() {
            *self.arranged.borrow_mut() = Some(clone(&arranged));
        }
        Ok(arranged)
    }
}

/// `(1, C, H, W)` as `(1, COLUMNS C, H, W / COLUMNS)`: the same memory, if that is channels last.
fn columns_as_channels(x: &Tensor) -> Result<Tensor> {
    let (_, channels, height, width) = x.size4()?;
    let rows = x.f_permute([0, 2, 3, 1])?.f_reshape([-1, height, width / COLUMNS, COLUMNS * channels])?;
    Ok(rows.f_permute([0, 3, 1, 2])?)
}

/// The reverse, for this number of channels.
fn columns_of(x: &Tensor, channels: i64) -> Result<Tensor> {
    let (_, _, height, width) = x.size4()?;
    let rows = x.f_permute([0, 2, 3, 1])?.f_reshape([-1, height, width * COLUMNS, channels])?;
    Ok(rows.f_permute([0, 3, 1, 2])?)
}

/// The weight that convolves columns as channels: for each of the output's columns, the kernel is moved to it.
fn for_columns(weight: &Tensor, side: i64) -> Result<Tensor> {
    let (out, input, height, _) = weight.size4()?;
    let moved = (0..COLUMNS).map(|column| {
        let left = COLUMNS - side / 2 + column;
        Ok(weight.f_constant_pad_nd([left, 3 * COLUMNS - side - left])?)
    });
    let all = Tensor::f_cat(&moved.collect::<Result<Vec<_>>>()?, 0)?;
    let columns = all.f_view([COLUMNS * out, input, height, 3, COLUMNS])?.f_permute([0, 4, 1, 2, 3])?;
    Ok(columns.f_reshape([COLUMNS * out, COLUMNS * input, height, 3])?)
}

/// `(N, 4 C, H, W)` as `(N, C, 2 H, 2 W)`: the first channels are those of the upper left pixels, then the upper right ones.
fn doubled(x: &Tensor, channels: i64) -> Result<Tensor> {
    let (_, _, height, width) = x.size4()?;
    let pixels = x.f_permute([0, 2, 3, 1])?.f_reshape([-1, height, width, 2, 2, channels])?;
    let rows = pixels.f_permute([0, 1, 3, 2, 4, 5])?.f_reshape([-1, 2 * height, 2 * width, channels])?;
    Ok(rows.f_permute([0, 3, 1, 2])?)
}

/// The weight that gives the four pixels of each pixel of a picture of half the size: where a kernel covers two equal pixels,
/// its numbers are added.
fn for_doubling(weight: &Tensor) -> Result<Tensor> {
    let (out, input, ..) = weight.size4()?;
    let upper = [[1f32, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0; 3]];
    let lower = [[0f32; 3], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let sums = [upper, lower].concat().concat();
    let sums =
        Tensor::f_from_slice(&sums)?.f_view([2, 3, 3])?.f_to_device(weight.device())?.f_to_kind(weight.kind())?;
    let four = Tensor::f_einsum("pak,qbl,oikl->pqoiab", &[&sums, &sums, weight], None::<&[i64]>)?;
    Ok(four.f_reshape([4 * out, input, 3, 3])?)
}

impl Normalized {
    pub fn apply(&self, x: &Tensor, after: After) -> Result<Tensor> {
        let response = self.convolution.apply(x)?;
        let Some([mean, variance]) = &self.statistics else {
            return normalize(response, self.scale_and_shift.as_ref(), after);
        };
        let [scale, shift] = match &self.scale_and_shift {
            Some([scale, shift]) => [Some(scale), Some(shift)],
            None => [None, None],
        };
        after.apply(response.f_batch_norm(scale, shift, Some(mean), Some(variance), false, 0.0, EPSILON, false)?)
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
            x = layer.apply(&x, After::Relu)?;
        }
        for [first, second] in &self.residuals {
            x = second.apply(&first.apply(&x, After::Relu)?, After::Add(&x))?;
        }
        Ok(x)
    }
}
