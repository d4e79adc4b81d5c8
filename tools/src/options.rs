//! A program's arguments: files, and options of the form `NAME=VALUE`.

use std::collections::HashMap;
use std::str::FromStr;

use crate::Outcome;

/// Parsed arguments.
pub struct Options {
    /// The arguments that are no options.
    pub files: Vec<String>,
    options: HashMap<String, String>,
    /// All arguments, separated by spaces.
    pub command: String,
}

impl Options {
    /// Parses arguments.
    pub fn new(arguments: impl Iterator<Item = String>) -> Self {
        let arguments: Vec<String> = arguments.collect();
        let mut parsed = Self { files: Vec::new(), options: HashMap::new(), command: arguments.join(" ") };
        for argument in arguments {
            match argument.split_once('=') {
                Some((name, value)) => drop(parsed.options.insert(name.to_owned(), value.to_owned())),
                None => parsed.files.push(argument),
            }
        }
        parsed
    }

    /// An option's text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// An option's number.
    pub fn number<T: FromStr>(&self, name: &str, default: T) -> Outcome<T> {
        let parse = |text: &str| text.parse().map_err(|_| format!("{name}={text}: not a number").into());
        self.text(name).map_or(Ok(default), parse)
    }
}
