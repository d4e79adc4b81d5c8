//! The C interface between the `styletransfer` element and the engine's shared library.
//!
//! The element opens the library when it starts and calls [`ENTRY_POINT`], an [`EntryPoint`], which returns the [`Table`]
//! of the engine's functions. A session may be used by one thread at a time. No function unwinds; if one returns a
//! [`Status`] other than [`Status::OK`], [`Table::last_error`] has the message.

use std::ffi::{CStr, c_char, c_void};

mod choices;

pub use choices::{model_input, optimizer, original_colors, pooling, precision, recipe, style_loss, warm_start};

/// The interface version: raised with every change that an older engine or plugin would misread.
pub const VERSION: u32 = 16;

/// The maximum age of a mask that is moved, in painted frames.
pub const MAX_MASK_AGE: u32 = 8;

/// The names of the feed-forward networks that come with the engine.
pub const MODELS: [&str; 3] = ["starry-night", "the-scream", "shipwreck"];

/// The name of the library's one exported function.
pub const ENTRY_POINT: &CStr = c"style_engine_table";

/// The exported function. Its table lives as long as the library stays loaded.
pub type EntryPoint = unsafe extern "C" fn() -> *const Table;

/// An engine's session, behind a pointer.
#[repr(C)]
pub struct Session {
    private: [u8; 0],
}

/// The result of a call. Not an enum: a library of another version may return a number that is not listed here.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub i32);

impl Status {
    /// Success.
    pub const OK: Self = Self(0);
    /// A file is missing.
    pub const NOT_FOUND: Self = Self(1);
    /// A file cannot be read, or has another format.
    pub const UNREADABLE: Self = Self(2);
    /// The device cannot be used.
    pub const NO_DEVICE: Self = Self(3);
    /// Anything else.
    pub const FAILED: Self = Self(4);
    /// The settings contradict each other or the network.
    pub const SETTINGS: Self = Self(5);
    /// The caller stopped the frame.
    pub const STOPPED: Self = Self(6);
    /// There is not enough memory on the device or the host; a smaller size may fit.
    pub const OUT_OF_MEMORY: Self = Self(7);
}

/// Rows of R, G, B, A samples.
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
    /// Bits of a sample: 8, or 16 in little endian.
    pub bits: u32,
}

/// A style picture.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The picture.
    pub picture: Picture,
    /// A number for the picture: the next [`Table::set_styles`] does not read a picture again whose number it has had.
    pub id: u64,
    /// Its weight beside other styles, at least 0; in a divided frame, beside others of its region.
    pub weight: f64,
    /// The region that it paints, from 0, if masks divide the frame.
    pub region: u32,
}

/// A feed-forward network.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its file, or one of [`MODELS`].
    pub path: *const c_char,
    /// Its weight beside other models, at least 0; in a divided frame, beside others of its region.
    pub weight: f64,
    /// The region that it paints, from 0, if masks divide the frame.
    pub region: u32,
}

/// A mask: rows of opacities, 0 to 1, one for each pixel, without padding.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Mask {
    /// The first row's first value.
    pub data: *const f32,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// The settings, which may change from frame to frame. Numbers out of range are refused.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// One of [`recipe`].
    pub recipe: u32,
    /// The weight of the content loss, at most [`Self::MAX_WEIGHT`] as all weights; negative: the recipe's.
    pub content_weight: f64,
    /// The weight of the style loss; negative: the recipe's.
    pub style_weight: f64,
    /// The weight of the total variation; negative: the recipe's.
    pub tv_weight: f64,
    /// The weight of the difference from the last result, moved along the flow; negative: the recipe's.
    pub temporal_weight: f64,
    /// One of [`style_loss`].
    pub style_loss: u32,
    /// One of [`optimizer`].
    pub optimizer: u32,
    /// The learning rate, at most [`Self::MAX_LEARNING_RATE`]; negative: the recipe's.
    pub learning_rate: f64,
    /// Steps for the first frame of a scene; negative: the recipe's.
    pub first_iterations: i32,
    /// Steps for each following frame; negative: the recipe's. With [`warm_start::FLOW`], up to three times as many if much
    /// of the frame was hidden before, and none if nothing changes.
    pub iterations: i32,
    /// One of [`warm_start`].
    pub warm_start: u32,
    /// A frame starts a scene if more than this share of it, 0 to 1, was not visible in the one before; 1: never.
    pub scene_threshold: f64,
    /// The longer side of the painted picture, in pixels, at most [`Self::MAX_SIZE`]; 0: the frame's own. Negative: under a
    /// time limit, the largest side at which the steps fit, learned from frame to frame; else the frame's own, but at most
    /// [`Self::MAX_AUTO_SIZE`].
    pub size: i32,
    /// The ratio of the style picture's longer side to the painted picture's: [`Self::MIN_STYLE_SCALE`] to
    /// [`Self::MAX_STYLE_SCALE`].
    pub style_scale: f64,
    /// One of [`pooling`].
    pub pooling: u32,
    /// One of [`precision`].
    pub precision: u32,
    /// One of [`original_colors`].
    pub original_colors: u32,
    /// One of [`model_input`].
    pub model_input: u32,
    /// The seed of the noise that some recipes start with, and of a dream's jitter.
    pub seed: u64,
    /// The number of sizes at which a picture is dreamt, 1 to [`Self::MAX_OCTAVES`].
    pub octaves: u32,
    /// The factor from one of these sizes to the next, [`Self::MIN_OCTAVE_SCALE`] to [`Self::MAX_OCTAVE_SCALE`].
    pub octave_scale: f64,
    /// By how many pixels, at most [`Self::MAX_JITTER`], a picture is shifted at random before each step of a dream.
    pub jitter: u32,
    /// The channels of the layers that a dream raises; negative numbers stand for none, and none for all channels.
    pub channels: [i32; Self::MAX_CHANNELS],
    /// How the last dream moves to the next frame.
    pub camera: Camera,
}

/// The motion of a dream from frame to frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// The factor of enlargement, [`Parameters::MIN_ZOOM`] to [`Parameters::MAX_ZOOM`].
    pub zoom: f64,
    /// Degrees clockwise, -180 to 180.
    pub rotate: f64,
    /// To the right, in widths of the frame, -1 to 1.
    pub shift_x: f64,
    /// Down, in heights of the frame, -1 to 1.
    pub shift_y: f64,
}

impl Camera {
    /// No motion.
    pub const STILL: Self = Self { zoom: 1.0, rotate: 0.0, shift_x: 0.0, shift_y: 0.0 };
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            recipe: recipe::DEFAULT,
            content_weight: -1.0,
            style_weight: -1.0,
            tv_weight: -1.0,
            temporal_weight: -1.0,
            style_loss: style_loss::DEFAULT,
            optimizer: optimizer::DEFAULT,
            learning_rate: -1.0,
            first_iterations: -1,
            iterations: -1,
            warm_start: warm_start::DEFAULT,
            scene_threshold: 0.8,
            size: -1,
            style_scale: 1.0,
            pooling: pooling::DEFAULT,
            precision: precision::DEFAULT,
            original_colors: original_colors::DEFAULT,
            model_input: model_input::DEFAULT,
            seed: 0,
            octaves: 4,
            octave_scale: 1.4,
            jitter: 32,
            channels: [-1; Self::MAX_CHANNELS],
            camera: Camera::STILL,
        }
    }
}

impl Parameters {
    /// The maximum of a loss's weight.
    pub const MAX_WEIGHT: f64 = 1e12;
    /// The maximum learning rate.
    pub const MAX_LEARNING_RATE: f64 = 100.0;
    /// The maximum of `size`, in pixels.
    pub const MAX_SIZE: i32 = 32_768;
    /// The maximum of a size that the engine chooses, in pixels.
    pub const MAX_AUTO_SIZE: i32 = 1920;
    /// The minimum of `style_scale`.
    pub const MIN_STYLE_SCALE: f64 = 0.05;
    /// The maximum of `style_scale`.
    pub const MAX_STYLE_SCALE: f64 = 8.0;

    /// The maximum of `octaves`.
    pub const MAX_OCTAVES: u32 = 16;
    /// The minimum of `octave_scale`.
    pub const MIN_OCTAVE_SCALE: f64 = 1.1;
    /// The maximum of `octave_scale`.
    pub const MAX_OCTAVE_SCALE: f64 = 4.0;
    /// The maximum of `jitter`, in pixels.
    pub const MAX_JITTER: u32 = 1024;
    /// The maximum number of channels in a list.
    pub const MAX_CHANNELS: usize = 32;
    /// The minimum of the camera's zoom.
    pub const MIN_ZOOM: f64 = 0.5;
    /// The maximum of the camera's zoom.
    pub const MAX_ZOOM: f64 = 2.0;

    /// The name of the first number that is out of range.
    pub fn out_of_range(&self) -> Option<&'static str> {
        let weights = f64::MIN..=Self::MAX_WEIGHT;
        let ranges = [
            ("content_weight", self.content_weight, weights.clone()),
            ("style_weight", self.style_weight, weights.clone()),
            ("tv_weight", self.tv_weight, weights.clone()),
            ("temporal_weight", self.temporal_weight, weights),
            ("learning_rate", self.learning_rate, f64::MIN..=Self::MAX_LEARNING_RATE),
            ("scene_threshold", self.scene_threshold, 0.0..=1.0),
            ("size", f64::from(self.size), f64::MIN..=f64::from(Self::MAX_SIZE)),
            ("style_scale", self.style_scale, Self::MIN_STYLE_SCALE..=Self::MAX_STYLE_SCALE),
            ("octaves", self.octaves.into(), 1.0..=Self::MAX_OCTAVES.into()),
            ("octave_scale", self.octave_scale, Self::MIN_OCTAVE_SCALE..=Self::MAX_OCTAVE_SCALE),
            ("jitter", self.jitter.into(), 0.0..=Self::MAX_JITTER.into()),
            ("zoom", self.camera.zoom, Self::MIN_ZOOM..=Self::MAX_ZOOM),
            ("rotate", self.camera.rotate, -180.0..=180.0),
            ("shift_x", self.camera.shift_x, -1.0..=1.0),
            ("shift_y", self.camera.shift_y, -1.0..=1.0),
        ];
        ranges.into_iter().find(|(_, value, range)| !range.contains(value)).map(|(name, ..)| name)
    }
}

/// The progress of a frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Optimization steps taken.
    pub step: u32,
    /// Steps planned.
    pub steps: u32,
    /// The weighted sum of the losses before the last step.
    pub loss: f64,
    /// Whether the frame starts a scene, and takes longer than others.
    pub is_first: bool,
}

/// Called now and then while a frame is painted, with the caller's own pointer; if it returns false, the frame is given up.
pub type OnProgress = unsafe extern "C" fn(caller: *mut c_void, progress: *const Progress) -> bool;

/// A number that describes the last frame.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Statistic {
    /// Its name, in words separated by hyphens.
    pub name: *const c_char,
    /// Its value.
    pub value: f64,
    /// Whether it is a whole number, as counts are.
    pub is_whole: bool,
}

/// The engine's functions. Strings are UTF-8 and end in NUL.
#[repr(C)]
pub struct Table {
    /// [`VERSION`]. If it differs, the other fields must not be read.
    pub version: u32,
    /// Opens a session: a weight file (null: the one in the usual places, else the built-in network); models, each the file
    /// of a feed-forward network or one of [`MODELS`]; and a device (`auto`, `cpu`, `cuda`, `cuda:N`). Models paint alone,
    /// without weights and styles; or, if they `are_start`, their picture is what places without earlier paint start
    /// from: of one model for all styles, or of one for each. They have equal weights, and a region each. A model that is a TorchScript module is a program, which is
    /// run; no other file is.
    pub create: unsafe extern "C" fn(
        weights: *const c_char,
        models: *const *const c_char,
        count: usize,
        are_start: bool,
        device: *const c_char,
        *mut *mut Session,
    ) -> Status,
    /// Ends a session.
    pub destroy: unsafe extern "C" fn(*mut Session),
    /// Sets the styles. The sum of their weights must not be 0. A call that changes their weights only a little takes next to no
    /// time, and the next frame still follows the last one: so one style fades into another. For [`recipe::DEEPDREAM`] they are guides, and there
    /// may be none.
    pub set_styles: unsafe extern "C" fn(*mut Session, *const Style, count: usize) -> Status,
    /// Sets the models, in place of those before, as [`Table::set_styles`] sets styles. Models that are open stay open. Models
    /// that paint alone cannot be replaced by none. If it fails, nothing has changed.
    pub set_models: unsafe extern "C" fn(*mut Session, *const Model, count: usize) -> Status,
    /// Sets the masks, of one size, that divide the frames to come among the styles, or among models that paint alone: the
    /// first style is painted where the first mask is 1, and so on; earlier masks lie over later ones. With one mask less than
    /// styles, the last style takes the rest. None: every style and every model is everywhere, by its weight.
    pub set_masks: unsafe extern "C" fn(*mut Session, *const Mask, count: usize) -> Status,
    /// Moves a mask along with what it covers: from the frame that was painted `age` frames before the last one, at most
    /// [`MAX_MASK_AGE`], to the last one. The result may have another size, and lives until the session's next call; its data
    /// is null if nothing has moved, or the motion is not known.
    pub move_mask: unsafe extern "C" fn(*mut Session, mask: *const Mask, age: u32, moved: *mut Mask) -> Status,
    /// Finds people in a frame: how certainly each place shows one. The mask has a size of its own, and lives until the
    /// session's next call.
    pub find_person: unsafe extern "C" fn(*mut Session, frame: *const Picture, found: *mut Mask) -> Status,
    /// Sets the parameters, and the layers for content and style: names (`relu4_2`, `conv1_1`) or torchvision's indices,
    /// separated by commas; null or empty: the recipe's. If it fails, nothing has changed.
    pub set_parameters: unsafe extern "C" fn(
        *mut Session,
        *const Parameters,
        content_layers: *const c_char,
        style_layers: *const c_char,
    ) -> Status,
    /// Prepares for frames of this size, each painted within `max_milliseconds`: what must be computed once is computed, and
    /// the device's speed is measured, so that the first frame takes no longer than others. Forgets the last result.
    pub prepare: unsafe extern "C" fn(*mut Session, width: u32, height: u32, max_milliseconds: f64) -> Status,
    /// Repaints a frame into `result`, which has the frame's size, stride and bits. Alpha is kept. Steps that do
    /// not fit in `max_milliseconds`, in the first frame of a scene `max_first_milliseconds`, are left out, but at least one
    /// is taken; 0: no limit.
    pub stylize: unsafe extern "C" fn(
        *mut Session,
        frame: *const Picture,
        result: *mut u8,
        max_milliseconds: f64,
        max_first_milliseconds: f64,
        on_progress: OnProgress,
        caller: *mut c_void,
    ) -> Status,
    /// Forgets the last result: the next frame is a first one.
    pub reset: unsafe extern "C" fn(*mut Session),
    /// The statistics of the last frame, and their number. They live until the session's next call.
    pub statistics: unsafe extern "C" fn(*mut Session, count: *mut usize) -> *const Statistic,
    /// The networks in use, in words; lives until the session's next [`Table::set_models`].
    pub network: unsafe extern "C" fn(*const Session) -> *const c_char,
    /// The device in use, in words; lives as long as the session.
    pub device: unsafe extern "C" fn(*const Session) -> *const c_char,
    /// The device and the number format of features that were chosen, and why, in words for a log; lives until the session's
    /// next call.
    pub explanation: unsafe extern "C" fn(*mut Session) -> *const c_char,
    /// The message of the last failed call on this thread; lives until the thread's next call.
    pub last_error: unsafe extern "C" fn() -> *const c_char,
}
