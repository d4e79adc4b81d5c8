//! What the programs that train networks share.

pub mod options;
pub mod picture;
pub mod pictures;

use std::error::Error;

/// The result of what may fail; a program ends with the error's message.
pub type Outcome<T> = Result<T, Box<dyn Error>>;
