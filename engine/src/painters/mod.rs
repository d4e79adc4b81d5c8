//! Painters: how a picture comes about.

mod damping;
mod dreaming;
mod feed_forward;
mod model;
mod models;
mod of_recipe;
mod optimizing;

use style_engine_interface::Parameters;
use tch::{Kind, Tensor};

use crate::motion::Motion;
use crate::progress::ProgressReporter;
use crate::step_budget::{StepBudget, TimeLimits};
use crate::style_masks::StyleMasks;
use crate::styles::Style;
use crate::{Error, Result};

pub(crate) use feed_forward::FeedForwardPainter;
pub(crate) use model::Model;
pub use models::ModelShare;
pub(crate) use models::Models;
pub(crate) use of_recipe::RecipePainter;

/// Styles or models of which at most this share changes from one frame to the next fade: the next frame is still held to the
/// last result. With more, they have changed at once.
const MAX_FADING: f64 = 0.25;

/// Paints the frames of a film.
pub(crate) trait Painter {
    /// Sets how frames are painted; layers as in [`crate::recipes::Recipe::new`]. If this fails, nothing has changed.
    fn set_parameters(&mut self, parameters: Parameters, content_layers: &str, style_layers: &str) -> Result<()>;

    /// Sets the styles. The next frame still starts from the last
    /// result.
    fn set_styles(&mut self, styles: &[Style]) -> Result<()>;

    /// Sets the models. Those that are open stay open.
    fn set_models(&mut self, _models: &[ModelShare]) -> Result<()> {
        Err(Error::Settings("this recipe takes no models".into()))
    }

    /// The open models in words, if there are any.
    fn models(&self) -> Option<String> {
        None
    }

    /// Sets the masks that divide the next frames among the styles.
    fn set_masks(&mut self, masks: Option<StyleMasks>) -> Result<()>;

    /// Limits the time for a frame, from the next one on.
    fn set_time_limits(&mut self, limits: TimeLimits);

    /// Forgets the last result.
    fn reset(&mut self);

    /// Paints a frame from its content, `(1, 3, H, W)` in 0..1 on the painter's device, as is the result. `flow` is the flow
    /// from this frame to the one before, and back, as [`crate::flow::between`] gives it, if it is known.
    fn paint(&mut self, content: &Tensor, flow: Option<[Tensor; 2]>, progress: &mut ProgressReporter)
    -> Result<Tensor>;

    /// How the last frame follows the one before; none if that is not known, or nothing has moved.
    fn motion(&self) -> Option<&Motion> {
        None
    }

    /// The number of steps for a frame that continues another one.
    fn steps(&self) -> u32;

    /// What steps cost.
    fn budget(&mut self) -> &mut StepBudget;

    /// The precision of the network.
    fn kind(&self) -> Kind;
}
