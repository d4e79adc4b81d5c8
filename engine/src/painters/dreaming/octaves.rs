//! The octaves of a dream: sizes of the picture, each larger than the one before. What is dreamt at one is dreamt
//! further at the next.

use std::time::Instant;

use tch::Tensor;

use super::DreamingPainter;
use super::objective::{DreamObjective, chosen};
use crate::Result;
use crate::networks::vgg::Dream;
use crate::objective::LossValues;
use crate::progress::ProgressReporter;
use crate::random::Random;
use crate::recipes::Recipe;
use crate::size::{resize, size_of, stretch};

/// The minimum of the smallest octave's shorter side, in pixels.
const MIN_SIDE: i64 = 32;

impl DreamingPainter {
    /// Dreams on from a picture, with this number of steps in each octave. `pace` is the factor of each place's steps,
    /// `(1, 1, H, W)`; `None`: 1.
    pub(super) fn dream(
        &mut self,
        start: &Tensor,
        pace: Option<&Tensor>,
        steps: u32,
        progress: &mut ProgressReporter,
    ) -> Result<Tensor> {
        let begin = Instant::now();
        let full = size_of(start)?;
        let sizes = sizes(full, self.parameters.octaves, self.parameters.octave_scale);
        progress.steps = steps * sizes.len() as u32;
        let objective = match self.objective.take() {
            Some(objective) => objective,
            None => self.prepared()?,
        };
        // The same jitter in each frame: a still scene has a still dream.
        let mut random = Random(self.parameters.seed);
        let mut last_loss = None;
        let mut detail: Option<Tensor> = None;
        let mut picture = start.shallow_clone();
        for size in sizes {
            let base = resize(start, size)?;
            let pace = pace.map(|pace| stretch(pace, size)).transpose()?;
            picture = match detail {
                Some(detail) => base.f_add(&stretch(&detail, size)?)?,
                None => base.shallow_clone(),
            };
            let mut optimizer = self.recipe.method.build(&picture)?;
            for _ in 0..steps {
                let shift = [(); 2].map(|()| jitter(&mut random, self.parameters.jitter));
                let evaluation =
                    objective.evaluate(&self.feature_network, &self.recipe, &self.input, &picture, shift)?;
                progress.step(&evaluation.loss)?;
                let next = optimizer.step(&picture, &evaluation)?;
                picture = match &pace {
                    Some(pace) => picture.f_lerp_tensor(&next, pace)?.f_clamp(0.0, 1.0)?,
                    None => next.f_clamp(0.0, 1.0)?,
                };
                last_loss = Some(evaluation.loss);
            }
            detail = Some(picture.f_sub(&base)?);
        }
        self.objective = Some(objective);
        if let Some(loss) = last_loss {
            // This also waits for the device, until all is done.
            progress.losses = Some(LossValues { style: 0.0, content: loss.f_double_value(&[])?, tv: 0.0 });
        }
        let took = begin.elapsed();
        progress.stepping += took;
        // A step is one in each octave here.
        self.budget.learn_steps(steps, full.iter().product(), took);
        Ok(picture)
    }

    /// The objective. Without layers, channels and guides, the network's own choice is raised.
    fn prepared(&self) -> Result<DreamObjective> {
        let Self { feature_network, recipe, input, parameters, guides, .. } = self;
        let is_chosen = !recipe.content.optional || chosen(&parameters.channels).count() > 0 || !guides.is_empty();
        let (content, channels) = match self.network.dream.filter(|_| !is_chosen) {
            Some(Dream { layer, channels }) => (recipe.content.with_layers(layer), channels),
            None => (recipe.content.clone(), parameters.channels.as_slice()),
        };
        let recipe = Recipe { content, ..recipe.clone() };
        DreamObjective::new(feature_network, &recipe, input, channels, guides, parameters.style_scale)
    }
}

/// Up to `octaves` sizes, each `scale` times the one before, the last of which is `full`. Small pictures have fewer.
fn sizes(full: [i64; 2], octaves: u32, scale: f64) -> Vec<[i64; 2]> {
    let smaller = |octave: u32| full.map(|side| (side as f64 / scale.powi(octave as i32)).round() as i64);
    let more = (1..octaves).map(smaller).take_while(|size| size.iter().all(|&side| side >= MIN_SIDE));
    let mut sizes: Vec<_> = std::iter::once(full).chain(more).collect();
    sizes.reverse();
    sizes
}

/// A random number of pixels from `-most` to `most`.
fn jitter(random: &mut Random, most: u32) -> i64 {
    (random.draw() * (2 * most + 1) as f32) as i64 - i64::from(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octaves_end_at_the_picture_s_size() {
        assert_eq!(sizes([270, 480], 4, 1.4), [[98, 175], [138, 245], [193, 343], [270, 480]]);
        assert_eq!(sizes([40, 50], 4, 1.2), [[33, 42], [40, 50]], "a small picture");
        assert_eq!(sizes([3, 5], 4, 1.4), [[3, 5]]);
    }

    #[test]
    fn jitter_reaches_all_shifts() {
        let mut random = Random(1);
        let mut shifts: Vec<_> = (0..200).map(|_| jitter(&mut random, 2)).collect();
        shifts.sort_unstable();
        shifts.dedup();
        assert_eq!(shifts, [-2, -1, 0, 1, 2]);
        assert_eq!(jitter(&mut random, 0), 0);
    }
}
