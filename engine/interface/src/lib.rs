//! The C interface between the `styletransfer` element and the engine's shared library.
//!
//! The element opens the library when it starts and calls [`ENTRY_POINT`], an [`EntryPoint`], for the [`Table`] of the
//! engine's functions. A session belongs to one thread at a time. No function unwinds; those that return a
//! [`Status`] leave a message for [`Table::last_error`] when it is not [`Status::OK`].

use std::ffi::{CStr, c_char};

/// Raised with every change to this file that an older engine or plugin would misread.
pub const VERSION: u32 = 1;

/// The name of the library's one exported function.
pub const ENTRY_POINT: &CStr = c"style_engine_table";

/// The exported function: its table lives as long as the library stays loaded.
pub type EntryPoint = unsafe extern "C" fn() -> *const Table;

/// An engine's session, behind a pointer.
#[repr(C)]
pub struct Session {
    private: [u8; 0],
}

/// How a call ended. Numbers, not an enum: a library of another version may return one that is not listed here.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub i32);

impl Status {
    /// It did what was asked.
    pub const OK: Self = Self(0);
    /// A file is missing.
    pub const NOT_FOUND: Self = Self(1);
    /// A file cannot be read, or is none of its kind.
    pub const UNREADABLE: Self = Self(2);
    /// The device asked for is not there.
    pub const NO_DEVICE: Self = Self(3);
    /// Anything else.
    pub const FAILED: Self = Self(4);
}

/// Rows of 8-bit R, G, B, A samples.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Picture {
    /// The first row's first byte.
    pub data: *const u8,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Bytes from row to row.
    pub stride: usize,
}

/// What a frame starts from.
pub mod warm_start {
    /// Its own content.
    pub const NONE: u32 = 0;
    /// Its own content under the last frame's paint.
    pub const PREVIOUS: u32 = 1;
}

/// How frames are repainted; can be changed from frame to frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// The weight of the content loss.
    pub content_weight: f64,
    /// The weight of the style loss.
    pub style_weight: f64,
    /// The weight of the total variation.
    pub tv_weight: f64,
    /// Adam's step size, in units of the picture's range.
    pub learning_rate: f64,
    /// Steps for a frame with none before it.
    pub first_iterations: u32,
    /// Steps for each following frame.
    pub iterations: u32,
    /// One of [`warm_start`].
    pub warm_start: u32,
    /// The longer side at which to optimise, in pixels; 0 is the frame's own.
    pub size: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            content_weight: 1.0,
            style_weight: 100.0,
            tv_weight: 4.0,
            learning_rate: 0.03,
            first_iterations: 60,
            iterations: 4,
            warm_start: warm_start::PREVIOUS,
            size: 0,
        }
    }
}

/// What became of the last frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Frames since the session began.
    pub frames: u64,
    /// Optimisation steps taken.
    pub steps: u32,
    /// The style loss before the last step, without its weight.
    pub style_loss: f64,
    /// The content loss before the last step, without its weight.
    pub content_loss: f64,
    /// The total variation before the last step, without its weight.
    pub tv_loss: f64,
    /// The time that the frame took, in milliseconds.
    pub milliseconds: f64,
}

/// The engine's functions. Strings are UTF-8 and end in NUL.
#[repr(C)]
pub struct Table {
    /// [`VERSION`]; the fields after it hold only where it agrees.
    pub version: u32,
    /// Opens a session: a weight file (null: the built-in network), a device (`auto`, `cpu`, `cuda`, `cuda:N`).
    pub create: unsafe extern "C" fn(weights: *const c_char, device: *const c_char, *mut *mut Session) -> Status,
    /// Ends a session.
    pub destroy: unsafe extern "C" fn(*mut Session),
    /// Sets the picture whose style is painted in.
    pub set_style: unsafe extern "C" fn(*mut Session, *const Picture) -> Status,
    /// Sets how frames are repainted.
    pub set_parameters: unsafe extern "C" fn(*mut Session, *const Parameters) -> Status,
    /// Repaints a frame into `result`, which has the frame's size and stride. Alpha is kept.
    pub stylize: unsafe extern "C" fn(*mut Session, frame: *const Picture, result: *mut u8) -> Status,
    /// Forgets the last result: the next frame is a first one.
    pub reset: unsafe extern "C" fn(*mut Session),
    /// Tells what became of the last frame.
    pub stats: unsafe extern "C" fn(*const Session, *mut Stats),
    /// The network in use, in words; lives as long as the session.
    pub network: unsafe extern "C" fn(*const Session) -> *const c_char,
    /// The device in use, in words; lives as long as the session.
    pub device: unsafe extern "C" fn(*const Session) -> *const c_char,
    /// Why the last call on this thread failed; lives until the thread's next call.
    pub last_error: unsafe extern "C" fn() -> *const c_char,
}
