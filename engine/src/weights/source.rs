//! What a weight file is read from, and the limits of every format.

use std::io::{Read, Seek};

/// The file or buffer that a weight file is read from.
pub trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// The maximum size of the description of tensors (a pickle or a JSON header), in bytes. VGG's descriptions have some
/// kilobytes; parsed, they need up to a hundred times as much memory.
pub const MAX_DESCRIPTION: u64 = 1 << 20;

/// The error for a truncated file, usually an incomplete download.
pub const TRUNCATED: &str = "it is cut off or damaged; download it again";
