//! What pipelines tell.

use std::error::Error;

use gst::prelude::*;

use super::Outcome;

/// Plays `pipeline` to its end.
pub fn wait(pipeline: &gst::Pipeline) -> Outcome<()> {
    let played = pipeline.set_state(gst::State::Playing);
    let result: Outcome<()> = loop {
        match next(pipeline).as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => break Err(words(error).into()),
            Some(gst::MessageView::Eos(_)) => break Ok(()),
            _ => (),
        }
    };
    // The elements close their files; the error, if any, came over the bus.
    pipeline.set_state(gst::State::Null)?;
    result?;
    played?;
    Ok(())
}

/// The next message, if one comes within a moment, of its end, its errors, how far it is, and what elements say to programs.
pub fn next(pipeline: &gst::Pipeline) -> Option<gst::Message> {
    let types =
        [gst::MessageType::Application, gst::MessageType::Eos, gst::MessageType::Error, gst::MessageType::Progress];
    pipeline.bus()?.timed_pop_filtered(gst::ClockTime::from_mseconds(200), &types)
}

/// The error that was told on an element's bus, if one was.
pub fn error(element: &impl IsA<gst::Element>) -> Option<Box<dyn Error>> {
    let message = element.bus()?.pop_filtered(&[gst::MessageType::Error])?;
    match message.view() {
        gst::MessageView::Error(error) => Some(words(error).into()),
        _ => None,
    }
}

/// Forgets the errors so far of what is in `element`.
pub fn forget_errors(pipeline: &gst::Pipeline, element: &gst::Element) {
    let Some(bus) = pipeline.bus() else { return };
    let errors = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Error]));
    let is_within = |error: &gst::Message| error.src().is_some_and(|source| source.has_as_ancestor(element));
    let others: Vec<_> = errors.filter(|error| !is_within(error)).collect();
    for error in others {
        // It was on this bus before.
        let _ = bus.post(error);
    }
}

/// What an error says, in a line.
pub fn words(error: &gst::message::Error) -> String {
    let text = error.error().to_string();
    let debug = error.debug().unwrap_or_default();
    // GStreamer's general errors tell more to developers: after the place in the source, below it.
    let more = debug.lines().nth(1).filter(|_| text.contains("Internal data stream error") || text.contains("general"));
    [text.lines().next(), more].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
