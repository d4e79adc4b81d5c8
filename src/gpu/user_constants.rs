//! The constants of a user's shader that are evaluated only when wgpu makes a pipeline.

use wgpu::naga::back::pipeline_constants::{PipelineConstantError, process_overrides};
use wgpu::naga::proc::{ConstantEvaluator, Emitter, ExpressionKindTracker, Layouter};
use wgpu::naga::valid::ModuleInfo;
use wgpu::naga::{Block, Function, Module, ShaderStage, Span};

use super::user_source::Source;

/// Fails if a constant has no value, such as 0.0 / 0.0, or one that is too large.
pub(super) fn check(source: &Source, module: &Module, info: &ModuleInfo) -> Result<(), String> {
    // Some depend on the samples' width.
    for wide in [0.0, 1.0] {
        let constants = [("wide".to_owned(), wide)].into_iter().collect();
        process_overrides(module, info, Some((ShaderStage::Compute, "main")), &constants).map_err(
            |error| match error {
                PipelineConstantError::ValidationError(error) => source.validation_error(&error, module),
                error => {
                    let message = format!("a constant is invalid: {error}");
                    let mut functions = module.functions.iter();
                    let place = functions.find_map(|(_, function)| invalid_constant(module, function));
                    source.message(place.into_iter(), &message).unwrap_or(message)
                }
            },
        )?;
    }
    Ok(())
}

/// The place of the first expression of a function that has a constant value, but not a valid one: naga's error does not
/// have it. Each constant expression is replaced by its value, for those that contain it.
fn invalid_constant(module: &Module, function: &Function) -> Option<Span> {
    let (mut module, mut expressions) = (module.clone(), function.expressions.clone());
    let mut kinds = ExpressionKindTracker::from_arena(&expressions);
    let (mut layouter, mut emitter, mut block) = (Layouter::default(), Emitter::default(), Block::new());
    for (handle, _) in function.expressions.iter() {
        let (expression, span) = (expressions.try_get(handle).ok()?.clone(), function.expressions.get_span(handle));
        let mut evaluator = ConstantEvaluator::for_wgsl_function(
            &mut module,
            &mut expressions,
            &mut kinds,
            &mut layouter,
            &mut emitter,
            &mut block,
            false,
        );
        let Ok(value) = evaluator.try_eval_and_append(expression, span) else { return Some(span) };
        *expressions.get_mut(handle) = expressions.try_get(value).ok()?.clone();
    }
    None
}
