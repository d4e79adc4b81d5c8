//! Training pictures that the student is painting. An optimizer finds exactly those pictures for which the features are
//! wrong, so the student must be trained on pictures that its own gradients made, not on photographs alone.

use style_engine::losses::{GramDivisor, Statistics, StyleLossKind};
use style_engine::networks::vgg::Vgg;
use style_engine::objective::{Context, Objective};
use style_engine::optimizers::Optimizer;
use style_engine::random::Random;
use style_engine::recipes::Recipe;
use style_engine::targets::{ContentTargets, StyleTargets, content_targets, style_targets};
use style_engine_interface::Parameters;
use tch::Tensor;
use tools::Outcome;
use tools::pictures::{Pictures, below};

/// The minimum and maximum number of steps per picture.
const STEPS: [i64; 2] = [20, 100];

/// The minimum and maximum content weight, as exponents of ten relative to the default.
const CONTENT: [f64; 2] = [-2.0, 1.5];

/// Pictures at all stages of painting.
pub struct Easel {
    side: i64,
    canvases: Vec<Canvas>,
    next: usize,
}

struct Canvas {
    /// `(1, 3, side, side)` in 0..1.
    picture: Tensor,
    recipe: Recipe,
    style: StyleTargets,
    content: ContentTargets,
    optimizer: Box<dyn Optimizer>,
    steps_left: i64,
}

impl Easel {
    /// Starts `count` pictures of `side` x `side` pixels.
    pub fn new(count: usize, side: i64, student: &Vgg, pictures: &Pictures, random: &mut Random) -> Outcome<Self> {
        let mut canvases = Vec::new();
        for _ in 0..count {
            let mut canvas = Canvas::new(side, student, pictures, random)?;
            // The pictures must not all be finished at the same time.
            canvas.steps_left = 1 + below(canvas.steps_left, random);
            canvases.push(canvas);
        }
        Ok(Self { side, canvases, next: 0 })
    }

    /// The current state of the next `count` pictures, each `(1, 3, side, side)`. Each of them then gets another step.
    pub fn take(
        &mut self,
        count: usize,
        student: &Vgg,
        pictures: &Pictures,
        random: &mut Random,
    ) -> Outcome<Vec<Tensor>> {
        let mut taken = Vec::new();
        for _ in 0..count {
            let canvas = &mut self.canvases[self.next];
            taken.push(canvas.picture.shallow_clone());
            canvas.paint(student)?;
            if canvas.steps_left == 0 {
                *canvas = Canvas::new(self.side, student, pictures, random)?;
            }
            self.next = (self.next + 1) % self.canvases.len();
        }
        Ok(taken)
    }
}

impl Canvas {
    fn new(side: i64, student: &Vgg, pictures: &Pictures, random: &mut Random) -> Outcome<Self> {
        let mut recipe = Recipe::new(&Parameters::default(), "", "")?;
        let exponent = CONTENT[0] + (CONTENT[1] - CONTENT[0]) * f64::from(random.draw());
        recipe.content.weight *= 10f64.powf(exponent);
        // The style loss with which the published built-in network was trained.
        recipe.style_loss = StyleLossKind::Statistics(Statistics::Gram(GramDivisor::Positions));
        recipe.levels.truncate(1);
        let [content, style] = [pictures.draw(side, random)?, pictures.draw(side, random)?];
        let [content, style] = [content, style].map(|picture| picture.unsqueeze(0).to_device(student.device));
        let input = student.input.on(student.device)?;
        Ok(Self {
            style: style_targets(student, &recipe, &[(input.apply(&style)?, 1.0)], [side, side])?,
            content: content_targets(student, &recipe, &input.apply(&content)?, [side, side])?,
            optimizer: recipe.method.build(&content)?,
            recipe,
            picture: content,
            steps_left: STEPS[0] + below(STEPS[1] - STEPS[0], random),
        })
    }

    fn paint(&mut self, student: &Vgg) -> Outcome<()> {
        let objective = Objective::new(student, &self.recipe, &self.style, &self.content, Context::default())?;
        let input = student.input.on(student.device)?;
        let (evaluation, _) = objective.evaluate(&self.picture, Some(&input))?;
        self.picture = self.optimizer.step(&self.picture, &evaluation)?.clamp(0.0, 1.0);
        self.steps_left -= 1;
        Ok(())
    }
}
