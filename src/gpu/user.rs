//! The user's own shader: validation, and the limit of its loops.

use std::collections::HashSet;
use std::sync::Mutex;

use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
use wgpu::naga::{Block, Expression, Function, Handle, Module, Scalar, Span, Statement, TypeInner};

use super::shaders::BINDINGS;
use super::user_constants;
use super::user_source::Source;
use super::wgsl_tokens::functions;
use crate::recent::Recent;
use crate::sync::lock;

/// The texts that are joined with the user's. `loop_guard` is the first function of user.wgsl, as naga requires a function
/// to precede its callers.
const USER: &str = include_str!("../../shaders/user.wgsl");
const FRAME: &str = include_str!("../../shaders/frame.wgsl");
const SHADE: &str = include_str!("../../shaders/shade.wgsl");

/// The function that the user's text must have.
const SIGNATURE: &str = "fn shade(component: u32, x: i32, y: i32) -> f32";

/// The maximum number of iterations of all loops together for one sample, as in user.wgsl.
pub(super) const MAX_LOOP_ITERATIONS: u32 = 32_768;

/// Validates a user's shader.
///
/// The error has the line and its text, and naga's message or the name of what is not allowed.
pub fn check(text: &str) -> Result<(), String> {
    // Cached, since settings are checked again whenever one of them changes.
    static CHECKED: Mutex<Recent<String, Result<(), String>>> = Mutex::new(Recent::new(MAX_CACHED));
    lock(&CHECKED).get_or_make(text.to_owned(), |text| check_uncached(text))
}

/// The number of texts whose results are cached; a chain may have several shaders.
const MAX_CACHED: usize = 16;

fn check_uncached(text: &str) -> Result<(), String> {
    check_names(text)?;
    check_declarations(text)?;
    let (source, module) = joined(text)?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|error| source.validation_error(&error, &module))?;
    user_constants::check(&source, &module, &info)
}

/// Fails if the user's text declares a name that the texts around it use: WGSL would let them call the user's function
/// instead of its own `min`.
fn check_names(text: &str) -> Result<(), String> {
    let own = [USER, FRAME, SHADE].concat();
    let reserved: HashSet<_> = functions(&own).filter(|name| !["shade", "main"].contains(name)).collect();
    let source = Source::new(text, &[]);
    match source.declarations().find(|(_, name)| reserved.contains(name)) {
        Some((place, name)) => Err(source.message_at(
            place,
            &format!("the name `{name}` is taken: user.wgsl, frame.wgsl or shade.wgsl uses it; choose another one"),
        )),
        None => Ok(()),
    }
}

/// Fails if the user's text declares what it must not, or lacks `shade`.
fn check_declarations(text: &str) -> Result<(), String> {
    let source = Source::new(text, &[USER, FRAME]);
    let module = source.parse()?;
    let refused =
        |span: Span, message: &str| Err(source.message([span].into_iter(), message).unwrap_or(message.into()));
    let Some((shade, function)) = module.functions.iter().find(|(_, function)| has_name(function, "shade")) else {
        return Err(format!("the text has no function `shade`; it must have `{SIGNATURE}`"));
    };
    let scalar = |ty| match module.types.get_handle(ty).map(|ty| &ty.inner) {
        Ok(TypeInner::Scalar(scalar)) => Some(*scalar),
        _ => None,
    };
    let arguments: Vec<_> = function.arguments.iter().map(|argument| scalar(argument.ty)).collect();
    let result = function.result.as_ref().and_then(|result| scalar(result.ty));
    if arguments != [Scalar::U32, Scalar::I32, Scalar::I32].map(Some) || result != Some(Scalar::F32) {
        return refused(module.functions.get_span(shade), &format!("the function must be `{SIGNATURE}`"));
    }
    if let Some(entry) = module.entry_points.first() {
        let message = format!("an entry point is not allowed; write `{SIGNATURE}`");
        return Err(match source.declarations().find(|&(_, name)| name == entry.name) {
            Some((place, _)) => source.message_at(place, &message),
            None => message,
        });
    }
    let mut bound = module.global_variables.iter().filter(|(_, global)| global.binding.is_some());
    if let Some((variable, _)) = bound.nth(BINDINGS.len()) {
        return refused(module.global_variables.get_span(variable), "a variable with a @binding is not allowed");
    }
    // The first one is that of frame.wgsl.
    if let Some((constant, _)) = module.overrides.iter().nth(1) {
        return refused(module.overrides.get_span(constant), "nothing sets an `override`; write `const`");
    }
    // A barrier could hang, since other invocations may have returned already.
    match module.functions.iter().find(|(_, function)| synchronizes(&function.body)) {
        Some((function, _)) => {
            refused(module.functions.get_span(function), "barriers and subgroup operations are not allowed")
        }
        None => Ok(()),
    }
}

fn has_name(function: &Function, name: &str) -> bool {
    function.name.as_deref() == Some(name)
}

/// The module of a validated text. Each of its loops calls the loop guard before every iteration.
pub(super) fn module(text: &str) -> Result<Module, String> {
    joined(text).map(|(_, module)| module)
}

/// The whole source of a text, and its module.
fn joined(text: &str) -> Result<(Source, Module), String> {
    let source = Source::new(text, &[USER, FRAME, SHADE]);
    let mut module = source.parse()?;
    let loop_guard = module.functions.iter().find(|(_, function)| has_name(function, "loop_guard"));
    let loop_guard = loop_guard.map(|(handle, _)| handle).ok_or("user.wgsl has no function loop_guard")?;
    for (_, function) in module.functions.iter_mut() {
        let mut body = std::mem::take(&mut function.body);
        limit_loops(&mut body, function, loop_guard);
        function.body = body;
    }
    Ok((source, module))
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

    /// A shader whose function `shade` has this body.
    fn shading(body: &str) -> String {
        format!("fn shade(component: u32, x: i32, y: i32) -> f32 {{ {body} }}")
    }

    #[test]
    fn errors_have_the_line_of_the_users_text() {
        let shade = shading("return 0.0;");
        for (text, words) in [
            (&*format!("fn twice(a: f32) -> f32 {{\n return b * 2.0;\n}}\n{shade}"), "shader:2:9: no definition"),
            (&shading("return brightness;"), "shader:1:58: no definition in scope for identifier: `brightness`"),
            (&shading("return brightness;"), "in the line: fn shade(component: u32, x: i32, y: i32)"),
            (&format!("// a comment\n{shade}\n/* unterminated"), "shader:3:1: "),
            (&format!("{shade}\nfn width() {{}}"), "shader:2:4: the name `width` is taken"),
            (&format!("{shade}\nfn min(a: u32, b: u32) -> u32 {{ return a; }}"), "shader:2:4: the name `min` is taken"),
            (&format!("const clamp = 1;\n{shade}"), "shader:1:7: the name `clamp` is taken"),
            (&format!("{shade}\nvar<private> frame: f32;"), "shader:2:14: redefinition of `frame`"),
            (&format!("enable warp;\n{shade}"), "shader:1:8: "),
            (&format!("// mine\nenable f16;\n{shade}"), "shader:2:8: the `f16` extension is not supported"),
            (&format!("{shade}\nvar<private> half: f16;"), "shader:2:20: the `f16` enable extension is not enabled"),
            (
                &format!("{shade}\nfn endless(a: f32) -> f32 {{\n loop {{ return a; }}\n return a + 1;\n}}\nx"),
                "shader:6:1: ",
            ),
            (&format!("{shade}\noverride gain: f32;"), "shader:2:1: nothing sets an `override`"),
            (&format!("{shade}\nconst half = 1 / 0;"), "shader:2:"),
            (&format!("{shade}\nconst large = 1e39f;"), "shader:2:15: "),
            (&format!("{shade}\nvar<private> wide_one: f64;"), "shader:2:1: Type"),
            (&shading("\nvar wide_one: f64;\nreturn 0.0;"), "shader:2:1: Type"),
            (&format!("{shade}\nfn twice(a: f64) {{}}"), "shader:2:1: Type"),
            (
                &shading("let nothing = 0.0; return nothing / nothing;"),
                "shader:1:77: a constant is invalid: Float literal is NaN",
            ),
            (
                &shading("let large = 1e15;\nreturn large * large * large;"),
                "shader:2:8: a constant is invalid: Float literal is inf",
            ),
            ("\n\nfn shade() -> f32 { return 1.0; }", "shader:3:1: the function must be `fn shade(component: u32"),
            ("fn shade(component: u32, x: i32, y: i32) {}", "shader:1:1: the function must be"),
            ("fn shadow() {}", "no function `shade`; it must have `fn shade(component: u32, x: i32, y: i32) -> f32`"),
            ("// fn shade() is still to come", "no function `shade`; it must have"),
        ] {
            assert!(error(text).contains(words), "{text}:\n{}", error(text));
        }
    }

    #[test]
    fn texts_of_any_editor_and_every_declaration_are_taken() {
        let shade = shading("return half(gain);");
        let declarations = "const gain = 0.5;\nalias number = f32;\nstruct Pair { a: f32, b: f32 }\nvar<private> pair: Pair;\n\
            const_assert gain < 1;\nfn half(value: number) -> f32 { pair.a = value; return pair.a / 2; }\n";
        let text = format!(
            "diagnostic(off, derivative_uniformity);\nrequires pointer_composite_access;\n{declarations}{shade}"
        );
        for text in [&text, &text.replace('\n', "\r\n"), &format!("\u{feff}{text}"), &text.replace("off, ", "off ,")] {
            assert_eq!(check(text), Ok(()), "{text:?}");
            assert!(module(text).is_ok());
        }
        let wrong = error(&text.replace('\n', "\r\n").replace("/ 2", "/ two"));
        assert!(wrong.contains("shader:8:65: ") && wrong.ends_with("return pair.a / two; }"), "{wrong}");
    }

    #[test]
    fn barriers_bindings_and_entry_points_are_refused() {
        let shade = "fn shade(component: u32, x: i32, y: i32) -> f32 {";
        assert!(error(&format!("{shade} workgroupBarrier(); return 0.0; }}")).contains("barrier"));
        assert!(
            error(&format!("@group(0) @binding(7) var<storage> mine: array<u32>;\n{shade} return 0.0; }}"))
                .contains("binding")
        );
        let entry = error(&format!("{shade} return 0.0; }}\n@compute @workgroup_size(1) fn mine() {{}}"));
        assert!(entry.contains("shader:2:32: an entry point"), "{entry}");
    }
}
