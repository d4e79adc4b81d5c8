//! A film being repainted: the settings, and what carries over from frame to frame.

use std::path::Path;
use std::time::{Duration, Instant};

use style_engine_interface::{Parameters, warm_start};
use tch::{Device, Kind, Tensor};

use crate::auto_size::AutoSize;
use crate::frame::Frame;
use crate::losses::TemporalConstraint;
use crate::networks::builtin;
use crate::networks::vgg::Vgg;
use crate::output::{finish, working_size};
use crate::painters::OptimizingPainter;
use crate::progress::ProgressReporter;
pub use crate::progress::Step;
use crate::size::size_of;
pub use crate::statistics::FrameStatistics;
use crate::warm_start::{Motion, Painted, STEPS_TO_CONVERGE, unchanged};
use crate::{Error, Result, device, memory, weights};

/// Frames are held less to the last result once the style loss exceeds its minimum by this factor, and never by a smaller
/// share of the temporal weight than the second value: paint that has left the frame takes its colors with it, and others
/// must be free to take their place.
const GROWN_STYLE_LOSS: f64 = 2.1;
const MIN_HOLD: f64 = 0.3;

/// Pictures whose longer side is shorter than this, in pixels, are held less: warping blurs their strokes, which are few pixels
/// wide, and steps must be free to sharpen them.
const FULL_HOLD_SIDE: f64 = 480.0;

/// The first frame after a cut may take as long as this number of others: a film must not stand still for longer. What there
/// was no time for is painted in the frames that follow.
const CUT_FRAMES: u32 = 3;

/// A frame of which less than this share has changed stands still.
const MAX_MOVING: f64 = 0.1;

/// A painter with the last result.
pub struct Session {
    painter: OptimizingPainter,
    /// The network in words.
    name: String,
    parameters: Parameters,
    previous: Option<Painted>,
    /// Since the scene, the styles or the parameters changed.
    steps_since_change: u32,
    auto_size: AutoSize,
    /// The minimum of the style loss since then.
    min_style_loss: f64,
    stats: FrameStatistics,
    last_work: Option<f64>,
}

/// What a frame is painted from.
enum Start {
    /// The content alone.
    FromScratch,
    /// The last result.
    Carried(Painted, Option<TemporalConstraint>),
    /// The last result, which needs no more steps.
    Finished(Painted),
}

impl Session {
    /// Opens a network (`None`: the one found by [`weights::find`], else the built-in one) on a device (see
    /// [`device::find`]).
    pub fn new(weights: Option<&Path>, device: &str) -> Result<Self> {
        memory::install();
        let device = device::find(device)?;
        let found = weights.map(Path::to_owned).or_else(weights::find);
        let (network, origin) = match &found {
            Some(path) => (weights::load(path, device)?, path.display().to_string()),
            None => (builtin::network(device)?, "built-in network".into()),
        };
        let last = network.last_layer();
        let channels = network.convs.first().and_then(|conv| conv.weight.size().first().copied()).unwrap_or(0);
        let parameters = Parameters::default();
        Ok(Self {
            name: format!("{origin} (to {last}, from {channels} channels)"),
            painter: OptimizingPainter::new(network, parameters)?,
            parameters,
            previous: None,
            steps_since_change: 0,
            auto_size: AutoSize::default(),
            min_style_loss: f64::INFINITY,
            stats: FrameStatistics::default(),
            last_work: None,
        })
    }

    /// The network.
    pub fn vgg(&self) -> &Vgg {
        self.painter.network()
    }

    /// The network in words: where it is from, its deepest layer and its first layer's channels.
    pub fn network(&self) -> &str {
        &self.name
    }

    /// The device in words: `cpu` or `cuda:N`.
    pub fn device(&self) -> String {
        match self.vgg().device {
            Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".into(),
        }
    }

    /// What features are computed in, in words: `f32` or `bf16`.
    pub fn precision(&self) -> &'static str {
        if self.painter.kind() == Kind::Float { "f32" } else { "bf16" }
    }

    /// The amount of work on the last frame, in any unit; none if it differs in kind from other frames: a first one, or one
    /// that took no steps.
    pub(crate) fn last_work(&self) -> Option<f64> {
        self.last_work
    }

    /// The statistics of the last frame.
    pub fn stats(&self) -> FrameStatistics {
        self.stats
    }

    /// Sets how frames are repainted, from the next one on; layers as in [`crate::recipes::Recipe::new`]. If this fails,
    /// nothing has changed.
    pub fn set_parameters(&mut self, parameters: Parameters, content_layers: &str, style_layers: &str) -> Result<()> {
        if let Some(name) = parameters.out_of_range() {
            return Err(Error::Settings(format!("{name} is out of its range")));
        }
        let change = self.painter.set_parameters(parameters, content_layers, style_layers)?;
        if change.statistics
            && let Some(previous) = &mut self.previous
        {
            previous.surroundings = None;
        }
        if change.recipe {
            self.begin_change();
        }
        self.parameters = parameters;
        Ok(())
    }

    /// Sets the styles: pictures `(1, 3, H, W)` in 0..1, each with its weight. The next frame still starts from the last
    /// result.
    pub fn set_styles(&mut self, styles: &[(Tensor, f64)]) -> Result<()> {
        self.painter.styles.set(styles, self.painter.network().device)?;
        self.begin_change();
        Ok(())
    }

    /// Limits the time for a frame, from the next one on, and for the first frame of a scene: steps that do not fit are left
    /// out, but at least one is taken. A first frame that gets fewer steps is painted further in those that follow.
    pub fn set_time_limits(&mut self, frame: Option<Duration>, first_frame: Option<Duration>) {
        (self.painter.time_limit, self.painter.first_time_limit) = (frame, first_frame);
    }

    /// Forgets the last result.
    pub fn reset(&mut self) {
        self.previous = None;
    }

    /// Repaints a frame into `result`, in rows like the frame's. `report` hears of each step; if it returns false, the frame
    /// is given up.
    pub fn stylize(&mut self, frame: &Frame, result: &mut [u8], report: &mut dyn FnMut(&Step) -> bool) -> Result<()> {
        let begin = Instant::now();
        let size = working_size(frame.size(), self.longer_side(frame.size()));
        let content = frame.colors(size, self.vgg().device)?;
        let mut progress = ProgressReporter::new(report);
        let painted = self.paint_frame(&content, None, &mut progress)?;
        finish(&painted.picture, &content, frame, &self.parameters, result)?;
        self.end_frame(painted, &progress, begin)
    }

    /// Repaints a picture, `(1, 3, H, W)` in 0..1 as is the result, at its own size: `size` and
    /// `original-colors=luma` do not apply. `flow` is the flow from this picture to the one before, and back, as
    /// [`crate::flow::between`] gives it, if it is known. `report` as in [`Self::stylize`].
    pub fn paint(
        &mut self,
        picture: &Tensor,
        flow: Option<[Tensor; 2]>,
        report: &mut dyn FnMut(&Step) -> bool,
    ) -> Result<Tensor> {
        let begin = Instant::now();
        let content = picture.f_to_device(self.vgg().device)?.f_contiguous()?;
        let mut progress = ProgressReporter::new(report);
        let painted = self.paint_frame(&content, flow, &mut progress)?;
        let result = painted.picture.f_to_device(Device::Cpu)?;
        self.end_frame(painted, &progress, begin)?;
        Ok(result)
    }

    /// Paints a frame from its content.
    fn paint_frame(
        &mut self,
        content: &Tensor,
        flow: Option<[Tensor; 2]>,
        progress: &mut ProgressReporter,
    ) -> Result<Painted> {
        let _no_gradients = tch::no_grad_guard();
        self.last_work = None;
        if self.painter.styles.is_empty() {
            return Err(Error::NoStyle);
        }
        let is_cut = self.previous.is_some();
        match self.follow(content, flow)? {
            Start::Finished(painted) => Ok(painted),
            Start::Carried(painted, constraint) => self.painter.paint_next(painted, constraint.as_ref(), progress),
            Start::FromScratch => {
                progress.is_first = true;
                self.begin_change();
                let OptimizingPainter { first_time_limit: first, time_limit: next, .. } = self.painter;
                let limit = if is_cut { first.min(next.map(|limit| CUT_FRAMES * limit)) } else { first };
                self.painter.paint_first(content, limit, progress)
            }
        }
    }

    /// Keeps a painted frame and its figures.
    fn end_frame(&mut self, painted: Painted, progress: &ProgressReporter, begin: Instant) -> Result<()> {
        self.steps_since_change = self.steps_since_change.saturating_add(progress.step);
        self.record(progress, size_of(&painted.picture)?, begin.elapsed());
        self.previous = Some(painted);
        memory::next_frame();
        Ok(())
    }

    /// The longer side at which to paint a frame; 0: its own.
    fn longer_side(&mut self, size: [i64; 2]) -> i64 {
        if self.parameters.size >= 0 {
            return self.parameters.size.into();
        }
        let OptimizingPainter { time_limit, ref budget, .. } = self.painter;
        self.auto_size.longer_side(size, self.painter.recipe().iterations, time_limit, budget)
    }

    fn record(&mut self, progress: &ProgressReporter, [height, width]: [i64; 2], took: Duration) {
        if let Some(losses) = progress.losses {
            self.stats.style_loss = losses.style;
            self.stats.content_loss = losses.content;
            self.stats.tv_loss = losses.tv;
            self.min_style_loss = self.min_style_loss.min(losses.style);
        }
        self.stats.frames += 1;
        (self.stats.width, self.stats.height) = (width as u32, height as u32);
        self.stats.steps = progress.step;
        self.stats.milliseconds = took.as_secs_f64() * 1e3;
        // All other work on a frame takes about as long as a step.
        let is_usual = progress.step > 0 && !progress.is_first;
        self.last_work = is_usual.then(|| (height * width) as f64 * f64::from(progress.step + 1));
        if progress.step > 0 {
            self.painter.budget.learn_rest(height * width, took.saturating_sub(progress.stepping));
        }
    }

    /// The scene, the styles or the parameters are others from now on.
    fn begin_change(&mut self) {
        (self.steps_since_change, self.min_style_loss) = (0, f64::INFINITY);
    }

    /// Reuses the last result for a frame.
    fn follow(&mut self, content: &Tensor, flow: Option<[Tensor; 2]>) -> Result<Start> {
        let Some(previous) = self.previous.take() else { return Ok(Start::FromScratch) };
        let mut previous = previous.resize(size_of(content)?)?;
        match self.parameters.warm_start {
            warm_start::PREVIOUS => Ok(Start::Carried(previous.reuse_in_place(content)?, None)),
            warm_start::FLOW => {
                let is_settled = self.steps_since_change >= STEPS_TO_CONVERGE;
                let unchanged = unchanged(&previous.content, content)?;
                let is_still =
                    1.0 - unchanged.f_to_kind(Kind::Float)?.f_mean(Kind::Float)?.f_double_value(&[])? < MAX_MOVING;
                if is_still && self.parameters.scene_threshold < 1.0 && previous.is_outdated()? {
                    return Ok(Start::FromScratch);
                }
                let finished = previous.is_done()?.f_logical_and(&unchanged)?;
                if is_settled && finished.f_all()?.f_int64_value(&[])? == 1 {
                    return Ok(Start::Finished(previous));
                }
                let motion = Motion::new(&previous.content, content, &finished, flow)?;
                if motion.disoccluded()? > self.parameters.scene_threshold {
                    return Ok(Start::FromScratch);
                }
                let surroundings =
                    if is_settled { self.painter.surroundings(&mut previous, &motion.still)? } else { None };
                let painted = Painted { surroundings, ..previous.warp(&motion, content)? };
                // Another style must be free to replace what is there.
                let constraint = if is_settled { Some(self.constraint(&painted, motion)?) } else { None };
                Ok(Start::Carried(painted, constraint))
            }
            _ => Ok(Start::FromScratch),
        }
    }

    /// What holds a frame to the last result, warped by `motion`.
    fn constraint(&self, warped: &Painted, motion: Motion) -> Result<TemporalConstraint> {
        let size = size_of(&warped.picture)?;
        let weight = self.painter.recipe().temporal_weight
            * (size[0].max(size[1]) as f64 / FULL_HOLD_SIDE).min(1.0)
            * held_share(self.stats.style_loss, self.min_style_loss);
        let warped = self.painter.variable_of(&warped.picture)?;
        Ok(TemporalConstraint { warped, weight_map: motion.visible, fixed: motion.still, weight })
    }
}

/// The share of the temporal weight that holds a frame, by the style losses of the last frame and of the best one.
fn held_share(last: f64, least: f64) -> f64 {
    let limit = GROWN_STYLE_LOSS * least;
    if last > limit { (limit / last).powi(2).max(MIN_HOLD) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hold_loosens_as_the_style_loss_grows() {
        assert_eq!(held_share(0.01, f64::INFINITY), 1.0, "nothing is known yet");
        assert_eq!(held_share(0.0, 0.0), 1.0);
        assert_eq!(held_share(0.02, 0.01), 1.0);
        assert!((held_share(0.03, 0.01) - 0.49).abs() < 1e-9);
        assert_eq!(held_share(1.0, 0.01), MIN_HOLD);
    }
}
