//! The properties of an element that can be set while it plays, as the page shows them. The page and its JSON call them
//! knobs.

use std::collections::BTreeMap;

use gst::glib;
use gst::prelude::*;
use serde::Serialize;
use serde_json::Value;

/// Properties that pages cannot set: files, names, and what another part of the page sets.
const HIDDEN: [&str; 11] = [
    "mask",
    "model-input",
    "name",
    "parent",
    "qos",
    "shader-location",
    "stats-interval",
    "style",
    "style-blend",
    "style-duration",
    "style-list",
];

/// The ranges of sliders for properties of styletransfer that accept much larger values than are useful.
const SLIDERS: [(&str, [f64; 2]); 4] = [
    ("first-iterations", [1.0, 500.0]),
    ("iterations", [1.0, 100.0]),
    ("max-frame-time", [10.0, 5000.0]),
    ("size", [64.0, 1280.0]),
];

/// A property, as JSON for the page.
#[derive(Serialize)]
pub struct Property {
    name: &'static str,
    label: String,
    help: String,
    value: Value,
    default: Value,
    /// The filters that use it; absent: all.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    for_filters: Option<Vec<String>>,
    /// The slider's range, if the property's own range is too large for a slider.
    #[serde(skip_serializing_if = "Option::is_none")]
    slider: Option<[f64; 2]>,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Kind {
    Number {
        least: f64,
        most: f64,
        whole: bool,
        /// The distance between two values; absent: any.
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<u32>,
    },
    Choice {
        choices: Vec<Choice>,
    },
    Switch,
    Text,
}

#[derive(Serialize)]
struct Choice {
    name: String,
    label: String,
}

/// All properties of an element that the page shows.
pub fn all(element: &gst::Element) -> Vec<Property> {
    specs(element).filter_map(|spec| Property::new(element, &spec)).collect()
}

/// Sets a property, or says why the value is not accepted.
pub fn set(element: &gst::Element, name: &str, value: &Value) -> Result<(), String> {
    let spec = find(element, name).ok_or_else(|| format!("no such property: {name}"))?;
    let mut value = value.clone();
    if let (Some(Kind::Number { least, most, step, .. }), Some(number)) = (Kind::new(&spec), value.as_f64()) {
        if !(least..=most).contains(&number) {
            return Err(format!("{name} must be from {least} to {most}"));
        }
        if let Some(step) = step.map(f64::from) {
            value = (least + ((number - least) / step).round() * step).into();
        }
    }
    let value = from_json(&spec, &value).ok_or_else(|| format!("invalid value for {name}: {value}"))?;
    element.set_property_from_value(name, &value);
    Ok(())
}

/// A property as a number, which a control from outside can move: choices are counted from 0, a switch is 0 or 1. None
/// for texts and for what is no property.
pub fn number(element: &gst::Element, name: &str) -> Option<f64> {
    let spec = find(element, name)?;
    let value = to_json(&element.property_value(name))?;
    match Kind::new(&spec)? {
        Kind::Number { .. } => value.as_f64(),
        Kind::Choice { choices } => Some(choices.iter().position(|choice| value == *choice.name)? as f64),
        Kind::Switch => Some(f64::from(u8::from(value.as_bool()?))),
        Kind::Text => None,
    }
}

/// The least and the greatest number that a property can be.
pub fn number_range(element: &gst::Element, name: &str) -> Option<[f64; 2]> {
    match Kind::new(&find(element, name)?)? {
        Kind::Number { least, most, .. } => Some([least, most]),
        Kind::Choice { choices } => Some([0.0, choices.len().checked_sub(1)? as f64]),
        Kind::Switch => Some([0.0, 1.0]),
        Kind::Text => None,
    }
}

/// Sets a property to the value that is nearest to a number, if it has not that value already.
pub fn set_number(element: &gst::Element, name: &str, number: f64) {
    let Some(spec) = find(element, name) else { return };
    let value: Value = match Kind::new(&spec) {
        Some(Kind::Number { least, most, whole, step }) => {
            let step = f64::from(step.unwrap_or(1));
            let nearest = if whole { least + ((number - least) / step).round() * step } else { number };
            nearest.clamp(least, most).into()
        }
        Some(Kind::Choice { choices }) => {
            choices.get(number.round().max(0.0) as usize).map(|choice| choice.name.as_str()).into()
        }
        Some(Kind::Switch) => (number >= 0.5).into(),
        Some(Kind::Text) | None => return,
    };
    if let Some(value) = from_json(&spec, &value)
        && to_json(&value) != to_json(&element.property_value(name))
    {
        element.set_property_from_value(name, &value);
    }
}

/// Sets all properties to their defaults.
pub fn reset(element: &gst::Element) {
    for spec in specs(element) {
        element.set_property_from_value(spec.name(), spec.default_value());
    }
}

/// Sets all properties: these to their values, all others to their defaults. A property that has its value already is
/// not set again, since a frame with its default could come in between. Returns all errors.
pub fn set_all(element: &gst::Element, values: &BTreeMap<String, Value>) -> Vec<String> {
    for Property { name, value, default, .. } in all(element) {
        if !values.contains_key(name) && value != default {
            // A default is valid.
            let _ = set(element, name, &default);
        }
    }
    let other = |(name, value): &(&String, &Value)| {
        let spec = specs(element).find(|spec| spec.name() == *name);
        spec.and_then(|spec| to_json(&element.property_value(spec.name()))).as_ref() != Some(*value)
    };
    values.iter().filter(other).filter_map(|(name, value)| set(element, name, value).err()).collect()
}

/// A number that can go slowly to another value.
pub struct Number {
    pub name: &'static str,
    pub value: f64,
    pub default: f64,
    /// Whether -1 is no number, but means that the element chooses one.
    pub has_auto: bool,
}

/// The numbers of an element that can go slowly to other values, as a GStreamer controller moves properties.
pub fn numbers(element: &gst::Element) -> Vec<Number> {
    let specs = specs(element).filter(|spec| {
        let can_be_controlled = glib::ParamFlags::from_bits_retain(gst::PARAM_FLAG_CONTROLLABLE.bits());
        // At another size, styletransfer paints from scratch.
        spec.flags().contains(can_be_controlled)
            && !(spec.owner_type().name() == "GstStyleTransfer" && spec.name() == "size")
    });
    let number = |spec: glib::ParamSpec| {
        let Some(Kind::Number { least, .. }) = Kind::new(&spec) else { return None };
        let value = to_json(&element.property_value(spec.name()))?.as_f64()?;
        let default = to_json(spec.default_value())?.as_f64()?;
        Some(Number { name: spec.name(), value, default, has_auto: least == -1.0 && default == -1.0 })
    };
    specs.filter_map(number).collect()
}

/// The properties that are not at their defaults, with their values.
pub fn changed(element: &gst::Element) -> Vec<(&'static str, Value)> {
    let properties = all(element).into_iter().filter(|property| property.value != property.default);
    properties.map(|property| (property.name, property.value)).collect()
}

fn find(element: &gst::Element, name: &str) -> Option<glib::ParamSpec> {
    specs(element).find(|spec| spec.name() == name)
}

fn specs(element: &gst::Element) -> impl Iterator<Item = glib::ParamSpec> {
    element.list_properties().to_vec().into_iter().filter(|spec| {
        let can_change = glib::ParamFlags::from_bits_retain(gst::PARAM_FLAG_MUTABLE_PLAYING.bits());
        spec.flags().contains(glib::ParamFlags::READWRITE | can_change) && !HIDDEN.contains(&spec.name())
    })
}

impl Property {
    fn new(element: &gst::Element, spec: &glib::ParamSpec) -> Option<Self> {
        let name = spec.name();
        Some(Self {
            name,
            label: spec.nick().into(),
            help: spec.blurb().unwrap_or_default().into(),
            value: to_json(&element.property_value(name))?,
            default: to_json(spec.default_value())?,
            for_filters: filters_that_read(element, name),
            slider: SLIDERS.iter().find(|(property, _)| *property == name).map(|(_, slider)| *slider),
            kind: Kind::new(spec)?,
        })
    }
}

/// The filters that read a property, if only some of the element's do: convfilter's factory lists each filter's
/// properties, as in `gaussian-blur: radius, radius-y; rank: size, rank`.
fn filters_that_read(element: &gst::Element, property: &str) -> Option<Vec<String>> {
    let factory = element.factory()?;
    let filters = factory.metadata("filter-properties")?.split("; ").filter_map(|filter| filter.split_once(": "));
    let reading = filters.filter(|(_, properties)| properties.split(", ").any(|read| read == property));
    let reading: Vec<_> = reading.map(|(filter, _)| filter.to_owned()).collect();
    (!reading.is_empty()).then_some(reading)
}

impl Kind {
    fn new(spec: &glib::ParamSpec) -> Option<Self> {
        // A window needs a center: its size must be odd.
        let step = (spec.owner_type().name() == "GstConvFilter" && spec.name() == "size").then_some(2);
        let whole = |least: f64, most: f64| Some(Self::Number { least, most, whole: true, step });
        if let Some(spec) = spec.downcast_ref::<glib::ParamSpecDouble>() {
            Some(Self::Number { least: spec.minimum(), most: spec.maximum(), whole: false, step: None })
        } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecInt>() {
            whole(spec.minimum().into(), spec.maximum().into())
        } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecUInt>() {
            whole(spec.minimum().into(), spec.maximum().into())
        } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecUInt64>() {
            whole(spec.minimum() as f64, spec.maximum() as f64)
        } else if spec.value_type() == bool::static_type() {
            Some(Self::Switch)
        } else if spec.value_type() == String::static_type() {
            Some(Self::Text)
        } else {
            let class = glib::EnumClass::with_type(spec.value_type())?;
            let choice = |value: &glib::EnumValue| Choice { name: value.nick().into(), label: value.name().into() };
            Some(Self::Choice { choices: class.values().iter().map(choice).collect() })
        }
    }
}

fn to_json(value: &glib::Value) -> Option<Value> {
    if let Some((_, value)) = glib::EnumValue::from_value(value) {
        return Some(value.nick().into());
    }
    let whole = value.get::<i32>().map(Value::from).or_else(|_| value.get::<u32>().map(Value::from));
    let number =
        whole.or_else(|_| value.get::<u64>().map(Value::from)).or_else(|_| value.get::<f64>().map(Value::from));
    number
        .or_else(|_| value.get::<bool>().map(Value::from))
        .or_else(|_| value.get::<Option<String>>().map(|text| text.unwrap_or_default().into()))
        .ok()
}

fn from_json(spec: &glib::ParamSpec, value: &Value) -> Option<glib::Value> {
    let kind = spec.value_type();
    let whole = || value.as_i64().or_else(|| value.as_f64().map(|number| number.round() as i64));
    if kind == f64::static_type() {
        Some(value.as_f64()?.to_value())
    } else if kind == i32::static_type() {
        Some(i32::try_from(whole()?).ok()?.to_value())
    } else if kind == u32::static_type() {
        Some(u32::try_from(whole()?).ok()?.to_value())
    } else if kind == u64::static_type() {
        Some(value.as_u64().or_else(|| u64::try_from(whole()?).ok())?.to_value())
    } else if kind == bool::static_type() {
        Some(value.as_bool()?.to_value())
    } else if kind == String::static_type() {
        Some(value.as_str()?.to_value())
    } else {
        glib::EnumClass::with_type(kind)?.to_value_by_nick(value.as_str()?)
    }
}
