//! Keeps panics away from the host program.
//!
//! GStreamer's bindings turn panics while streaming into element errors. They do not catch panics in property accessors
//! and in the plugin's initialization, which would end the process.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gst::prelude::*;

/// Runs a GObject call of `element`. If it panics, the element posts a warning, and the result is `fallback`.
pub fn guarded<T>(element: &impl IsA<gst::Element>, fallback: T, run: impl FnOnce() -> T) -> T {
    caught(run).unwrap_or_else(|message| {
        gst::element_warning!(element, gst::LibraryError::Failed, ("{message}; this is a bug, please report it"));
        fallback
    })
}

/// Runs a function; a panic becomes an error with its message.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", message.unwrap_or("without a message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_warning() {
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
