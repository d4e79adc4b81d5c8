//! The user's own shader: checked, and made to end.

use std::sync::Mutex;

use wgpu::naga::front::wgsl;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
use wgpu::naga::{Block, Expression, Function, Handle, Module, Span, Statement};

use super::shaders::BINDINGS;
use crate::recent::Recent;
use crate::sync::lock;

/// What stands before the user's text.
const FRAME: &str = include_str!("../../shaders/frame.wgsl");
const USER: &str = include_str!("../../shaders/user.wgsl");

/// The turns that all loops may take together for one sample, as in user.wgsl.
pub(super) const TURNS: u32 = 32_768;

/// Checks a user's text.
///
/// The error is naga's, with the line and what is wrong there, or says what the text must not have.
pub fn check(text: &str) -> Result<(), String> {
    // Settings are looked at again whenever one of them changes, and a chain may have several shaders.
    static CHECKED: Mutex<Recent<String, Result<(), String>>> = Mutex::new(Recent::new(KEPT));
    lock(&CHECKED).get_or_make(text.to_owned(), |text| check_anew(text))
}

/// How many texts' results are kept.
const KEPT: usize = 16;

fn check_anew(text: &str) -> Result<(), String> {
    // The user's text comes first here, so that the lines are counted from its beginning.
    let source = [text, "\n", FRAME, USER].concat();
    if !has_shade(text) {
        return Err("it has no `fn shade(component: u32, x: i32, y: i32) -> f32`".into());
    }
    let module = wgsl::parse_str(&source).map_err(|error| error.emit_to_string_with_path(&source, "shader"))?;
    if module.entry_points.len() > 1 {
        return Err("it has an entry point; write `fn shade(component: u32, x: i32, y: i32) -> f32` alone".into());
    }
    if module.global_variables.iter().filter(|(_, global)| global.binding.is_some()).count() > BINDINGS.len() {
        return Err("it has a binding of its own; there is nothing to bind".into());
    }
    if module.functions.iter().any(|(_, function)| waits(&function.body)) {
        return Err("it waits for other invocations, which may have ended".into());
    }
    Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|error| error.emit_to_string_with_path(&source, "shader"))?;
    Ok(())
}

/// A rough look, for the one mistake whose error would speak of a text that the user does not see.
fn has_shade(text: &str) -> bool {
    text.split("fn").skip(1).any(|rest| rest.trim_start().starts_with("shade"))
}

/// The shader of a text that was checked, each of whose loops asks before every turn whether it may go on.
pub(super) fn module(text: &str) -> Result<Module, String> {
    // A function must stand before those that call it: `goes_on`, the first of user.wgsl, before all others.
    let source = [USER, FRAME, text].concat();
    let mut module = wgsl::parse_str(&source).map_err(|error| error.emit_to_string(&source))?;
    let named = |function: &Function, name| function.name.as_deref() == Some(name);
    let goes_on = module.functions.iter().find(|(_, function)| named(function, "goes_on"));
    let goes_on = goes_on.map(|(handle, _)| handle).ok_or("user.wgsl has no goes_on")?;
    for (_, function) in module.functions.iter_mut() {
        let mut body = std::mem::take(&mut function.body);
        limit_loops(&mut body, function, goes_on);
        function.body = body;
    }
    Ok(module)
}

fn limit_loops(block: &mut Block, function: &mut Function, goes_on: Handle<Function>) {
    for statement in block.iter_mut() {
        each_block(statement, &mut |inner| limit_loops(inner, function, goes_on));
        if let Statement::Loop { body, .. } = statement {
            let result = function.expressions.append(Expression::CallResult(goes_on), Span::UNDEFINED);
            let call = Statement::Call { function: goes_on, arguments: Vec::new(), result: Some(result) };
            let end = Block::from_vec(vec![Statement::Break]);
            let check = Statement::If { condition: result, accept: Block::new(), reject: end };
            body.splice(0..0, Block::from_vec(vec![call, check]));
        }
    }
}

/// The blocks in a statement.
fn each_block(statement: &mut Statement, visit: &mut impl FnMut(&mut Block)) {
    match statement {
        Statement::Block(block) => visit(block),
        Statement::If { accept, reject, .. } => [accept, reject].into_iter().for_each(visit),
        Statement::Switch { cases, .. } => cases.iter_mut().for_each(|case| visit(&mut case.body)),
        Statement::Loop { body, continuing, .. } => [body, continuing].into_iter().for_each(visit),
        _ => {}
    }
}

/// Whether an invocation that runs this may wait for others, or exchange values with them.
fn waits(block: &Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::ControlBarrier(_)
        | Statement::MemoryBarrier(_)
        | Statement::WorkGroupUniformLoad { .. }
        | Statement::SubgroupBallot { .. }
        | Statement::SubgroupGather { .. }
        | Statement::SubgroupCollectiveOperation { .. } => true,
        Statement::Block(block) => waits(block),
        Statement::If { accept, reject, .. } => waits(accept) || waits(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|case| waits(&case.body)),
        Statement::Loop { body, continuing, .. } => waits(body) || waits(continuing),
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
        let text = "fn shade(component: u32, x: i32, y: i32) -> f32 { return sample(component, width(0u) - x, y) * seconds(); }";
        assert_eq!(check(text), Ok(()));
        assert!(module(text).is_ok());
    }

    #[test]
    fn errors_give_the_users_line() {
        let wrong = error(
            "fn twice(a: f32) -> f32 {\n return b * 2.0;\n}\nfn shade(component: u32, x: i32, y: i32) -> f32 { return 0.0; }",
        );
        assert!(wrong.contains("shader:2:"), "{wrong}");
        let wrong = error("fn shade(component: u32, x: i32, y: i32) -> f32 { return brightness; }");
        assert!(wrong.contains("brightness") && wrong.contains("shader:1:"), "{wrong}");
        assert!(error("fn shadow() {}").contains("fn shade("));
    }

    #[test]
    fn what_could_hang_or_bind_is_refused() {
        let shade = "fn shade(component: u32, x: i32, y: i32) -> f32 {";
        assert!(error(&format!("{shade} workgroupBarrier(); return 0.0; }}")).contains("waits"));
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
