//! The source of a user's shader: the user's text joined with the project's own, and errors in the user's own lines.

use std::error::Error;

use wgpu::naga::front::wgsl::{Frontend, Options, ParseError};
use wgpu::naga::valid::{Capabilities, ValidationError};
use wgpu::naga::{Handle, Module, Span, Type, WithSpan};

use super::wgsl_tokens::{declarations, directives_end};

/// A user's text joined with the project's own.
pub(super) struct Source {
    /// The whole source.
    joined: String,
    /// The user's text, without a byte order mark and with line feeds alone.
    text: String,
    /// The end of the directives in the user's text. WGSL wants them before everything else, so they come first.
    directives: usize,
    /// The bytes of the project's own text, which lies between the user's directives and the rest.
    own: usize,
}

impl Source {
    /// Joins `text` with the project's own texts, in which a function precedes its callers.
    pub(super) fn new(text: &str, own: &[&str]) -> Self {
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
        let directives = directives_end(&text);
        let (first, rest) = text.split_at(directives);
        let own = ["\n", &own.concat(), "\n"].concat();
        Self { joined: [first, &own, rest].concat(), directives, own: own.len(), text }
    }

    /// Parses the whole source. Extensions that not every device has, such as f16, are refused where they are enabled.
    pub(super) fn parse(&self) -> Result<Module, String> {
        let options = Options { capabilities: Capabilities::empty(), ..Options::new() };
        Frontend::new_with_options(options).parse(&self.joined).map_err(|error| self.parse_error(&error))
    }

    /// The names of functions, constants and types that the user's text declares, with their places.
    pub(super) fn declarations(&self) -> impl Iterator<Item = (usize, &str)> {
        declarations(&self.text)
    }

    /// The message for an error of naga's parser.
    fn parse_error(&self, error: &ParseError) -> String {
        // No extension can be enabled, although naga says so.
        let notes = error.notes().filter(|note| !note.contains("enable this extension"));
        let notes = notes.map(|note| format!(" ({note})")).collect::<String>();
        let message = format!("{}{notes}", error.message());
        self.message(error.labels().map(|(span, _)| span), &message).unwrap_or_else(|| {
            format!("a name of WGSL itself, of user.wgsl or of frame.wgsl is defined again: {message}")
        })
    }

    /// The message for an error of naga's validator.
    pub(super) fn validation_error(&self, error: &WithSpan<ValidationError>, module: &Module) -> String {
        let mut message = error.as_inner().to_string();
        let mut cause = error.as_inner().source();
        while let Some(error) = cause {
            message.push_str(&format!(": {error}"));
            cause = error.source();
        }
        // The last span is the innermost one: a function's expression, after the function.
        let spans: Vec<_> = error.spans().map(|&(span, _)| span).collect();
        let used = match error.as_inner() {
            ValidationError::Type { handle, .. } => uses(*handle, module),
            _ => Vec::new(),
        };
        self.message(spans.into_iter().rev().chain(used), &message).unwrap_or(message)
    }

    /// The message with the line of the first span that lies in the user's text; `None` if there is none.
    pub(super) fn message(&self, spans: impl Iterator<Item = Span>, message: &str) -> Option<String> {
        let place = spans.filter_map(|span| self.place(span)).next()?;
        Some(self.message_at(place, message))
    }

    /// The message with the line of a place in the user's text.
    pub(super) fn message_at(&self, place: usize, message: &str) -> String {
        let (before, after) = self.text.split_at_checked(place).unwrap_or((&self.text, ""));
        let line = before.matches('\n').count().saturating_add(1);
        let start = before.rsplit('\n').next().unwrap_or_default();
        let column = start.chars().count().saturating_add(1);
        let text = [start, after.split('\n').next().unwrap_or_default()].concat();
        format!("shader:{line}:{column}: {message}, in the line: {}", text.trim())
    }

    /// The place in the user's text at which a span begins.
    fn place(&self, span: Span) -> Option<usize> {
        let begin = span.to_range()?.start;
        if begin < self.directives {
            return Some(begin);
        }
        begin.checked_sub(self.own).filter(|&place| place >= self.directives)
    }
}

/// The places of the variables and functions with this type, which itself has none.
fn uses(ty: Handle<Type>, module: &Module) -> Vec<Span> {
    let variables = &module.global_variables;
    let mut places: Vec<_> = variables
        .iter()
        .filter(|(_, variable)| variable.ty == ty)
        .map(|(handle, _)| variables.get_span(handle))
        .collect();
    for (handle, function) in module.functions.iter() {
        let locals = &function.local_variables;
        places.extend(locals.iter().filter(|(_, local)| local.ty == ty).map(|(handle, _)| locals.get_span(handle)));
        let result = function.result.iter().map(|result| result.ty);
        if function.arguments.iter().map(|argument| argument.ty).chain(result).any(|used| used == ty) {
            places.push(module.functions.get_span(handle));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_come_first_and_keep_their_places() {
        let text = "\u{feff}// a; /* b\r\n/* enable c; /* d */ ; */ enable f16;\n diagnostic(off, e);\rfn enabled() {} enable g;";
        let source = Source::new(text, &["own"]);
        let (first, rest) = source.joined.split_once("\nown\n").unwrap();
        assert!(first.ends_with("enable f16;\n diagnostic(off, e);"), "{first}");
        assert_eq!(rest, "\nfn enabled() {} enable g;");
        let message_at = |part: &str| {
            let begin = source.joined.find(part).unwrap() as u32;
            source.message([Span::new(begin, begin + 1)].into_iter(), "wrong").unwrap()
        };
        assert_eq!(message_at("diagnostic"), "shader:3:2: wrong, in the line: diagnostic(off, e);");
        assert_eq!(message_at("enabled"), "shader:4:4: wrong, in the line: fn enabled() {} enable g;");
        let own = source.joined.find("own").unwrap() as u32;
        assert_eq!(source.message([Span::new(own, own + 1)].into_iter(), "wrong"), None);
    }
}
