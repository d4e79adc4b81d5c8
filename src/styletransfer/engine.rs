//! The engine's shared library. It is opened when an element starts, so that GStreamer can load the plugin on machines
//! without libtorch.
#![expect(unsafe_code, reason = "calls through the engine's C interface")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr::null;
use std::sync::Mutex;
use std::time::Duration;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LOCAL, RTLD_NOW};
use style_engine_interface::{
    ENTRY_POINT, EntryPoint, Mask, Model, Parameters, Picture, Progress, Session, Status, Style, Table, VERSION,
};

use super::fade::Share;
use crate::mask::Grid;
use crate::sync::lock;

#[cfg(test)]
pub mod small;

/// The engine's library.
const LIBRARY: &str = "libstyle_engine.so";

/// How to install the engine.
const HINT: &str = "run scripts/setup and build again; or follow /usr/share/doc/gst-plugin-stylefilter/README.Debian; \
    or set LIBTORCH to the folder of libtorch 2.11.0 and STYLEFILTER_ENGINE to the path of libstyle_engine.so";

/// Why a call of the engine failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine or libtorch is not installed.
    #[error("styletransfer needs its engine and libtorch 2.11.0: {0}; {HINT}")]
    Missing(String),
    /// A file is missing.
    #[error("{0}")]
    NotFound(String),
    /// A file has another format.
    #[error("{0}")]
    Unreadable(String),
    /// The device cannot be used.
    #[error("{0}")]
    NoDevice(String),
    /// The settings contradict each other or the network.
    #[error("{0}")]
    Settings(String),
    /// The caller stopped the frame.
    #[error("{0}")]
    Stopped(String),
    /// There is not enough memory.
    #[error("{0}; set size to a smaller value")]
    OutOfMemory(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Rows of R, G, B, A samples, `stride` bytes apart.
#[derive(Clone, Copy)]
pub struct Rgba<'a> {
    /// The rows.
    pub data: &'a [u8],
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Bytes from row to row.
    pub stride: usize,
    /// Whether samples have 16 bits, in little endian, instead of 8.
    pub is_deep: bool,
}

impl Rgba<'_> {
    /// Bytes of a row.
    fn row(&self) -> usize {
        (self.width as usize).saturating_mul(if self.is_deep { 8 } else { 4 })
    }

    /// Bytes from the first row's start to the last row's end.
    fn length(&self) -> usize {
        (self.height as usize).saturating_sub(1).saturating_mul(self.stride).saturating_add(self.row())
    }

    /// The picture for the interface, which trusts its sizes.
    fn as_picture(&self) -> Result<Picture, EngineError> {
        if self.stride < self.row() || self.data.len() < self.length() {
            return Err(EngineError::Failed("a picture's memory is smaller than its size".into()));
        }
        let bits = if self.is_deep { 16 } else { 8 };
        Ok(Picture { data: self.data.as_ptr(), width: self.width, height: self.height, stride: self.stride, bits })
    }
}

/// A style picture with its share; see [`Style`].
pub struct StylePicture<'a> {
    /// The picture.
    pub picture: Rgba<'a>,
    /// Its number.
    pub id: u64,
    /// Its weight.
    pub weight: f64,
    /// Its region.
    pub region: usize,
}

/// A number that describes the last frame.
pub struct Statistic {
    /// Its name, in words separated by hyphens.
    pub name: String,
    /// Its value.
    pub value: Number,
}

/// The value of a [`Statistic`].
pub enum Number {
    /// A count.
    Whole(u64),
    /// Anything else.
    Real(f64),
}

impl Number {
    /// The value.
    pub fn as_f64(&self) -> f64 {
        match *self {
            Self::Whole(value) => value as f64,
            Self::Real(value) => value,
        }
    }
}

/// The maximum times for frames.
#[derive(Clone, Copy)]
pub struct TimeLimits {
    /// For a frame that continues the last one.
    pub frame: Option<Duration>,
    /// For the first frame of a scene.
    pub first_frame: Option<Duration>,
}

/// A session of the engine.
pub struct Engine {
    table: &'static Table,
    session: *mut Session,
}

// SAFETY: the interface lets a session move between threads as long as one uses it at a time, which `&mut self` ensures;
// the calls that take `&self` only read.
unsafe impl Send for Engine {}

impl Engine {
    /// Opens a session on `device` with a weight file (`None`: the one in the usual places, else the built-in network) and
    /// perhaps `models`, which paint alone or, if they `are_start`, what the optimizer starts from. The engine's library is
    /// STYLEFILTER_ENGINE, or else lies beside the folder of the plugin's file, `plugin`.
    pub fn open(
        plugin: Option<PathBuf>,
        weights: Option<&str>,
        models: &[&str],
        are_start: bool,
        device: &str,
    ) -> Result<Self, EngineError> {
        let table = table(&library_path(plugin)).map_err(EngineError::Missing)?;
        let (weights, device) = (weights.map(c_string), c_string(device));
        let models: Vec<_> = models.iter().copied().map(c_string).collect();
        let names: Vec<_> = models.iter().map(|name| name.as_ptr()).collect();
        let weights = weights.as_ref().map_or(null(), |name| name.as_ptr());
        let mut session = std::ptr::null_mut();
        // SAFETY: strings that end in NUL and a place for the result, as the interface asks.
        let status =
            unsafe { (table.create)(weights, names.as_ptr(), names.len(), are_start, device.as_ptr(), &mut session) };
        check(table, status)?;
        Ok(Self { table, session })
    }

    /// Sets the style pictures; see [`Table::set_styles`].
    pub fn set_styles(&mut self, styles: &[StylePicture]) -> Result<(), EngineError> {
        let style = |&StylePicture { picture, id, weight, region }: &StylePicture| {
            Ok(Style { picture: picture.as_picture()?, id, weight, region: region as u32 })
        };
        let styles = styles.iter().map(style).collect::<Result<Vec<_>, EngineError>>()?;
        // SAFETY: a live session, and styles whose pictures were checked.
        check(self.table, unsafe { (self.table.set_styles)(self.session, styles.as_ptr(), styles.len()) })
    }

    /// Sets the models; see [`Table::set_models`].
    pub fn set_models(&mut self, models: &[Share]) -> Result<(), EngineError> {
        let names: Vec<_> = models.iter().map(|share| c_string(&share.name)).collect();
        let mut shares = Vec::with_capacity(models.len());
        for (Share { weight, region, .. }, name) in models.iter().zip(&names) {
            shares.push(Model { path: name.as_ptr(), weight: *weight, region: *region as u32 });
        }
        // SAFETY: a live session, and names that end in NUL.
        check(self.table, unsafe { (self.table.set_models)(self.session, shares.as_ptr(), shares.len()) })
    }

    /// Sets the masks, of one size, that divide the frames to come among the styles; see [`Table::set_masks`].
    pub fn set_masks(&mut self, masks: &[Grid]) -> Result<(), EngineError> {
        let masks = masks.iter().map(as_mask).collect::<Result<Vec<_>, EngineError>>()?;
        // SAFETY: a live session, and masks whose sizes were checked.
        check(self.table, unsafe { (self.table.set_masks)(self.session, masks.as_ptr(), masks.len()) })
    }

    /// Moves a mask along with what it covers, from the frame that was painted `age` frames before the last one to that; see
    /// [`Table::move_mask`]. None if it stays.
    pub fn move_mask(&mut self, mask: &Grid, age: u32) -> Result<Option<Grid>, EngineError> {
        let mask = as_mask(mask)?;
        let mut moved = Mask { data: null(), width: 0, height: 0 };
        // SAFETY: a live session, a mask whose size was checked, and a place for the result.
        check(self.table, unsafe { (self.table.move_mask)(self.session, &mask, age, &mut moved) })?;
        // SAFETY: the engine gave it.
        Ok((!moved.data.is_null()).then(|| unsafe { own(&moved) }))
    }

    /// How certainly each place of a frame shows a person, at a size of the engine's choice.
    pub fn find_person(&mut self, frame: Rgba) -> Result<Grid, EngineError> {
        let picture = frame.as_picture()?;
        let mut found = Mask { data: null(), width: 0, height: 0 };
        // SAFETY: a live session, a picture that was checked, and a place for the result.
        check(self.table, unsafe { (self.table.find_person)(self.session, &picture, &mut found) })?;
        // SAFETY: the engine gave it.
        Ok(unsafe { own(&found) })
    }

    /// Sets how frames are repainted, and the layers for content and style (empty: the recipe's).
    pub fn set_parameters(
        &mut self,
        parameters: &Parameters,
        content_layers: &str,
        style_layers: &str,
    ) -> Result<(), EngineError> {
        let [content, style] = [content_layers, style_layers].map(c_string);
        // SAFETY: a live session, and strings that end in NUL.
        check(self.table, unsafe {
            (self.table.set_parameters)(self.session, parameters, content.as_ptr(), style.as_ptr())
        })
    }

    /// Prepares for frames of this size, each painted within `limit`, so that the first one takes no longer than others. Forgets
    /// the last result.
    pub fn prepare(&mut self, width: u32, height: u32, limit: Duration) -> Result<(), EngineError> {
        // SAFETY: a live session.
        check(self.table, unsafe { (self.table.prepare)(self.session, width, height, milliseconds(limit)) })
    }

    /// Repaints `frame` into `result`, which has the frame's stride, with as many of its steps as fit in its limit.
    /// `on_progress` is called now and then; if it returns false, the frame is given up.
    pub fn stylize(
        &mut self,
        frame: Rgba,
        result: &mut [u8],
        limits: TimeLimits,
        mut on_progress: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<(), EngineError> {
        let picture = frame.as_picture()?;
        if result.len() < frame.length() {
            return Err(EngineError::Failed("the result's memory is smaller than the frame".into()));
        }
        let [frame_limit, first_limit] =
            [limits.frame, limits.first_frame].map(|limit| limit.map_or(0.0, milliseconds));
        let caller: *mut c_void = (&raw mut on_progress).cast();
        // SAFETY: a live session, a picture that was checked, room for its rows, and a caller as `forward` expects.
        check(self.table, unsafe {
            (self.table.stylize)(self.session, &picture, result.as_mut_ptr(), frame_limit, first_limit, forward, caller)
        })
    }

    /// Forgets the last result: the next frame is a first one.
    pub fn reset(&mut self) {
        // SAFETY: a live session.
        unsafe { (self.table.reset)(self.session) };
    }

    /// The statistics of the last frame.
    pub fn statistics(&mut self) -> Vec<Statistic> {
        let mut count = 0;
        // SAFETY: a live session and a place for the number.
        let first = unsafe { (self.table.statistics)(self.session, &mut count) };
        // SAFETY: the interface gives this number of statistics, until the session's next call.
        let statistics = unsafe { std::slice::from_raw_parts(first, count) };
        let own = |statistic: &style_engine_interface::Statistic| Statistic {
            // SAFETY: the interface gives names that end in NUL.
            name: unsafe { string(statistic.name) },
            value: if statistic.is_whole {
                Number::Whole(statistic.value as u64)
            } else {
                Number::Real(statistic.value)
            },
        };
        statistics.iter().map(own).collect()
    }

    /// The network in use, in words.
    pub fn network(&self) -> String {
        // SAFETY: a live session, whose strings end in NUL.
        unsafe { string((self.table.network)(self.session)) }
    }

    /// The device in use, in words.
    pub fn device(&self) -> String {
        // SAFETY: as for `network`.
        unsafe { string((self.table.device)(self.session)) }
    }

    /// The device and the number format that were chosen, and why, in words for a log.
    pub fn explanation(&mut self) -> String {
        // SAFETY: a live session, and a string that ends in NUL and lives until its next call.
        unsafe { string((self.table.explanation)(self.session)) }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: a live session, not used again.
        unsafe { (self.table.destroy)(self.session) };
    }
}

/// The mask for the interface, which trusts its size.
fn as_mask(grid: &Grid) -> Result<Mask, EngineError> {
    match grid.values.len() == grid.width.saturating_mul(grid.height) {
        true => Ok(Mask { data: grid.values.as_ptr(), width: grid.width as u32, height: grid.height as u32 }),
        false => Err(EngineError::Failed("a mask's memory is smaller than its size".into())),
    }
}

/// A copy of a mask that the engine gave.
///
/// # Safety
/// The mask has as many values as its size says.
unsafe fn own(mask: &Mask) -> Grid {
    let (width, height) = (mask.width as usize, mask.height as usize);
    // SAFETY: by this function's contract.
    let values = unsafe { std::slice::from_raw_parts(mask.data, width.saturating_mul(height)) }.to_vec();
    Grid { width, height, values }
}

/// Forwards progress to the closure given to [`Engine::stylize`].
unsafe extern "C" fn forward(caller: *mut c_void, progress: *const Progress) -> bool {
    // SAFETY: `stylize` passes its closure, which outlives the call, and the engine a progress.
    let (on_progress, progress) = unsafe { (&mut *caller.cast::<&mut dyn FnMut(Progress) -> bool>(), *progress) };
    on_progress(progress)
}

fn library_path(plugin: Option<PathBuf>) -> PathBuf {
    if let Some(path) = std::env::var_os("STYLEFILTER_ENGINE") {
        return path.into();
    }
    let folder = plugin.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
    folder.join("../stylefilter").join(LIBRARY)
}

/// The functions of the library, which is opened once. After a failure the next call tries again.
fn table(path: &Path) -> Result<&'static Table, String> {
    static OPENED: Mutex<Option<&'static Table>> = Mutex::new(None);
    let mut opened = lock(&OPENED);
    if let Some(table) = *opened {
        return Ok(table);
    }
    open_libtorch();
    let entry = open_engine(path)?;
    // SAFETY: the function has no preconditions, and its library stays open.
    let table = unsafe { entry() };
    if table.is_null() {
        return Err(format!("{} is not a style engine", path.display()));
    }
    // SAFETY: the interface promises a table that lives as long as the library, which is never closed. Only the version
    // is read before the versions are known to agree.
    let version = unsafe { (*table).version };
    if version != VERSION {
        return Err(format!(
            "{} has interface version {version}, this plugin needs {VERSION}: build both from the same source",
            path.display()
        ));
    }
    // SAFETY: as above.
    Ok(opened.insert(unsafe { &*table }))
}

/// Opens the engine, for good: libtorch, which comes with it, cannot be unloaded.
fn open_engine(path: &Path) -> Result<EntryPoint, String> {
    // SAFETY: the engine's and libtorch's initializers have no preconditions.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(reason)?;
    let library = ManuallyDrop::new(library);
    // SAFETY: an engine's entry point has this signature, and stays, as the library is never closed.
    unsafe { library.get::<EntryPoint>(ENTRY_POINT) }.map(|entry| *entry).map_err(reason)
}

/// Opens the libtorch that LIBTORCH names, so that the engine uses it instead of the one that it was built with.
fn open_libtorch() {
    let Some(folder) = std::env::var_os("LIBTORCH") else { return };
    // libtorch finds its other files in its real folder. If LIBTORCH has none, the engine searches its own places.
    if let Ok(path) = Path::new(&folder).join("lib/libtorch_cpu.so").canonicalize() {
        // SAFETY: libtorch's initializers have no preconditions.
        if let Ok(library) = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
            std::mem::forget(library);
        }
    }
}

/// The dynamic linker's message.
fn reason(error: libloading::Error) -> String {
    std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn check(table: &Table, status: Status) -> Result<(), EngineError> {
    if status == Status::OK {
        return Ok(());
    }
    // SAFETY: called on the thread of the failed call, before any other.
    let message = unsafe { string((table.last_error)()) };
    Err(match status {
        Status::NOT_FOUND => EngineError::NotFound(message),
        Status::UNREADABLE => EngineError::Unreadable(message),
        Status::NO_DEVICE => EngineError::NoDevice(message),
        Status::SETTINGS => EngineError::Settings(message),
        Status::STOPPED => EngineError::Stopped(message),
        Status::OUT_OF_MEMORY => EngineError::OutOfMemory(message),
        _ => EngineError::Failed(message),
    })
}

/// # Safety
/// `text` ends in NUL.
unsafe fn string(text: *const c_char) -> String {
    // SAFETY: by this function's contract.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}
