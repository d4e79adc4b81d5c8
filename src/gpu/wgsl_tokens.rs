//! The tokens of WGSL's text, as far as they are needed without a module: where directives end, and what is declared.

/// The keywords that precede a name.
const DECLARING: [&str; 4] = ["fn", "const", "alias", "struct"];

/// The words and other characters of a text, without spaces and comments, with their places.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = without_comments(rest);
        let place = text.len().saturating_sub(rest.len());
        let end = match rest.find(|letter: char| !is_of_word(letter)).unwrap_or(rest.len()) {
            0 => rest.chars().next()?.len_utf8(),
            end => end,
        };
        let token;
        (token, rest) = rest.split_at_checked(end)?;
        Some((place, token))
    })
}

/// The names of functions, constants and types that a text declares, with their places.
pub(super) fn declarations(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let (mut last, mut depth) = ("", 0_usize);
    tokens(text).filter(move |&(_, token)| {
        match token {
            "{" => depth = depth.saturating_add(1),
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        // Within a function, `const` declares a name of the function's own.
        let keyword = std::mem::replace(&mut last, token);
        depth == 0 && DECLARING.contains(&keyword)
    })
}

/// The names that a text calls or declares as functions: those before a parenthesis.
pub(super) fn functions(text: &str) -> impl Iterator<Item = &str> {
    let next = tokens(text).skip(1);
    let names = tokens(text).zip(next).filter(|(_, (_, next))| *next == "(").map(|((_, name), _)| name);
    names.filter(|name| name.starts_with(is_of_word))
}

/// The end of WGSL's directives, which precede all declarations.
pub(super) fn directives_end(text: &str) -> usize {
    let mut end = 0;
    loop {
        let rest = text.get(end..).unwrap_or_default();
        let directive = without_comments(rest);
        let word = directive.split(|letter: char| !is_of_word(letter)).next();
        let is_directive = word.is_some_and(|word| ["diagnostic", "enable", "requires"].contains(&word));
        let Some((_, after)) = directive.split_once(';').filter(|_| is_directive) else { return end };
        end = text.len().saturating_sub(after.len());
    }
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The text without the spaces and comments at its start.
fn without_comments(text: &str) -> &str {
    let mut text = text.trim_start();
    loop {
        text = match text.get(..2) {
            Some("//") => text.split_once('\n').map_or("", |(_, rest)| rest).trim_start(),
            Some("/*") => without_block_comment(text).trim_start(),
            _ => return text,
        };
    }
}

/// The text behind the block comment at its start, which may have others in it.
fn without_block_comment(text: &str) -> &str {
    let (mut rest, mut depth) = (text, 0_usize);
    loop {
        let Some(at) = rest.find("/*").into_iter().chain(rest.find("*/")).min() else { return "" };
        let mark;
        (mark, rest) = rest.get(at..).and_then(|from| from.split_at_checked(2)).unwrap_or_default();
        depth = if mark == "/*" { depth.saturating_add(1) } else { depth.saturating_sub(1) };
        if depth == 0 {
            return rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_an_end_has_no_directives() {
        for text in ["", "enable f16", "/* enable f16;", "//", "/", "fn a() {}", "enabled;"] {
            assert_eq!(directives_end(text), 0, "{text}");
        }
    }

    #[test]
    fn declarations_are_those_outside_of_comments_and_functions() {
        let text = "// fn a()\nfn b(c: f32) -> f32 {\n const d = 1; { } const e = 2;\n}/* fn f /* */ */struct g { h: f32 }\n\
            alias\tk=f32;const/**/ä_1=1;var<private> j: k; // fn";
        let names: Vec<_> = declarations(text).collect();
        let place = |declared: &str, name: &str| text.find(declared).unwrap() + declared.find(name).unwrap();
        let expected = [("fn b", "b"), ("struct g", "g"), ("alias\tk", "k"), ("const/**/ä_1", "ä_1")];
        assert_eq!(names, expected.map(|(declared, name)| (place(declared, name), name)));
    }

    #[test]
    fn functions_are_called_or_declared() {
        let text = "fn a(b: f32) -> vec2<f32> { return vec2 (b, c(min/* */(b, 1.0))) * (b); } // d()";
        assert_eq!(functions(text).collect::<Vec<_>>(), ["a", "vec2", "c", "min"]);
    }
}
