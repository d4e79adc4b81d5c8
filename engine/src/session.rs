//! A film being repainted: the settings, and what carries over from frame to frame.

use std::path::Path;
use std::time::{Duration, Instant};

use style_engine_interface::Parameters;
use tch::{Device, Kind, Tensor};

use crate::auto_size::AutoSize;
use crate::frame::Frame;
use crate::moving_masks::MovingMasks;
use crate::networks::builtin;
use crate::networks::person::{self, PersonNetwork};
use crate::output::{finish, working_size};
pub use crate::painters::ModelShare;
use crate::painters::{FeedForwardPainter, Models, Painter, RecipePainter};
use crate::progress::ProgressReporter;
pub use crate::progress::Step;
use crate::random::Random;
use crate::size::size_of;
pub use crate::statistics::FrameStatistics;
use crate::step_budget::TimeLimits;
use crate::style_masks::StyleMasks;
use crate::styles::Style;
use crate::{Error, Result, device, memory, weights};

/// The number of pictures that [`Session::prepare`] paints: the first one, one that follows it, and one that is measured.
const PREPARING_FRAMES: u64 = 3;

/// A painter, and the size and the figures of its frames.
pub struct Session {
    painter: Box<dyn Painter>,
    device: Device,
    /// The VGG network in words; none if models paint alone.
    vgg: Option<String>,
    parameters: Parameters,
    limits: TimeLimits,
    auto_size: AutoSize,
    stats: FrameStatistics,
    moving_masks: MovingMasks,
    /// Opened when it is first needed.
    person: Option<PersonNetwork>,
    last_work: Option<f64>,
}

impl Session {
    /// Opens a network (`None`: the one found by [`weights::find`], else the built-in one) on a device (see
    /// [`device::find`]).
    pub fn new(weights: Option<&Path>, device: &str) -> Result<Self> {
        Self::starting_from(&[], weights, device)
    }

    /// The same, with models (see [`Self::of_models`]), one for all styles or one for each: their picture is what places
    /// without earlier paint start from, and the optimizer's steps go on from there.
    pub fn starting_from(models: &[&Path], weights: Option<&Path>, device: &str) -> Result<Self> {
        memory::install();
        let device = device::find(device)?;
        let start = if models.is_empty() { None } else { Some(Models::open(&equal_shares(models), device)?) };
        let found = weights.map(Path::to_owned).or_else(weights::find);
        let (network, origin) = match &found {
            Some(path) => (weights::load(path, device)?, path.display().to_string()),
            None => (builtin::network(device)?, "built-in network".into()),
        };
        let last = network.last_layer();
        let channels = network.convs.first().and_then(|conv| conv.weight.size().first().copied()).unwrap_or(0);
        let name = format!("{origin} (to {last}, from {channels} channels)");
        Ok(Self::with(Box::new(RecipePainter::new(network, start)?), device, Some(name)))
    }

    /// Opens feed-forward networks, which paint without style pictures, on a device: files, or some of
    /// [`style_engine_interface::MODELS`] by their names. If a file is a TorchScript module (see
    /// [`weights::is_torch_script`]), its program runs. Masks divide frames among several as among styles (see
    /// [`Self::set_masks`]); without masks, the mean of their pictures is painted.
    pub fn of_models(models: &[&Path], device: &str) -> Result<Self> {
        memory::install();
        let device = device::find(device)?;
        let opened = Models::open(&equal_shares(models), device)?;
        Ok(Self::with(Box::new(FeedForwardPainter::new(opened)), device, None))
    }

    fn with(painter: Box<dyn Painter>, device: Device, vgg: Option<String>) -> Self {
        Self {
            painter,
            device,
            vgg,
            parameters: Parameters::default(),
            limits: TimeLimits::default(),
            auto_size: AutoSize::default(),
            stats: FrameStatistics::default(),
            moving_masks: MovingMasks::default(),
            person: None,
            last_work: None,
        }
    }

    /// The network in words: where it is from, its deepest layer and its first layer's channels.
    pub fn network(&self) -> String {
        match (&self.vgg, self.painter.models()) {
            (Some(vgg), None) => vgg.clone(),
            (Some(vgg), Some(models)) => format!("{vgg}, starting from {models}"),
            (None, models) => models.unwrap_or_default(),
        }
    }

    /// The device in words: `cpu` or `cuda:N`.
    pub fn device(&self) -> String {
        match self.device {
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
        self.painter.set_parameters(parameters, content_layers, style_layers)?;
        self.parameters = parameters;
        Ok(())
    }

    /// Sets the styles. The next frame still starts from the last
    /// result.
    pub fn set_styles(&mut self, styles: &[Style]) -> Result<()> {
        self.painter.set_styles(styles)
    }

    /// Sets the models, in place of those before. Models that are open stay open. If this fails, nothing has changed.
    pub fn set_models(&mut self, models: &[ModelShare]) -> Result<()> {
        self.painter.set_models(models)
    }

    /// Sets the masks that divide the frames to come among the styles or models, each `(1, 1, H, W)` in 0..1 and of one size:
    /// each style is painted where its own mask is 1. With one mask less than styles, the last style takes the rest. None:
    /// every style is everywhere.
    pub fn set_masks(&mut self, masks: &[Tensor]) -> Result<()> {
        let masks = match masks.is_empty() {
            true => None,
            false => Some(StyleMasks::new(masks)?.to(self.device)?),
        };
        self.painter.set_masks(masks)
    }

    /// A mask, `(1, 1, H, W)` in 0..1, of the frame that was painted `age` frames before the last one, moved along with what it
    /// covers to where that is in the last one, perhaps at another size. At most [`MAX_MASK_AGE`] frames are remembered, from
    /// the first call on. `None` if nothing has moved, or the motion is not known: without `warm-start=flow`, or after a cut.
    ///
    /// [`MAX_MASK_AGE`]: style_engine_interface::MAX_MASK_AGE
    pub fn move_mask(&mut self, mask: &Tensor, age: usize) -> Result<Option<Tensor>> {
        let _no_gradients = tch::no_grad_guard();
        Ok(match self.moving_masks.moved(mask, age)? {
            Some(moved) => Some(moved.f_to_device(Device::Cpu)?.f_contiguous()?),
            None => None,
        })
    }

    /// How certainly each place of a frame shows a person: a mask, `(1, 1, H, W)` in 0..1, at a size of its own.
    pub fn find_person(&mut self, frame: &Frame) -> Result<Tensor> {
        let _no_gradients = tch::no_grad_guard();
        let picture = frame.colors([person::SIDE; 2], self.device)?;
        let network = match &mut self.person {
            Some(network) => network,
            none => none.insert(PersonNetwork::new(self.device)?),
        };
        Ok(network.find(&picture)?.f_to_device(Device::Cpu)?.f_contiguous()?)
    }

    /// Limits the time for a frame, from the next one on, and for the first frame of a scene: steps that do not fit are left
    /// out, but at least one is taken. A first frame that gets fewer steps is painted further in those that follow.
    pub fn set_time_limits(&mut self, frame: Option<Duration>, first_frame: Option<Duration>) {
        self.limits = TimeLimits { next: frame, first: first_frame };
        self.painter.set_time_limits(self.limits);
    }

    /// Prepares for frames of this height and width whose time is limited: paints noise, so that the first frame takes no longer
    /// than others, and the steps that fit are known. Forgets the last result.
    pub fn prepare(&mut self, frame: [i64; 2]) -> Result<()> {
        let size = working_size(frame, self.longer_side(frame));
        for seed in 0..PREPARING_FRAMES {
            let noise = Random(seed).uniform(3 * size.iter().product::<i64>())?.f_view([1, 3, size[0], size[1]])?;
            let _painted = self.paint(&noise, None, &mut |_| true)?;
        }
        self.stats = FrameStatistics::default();
        self.reset();
        Ok(())
    }

    /// Forgets the last result.
    pub fn reset(&mut self) {
        self.painter.reset();
        self.moving_masks.clear();
    }

    /// Repaints a frame into `result`, in rows like the frame's. `report` hears of each step; if it returns false, the frame
    /// is given up.
    pub fn stylize(&mut self, frame: &Frame, result: &mut [u8], report: &mut dyn FnMut(&Step) -> bool) -> Result<()> {
        let begin = Instant::now();
        let size = working_size(frame.size(), self.longer_side(frame.size()));
        let content = frame.colors(size, self.device)?;
        let mut progress = ProgressReporter::new(report);
        let painted = self.paint_content(&content, None, &mut progress)?;
        finish(&painted, &content, frame, &self.parameters, result)?;
        self.record(&progress, size, begin.elapsed());
        Ok(())
    }

    /// Repaints a picture, `(1, 3, H, W)` in 0..1 as is the result, at its own size: `size` and `original-colors=luma` do not
    /// apply. `flow` is the flow from this picture to the one before, and back, as [`crate::flow::between`] gives it, if it is
    /// known. `report` as in [`Self::stylize`].
    pub fn paint(
        &mut self,
        picture: &Tensor,
        flow: Option<[Tensor; 2]>,
        report: &mut dyn FnMut(&Step) -> bool,
    ) -> Result<Tensor> {
        let begin = Instant::now();
        let content = picture.f_to_device(self.device)?.f_contiguous()?;
        let mut progress = ProgressReporter::new(report);
        let painted = self.paint_content(&content, flow, &mut progress)?.f_to_device(Device::Cpu)?;
        self.record(&progress, size_of(&content)?, begin.elapsed());
        Ok(painted)
    }

    fn paint_content(
        &mut self,
        content: &Tensor,
        flow: Option<[Tensor; 2]>,
        progress: &mut ProgressReporter,
    ) -> Result<Tensor> {
        let _no_gradients = tch::no_grad_guard();
        self.last_work = None;
        let painted = self.painter.paint(content, flow, progress)?;
        self.moving_masks.add(content, self.painter.motion());
        Ok(painted)
    }

    /// The longer side at which to paint a frame; 0: its own.
    fn longer_side(&mut self, size: [i64; 2]) -> i64 {
        if self.parameters.size >= 0 {
            return self.parameters.size.into();
        }
        let steps = self.painter.steps();
        self.auto_size.longer_side(size, steps, self.limits.next, self.painter.budget())
    }

    /// Keeps the figures of a painted frame of this height and width.
    fn record(&mut self, progress: &ProgressReporter, [height, width]: [i64; 2], took: Duration) {
        if let Some(losses) = progress.losses {
            self.stats.style_loss = losses.style;
            self.stats.content_loss = losses.content;
            self.stats.tv_loss = losses.tv;
        }
        self.stats.frames += 1;
        (self.stats.width, self.stats.height) = (width as u32, height as u32);
        self.stats.steps = progress.step;
        self.stats.milliseconds = took.as_secs_f64() * 1e3;
        // All other work on a frame takes about as long as a step.
        let is_usual = progress.step > 0 && !progress.is_first;
        self.last_work = is_usual.then(|| (height * width) as f64 * f64::from(progress.step + 1));
        if progress.step > 0 {
            self.painter.budget().learn_rest(height * width, took.saturating_sub(progress.stepping));
        }
        memory::next_frame();
    }
}

/// Models with the same weight, each with a region of its own.
fn equal_shares<'a>(models: &[&'a Path]) -> Vec<ModelShare<'a>> {
    models.iter().enumerate().map(|(region, path)| ModelShare { path, weight: 1.0, region }).collect()
}
