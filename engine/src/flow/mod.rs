//! Dense optical flow: the motion of every pixel from one frame to another.
//!
//! The flow is estimated from coarse to fine over a pyramid, whose finest level has half the frame's resolution. Each
//! level iterates windowed least squares on the brightness constancy equation (B. Lucas, T. Kanade, IJCAI 1981). The
//! unknown is a pixel's whole motion instead of its change, so that windows also fill in areas without texture. The
//! equations are normalized (H. Zimmer, A. Bruhn, J. Weickert, IJCV 2011, section 3.1) and weighted by how well they
//! hold (M. Black, P. Anandan, CVIU 1996). Medians between the iterations remove outliers (D. Sun, S. Roth, M. Black,
//! CVPR 2010). At the end of a level, pixels take the motion of a neighbor if it fits better (C. Barnes et al.,
//! "PatchMatch", SIGGRAPH 2009, section 3.2): windows blur the motion across the edges of objects, and this step
//! restores the edges.
//!
//! This motion has an error of some tenths of a pixel. Therefore it is replaced by a simpler motion where that fits as
//! well: by affine motion in large windows, from the same equations at full resolution (J. Bergen et al., "Hierarchical
//! model-based motion estimation", ECCV 1992, section 3.2), or by the camera's motion, the affine motion of most of the
//! frame, by iteratively reweighted least squares (J.-M. Odobez, P. Bouthemy, JVCIR 1995, section 2), or by no motion
//! if the camera seems to stand still. These are precise to hundredths of a pixel, and areas without texture move with
//! their surroundings.

mod cache;
mod dense;
mod fused;
mod parametric;
mod sampling;
mod smoothing;

use tch::{Device, Kind, TchError, Tensor};

use self::dense::pad;
use self::parametric::Samples;
pub(crate) use self::sampling::MAX_DISAGREEMENT;
pub use self::sampling::{Filter, clamped_into_frame, visible, warp};
use self::smoothing::smooth;
use crate::Result;
use crate::color::gray;
use crate::memory::within_arena;
use crate::parallel;
use crate::planes::are_planes;
use crate::size::size_of;

/// The minimum of the coarsest level's shorter side: windows must fit into it.
const MIN_SIDE: i64 = 8;

/// A frame, prepared for the estimation of motion from it or to it.
pub struct Frame {
    /// Height and width.
    size: [i64; 2],
    /// From half resolution to the coarsest: the brightness and its gradient, `(1, 3, h, w)`.
    levels: Vec<Tensor>,
    /// The brightness at full resolution, `(1, 1, H, W)`.
    brightness: Tensor,
    /// The same, smoothed.
    smooth: Tensor,
    /// For every second pixel, the brightness and its change over two pixels in x and in y, `(1, 3, h, w)`.
    samples: Tensor,
}

impl Frame {
    /// Prepares a picture, `(1, 3, H, W)` in 0..1.
    pub fn new(picture: &Tensor) -> Result<Self> {
        if are_planes(picture) { fused::frame(picture) } else { Self::of_tensor(picture) }
    }

    /// The same by libtorch's operations.
    fn of_tensor(picture: &Tensor) -> Result<Self> {
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

/// Prepares two pictures at once.
pub(crate) fn frames(pictures: [&Tensor; 2]) -> Result<[Frame; 2]> {
    let pictures = pictures.map(Tensor::shallow_clone);
    let frames = parallel::each(pictures.into(), &|picture: Tensor| Frame::new(&picture));
    let frames: Vec<_> = frames.into_iter().collect::<Result<_>>()?;
    frames.try_into().map_err(|_| TchError::Shape("two pictures are two frames".into()).into())
}

/// The forward flow, from the first frame to the second, and the backward flow. Each is `(1, 2, H, W)`, x then y, in
/// pixels: the pixel at p in one frame is at p + flow(p) in the other. The frames must have the same size.
pub fn between(first: &Frame, second: &Frame) -> Result<[Tensor; 2]> {
    let [forward, backward] = [Pair::new(first, second)?, Pair::new(second, first)?];
    if forward.is_faster_on_own_thread() {
        let flows = parallel::each(vec![(1, forward), (2, backward)], &|(arena, pair): (u32, Pair)| {
            let _no_gradients = tch::no_grad_guard();
            within_arena(arena, || pair.motion(fused::refine, fused::simplify))
        });
        let flows: Vec<_> = flows.into_iter().collect::<Result<_>>()?;
        return flows.try_into().map_err(|_| TchError::Shape("two pairs have two flows".into()).into());
    }
    let motion = Pair::batch(&forward, &backward)?.motion(dense::refine, Samples::simplify)?;
    Ok([motion.f_narrow(0, 0, 1)?, motion.f_narrow(0, 1, 1)?])
}

/// The minimum number of values for which libtorch uses another thread.
const MIN_VALUES_PER_THREAD: i64 = 1 << 15;

/// One or N pairs of frames, between which motion is estimated.
struct Pair {
    /// Height and width.
    size: [i64; 2],
    /// The [`Frame::levels`] of both frames, each `(N, 3, h, w)`.
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

    /// Both pairs as a batch.
    fn batch(first: &Self, second: &Self) -> Result<Self> {
        let levels = first.levels.iter().zip(&second.levels);
        Ok(Self {
            size: first.size,
            levels: levels.map(|(a, b)| Ok([cat(&a[0], &b[0])?, cat(&a[1], &b[1])?])).collect::<Result<_>>()?,
            samples: Samples::batch(&first.samples, &second.samples)?,
        })
    }

    /// Whether two pairs are faster on one thread each than as a batch whose operations use all threads.
    fn is_faster_on_own_thread(&self) -> bool {
        self.levels.first().is_some_and(|[finest, _]| {
            let threads = (2 * finest.numel() as i64 / MIN_VALUES_PER_THREAD).min(i64::from(tch::get_num_threads()));
            finest.device() == Device::Cpu && threads <= 2
        })
    }

    /// The motion, `(N, 2, H, W)`; see [`between`]. `refine` improves a level's, `simplify` replaces that of the finest; see
    /// [`dense::refine`] and [`Samples::simplify`].
    fn motion(
        &self,
        refine: fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>,
        simplify: fn(&Samples, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let [finest, _] = self.levels.first().ok_or_else(|| TchError::Shape("a frame has a level".into()))?;
        let (pairs, ..) = finest.size4()?;
        let mut motion = Tensor::f_zeros([pairs, 2, 1, 1], (Kind::Float, finest.device()))?;
        for [from, to] in self.levels.iter().rev() {
            motion = refine(from, to, &enlarge(&motion, size_of(from)?)?)?;
        }
        enlarge(&simplify(&self.samples, &motion)?, self.size)
    }
}

fn cat(first: &Tensor, second: &Tensor) -> Result<Tensor> {
    Ok(Tensor::f_cat(&[first, second], 0)?)
}

/// A flow, resized and scaled for another size of the picture.
pub(crate) fn enlarge(flow: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    let [height, width] = size_of(flow)?;
    if are_planes(flow) {
        return fused::enlarge(flow, size);
    }
    let flow = flow.f_upsample_bilinear2d(size, false, None, None)?;
    let x = flow.f_narrow(1, 0, 1)?.f_mul_scalar(size[1] as f64 / width as f64)?;
    let y = flow.f_narrow(1, 1, 1)?.f_mul_scalar(size[0] as f64 / height as f64)?;
    Ok(Tensor::f_cat(&[x, y], 1)?)
}

fn halve(values: &Tensor) -> Result<Tensor> {
    Ok(values.f_adaptive_avg_pool2d(size_of(values)?.map(|side| (side + 1) / 2))?)
}

/// Values, `(N, 1, H, W)`, and their central differences in x and y, `(N, 3, H, W)`.
fn with_gradient(values: &Tensor) -> Result<Tensor> {
    let difference = |dimension: i64, sides: [i64; 4]| -> Result<Tensor> {
        let padded = pad(values, sides)?;
        let (after, before) = (padded.f_slice(dimension, 2, None, 1)?, padded.f_slice(dimension, 0, -2, 1)?);
        Ok(after.f_sub(&before)?.f_mul_scalar(0.5)?)
    };
    Ok(Tensor::f_cat(&[values, &difference(3, [1, 1, 0, 0])?, &difference(2, [0, 0, 1, 1])?], 1)?)
}

/// For every second pixel, the value and its change over two pixels in x and in y, `(N, 3, h, w)`.
fn every_second(values: &Tensor) -> Result<Tensor> {
    let [height, width] = size_of(values)?;
    let around = pad(values, [1; 4])?;
    let at =
        |y: i64, x: i64| -> Result<Tensor> { Ok(around.f_slice(2, y, y + height, 2)?.f_slice(3, x, x + width, 2)?) };
    Ok(Tensor::f_cat(&[at(1, 1)?, at(1, 2)?.f_sub(&at(1, 0)?)?, at(2, 1)?.f_sub(&at(0, 1)?)?], 1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn a_batch_and_separate_threads_give_the_same_flow() {
        let frame = |seed| {
            let noise = Random(seed).uniform(3 * 12 * 20).unwrap().view([1, 3, 12, 20]);
            Frame::new(&noise.f_upsample_bilinear2d([96, 160], false, None, None).unwrap()).unwrap()
        };
        let (first, second) = (frame(1), frame(2));
        let [forward, backward] =
            [(&first, &second), (&second, &first)].map(|(first, second)| Pair::new(first, second).unwrap());
        assert!(forward.is_faster_on_own_thread(), "few pixels");
        let batch = Pair::batch(&forward, &backward).unwrap().motion(dense::refine, Samples::simplify).unwrap();
        let separate = Tensor::cat(&between(&first, &second).unwrap(), 0);
        assert!(separate.abs().max().double_value(&[]) > 1.0);
        assert!((batch - separate).abs().max().double_value(&[]) < 1e-3);
    }
}
