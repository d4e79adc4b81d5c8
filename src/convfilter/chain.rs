//! The `chain` property: several filters in GStreamer's structure syntax, each with properties of its own.

use gst::glib;
use gst::prelude::*;

use super::filter;
use crate::filters::FilterError;

/// Reads a chain, such as `"median, size=3; unsharp-mask, percent=200"`: an element for each filter, which is never
/// started but holds the filter's properties, with the ranges and defaults that they always have.
pub fn parse(chain: &str) -> Result<Vec<super::ConvFilter>, FilterError> {
    let unreadable = || FilterError::Chain(format!("'{chain}' cannot be read"));
    if !starts(chain).all(is_named) {
        return Err(unreadable());
    }
    // Caps are a list of structures, and have the syntax for one.
    let filters = chain.parse::<gst::Caps>().map_err(|_| unreadable())?;
    if filters.is_any() {
        return Err(unreadable());
    }
    filters.iter().map(element).collect()
}

/// Whether a filter starts with its name and nothing else. GStreamer takes a name that begins with no letter, and features
/// that it does not know (in parentheses after the name), for mistakes in the program.
fn is_named(filter: &str) -> bool {
    let name = filter.split([',', ';']).next().unwrap_or_default().trim_end();
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}

/// The text from each filter's name on.
fn starts(chain: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_end = move |&(_, letter): &(usize, char)| {
        let ends = letter == ';' && !is_quoted;
        is_quoted ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        ends
    };
    let after_ends = chain.char_indices().filter(is_end).map(|(at, _)| at.saturating_add(1));
    let starts = std::iter::once(0).chain(after_ends).filter_map(|at| chain.get(at..)).map(str::trim_start);
    // The last one may end with a semicolon, too.
    starts.filter(|start| !start.is_empty())
}

fn element(structure: &gst::StructureRef) -> Result<super::ConvFilter, FilterError> {
    let element = glib::Object::new::<super::ConvFilter>();
    set(&element, "filter", structure.name())?;
    for (name, value) in structure.iter() {
        if !filter::is_read(name) {
            return Err(FilterError::Chain(format!("a filter has no property '{name}'")));
        }
        let text = match value.get::<String>() {
            Ok(text) => text,
            Err(_) => value.serialize().map_err(|error| FilterError::Chain(format!("{name}: {error}")))?.to_string(),
        };
        set(&element, name, &text)?;
    }
    Ok(element)
}

/// Sets a property from text, where glib's own setters would panic on a bad one.
fn set(element: &super::ConvFilter, name: &str, text: &str) -> Result<(), FilterError> {
    let invalid = || FilterError::Chain(format!("{name}={text} is not a value of '{name}'"));
    let pspec = element.find_property(name).ok_or_else(invalid)?;
    let value = match pspec.value_type() {
        glib::Type::STRING => Ok(text.to_value()),
        _ => glib::Value::deserialize_with_pspec(text, &pspec),
    };
    let value = value.map_err(|_| invalid())?;
    if !in_range(&pspec, &value) {
        return Err(invalid());
    }
    element.set_property_from_value(name, &value);
    Ok(())
}

fn in_range(pspec: &glib::ParamSpec, value: &glib::Value) -> bool {
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecDouble>() {
        value.get::<f64>().is_ok_and(|value| (pspec.minimum()..=pspec.maximum()).contains(&value))
    } else if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecInt>() {
        value.get::<i32>().is_ok_and(|value| (pspec.minimum()..=pspec.maximum()).contains(&value))
    } else if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecUInt>() {
        value.get::<u32>().is_ok_and(|value| (pspec.minimum()..=pspec.maximum()).contains(&value))
    } else {
        true
    }
}
