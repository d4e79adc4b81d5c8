//! Properties that change over time, driven by a GstController: edges fade in, then paint.
//!
//!     cargo run --release --example control
//!
//! The variables SOURCE and SINK replace the test picture and the window, as for gst-launch-1.0.

use std::error::Error;

use gst::prelude::*;
use gst_controller::prelude::*;
use gst_controller::{DirectControlBinding, InterpolationControlSource, InterpolationMode};

const STYLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/painting.jpg");

fn main() -> Result<(), Box<dyn Error>> {
    gst::init()?;
    let source = std::env::var("SOURCE").unwrap_or("videotestsrc is-live=true num-buffers=300".into());
    let sink = std::env::var("SINK").unwrap_or("autovideosink".into());
    let pipeline = gst::parse::launch(&format!(
        "{source} ! convfilter name=filter filter=edge-enhance-more ! styletransfer name=painter \
         ! videoconvert ! {sink}"
    ))?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "SOURCE and SINK must form a pipeline")?;
    let filter = pipeline.by_name("filter").ok_or("the pipeline has no filter")?;
    let painter = pipeline.by_name("painter").ok_or("the pipeline has no painter")?;
    painter.set_property("style", STYLE);

    drive(&filter, "mix", &[(0, 0.0), (3, 1.0), (6, 0.0)])?;
    drive(&painter, "strength", &[(3, 0.0), (8, 1.0)])?;

    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().ok_or("the pipeline has no bus")?;
    let end = bus.timed_pop_filtered(gst::ClockTime::NONE, &[gst::MessageType::Eos, gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null)?;
    match end.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().into()),
        _ => Ok(()),
    }
}

/// Drives a property through `points`, each a time in seconds and the property's value then, in straight lines.
///
/// It works for all properties that gst-inspect-1.0 calls controllable.
fn drive(element: &gst::Element, property: &str, points: &[(u64, f64)]) -> Result<(), Box<dyn Error>> {
    let curve = InterpolationControlSource::new();
    curve.set_mode(InterpolationMode::Linear);
    for &(seconds, value) in points {
        curve.set(gst::ClockTime::from_seconds(seconds), value);
    }
    // Absolute: the curve has the property's own values. Otherwise, 0 to 1 would stand for its whole range.
    element.add_control_binding(&DirectControlBinding::new_absolute(element, property, &curve))?;
    Ok(())
}
