//! The `chain` property: several filters in GStreamer's structure syntax, each with its own properties.

use gst::glib;
use gst::prelude::*;

use super::filter;
use crate::filters::FilterError;

/// Parses a chain, such as `"median, size=3; unsharp-mask, percent=200"`. Each filter becomes an element that is never
/// started: it only holds the filter's properties, so that their ranges and defaults apply.
pub fn parse(chain: &str) -> Result<Vec<super::ConvFilter>, FilterError> {
    let unreadable = || FilterError::Chain(format!("the chain '{chain}' cannot be parsed"));
    if !tails(chain).all(starts_with_name) {
        return Err(unreadable());
    }
    // Caps are a list of structures, and have a syntax for it.
    let filters = chain.parse::<gst::Caps>().map_err(|_| unreadable())?;
    if filters.is_any() {
        return Err(unreadable());
    }
    filters.iter().map(element).collect()
}

/// Whether a filter starts with a plain name. GStreamer treats a name that does not begin with a letter, and unknown
/// caps features (in parentheses after the name), as programming errors and logs a critical message.
fn starts_with_name(filter: &str) -> bool {
    let name = filter.split([',', ';']).next().unwrap_or_default().trim_end();
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}

/// For each filter, the text from its name to the end of the chain.
fn tails(chain: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_end = move |&(_, letter): &(usize, char)| {
        let ends = letter == ';' && !is_quoted;
        is_quoted ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        ends
    };
    let after_ends = chain.char_indices().filter(is_end).map(|(at, _)| at.saturating_add(1));
    let tails = std::iter::once(0).chain(after_ends).filter_map(|at| chain.get(at..)).map(str::trim_start);
    // The chain may end with a semicolon.
    tails.filter(|tail| !tail.is_empty())
}

fn element(structure: &gst::StructureRef) -> Result<super::ConvFilter, FilterError> {
    let element = glib::Object::new::<super::ConvFilter>();
    set(&element, "filter", structure.name())?;
    for (name, value) in structure.iter() {
        if !filter::is_read(name) {
            return Err(FilterError::Chain(format!("filters have no property '{name}'")));
        }
        let text = match value.get::<String>() {
            Ok(text) => text,
            Err(_) => value.serialize().map_err(|error| FilterError::Chain(format!("{name}: {error}")))?.to_string(),
        };
        set(&element, name, &text)?;
    }
    Ok(element)
}

/// Sets a property from text. glib's own setters would panic on an invalid value.
fn set(element: &super::ConvFilter, name: &str, text: &str) -> Result<(), FilterError> {
    let invalid = || FilterError::Chain(format!("{name}={text} is not a valid value"));
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
