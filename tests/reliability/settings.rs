//! Properties at the limits of their ranges, and invalid texts.

use gst::glib;
use gst::glib::ParamFlags;
use gst::prelude::*;
use gst_video::VideoFormat;

use crate::{element, elements, info, noise, report};

/// The limits of a number, all values of an enumeration, or unusual texts.
fn extremes(pspec: &glib::ParamSpec) -> Vec<glib::Value> {
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecInt>() {
        return [pspec.minimum(), pspec.maximum()].map(|end| end.to_value()).into();
    }
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecUInt>() {
        return [pspec.minimum(), pspec.maximum()].map(|end| end.to_value()).into();
    }
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecUInt64>() {
        return [pspec.minimum(), pspec.maximum()].map(|end| end.to_value()).into();
    }
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecDouble>() {
        return [pspec.minimum(), pspec.maximum()].map(|end| end.to_value()).into();
    }
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecBoolean>() {
        return [!pspec.default_value(), pspec.default_value()].map(|value| value.to_value()).into();
    }
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecEnum>() {
        let class = pspec.enum_class();
        return class.values().iter().map(|value| value.to_value(&class)).collect();
    }
    let texts =
        ["", " ", "\u{0}", ",;:=!", "-1", "99999999999999999999", "1e999", "nan", "../../etc/passwd", "\u{1f980}"];
    let long = "1 ".repeat(100_000);
    texts.iter().copied().chain([long.as_str()]).map(|text| text.replace('\u{0}', "").to_value()).collect()
}

/// Pushes two frames; returns whether they were made. If not, there must be an error.
fn try_frames(element: &gst::Element) -> bool {
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    if element.set_state(gst::State::Playing).is_err() {
        assert!(bus.pop_filtered(&[gst::MessageType::Error]).is_some(), "the element fails without an error");
        element.set_state(gst::State::Null).expect("the element stops");
        return false;
    }
    let mut harness = gst_check::Harness::with_element(element, Some("sink"), Some("src"));
    let info = info(VideoFormat::I420, 32, 24);
    harness.set_src_caps(info.to_caps().expect("caps"));
    let made = (0..2).all(|_| harness.push_and_pull(noise(&info)).is_ok());
    assert!(made || bus.pop_filtered(&[gst::MessageType::Error]).is_some(), "the element fails without an error");
    made
}

#[test]
#[ignore = "needs scripts/build"]
fn every_property_at_its_limits_gives_frames_or_an_error() {
    let (mut made, mut refused) = (0, 0);
    for description in elements() {
        let is_settable = |pspec: &glib::ParamSpec| {
            pspec.flags().contains(ParamFlags::WRITABLE) && !["name", "parent", "qos"].contains(&pspec.name())
        };
        // Without a limit, the maximum number of steps would take hours.
        let description =
            if description.starts_with("style") { description + " max-frame-time=20" } else { description };
        for pspec in element(&description).list_properties().iter().filter(|pspec| is_settable(pspec)) {
            for value in extremes(pspec) {
                let element = element(&description);
                if pspec.name() == "max-frame-time" {
                    element.set_property("iterations", 1);
                }
                if let Some(filter) = filter_with(pspec.name()).filter(|_| element.has_property("filter")) {
                    element.set_property_from_str("filter", filter);
                }
                element.set_property_from_value(pspec.name(), &value);
                let begin = std::time::Instant::now();
                if try_frames(&element) {
                    made += 1;
                } else {
                    refused += 1;
                }
                assert!(begin.elapsed().as_secs() < 60, "{description} {}={value:?} hangs", pspec.name());
            }
        }
    }
    let outcome = format!("{made} give frames, {refused} an error with the reason");
    report("every property at its limits, every enumeration value, texts of all kinds", made + refused, &outcome);
}

/// A filter that uses this property of convfilter; None if all filters use it.
fn filter_with(property: &str) -> Option<&'static str> {
    match property {
        "percent" | "threshold" => Some("unsharp-mask"),
        "size" | "rank" => Some("rank"),
        "kernel" | "scale" | "offset" | "kernel-order" | "rounding" => Some("kernel"),
        "shader" | "shader-location" => Some("shader"),
        _ => None,
    }
}
