//! The user's own shader: validation, and the limit of its loops.

use std::sync::Mutex;

use wgpu::naga::front::wgsl;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
use wgpu::naga::{Block, Expression, Function, Handle, Module, Span, Statement};

use super::shaders::BINDINGS;
use crate::recent::Recent;
use crate::sync::lock;

/// The text that is concatenated with the user's.
const FRAME: &str = include_str!("../../shaders/frame.wgsl");
const USER: &str = include_str!("../../shaders/user.wgsl");

/// The maximum number of iterations of all loops together for one sample, as in user.wgsl.
pub(super) const MAX_LOOP_ITERATIONS: u32 = 32_768;

/// Validates a user's shader.
///
/// The error is naga's message, with the line, or names the construct that is not allowed.
pub fn check(text: &str) -> Result<(), String> {
    // Cached, since settings are checked again whenever one of them changes.
    static CHECKED: Mutex<Recent<String, Result<(), String>>> = Mutex::new(Recent::new(MAX_CACHED));
    lock(&CHECKED).get_or_make(text.to_owned(), |text| check_uncached(text))
}

/// The number of texts whose results are cached; a chain may have several shaders.
const MAX_CACHED: usize = 16;

fn check_uncached(text: &str) -> Result<(), String> {
    // The user's text comes first, so that line numbers in messages are those of the text.
    let source = [text, "\n", FRAME, USER].concat();
    if !has_shade(text) {
        return Err("`fn shade(component: u32, x: i32, y: i32) -> f32` is missing".into());
    }
    let module = wgsl::parse_str(&source).map_err(|error| error.emit_to_string_with_path(&source, "shader"))?;
    if module.entry_points.len() > 1 {
        return Err("an entry point is not allowed; write `fn shade(component: u32, x: i32, y: i32) -> f32`".into());
    }
    if module.global_variables.iter().filter(|(_, global)| global.binding.is_some()).count() > BINDINGS.len() {
        return Err("a variable with a @binding is not allowed".into());
    }
    // A barrier could hang, since other invocations may have returned already.
    if module.functions.iter().any(|(_, function)| synchronizes(&function.body)) {
        return Err("barriers and subgroup operations are not allowed".into());
    }
    Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|error| error.emit_to_string_with_path(&source, "shader"))?;
    Ok(())
}

/// A rough check for `fn shade`. Without it, naga's error would refer to text that the user does not see.
fn has_shade(text: &str) -> bool {
    text.split("fn").skip(1).any(|rest| rest.trim_start().starts_with("shade"))
}

/// The module of a validated text. Each of its loops calls the loop guard before every iteration.
pub(super) fn module(text: &str) -> Result<Module, String> {
    // naga requires a function to precede its callers: `loop_guard` is the first function of user.wgsl.
    let source = [USER, FRAME, text].concat();
    let mut module = wgsl::parse_str(&source).map_err(|error| error.emit_to_string(&source))?;
    let named = |function: &Function, name| function.name.as_deref() == Some(name);
    let loop_guard = module.functions.iter().find(|(_, function)| named(function, "loop_guard"));
    let loop_guard = loop_guard.map(|(handle, _)| handle).ok_or("user.wgsl has no function loop_guard")?;
    for (_, function) in module.functions.iter_mut() {
        let mut body = std::mem::take(&mut function.body);
        limit_loops(&mut body, function, loop_guard);
        function.body = body;
    }
    Ok(module)
}

/// Inserts a call of the loop guard, and a break if it returns false, at the start of each loop's body.
fn limit_loops(block: &mut Block, function: &mut Function, loop_guard: Handle<Function>) {
    for statement in block.iter_mut() {
        each_block(statement, &mut |inner| limit_loops(inner, function, loop_guard));
        if let Statement::Loop { body, .. } = statement {
            let result = function.expressions.append(Expression::CallResult(loop_guard), Span::UNDEFINED);
            let call = Statement::Call { function: loop_guard, arguments: Vec::new(), result: Some(result) };
            let end = Block::from_vec(vec![Statement::Break]);
            let check = Statement::If { condition: result, accept: Block::new(), reject: end };
            body.splice(0..0, Block::from_vec(vec![call, check]));
        }
    }
}

/// Visits the blocks of a statement.
fn each_block(statement: &mut Statement, visit: &mut impl FnMut(&mut Block)) {
    match statement {
        Statement::Block(block) => visit(block),
        Statement::If { accept, reject, .. } => [accept, reject].into_iter().for_each(visit),
        Statement::Switch { cases, .. } => cases.iter_mut().for_each(|case| visit(&mut case.body)),
        Statement::Loop { body, continuing, .. } => [body, continuing].into_iter().for_each(visit),
        _ => {}
    }
}

/// Whether the code may wait for other invocations, or exchange values with them.
fn synchronizes(block: &Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::ControlBarrier(_)
        | Statement::MemoryBarrier(_)
        | Statement::WorkGroupUniformLoad { .. }
        | Statement::SubgroupBallot { .. }
        | Statement::SubgroupGather { .. }
        | Statement::SubgroupCollectiveOperation { .. } => true,
        Statement::Block(block) => synchronizes(block),
        Statement::If { accept, reject, .. } => synchronizes(accept) || synchronizes(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|case| synchronizes(&case.body)),
        Statement::Loop { body, continuing, .. } => synchronizes(body) || synchronizes(continuing),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        check(text).expect_err(text)
    }

    #[test]
    fn a_good_shader_passes() {
        let text = "fn shade(component: u32, x: i32, y: i32) -> f32 \
            { return sample(component, width(0u) - x, y) * seconds(); }";
        assert_eq!(check(text), Ok(()));
        assert!(module(text).is_ok());
    }

    #[test]
    fn errors_have_the_line_of_the_users_text() {
        let wrong = error(
            "fn twice(a: f32) -> f32 {\n return b * 2.0;\n}\nfn shade(component: u32, x: i32, y: i32) -> f32 { return 0.0; }",
        );
        assert!(wrong.contains("shader:2:"), "{wrong}");
        let wrong = error("fn shade(component: u32, x: i32, y: i32) -> f32 { return brightness; }");
        assert!(wrong.contains("brightness") && wrong.contains("shader:1:"), "{wrong}");
        assert!(error("fn shadow() {}").contains("fn shade("));
    }

    #[test]
    fn barriers_bindings_and_entry_points_are_refused() {
        let shade = "fn shade(component: u32, x: i32, y: i32) -> f32 {";
        assert!(error(&format!("{shade} workgroupBarrier(); return 0.0; }}")).contains("barrier"));
        assert!(
            error(&format!("@group(0) @binding(7) var<storage> mine: array<u32>;\n{shade} return 0.0; }}"))
                .contains("binding")
        );
        assert!(
            error(&format!("{shade} return 0.0; }}\n@compute @workgroup_size(1) fn mine() {{}}"))
                .contains("entry point")
        );
    }
}
