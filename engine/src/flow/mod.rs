//! Dense optical flow: where everything in a frame has moved in another.
//!
//! Coarse to fine over a pyramid, each level iterates windowed least squares on the brightness constancy equation
//! (B. Lucas, T. Kanade, IJCAI 1981), where a pixel's equation is about its whole motion, not the change to it, so that
//! windows also fill in what has no texture. Equations are normalized (H. Zimmer, A. Bruhn, J. Weickert, IJCV 2011,
//! section 3.1) and count less the less they hold (M. Black, P. Anandan, CVIU 1996). Medians between the iterations
//! keep out outliers (D. Sun, S. Roth, M. Black, CVPR 2010). At the end of a level, pixels take over the motion of
//! neighbors where it fits better (C. Barnes et al., "PatchMatch", SIGGRAPH 2009, section 3.2): windows reach beyond
//! the edges of things, this brings the motion's edges back to them. The finest level has half the frame's resolution.
//!
//! That motion is noisy by some tenths of a pixel. So, where they fit as well, simpler motions replace it: affine ones in
//! large windows, from the same equations at full resolution (J. Bergen et al., "Hierarchical model-based motion
//! estimation", ECCV 1992, section 3.2), and before these the affine motion that most of the frame follows, the camera's,
//! by iteratively reweighted least squares (J.-M. Odobez, P. Bouthemy, JVCIR 1995, section 2), or none, where the camera
//! seems to stand. They are precise to hundredths of a pixel, and what has no texture moves as its surroundings do.

mod cache;
mod parametric;
mod sampling;
mod smoothing;

use tch::{Device, Kind, TchError, Tensor};

use self::parametric::Samples;
pub use self::sampling::{Filter, clamped_into_frame, visible, warp};
use self::sampling::{inside, sample, targets};
use self::smoothing::smooth;
use crate::Result;
use crate::color::gray;
use crate::parallel;
use crate::size::size_of;

/// The coarsest level's shorter side is at least this: windows would not fit into less.
const MIN_SIDE: i64 = 8;

/// A gradient, per pixel, as noise has it: equations from larger ones count fully.
const NOISE_GRADIENT: f64 = 0.02;

/// A difference in brightness as right matches have it: equations with larger ones count little.
const NOISE: f64 = 0.08;

/// The windows of a level's iterations; see [`smooth`].
const WINDOWS: [u32; 2] = [3, 2];

/// How much it counts that a pixel moves as what is around it, where an equation counts up to 1; and how far around.
const SMOOTHNESS: f64 = 0.03;
const SMOOTHNESS_WINDOW: u32 = 4;

/// How far away the neighbors are whose motion a pixel may take over.
const NEIGHBOR: i64 = 4;

/// How much better that must fit, where the worst misfit is 1; and the window over which fits are compared.
const MIN_GAIN: f64 = 0.002;
const FIT_WINDOW: u32 = 1;

/// What of a frame is needed to find motion from it or to it.
pub struct Frame {
    /// Height and width.
    size: [i64; 2],
    /// From half resolution to coarse, brightness and its gradient, `(1, 3, h, w)`.
    levels: Vec<Tensor>,
    /// At full resolution, brightness, `(1, 1, H, W)`.
    brightness: Tensor,
    /// The same, smoothed.
    smooth: Tensor,
    /// Of every second pixel, brightness and its change over two pixels in x and in y, `(1, 3, h, w)`.
    samples: Tensor,
}

impl Frame {
    /// Of a picture, `(1, 3, H, W)` in 0..1.
    pub fn new(picture: &Tensor) -> Result<Self> {
        let full = gray(picture)?;
        let mut brightness = halve(&full)?;
        let mut levels = vec![with_gradient(&brightness)?];
        while size_of(&brightness)?.into_iter().all(|side| side >= 2 * MIN_SIDE) {
            brightness = halve(&brightness)?;
            levels.push(with_gradient(&brightness)?);
        }
        let (samples, smooth) = (every_second(&full)?, smooth(&full, 1)?);
        Ok(Self { size: size_of(picture)?, levels, samples, smooth, brightness: full })
    }
}

/// The motion from a frame to another of the same size, and back, each `(1, 2, H, W)`, x then y, in pixels: what lies at
/// p in one lies at p + motion(p) in the other.
pub fn between(first: &Frame, second: &Frame) -> Result<[Tensor; 2]> {
    let [there, back] = [Pair::new(first, second)?, Pair::new(second, first)?];
    if there.has_thread_each() {
        let [there, back] = parallel::both([there, back], &|pair: Pair| {
            let _no_gradients = tch::no_grad_guard();
            pair.motion()
        });
        return Ok([there?, back?]);
    }
    let motion = Pair::batch(&there, &back)?.motion()?;
    Ok([motion.f_narrow(0, 0, 1)?, motion.f_narrow(0, 1, 1)?])
}

/// libtorch gives a thread no less than so many values.
const VALUES_A_THREAD: i64 = 1 << 15;

/// A frame, and another that its motion is to be found in; or N such pairs.
struct Pair {
    /// Height and width.
    size: [i64; 2],
    /// As [`Frame::levels`] of either, `(N, 3, h, w)`.
    levels: Vec<[Tensor; 2]>,
    samples: Samples,
}

impl Pair {
    fn new(first: &Frame, second: &Frame) -> Result<Self> {
        let levels = first.levels.iter().zip(&second.levels);
        Ok(Self {
            size: first.size,
            levels: levels.map(|(first, second)| [first.shallow_clone(), second.shallow_clone()]).collect(),
            samples: Samples::new(first, second)?,
        })
    }

    /// Both at once.
    fn batch(first: &Self, second: &Self) -> Result<Self> {
        let levels = first.levels.iter().zip(&second.levels);
        Ok(Self {
            size: first.size,
            levels: levels.map(|(a, b)| Ok([cat(&a[0], &b[0])?, cat(&a[1], &b[1])?])).collect::<Result<_>>()?,
            samples: Samples::batch(&first.samples, &second.samples)?,
        })
    }

    /// Whether two of these are found sooner on a thread each than together, when all threads would share each operation.
    fn has_thread_each(&self) -> bool {
        self.levels.first().is_some_and(|[finest, _]| {
            let sharing = (2 * finest.numel() as i64 / VALUES_A_THREAD).min(i64::from(tch::get_num_threads()));
            finest.device() == Device::Cpu && sharing <= 2
        })
    }

    /// `(N, 2, H, W)`, as [`between`].
    fn motion(&self) -> Result<Tensor> {
        let [finest, _] = self.levels.first().ok_or_else(|| TchError::Shape("a frame has a level".into()))?;
        let (pairs, ..) = finest.size4()?;
        let mut motion = Tensor::f_zeros([pairs, 2, 1, 1], (Kind::Float, finest.device()))?;
        for [from, to] in self.levels.iter().rev() {
            motion = enlarge(&motion, size_of(from)?)?;
            for window in WINDOWS {
                motion = median(&solve(from, to, &motion, window)?)?;
            }
            motion = median(&propagate(from, to, &motion)?)?;
        }
        enlarge(&self.samples.simplify(&motion)?, self.size)
    }
}

fn cat(first: &Tensor, second: &Tensor) -> Result<Tensor> {
    Ok(Tensor::f_cat(&[first, second], 0)?)
}

/// Moves every pixel to where the equations in a window around it hold best.
fn solve(from: &Tensor, to: &Tensor, motion: &Tensor, window: u32) -> Result<Tensor> {
    let targets = targets(motion)?;
    let matched = sample(to, &targets, Filter::Bilinear)?;
    let change = matched.f_narrow(1, 0, 1)?.f_sub(&from.f_narrow(1, 0, 1)?)?;
    let gradient = matched.f_narrow(1, 1, 2)?.f_add(&from.f_narrow(1, 1, 2)?)?.f_mul_scalar(0.5)?;

    // The equation: gradient . new motion = gradient . motion - change.
    let steepness = sum_of_channels(&gradient.f_square()?)?.f_add_scalar(NOISE_GRADIENT.powi(2))?;
    let doubt = change.f_square()?.f_div_scalar(NOISE.powi(2))?.f_add_scalar(1)?;
    let weighted = gradient.f_mul(&inside(&targets)?)?.f_div(&steepness.f_mul(&doubt)?)?;
    let distance = sum_of_channels(&gradient.f_mul(motion)?)?.f_sub(&change)?;
    let mixed = weighted.f_narrow(1, 0, 1)?.f_mul(&gradient.f_narrow(1, 1, 1)?)?;
    let normal = smooth(&Tensor::f_cat(&[weighted.f_mul(&gradient)?, mixed, weighted.f_mul(&distance)?], 1)?, window)?;

    // The normal equations: [a b; b c] new motion = right.
    let diagonal = normal.f_narrow(1, 0, 2)?.f_add_scalar(SMOOTHNESS)?;
    let b = normal.f_narrow(1, 2, 1)?;
    let mean = smooth(motion, SMOOTHNESS_WINDOW)?;
    let right = normal.f_narrow(1, 3, 2)?.f_add(&mean.f_mul_scalar(SMOOTHNESS)?)?;
    let determinant = diagonal.f_prod_dim_int(1, true, Kind::Float)?.f_sub(&b.f_square()?)?;
    let solution = diagonal.f_flip([1])?.f_mul(&right)?.f_sub(&b.f_mul(&right.f_flip([1])?)?)?;
    Ok(solution.f_div(&determinant)?)
}

/// Where a neighbor's motion fits better, takes that over.
fn propagate(from: &Tensor, to: &Tensor, motion: &Tensor) -> Result<Tensor> {
    let (from, to) = (from.f_narrow(1, 0, 1)?, to.f_narrow(1, 0, 1)?);
    let misfit = |motion: &Tensor| smooth(&misfit(&warp(&to, motion, Filter::Bilinear)?.f_sub(&from)?)?, FIT_WINDOW);
    let [height, width] = size_of(motion)?;
    let around = pad(motion, [NEIGHBOR; 4])?;
    let mut best = motion.shallow_clone();
    let mut least = misfit(motion)?.f_sub_scalar(MIN_GAIN)?;
    for [y, x] in [[1, 0], [1, 2], [0, 1], [2, 1]] {
        let other = around.f_narrow(2, y * NEIGHBOR, height)?.f_narrow(3, x * NEIGHBOR, width)?;
        let others = misfit(&other)?;
        best = other.f_where_self(&others.f_lt_tensor(&least)?, &best)?;
        least = least.f_minimum(&others)?;
    }
    Ok(best)
}

/// How badly these changes in brightness speak of a match, from 0 to 1.
fn misfit(change: &Tensor) -> Result<Tensor> {
    let square = change.f_square()?;
    Ok(square.f_div(&square.f_add_scalar(NOISE.powi(2))?)?)
}

/// Medians of 3 along rows, then along columns.
fn median(values: &Tensor) -> Result<Tensor> {
    let mut values = values.shallow_clone();
    for (dimension, sides) in [(3, [1, 1, 0, 0]), (2, [0, 0, 1, 1])] {
        let padded = pad(&values, sides)?;
        let between = |from: i64, to: Option<i64>| padded.f_slice(dimension, from, to, 1);
        let (a, b, c) = (between(0, Some(-2))?, between(1, Some(-1))?, between(2, None)?);
        values = a.f_minimum(&b)?.f_maximum(&a.f_maximum(&b)?.f_minimum(&c)?)?;
    }
    Ok(values)
}

/// Flow brought to another size of the picture.
fn enlarge(flow: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    let [height, width] = size_of(flow)?;
    let flow = flow.f_upsample_bilinear2d(size, false, None, None)?;
    let x = flow.f_narrow(1, 0, 1)?.f_mul_scalar(size[1] as f64 / width as f64)?;
    let y = flow.f_narrow(1, 1, 1)?.f_mul_scalar(size[0] as f64 / height as f64)?;
    Ok(Tensor::f_cat(&[x, y], 1)?)
}

fn halve(values: &Tensor) -> Result<Tensor> {
    Ok(values.f_adaptive_avg_pool2d(size_of(values)?.map(|side| (side + 1) / 2))?)
}

/// Values, and their central differences in x and y, `(N, 3, H, W)`.
fn with_gradient(values: &Tensor) -> Result<Tensor> {
    let difference = |dimension: i64, sides: [i64; 4]| -> Result<Tensor> {
        let padded = pad(values, sides)?;
        let (after, before) = (padded.f_slice(dimension, 2, None, 1)?, padded.f_slice(dimension, 0, -2, 1)?);
        Ok(after.f_sub(&before)?.f_mul_scalar(0.5)?)
    };
    Ok(Tensor::f_cat(&[values, &difference(3, [1, 1, 0, 0])?, &difference(2, [0, 0, 1, 1])?], 1)?)
}

/// Of every second pixel, the value, and its change over two pixels in x and in y, `(N, 3, h, w)`.
fn every_second(values: &Tensor) -> Result<Tensor> {
    let [height, width] = size_of(values)?;
    let around = pad(values, [1; 4])?;
    let at =
        |y: i64, x: i64| -> Result<Tensor> { Ok(around.f_slice(2, y, y + height, 2)?.f_slice(3, x, x + width, 2)?) };
    Ok(Tensor::f_cat(&[at(1, 1)?, at(1, 2)?.f_sub(&at(1, 0)?)?, at(2, 1)?.f_sub(&at(0, 1)?)?], 1)?)
}

/// With the values at the edge again beyond it: left, right, top, bottom.
fn pad(values: &Tensor, sides: [i64; 4]) -> Result<Tensor> {
    Ok(values.f_replication_pad2d(sides)?)
}

fn sum_of_channels(values: &Tensor) -> Result<Tensor> {
    Ok(values.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn pairs_are_found_alike_together_and_apart() {
        let frame = |seed| {
            let noise = Random(seed).uniform(3 * 12 * 20).unwrap().view([1, 3, 12, 20]);
            Frame::new(&noise.f_upsample_bilinear2d([96, 160], false, None, None).unwrap()).unwrap()
        };
        let (first, second) = (frame(1), frame(2));
        let [there, back] =
            [(&first, &second), (&second, &first)].map(|(first, second)| Pair::new(first, second).unwrap());
        assert!(there.has_thread_each(), "few pixels");
        let together = Pair::batch(&there, &back).unwrap().motion().unwrap();
        let apart = Tensor::cat(&between(&first, &second).unwrap(), 0);
        assert!(apart.abs().max().double_value(&[]) > 1.0);
        assert!((together - apart).abs().max().double_value(&[]) < 1e-3);
    }
}
