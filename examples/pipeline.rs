//! Both elements in one pipeline: noise is removed, then the picture is repainted.
//!
//!     cargo run --release --example pipeline [-- STYLE]
//!
//! The variables SOURCE and SINK replace the test picture and the window, as for gst-launch-1.0:
//! `SOURCE=v4l2src` shows the camera.

use std::error::Error;

use gst::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    gst::init()?;
    let source = std::env::var("SOURCE").unwrap_or("videotestsrc is-live=true".into());
    let sink = std::env::var("SINK").unwrap_or("autovideosink".into());
    // GStreamer finds the elements through the variables that scripts/env sets, or if the plugin is installed.
    let pipeline = gst::parse::launch(&format!(
        "{source} ! convfilter filter=median ! styletransfer name=painter ! videoconvert ! {sink}"
    ))?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "SOURCE and SINK must form a pipeline")?;

    // Properties can be set before and while the pipeline plays. gst-inspect-1.0 lists them.
    let painter = pipeline.by_name("painter").ok_or("the pipeline has no painter")?;
    let style = std::env::args().nth(1).unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/painting.jpg").into());
    painter.set_property("style", style);

    // Elements work in their own threads. This thread waits for the end or an error.
    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().ok_or("the pipeline has no bus")?;
    let end = bus.timed_pop_filtered(gst::ClockTime::NONE, &[gst::MessageType::Eos, gst::MessageType::Error]);
    let stats = painter.property::<gst::Structure>("stats");
    pipeline.set_state(gst::State::Null)?;
    match end.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().into()),
        _ => {
            println!("{stats}");
            Ok(())
        }
    }
}
