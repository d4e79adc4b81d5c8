//! The C interface between the `styletransfer` element and the engine's shared library.
//!
//! The element opens the library when it starts and calls [`ENTRY_POINT`], an [`EntryPoint`], for the [`Table`] of the
//! engine's functions. A session belongs to one thread at a time. No function unwinds; those that return a
//! [`Status`] leave a message for [`Table::last_error`] when it is not [`Status::OK`].

use std::ffi::{CStr, c_char, c_void};

/// Raised with every change to this file that an older engine or plugin would misread.
pub const VERSION: u32 = 6;

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
    /// What was set does not go together, or not with the network.
    pub const SETTINGS: Self = Self(5);
    /// The caller asked to stop.
    pub const STOPPED: Self = Self(6);
    /// There is not enough memory, the device's or the host's, for what was asked; for less there may be.
    pub const OUT_OF_MEMORY: Self = Self(7);
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
    /// The last result, moved along the optical flow.
    pub const FLOW: u32 = 2;
}

/// Whose arithmetic is followed.
pub mod recipe {
    /// This engine's own, for few steps a frame.
    pub const VIDEO: u32 = 0;
    /// PyTorch's tutorial "Neural Transfer".
    pub const PYTORCH_TUTORIAL: u32 = 1;
    /// "Dive into Deep Learning", section "Neural Style Transfer".
    pub const D2L: u32 = 2;
    /// Keras' example.
    pub const KERAS: u32 = 3;
    /// A descendant of PyTorch's tutorial that stops early.
    pub const TORCH_EARLY_STOP: u32 = 4;
}

/// What brings the losses down.
pub mod optimizer {
    /// The recipe's.
    pub const AUTO: u32 = 0;
    /// Adam.
    pub const ADAM: u32 = 1;
    /// L-BFGS.
    pub const LBFGS: u32 = 2;
}

/// The kind of style loss.
pub mod style_loss {
    /// The recipe's.
    pub const AUTO: u32 = 0;
    /// Gram matrices.
    pub const GRAM: u32 = 1;
    /// Means and covariances.
    pub const MEAN_COVARIANCE: u32 = 2;
    /// The sliced Wasserstein distance.
    pub const SLICED_WASSERSTEIN: u32 = 3;
}

/// What the network halves its features by.
pub mod pooling {
    /// What it was trained with: the largest value.
    pub const AUTO: u32 = 0;
    /// The largest value.
    pub const MAX: u32 = 1;
    /// The mean.
    pub const AVERAGE: u32 = 2;
}

/// What features are computed in; losses and Gram matrices are always in 32 bits.
pub mod precision {
    /// [`BF16`] where the device is quick at it and the recipe does not repeat another program's numbers, else [`F32`].
    pub const AUTO: u32 = 0;
    /// 32 bits.
    pub const F32: u32 = 1;
    /// 16 bits with the range of 32.
    pub const BF16: u32 = 2;
}

/// What stays of the frame's own colours.
pub mod original_colors {
    /// Nothing.
    pub const NONE: u32 = 0;
    /// Its chroma: only brightness is repainted.
    pub const LUMA: u32 = 1;
    /// Their mean and covariance, to which the style's are matched first.
    pub const MATCH: u32 = 2;
}

/// How frames are repainted; can be changed from frame to frame. Numbers out of their ranges are refused.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// One of [`recipe`].
    pub recipe: u32,
    /// The weight of the content loss, at most 1e12 as all weights; negative: the recipe's.
    pub content_weight: f64,
    /// The weight of the style loss; negative: the recipe's.
    pub style_weight: f64,
    /// The weight of the total variation; negative: the recipe's.
    pub tv_weight: f64,
    /// The weight of what holds each frame to the last result, moved; negative: the recipe's.
    pub temporal_weight: f64,
    /// One of [`style_loss`].
    pub style_loss: u32,
    /// One of [`optimizer`].
    pub optimizer: u32,
    /// The optimiser's step size, at most 100; negative: the recipe's.
    pub learning_rate: f64,
    /// Steps for a frame with none before it; negative: the recipe's.
    pub first_iterations: i32,
    /// Steps for each following frame; negative: the recipe's. With [`warm_start::FLOW`] up to three times as many where
    /// much is just uncovered, and none where nothing changes.
    pub iterations: i32,
    /// One of [`warm_start`].
    pub warm_start: u32,
    /// A frame of which more than this share was not seen in the one before is a first one: 0 to 1, where none is.
    pub scene_threshold: f64,
    /// The longer side at which to optimise, in pixels, at most 32,768; 0 is the frame's own.
    pub size: u32,
    /// The style picture's longer side, over that at which the frame is optimised: 0.05 to 8.
    pub style_scale: f64,
    /// One of [`pooling`].
    pub pooling: u32,
    /// One of [`precision`].
    pub precision: u32,
    /// One of [`original_colors`].
    pub original_colors: u32,
    /// The repainted frame's share of the result, 0 to 1; the rest is the original.
    pub strength: f64,
    /// The seed of the noise that some recipes start with.
    pub seed: u64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            recipe: recipe::VIDEO,
            content_weight: -1.0,
            style_weight: -1.0,
            tv_weight: -1.0,
            temporal_weight: -1.0,
            style_loss: style_loss::AUTO,
            optimizer: optimizer::AUTO,
            learning_rate: -1.0,
            first_iterations: -1,
            iterations: -1,
            warm_start: warm_start::FLOW,
            scene_threshold: 0.8,
            size: 0,
            style_scale: 1.0,
            pooling: pooling::AUTO,
            precision: precision::AUTO,
            original_colors: original_colors::NONE,
            strength: 1.0,
            seed: 0,
        }
    }
}

impl Parameters {
    /// The largest weight of a loss.
    pub const MOST_WEIGHT: f64 = 1e12;
    /// The largest learning rate.
    pub const MOST_LEARNING_RATE: f64 = 100.0;
    /// The longest side, in pixels.
    pub const MOST_SIZE: u32 = 32_768;
    /// The smallest style picture, over the frame.
    pub const LEAST_STYLE_SCALE: f64 = 0.05;
    /// The largest style picture, over the frame.
    pub const MOST_STYLE_SCALE: f64 = 8.0;

    /// The first number that is out of its range, by its name.
    pub fn out_of_range(&self) -> Option<&'static str> {
        let weights = f64::MIN..=Self::MOST_WEIGHT;
        let ranges = [
            ("content_weight", self.content_weight, weights.clone()),
            ("style_weight", self.style_weight, weights.clone()),
            ("tv_weight", self.tv_weight, weights.clone()),
            ("temporal_weight", self.temporal_weight, weights),
            ("learning_rate", self.learning_rate, f64::MIN..=Self::MOST_LEARNING_RATE),
            ("scene_threshold", self.scene_threshold, 0.0..=1.0),
            ("size", f64::from(self.size), 0.0..=f64::from(Self::MOST_SIZE)),
            ("style_scale", self.style_scale, Self::LEAST_STYLE_SCALE..=Self::MOST_STYLE_SCALE),
            ("strength", self.strength, 0.0..=1.0),
        ];
        ranges.into_iter().find(|(_, value, range)| !range.contains(value)).map(|(name, ..)| name)
    }
}

/// How far a frame has come.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Optimisation steps taken.
    pub step: u32,
    /// Of so many.
    pub steps: u32,
    /// The weighted sum of the losses before the last step.
    pub loss: f64,
    /// Whether there is no frame before it, so that it takes longer than others.
    pub is_first: bool,
}

/// Called now and then while a frame is repainted, with the caller's own pointer; false gives the frame up.
pub type OnProgress = unsafe extern "C" fn(caller: *mut c_void, progress: *const Progress) -> bool;

/// What became of the last frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Frames since the session began.
    pub frames: u64,
    /// Optimisation steps taken, each an evaluation of the losses and their gradient.
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
    /// Opens a session: a weight file (null: the one found in the usual places, else the built-in network), a device
    /// (`auto`, `cpu`, `cuda`, `cuda:N`).
    pub create: unsafe extern "C" fn(weights: *const c_char, device: *const c_char, *mut *mut Session) -> Status,
    /// Ends a session.
    pub destroy: unsafe extern "C" fn(*mut Session),
    /// Sets the pictures whose style is painted in, and their shares, whose sum is not 0.
    pub set_styles: unsafe extern "C" fn(*mut Session, *const Picture, shares: *const f64, count: usize) -> Status,
    /// Sets how frames are repainted, and the layers for content and style: names (`relu4_2`, `conv1_1`) or torchvision's
    /// indices, parted by commas; null or empty: the recipe's. What was set before stays where this fails.
    pub set_parameters: unsafe extern "C" fn(
        *mut Session,
        *const Parameters,
        content_layers: *const c_char,
        style_layers: *const c_char,
    ) -> Status,
    /// Repaints a frame into `result`, which has the frame's size and stride. Alpha is kept. Of the frame's steps, as many
    /// are taken as fit in so many milliseconds, but at least one; 0: all of them.
    pub stylize: unsafe extern "C" fn(
        *mut Session,
        frame: *const Picture,
        result: *mut u8,
        max_milliseconds: f64,
        on_progress: OnProgress,
        caller: *mut c_void,
    ) -> Status,
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
