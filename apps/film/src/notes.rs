//! Notes for the user about a finished film: parts that were left out, and changes.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gst::ClockTime;

use super::seconds;

/// Notes on a film, collected from all of its streams.
#[derive(Debug, Default)]
pub struct Notes {
    left_out: Mutex<Vec<String>>,
    changed: Mutex<Vec<String>>,
}

impl Notes {
    /// Notes a part of the input that the output does not have.
    pub fn left_out(&self, what: impl Into<String>) {
        add(&self.left_out, what.into());
    }

    /// Notes a part of the input that is different in the output, or a warning.
    pub fn changed(&self, what: impl Into<String>) {
        add(&self.changed, what.into());
    }

    /// Notes a change from a place of the output on.
    pub fn changed_from(&self, place: ClockTime, what: &str) {
        self.changed(format!("{what} from {} on", seconds(place)));
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (name, list) in [("left out", &self.left_out), ("note", &self.changed)] {
            let list = lock(list);
            if !list.is_empty() {
                write!(f, "; {name}: {}", list.join(", "))?;
            }
        }
        Ok(())
    }
}

fn add(list: &Mutex<Vec<String>>, what: String) {
    let mut list = lock(list);
    if !list.contains(&what) {
        list.push(what);
    }
}

fn lock(list: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
