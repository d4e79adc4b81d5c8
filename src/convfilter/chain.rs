//! The `chain` property: several filters in GStreamer's structure syntax, each with properties of its own.

use gst::glib;
use gst::prelude::*;

use crate::filters::FilterError;

/// The properties that a filter in a chain can have.
const PROPERTIES: [&str; 13] = [
    "radius",
    "radius-y",
    "percent",
    "threshold",
    "size",
    "rank",
    "kernel",
    "scale",
    "offset",
    "kernel-order",
    "border",
    "shader",
    "shader-location",
];

/// Reads a chain, such as `"median, size=3; unsharp-mask, percent=200"`: an element for each filter, which is never
/// started but holds the filter's properties, with the ranges and defaults that they always have.
pub fn parse(chain: &str) -> Result<Vec<super::ConvFilter>, FilterError> {
    // Caps are a list of structures, and have the syntax for one.
    let filters = chain.parse::<gst::Caps>().map_err(|_| FilterError::Chain(format!("'{chain}' cannot be read")))?;
    filters.iter().map(filter).collect()
}

fn filter(structure: &gst::StructureRef) -> Result<super::ConvFilter, FilterError> {
    let element = glib::Object::new::<super::ConvFilter>();
    set(&element, "filter", structure.name())?;
    for (name, value) in structure.iter() {
        if !PROPERTIES.contains(&name.as_str()) {
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
