//! Panics, kept from the host program.
//!
//! GStreamer's bindings catch those of an element's work on a stream and make them element errors. Nothing catches those of
//! properties, nor of the plugin's start: they would end the process.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gst::prelude::*;

/// Runs what GObject asks of `element`. A panic becomes a warning of the element's, and `otherwise` is the result.
pub fn guarded<T>(element: &impl IsA<gst::Element>, otherwise: T, run: impl FnOnce() -> T) -> T {
    caught(run).unwrap_or_else(|words| {
        gst::element_warning!(element, gst::LibraryError::Failed, ("{words}; this is a bug, please report it"));
        otherwise
    })
}

/// Runs something; a panic is an error, in its own words.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| words(&*panic))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", words.unwrap_or("without a message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_warning_of_the_element_s() {
        gst::init().unwrap();
        let element = gst::ElementFactory::make("identity").build().unwrap();
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        assert_eq!(guarded(&element, 1, || 2), 2);
        assert_eq!(guarded(&element, 1, || panic!("on {}", "purpose")), 1);
        let message = bus.pop_filtered(&[gst::MessageType::Warning]).unwrap();
        let gst::MessageView::Warning(warning) = message.view() else { unreachable!() };
        assert!(warning.error().to_string().contains("on purpose"));
        assert!(bus.pop().is_none());
    }
}
