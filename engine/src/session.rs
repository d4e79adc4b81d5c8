//! A film being repainted: the style, and what carries over from frame to frame.

use std::path::Path;
use std::time::{Duration, Instant};

use style_engine_interface::{Parameters, Stats, original_colors, warm_start};
use tch::{Device, Kind, Tensor};

use crate::carry::{Motion, Painted, STEPS_OF_YOUTH, Surroundings, unchanged};
use crate::colour::{Palette, grey, keep_chroma};
use crate::input::Normalisation;
use crate::losses::Distance;
use crate::objective::{Hold, Losses, Objective, Outside, StyleSums, StyleTargets, content_targets, style_targets};
use crate::optimizers::Optimizer;
use crate::pace::Pace;
use crate::random::Random;
use crate::recipe::{self, Recipe, Variable};
use crate::size::{resize, scaled, size_of, stretch};
use crate::vgg::Vgg;
use crate::window::Window;
use crate::{Error, Result, builtin, device, memory, weights};

/// At a first frame's coarsest size, it and the style have at least this longer side: what is painted smaller loses its content.
const LEAST_SIDE: i64 = 96;

/// A style picture is enlarged by at most this factor: enlarged more, it has blur where strokes should be.
const MAX_ENLARGEMENT: i64 = 2;

/// A style of less contrast, as [`Palette::contrast`] gives it, has its content's weight raised by up to the second value:
/// the relative distance from it would draw so hard that no content was left.
const LOW_CONTRAST: f64 = 0.15;
const MAX_CONTENT_FACTOR: f64 = 16.0;

/// Where all of a frame is just uncovered, it gets so many times as many steps more.
const MORE_STEPS: f64 = 2.0;

/// Frames are held less to the last result once the style loss exceeds the least one by this factor, and never by a smaller
/// share of the temporal weight than the second value: paint that has left the frame takes its colors with it, and others
/// must be free to take their place.
const GROWN_STYLE_LOSS: f64 = 2.1;
const LEAST_HOLD: f64 = 0.3;

/// A frame of which less than this share has changed stands still.
const MOST_MOVING: f64 = 0.1;

/// A network on a device, with a style and the last result.
pub struct Session {
    network: Vgg,
    /// The same in the precision that features are computed in.
    quick: Vgg,
    name: String,
    parameters: Parameters,
    recipe: Recipe,
    input: Normalisation,
    /// Pictures `(1, 3, H, W)` in 0..1, and their shares of 1.
    styles: Vec<(Tensor, f64)>,
    /// What the style losses compare with.
    style_targets: Option<StyleTargets>,
    /// The styles' own colors.
    style_palette: Option<Palette>,
    /// The colours that the styles are matched to.
    palette: Option<Palette>,
    previous: Option<Painted>,
    /// Since what is painted over, or how, is another.
    steps_since_change: u32,
    /// The least style loss since then.
    least_style_loss: f64,
    time_limit: Option<Duration>,
    pace: Pace,
    stats: Stats,
}

/// What a frame is painted from.
enum Start {
    /// The content alone.
    Afresh,
    /// The last result.
    Carried(Painted, Option<Hold>),
    /// The last result, which still holds.
    Finished(Painted),
}

/// A step that was taken.
pub struct Step<'a> {
    /// Counted from 1.
    pub step: u32,
    /// Of so many.
    pub steps: u32,
    /// Whether the frame is a first one.
    pub is_first: bool,
    /// The weighted sum of the losses before it, `()`.
    pub loss: &'a Tensor,
}

/// Counts steps and tells of them.
struct Watch<'a> {
    step: u32,
    steps: u32,
    is_first: bool,
    /// The time spent on steps.
    stepping: Duration,
    tell: &'a mut dyn FnMut(&Step) -> bool,
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
        let parameters = Parameters::default();
        let recipe = Recipe::new(&parameters, "", "")?;
        let last = network.taps().next_back().map_or_else(String::new, |tap| tap.to_string());
        let channels = network.convs.first().and_then(|conv| conv.weight.size().first().copied()).unwrap_or(0);
        Ok(Self {
            name: format!("{origin} (to {last}, from {channels} channels)"),
            input: recipe.input.unwrap_or(network.input).on(device)?,
            quick: network.to_kind(kind(&recipe, device))?,
            network,
            parameters,
            recipe,
            styles: Vec::new(),
            style_targets: None,
            style_palette: None,
            palette: None,
            previous: None,
            steps_since_change: 0,
            least_style_loss: f64::INFINITY,
            time_limit: None,
            pace: Pace::default(),
            stats: Stats::default(),
        })
    }

    /// The network.
    pub fn vgg(&self) -> &Vgg {
        &self.network
    }

    /// The network in words: where it is from, its deepest layer and its first layer's channels.
    pub fn network(&self) -> &str {
        &self.name
    }

    /// The device in words: `cpu` or `cuda:N`.
    pub fn device(&self) -> String {
        match self.network.device {
            Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".into(),
        }
    }

    /// What features are computed in, in words: `f32` or `bf16`.
    pub fn precision(&self) -> &'static str {
        if kind(&self.recipe, self.network.device) == Kind::Float { "f32" } else { "bf16" }
    }

    /// What became of the last frame.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Sets how frames are repainted, from the next one on; layers as in [`Recipe::new`]. What was set before stays where
    /// this fails.
    pub fn set_parameters(&mut self, parameters: Parameters, content_layers: &str, style_layers: &str) -> Result<()> {
        if let Some(name) = parameters.out_of_range() {
            return Err(Error::Settings(format!("{name} is out of its range")));
        }
        let recipe = Recipe::new(&parameters, content_layers, style_layers)?;
        recipe.content.taps(&self.network)?;
        recipe.style.taps(&self.network)?;
        let others = (self.parameters.style_scale, self.parameters.original_colors);
        if !recipe.has_style_of(&self.recipe) || others != (parameters.style_scale, parameters.original_colors) {
            self.style_targets = None;
        }
        if !recipe.has_style_of(&self.recipe)
            && let Some(previous) = &mut self.previous
        {
            previous.surroundings = None;
        }
        if recipe.kind != self.recipe.kind {
            self.quick = self.network.to_kind(kind(&recipe, self.network.device))?;
        }
        if recipe.input != self.recipe.input {
            self.input = recipe.input.unwrap_or(self.network.input).on(self.network.device)?;
        }
        if recipe != self.recipe || self.style_targets.is_none() {
            self.begin_change();
        }
        (self.parameters, self.recipe) = (parameters, recipe);
        Ok(())
    }

    /// Sets the styles: pictures `(1, 3, H, W)` in 0..1, each with its share. The next frame starts from the last result
    /// all the same.
    pub fn set_styles(&mut self, styles: &[(Tensor, f64)]) -> Result<()> {
        let all: f64 = styles.iter().map(|(_, share)| share).sum();
        if !(all.is_normal() && styles.iter().all(|(_, share)| *share >= 0.0)) {
            return Err(Error::Settings("the styles' shares must not be negative, nor all be 0".into()));
        }
        let to_device = |(picture, share): &(Tensor, f64)| Ok((picture.f_to_device(self.network.device)?, share / all));
        self.styles = styles.iter().map(to_device).collect::<Result<_>>()?;
        self.style_targets = None;
        self.begin_change();
        Ok(())
    }

    /// Limits what a frame may take, from the next one on: of its steps, as many are taken as fit, but at least one. A first
    /// frame that gets fewer is painted further in those that follow.
    pub fn set_time_limit(&mut self, limit: Option<Duration>) {
        self.time_limit = limit;
    }

    /// Forgets the last result.
    pub fn reset(&mut self) {
        self.previous = None;
    }

    /// Repaints a frame, `(1, 3, H, W)` in 0..1 as is the result. `tell` hears of each step; where it returns false, the
    /// frame is given up.
    pub fn stylize(&mut self, frame: &Tensor, tell: &mut dyn FnMut(&Step) -> bool) -> Result<Tensor> {
        self.stylize_along(frame, None, tell)
    }

    /// The same where it is known how things have moved: the flow from this frame to the one before, and back, as
    /// [`crate::flow::between`] gives it, at the size that frames are optimised at.
    pub fn stylize_along(
        &mut self,
        frame: &Tensor,
        flow: Option<[Tensor; 2]>,
        tell: &mut dyn FnMut(&Step) -> bool,
    ) -> Result<Tensor> {
        let begin = Instant::now();
        let _no_gradients = tch::no_grad_guard();
        if self.styles.is_empty() {
            return Err(Error::NoStyle);
        }
        // Planes: what is done with three channels side by side is slow.
        let frame = frame.f_to_device(self.network.device)?.f_contiguous()?;
        let (_, _, height, width) = frame.size4()?;
        let content = resize(&frame, working_size([height, width], i64::from(self.parameters.size)))?;
        let mut watch = Watch { step: 0, steps: 0, is_first: false, stepping: Duration::ZERO, tell };

        let painted = match self.follow(&content, flow)? {
            Start::Finished(painted) => painted,
            Start::Carried(painted, hold) => self.paint_next(painted, hold.as_ref(), &mut watch)?,
            Start::Afresh => {
                watch.is_first = true;
                self.begin_change();
                self.paint_first(&content, &mut watch)?
            }
        };
        let result = self.finished(&painted.picture, &content, &frame)?;
        self.steps_since_change = self.steps_since_change.saturating_add(watch.step);
        self.previous = Some(painted);
        self.least_style_loss = self.least_style_loss.min(self.stats.style_loss);
        self.stats.frames += 1;
        self.stats.steps = watch.step;
        let took = begin.elapsed();
        if watch.step > 0 {
            self.pace.learn_rest(took.saturating_sub(watch.stepping));
        }
        self.stats.milliseconds = took.as_secs_f64() * 1e3;
        memory::next_frame();
        Ok(result)
    }

    /// What is painted over, or how, is another from now on.
    fn begin_change(&mut self) {
        (self.steps_since_change, self.least_style_loss) = (0, f64::INFINITY);
    }

    /// The temporal weight, or a share of it.
    fn hold_weight(&self) -> f64 {
        self.recipe.temporal_weight * held_share(self.stats.style_loss, self.least_style_loss)
    }

    /// Takes the last result over to a frame.
    fn follow(&mut self, content: &Tensor, flow: Option<[Tensor; 2]>) -> Result<Start> {
        let Some(mut previous) = self.previous.take().filter(|previous| previous.picture.size() == content.size())
        else {
            return Ok(Start::Afresh);
        };
        match self.parameters.warm_start {
            warm_start::PREVIOUS => Ok(Start::Carried(previous.onto(content)?, None)),
            warm_start::FLOW => {
                let is_settled = self.steps_since_change >= STEPS_OF_YOUTH;
                let unchanged = unchanged(&previous.content, content)?;
                let is_still =
                    1.0 - unchanged.f_to_kind(Kind::Float)?.f_mean(Kind::Float)?.f_double_value(&[])? < MOST_MOVING;
                if is_still && self.parameters.scene_threshold < 1.0 && previous.is_outdated()? {
                    return Ok(Start::Afresh);
                }
                let finished = previous.is_done()?.f_logical_and(&unchanged)?;
                if is_settled && finished.f_all()?.f_int64_value(&[])? == 1 {
                    return Ok(Start::Finished(previous));
                }
                let motion = Motion::new(&previous.content, content, &finished, flow)?;
                if motion.uncovered()? > self.parameters.scene_threshold {
                    return Ok(Start::Afresh);
                }
                let surroundings = if is_settled { self.surroundings(&mut previous, &motion.still)? } else { None };
                let painted = Painted { surroundings, ..previous.along(&motion, content)? };
                let Motion { visible, still, .. } = motion;
                let moved = self.variable_of(&painted.picture)?;
                let hold = Hold { moved, drawn: visible, frozen: still, weight: self.hold_weight(), outside: None };
                // Another style is to replace what is there.
                Ok(Start::Carried(painted, is_settled.then_some(hold)))
            }
            _ => Ok(Start::Afresh),
        }
    }

    /// Paints from what was taken over.
    fn paint_next(&mut self, mut carried: Painted, hold: Option<&Hold>, watch: &mut Watch) -> Result<Painted> {
        let unpainted = carried.unpainted()?;
        let Painted { ref content, ref picture, method: last_method, ref mut optimizer, .. } = carried;
        let method = self.recipe.method;
        if last_method.with_rate(method.rate()) != method {
            *optimizer = method.begin(picture)?;
        }
        optimizer.renew(method.rate() * hold.map_or(1.0, |_| self.recipe.held_rate));
        let size = size_of(content)?;
        self.choose_palette(content, false)?;
        self.prepare_style(size)?;

        let (window, outside) = match carried.surroundings.take() {
            Some(Surroundings { window, outside }) => (window, Some(outside)),
            None => (Window::whole(size), None),
        };
        let more = MORE_STEPS * window.of(&unpainted)?.f_mean(Kind::Float)?.f_double_value(&[])?;
        let wanted = (f64::from(self.recipe.iterations) * (1.0 + more)).round() as u32;
        watch.steps = self.pace.fit(wanted, window.places(), self.time_limit).max(1).min(wanted);
        let start = self.variable_of(&window.of(picture)?)?;
        let within = hold.map(|hold| hold.within(&window, outside)).transpose()?;
        let moments: Vec<Tensor> = optimizer.moments().into_iter().map(|moment| moment.shallow_clone()).collect();
        for moment in optimizer.moments() {
            *moment = window.of(moment)?;
        }
        let part = self.optimise(&window.of(content)?, start, within.as_ref(), &mut **optimizer, watch.steps, watch)?;
        for (moment, before) in optimizer.moments().into_iter().zip(moments) {
            *moment = window.put(moment, &before)?;
            if let Some(Hold { frozen, .. }) = hold {
                // Where nothing was learnt nothing is forgotten.
                *moment = before.f_where_self(frozen, moment)?;
            }
        }
        carried.picture = window.put(&part, picture)?;
        carried.method = method;
        carried.age(watch.steps)?;
        let outside = within.and_then(|hold| hold.outside);
        carried.surroundings = outside.map(|outside| Surroundings { window, outside });
        Ok(carried)
    }

    /// Paints from nothing but the content: small at first, then ever larger, as the recipe says and there is time.
    fn paint_first(&mut self, content: &Tensor, watch: &mut Watch) -> Result<Painted> {
        self.choose_palette(content, true)?;
        let size = size_of(content)?;
        let begin = Instant::now();
        watch.steps = self.recipe.first_iterations;
        let sizes = pyramid(size, self.parameters.style_scale.min(1.0), self.recipe.scales);
        let shares = shares(watch.steps, sizes.len());
        let method = self.recipe.method;
        let mut painted: Option<Painted> = None;
        for (size, share) in sizes.into_iter().zip(shares) {
            let time = self.time_limit.map(|limit| limit.saturating_sub(begin.elapsed()));
            let fitting = self.pace.fit(share, size.iter().product(), time);
            // At the smallest size a step is taken in any case.
            let steps = if painted.is_none() { fitting.max(1).min(share) } else { fitting };
            // What there was no time for is made up for in the frames that follow.
            let youth = if steps < share { 1.0 - f64::from(steps) / f64::from(STEPS_OF_YOUTH) } else { 0.0 };
            let content = resize(content, size)?;
            self.prepare_style(size)?;
            let start = match &painted {
                Some(smaller) => self.variable_of(&smaller.laid_over(&content, 1.0)?)?,
                None => self.first_variable(&content)?,
            };
            let mut optimizer = method.begin(&start)?;
            let picture = self.optimise(&content, start, None, &mut *optimizer, steps, watch)?;
            let youth = Tensor::f_full([1, 1, size[0], size[1]], youth.max(0.0), (Kind::Float, content.device()))?;
            let drift = content.f_zeros_like()?;
            let surroundings = None;
            painted = Some(Painted { content, picture, youth, drift, method, optimizer, surroundings });
        }
        painted.ok_or(Error::NoStyle)
    }

    /// Takes the colours that the styles are matched to, if they are, from a first frame: they stay until the next one.
    fn choose_palette(&mut self, content: &Tensor, is_first: bool) -> Result<()> {
        if self.parameters.original_colors != original_colors::MATCH {
            self.palette = None;
        } else if is_first || self.palette.is_none() {
            self.palette = Some(Palette::of(content)?);
            self.style_targets = None;
        }
        Ok(())
    }

    /// What the recipe begins with.
    fn first_variable(&self, content: &Tensor) -> Result<Tensor> {
        match self.recipe.start {
            recipe::Start::MatchedColors if self.recipe.first_iterations > 0 => match &self.style_palette {
                Some(style) => self.variable_of(&style.apply_to(content)?),
                None => self.variable_of(content),
            },
            recipe::Start::Content | recipe::Start::MatchedColors => self.variable_of(content),
            recipe::Start::Noise { from, to } => {
                let noise = Random(self.parameters.seed).uniform(content.numel() as i64)?.f_view_as(content)?;
                let fed = noise.f_mul_scalar(to - from)?.f_add_scalar(from)?.f_to_device(content.device())?;
                match self.recipe.variable {
                    Variable::Fed => Ok(fed),
                    Variable::BoundedPicture => Ok(self.input.undo(&fed)?.f_clamp(0.0, 1.0)?),
                }
            }
        }
    }

    /// What lies around the part of a frame that is painted, where things are not still: nothing if that is all of it.
    fn surroundings(&self, previous: &mut Painted, still: &Tensor) -> Result<Option<Surroundings>> {
        let window = Window::around(&still.f_logical_not()?)?;
        if !self.recipe.is_local() || window.is_whole() {
            return Ok(None);
        }
        let sums = |window: &Window| -> Result<StyleSums> {
            let levels = self.recipe.levels_at(size_of(still)?).len();
            let fed = self.input.apply(&window.of(&previous.picture)?)?;
            StyleSums::of(&self.quick, &self.recipe, &fed, levels)
        };
        let whole = match previous.surroundings.take() {
            Some(known) if known.window == window => return Ok(Some(known)),
            Some(Surroundings { window, outside }) => outside.sums.plus(&sums(&window)?)?,
            None => sums(&Window::whole(size_of(still)?))?,
        };
        let outside = Outside { sums: whole.minus(&sums(&window)?)?, share: window.share() };
        Ok(Some(Surroundings { window, outside }))
    }

    fn optimise(
        &mut self,
        content: &Tensor,
        mut variable: Tensor,
        hold: Option<&Hold>,
        optimizer: &mut dyn Optimizer,
        steps: u32,
        watch: &mut Watch,
    ) -> Result<Tensor> {
        if steps == 0 {
            return self.picture_of(&variable);
        }
        let Some(style) = &self.style_targets else { return Err(Error::NoStyle) };
        let mut content = content_targets(&self.quick, &self.recipe, &self.input.apply(content)?, style.size)?;
        if self.recipe.style.distance == Distance::Relative
            && let Some(palette) = &self.style_palette
        {
            content.weight *= content_factor(palette.contrast()?);
        }
        let objective = Objective::new(&self.quick, &self.recipe, style, &content, hold)?;
        let size = size_of(&variable)?;
        let bounded = self.recipe.variable == Variable::BoundedPicture;
        let mut last_losses = None;
        let mut lowest = f64::INFINITY;
        let (begin, begun_at) = (Instant::now(), watch.step);
        for step in 1..=steps {
            let (evaluation, losses) = objective.evaluate(&variable, bounded.then_some(&self.input))?;
            last_losses = Some(losses);
            watch.step(&evaluation.loss)?;
            if self.recipe.patience.is_some_and(|patience| step % patience == 0) {
                let loss = evaluation.loss.f_double_value(&[])?;
                if loss >= lowest {
                    break;
                }
                lowest = loss;
            }
            variable = optimizer.step(&variable, &evaluation)?;
            if bounded {
                variable = variable.f_clamp(0.0, 1.0)?;
            }
            if let Some(Hold { moved, frozen, .. }) = hold {
                // An optimiser's momentum would carry it on.
                variable = moved.f_where_self(frozen, &variable)?;
            }
        }
        if let Some(losses) = last_losses {
            // This also waits for the device, until all is done.
            losses.record(&mut self.stats)?;
        }
        let took = begin.elapsed();
        watch.stepping += took;
        self.pace.learn_steps(watch.step - begun_at, size.iter().product(), took);
        self.picture_of(&variable)
    }

    /// Makes what the style losses compare with for frames of this size, unless it is there. The style's longer side is
    /// that of the frames times style-scale, so that strokes keep their size, if the style is not too small for it.
    fn prepare_style(&mut self, size: [i64; 2]) -> Result<()> {
        if self.style_targets.as_ref().is_some_and(|targets| targets.size == size) {
            return Ok(());
        }
        let longest = (size[0].max(size[1]) as f64 * self.parameters.style_scale).round() as i64;
        let prepared = |(picture, share): &(Tensor, f64)| {
            let own = size_of(picture)?;
            let picture = resize(picture, scaled(own, longest.clamp(1, MAX_ENLARGEMENT * own[0].max(own[1]))))?;
            let picture =
                self.palette.as_ref().map_or(Ok(picture.shallow_clone()), |palette| palette.apply_to(&picture))?;
            Ok((Palette::of(&picture)?, self.input.apply(&picture)?, *share))
        };
        let styles = self.styles.iter().map(prepared).collect::<Result<Vec<_>>>()?;
        self.style_palette = Palette::blend(styles.iter().map(|(palette, _, share)| (palette, *share)))?;
        let styles: Vec<_> = styles.into_iter().map(|(_, fed, share)| (fed, share)).collect();
        self.style_targets = Some(style_targets(&self.quick, &self.recipe, &styles, size)?);
        Ok(())
    }

    fn variable_of(&self, picture: &Tensor) -> Result<Tensor> {
        match self.recipe.variable {
            Variable::BoundedPicture => Ok(picture.shallow_clone()),
            Variable::Fed => self.input.apply(picture),
        }
    }

    /// In 0..1.
    fn picture_of(&self, variable: &Tensor) -> Result<Tensor> {
        match self.recipe.variable {
            Variable::BoundedPicture => Ok(variable.shallow_clone()),
            Variable::Fed => Ok(self.input.undo(variable)?.f_clamp(0.0, 1.0)?),
        }
    }

    /// What becomes of a frame in the end, from what was painted at a smaller size, or its own, over `content`.
    fn finished(&self, picture: &Tensor, content: &Tensor, frame: &Tensor) -> Result<Tensor> {
        let size = size_of(frame)?;
        let mut result = resize(picture, size)?;
        if size_of(content)? != size {
            // What the smaller size could not hold is as it was, but for its colours: those are the paint's.
            let lost = grey(frame)?.f_sub(&stretch(&grey(content)?, size)?)?;
            result = result.f_add(&lost)?.f_clamp(0.0, 1.0)?;
        }
        if self.parameters.original_colors == original_colors::LUMA {
            result = keep_chroma(&result, frame)?;
        }
        if self.parameters.strength < 1.0 {
            result = frame.f_lerp(&result, self.parameters.strength)?;
        }
        Ok(result.f_to_device(Device::Cpu)?)
    }
}

impl Watch<'_> {
    fn step(&mut self, loss: &Tensor) -> Result<()> {
        self.step += 1;
        let step = Step { step: self.step, steps: self.steps, is_first: self.is_first, loss };
        if (self.tell)(&step) { Ok(()) } else { Err(Error::Stopped) }
    }
}

impl Losses {
    fn record(&self, stats: &mut Stats) -> Result<()> {
        stats.style_loss = self.style.f_double_value(&[])?;
        stats.content_loss = self.content.f_double_value(&[])?;
        stats.tv_loss = self.tv.f_double_value(&[])?;
        Ok(())
    }
}

/// What multiplies the content's weight for a style of this contrast: as the relative distance grows, by the square.
fn content_factor(contrast: f64) -> f64 {
    (LOW_CONTRAST / contrast).powi(2).clamp(1.0, MAX_CONTENT_FACTOR)
}

/// The share of the temporal weight that holds a frame, by the style losses of the last one and of the best one.
fn held_share(last: f64, least: f64) -> f64 {
    let limit = GROWN_STYLE_LOSS * least;
    if last > limit { (limit / last).powi(2).max(LEAST_HOLD) } else { 1.0 }
}

/// What features are computed in.
fn kind(recipe: &Recipe, device: Device) -> Kind {
    recipe.kind.unwrap_or_else(|| device::quick_kind(device))
}

/// The size at which to optimise: `size`, height then width, with its longer side brought down to `longest` (0: as is).
fn working_size(size: [i64; 2], longest: i64) -> [i64; 2] {
    if longest == 0 || size[0].max(size[1]) <= longest { size } else { scaled(size, longest) }
}

/// Up to so many sizes, each twice the one before, the last of which is `size`; the style is smaller by a factor.
fn pyramid(size: [i64; 2], style_scale: f64, scales: u32) -> Vec<[i64; 2]> {
    let longest = size[0].max(size[1]);
    let style_side = |halving: &u32| ((longest >> halving) as f64 * style_scale) as i64;
    let halvings = (1..scales).take_while(|halving| style_side(halving) >= LEAST_SIDE).count() as u32;
    (0..=halvings).rev().map(|halving| if halving == 0 { size } else { scaled(size, longest >> halving) }).collect()
}

/// `steps`, shared among so many scales; the last gets what is left over.
fn shares(steps: u32, scales: usize) -> Vec<u32> {
    let each = steps.checked_div(scales as u32).unwrap_or(steps);
    let mut shares = vec![each; scales];
    if let Some(last) = shares.last_mut() {
        *last += steps - each * scales as u32;
    }
    shares
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
        assert_eq!(held_share(1.0, 0.01), LEAST_HOLD);
    }

    #[test]
    fn content_weighs_more_beside_a_style_of_little_contrast() {
        assert_eq!([0.3, 0.15].map(content_factor), [1.0; 2]);
        assert!((content_factor(0.075) - 4.0).abs() < 1e-9);
        assert_eq!([0.01, 0.0].map(content_factor), [MAX_CONTENT_FACTOR; 2]);
    }
}
