//! Messages of pipelines.

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
    // This closes files. An error was read from the bus.
    pipeline.set_state(gst::State::Null)?;
    result?;
    played?;
    Ok(())
}

/// The next message about the end, an error, a warning, progress or the application, if one comes within 200 ms.
pub fn next(pipeline: &gst::Pipeline) -> Option<gst::Message> {
    let types = [
        gst::MessageType::Application,
        gst::MessageType::Eos,
        gst::MessageType::Error,
        gst::MessageType::Progress,
        gst::MessageType::Warning,
    ];
    pipeline.bus()?.timed_pop_filtered(gst::ClockTime::from_mseconds(200), &types)
}

/// The error on an element's bus, if there is one.
pub fn error(element: &impl IsA<gst::Element>) -> Option<Box<dyn Error>> {
    let message = element.bus()?.pop_filtered(&[gst::MessageType::Error])?;
    match message.view() {
        gst::MessageView::Error(error) => Some(words(error).into()),
        _ => None,
    }
}

/// Removes the errors that came from inside `element` from the bus.
pub fn forget_errors(pipeline: &gst::Pipeline, element: &gst::Element) {
    let Some(bus) = pipeline.bus() else { return };
    let errors = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Error]));
    let is_within = |error: &gst::Message| error.src().is_some_and(|source| source.has_as_ancestor(element));
    let others: Vec<_> = errors.filter(|error| !is_within(error)).collect();
    for error in others {
        // Cannot fail: the message was on this bus before.
        let _ = bus.post(error);
    }
}

/// An error's text, in one line.
pub fn words(error: &gst::message::Error) -> String {
    line(&error.error(), error.debug())
}

/// The text of an error or a warning, in one line.
pub fn line(error: &gst::glib::Error, debug: Option<gst::glib::GString>) -> String {
    let (text, debug) = (error.to_string(), debug.unwrap_or_default());
    // For GStreamer's general errors, only the debug text has the reason: in its second line.
    let more = debug.lines().nth(1).filter(|_| text.contains("Internal data stream error") || text.contains("general"));
    [text.lines().next(), more].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
