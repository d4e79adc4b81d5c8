//! The engine's C interface: pointers become references here, and panics become errors.
#![expect(unsafe_code, reason = "the C interface")]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr::null;
use std::time::{Duration, Instant};

use style_engine_interface::{self as interface, OnProgress, Parameters, Picture, Progress, Statistic, Status, Table};
use tch::{Device, Tensor};

use crate::error::tells_of_memory;
use crate::frame::{Depth, Frame, floats};
use crate::parallel::WaitPolicy;
use crate::session::{ModelShare, Session, Step};
use crate::size::size_of;
use crate::styles::Style;
use crate::{Error, Result, device, memory};

/// The interface's opaque `Session`.
struct Handle {
    session: Session,
    network: CString,
    device: CString,
    /// Why the device is not CUDA, if it could have been.
    why_not_cuda: Option<String>,
    explanation: CString,
    /// None on a GPU, where libtorch's threads have little to do.
    wait_policy: Option<WaitPolicy>,
    statistics: Vec<Statistic>,
    /// The styles' pictures by their numbers.
    pictures: Vec<(u64, Tensor)>,
    /// The last mask that was given out.
    mask: Option<Tensor>,
}

static TABLE: Table = Table {
    version: interface::VERSION,
    create,
    destroy,
    set_styles,
    set_models,
    set_masks,
    move_mask,
    find_person,
    set_parameters,
    prepare,
    stylize,
    reset,
    statistics,
    network,
    device,
    explanation,
    last_error,
};

// Must be called as `interface::ENTRY_POINT` says.
#[unsafe(no_mangle)]
extern "C" fn style_engine_table() -> *const Table {
    &raw const TABLE
}

const _: interface::EntryPoint = style_engine_table;

/// The interval of progress reports: on a GPU, reading the loss waits for all work before it.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

unsafe extern "C" fn create(
    weights: *const c_char,
    models: *const *const c_char,
    count: usize,
    are_start: bool,
    device: *const c_char,
    session: *mut *mut interface::Session,
) -> Status {
    guard(|| {
        // SAFETY: the interface asks for `count` models, and null only for none.
        let models = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(models, count) } };
        // SAFETY: the interface asks for strings that end in NUL, and null only for the weights.
        let [weights, device] = [weights, device].map(|name| unsafe { text(name) });
        // SAFETY: likewise.
        let models: Vec<_> = models.iter().filter_map(|&model| unsafe { text(model) }).collect();
        let models: Vec<_> = models.iter().map(Path::new).collect();
        let device = device.as_deref().unwrap_or("auto");
        let opened = match are_start || models.is_empty() {
            true => Session::starting_from(&models, weights.as_deref().map(Path::new), device)?,
            false => Session::of_models(&models, device)?,
        };
        let handle = Handle {
            network: c_string(&opened.network()),
            device: c_string(&opened.device()),
            why_not_cuda: (device == "auto").then(device::why_not_cuda).flatten(),
            explanation: CString::default(),
            wait_policy: (opened.device() == "cpu").then(WaitPolicy::default),
            session: opened,
            statistics: Vec::new(),
            pictures: Vec::new(),
            mask: None,
        };
        // SAFETY: the interface asks for a place for the result.
        unsafe { *session = Box::into_raw(Box::new(handle)).cast() };
        Ok(())
    })
}

unsafe extern "C" fn destroy(session: *mut interface::Session) {
    guard(|| {
        // SAFETY: `create` made it, and the interface forbids any use after this.
        drop(unsafe { Box::from_raw(session.cast::<Handle>()) });
        memory::release_all();
        Ok(())
    });
}

unsafe extern "C" fn set_styles(
    session: *mut interface::Session,
    styles: *const interface::Style,
    count: usize,
) -> Status {
    guard(|| {
        // SAFETY: the interface asks for a live session and `count` styles.
        let (handle, styles) = unsafe { (handle(session), std::slice::from_raw_parts(styles, count)) };
        let picture = |style: &interface::Style| {
            if let Some((_, known)) = handle.pictures.iter().find(|(id, _)| *id == style.id) {
                return Ok((style.id, known.shallow_clone()));
            }
            // SAFETY: the interface asks for pictures whose rows can be read.
            let picture = unsafe { frame(&style.picture) }?;
            Ok((style.id, picture.colors(picture.size(), Device::Cpu)?))
        };
        let pictures = styles.iter().map(picture).collect::<Result<Vec<_>>>()?;
        let style = |(&interface::Style { weight, region, .. }, (_, picture)): (&interface::Style, &(u64, Tensor))| {
            Style { picture: picture.shallow_clone(), weight, region: region as usize }
        };
        handle.session.set_styles(&styles.iter().zip(&pictures).map(style).collect::<Vec<_>>())?;
        handle.pictures = pictures;
        Ok(())
    })
}

unsafe extern "C" fn set_models(
    session: *mut interface::Session,
    models: *const interface::Model,
    count: usize,
) -> Status {
    guard(|| {
        // SAFETY: the interface asks for a live session and `count` models.
        let (handle, models) = unsafe { (handle(session), std::slice::from_raw_parts(models, count)) };
        // SAFETY: the interface asks for strings that end in NUL.
        let paths: Vec<_> = models.iter().map(|model| unsafe { text(model.path) }.unwrap_or_default()).collect();
        let mut shares = Vec::with_capacity(models.len());
        for (path, &interface::Model { weight, region, .. }) in paths.iter().zip(models) {
            shares.push(ModelShare { path: Path::new(path), weight, region: region as usize });
        }
        handle.session.set_models(&shares)?;
        handle.network = c_string(&handle.session.network());
        Ok(())
    })
}

unsafe extern "C" fn set_masks(
    session: *mut interface::Session,
    masks: *const interface::Mask,
    count: usize,
) -> Status {
    guard(|| {
        // SAFETY: the interface asks for a live session.
        let handle = unsafe { handle(session) };
        if count == 0 {
            return handle.session.set_masks(&[]);
        }
        // SAFETY: the interface asks for `count` masks.
        let masks = unsafe { std::slice::from_raw_parts(masks, count) };
        // SAFETY: the interface asks for masks with as many values as they say.
        let masks = masks.iter().map(|mask| unsafe { opacities(mask) });
        handle.session.set_masks(&masks.collect::<Result<Vec<_>>>()?)
    })
}

unsafe extern "C" fn move_mask(
    session: *mut interface::Session,
    mask: *const interface::Mask,
    age: u32,
    moved: *mut interface::Mask,
) -> Status {
    guard(|| {
        // SAFETY: the interface asks for a live session, a mask, and a place for the result.
        let (Handle { session, mask: given, .. }, mask, moved) =
            unsafe { (handle(session), opacities(&*mask)?, &mut *moved) };
        *given = session.move_mask(&mask, age as usize)?;
        *moved = given_out(given.as_ref())?;
        Ok(())
    })
}

unsafe extern "C" fn find_person(
    session: *mut interface::Session,
    picture: *const Picture,
    found: *mut interface::Mask,
) -> Status {
    guard(|| {
        // SAFETY: the interface asks for a live session, a picture whose rows can be read, and a place for the result.
        let (Handle { session, mask: given, .. }, frame, found) =
            unsafe { (handle(session), frame(&*picture)?, &mut *found) };
        *given = Some(session.find_person(&frame)?);
        *found = given_out(given.as_ref())?;
        Ok(())
    })
}

unsafe extern "C" fn set_parameters(
    session: *mut interface::Session,
    parameters: *const Parameters,
    content_layers: *const c_char,
    style_layers: *const c_char,
) -> Status {
    guard(|| {
        // SAFETY: the interface asks for a live session and parameters.
        let (handle, parameters) = unsafe { (handle(session), *parameters) };
        // SAFETY: the interface asks for null or strings that end in NUL.
        let [content, style] = [content_layers, style_layers].map(|layers| unsafe { text(layers) }.unwrap_or_default());
        handle.session.set_parameters(parameters, &content, &style)
    })
}

unsafe extern "C" fn prepare(
    session: *mut interface::Session,
    width: u32,
    height: u32,
    max_milliseconds: f64,
) -> Status {
    guard(|| {
        // SAFETY: the interface asks for a live session.
        let Handle { session, .. } = unsafe { handle(session) };
        let limit = time_limit(max_milliseconds);
        session.set_time_limits(limit, limit);
        session.prepare([height, width].map(i64::from))
    })
}

unsafe extern "C" fn stylize(
    session: *mut interface::Session,
    picture: *const Picture,
    result: *mut u8,
    max_milliseconds: f64,
    max_first_milliseconds: f64,
    on_progress: OnProgress,
    caller: *mut c_void,
) -> Status {
    guard(|| {
        // SAFETY: the interface asks for a live session.
        let Handle { session, wait_policy, .. } = unsafe { handle(session) };
        session.set_time_limits(time_limit(max_milliseconds), time_limit(max_first_milliseconds));
        let mut reported = Instant::now();
        let mut report = |&Step { step, steps, is_first, loss }: &Step| {
            if reported.elapsed() < PROGRESS_INTERVAL {
                return true;
            }
            reported = Instant::now();
            let progress = Progress { step, steps, is_first, loss: loss.f_double_value(&[]).unwrap_or(f64::NAN) };
            // SAFETY: the function that the caller gave, with the caller's pointer.
            unsafe { on_progress(caller, &progress) }
        };
        // SAFETY: the interface asks for a picture whose rows can be read.
        let frame = unsafe { frame(&*picture) }?;
        // SAFETY: the interface asks for a result with the frame's size and stride.
        let result = unsafe { std::slice::from_raw_parts_mut(result, frame.data().len()) };
        let mut paint = || {
            let outcome = session.stylize(&frame, result, &mut report);
            (outcome, session.last_work())
        };
        match wait_policy {
            Some(policy) => policy.frame(paint),
            None => paint().0,
        }
    })
}

unsafe extern "C" fn reset(session: *mut interface::Session) {
    guard(|| {
        // SAFETY: the interface asks for a live session.
        unsafe { handle(session) }.session.reset();
        Ok(())
    });
}

unsafe extern "C" fn statistics(session: *mut interface::Session, count: *mut usize) -> *const Statistic {
    // SAFETY: the interface asks for a live session and a place for the number.
    let (handle, count) = unsafe { (handle(session), &mut *count) };
    handle.statistics = handle.session.stats().named();
    *count = handle.statistics.len();
    handle.statistics.as_ptr()
}

unsafe extern "C" fn network(session: *const interface::Session) -> *const c_char {
    // SAFETY: the interface asks for a live session, and the string lives in it.
    unsafe { (*session.cast::<Handle>()).network.as_ptr() }
}

unsafe extern "C" fn device(session: *const interface::Session) -> *const c_char {
    // SAFETY: as for `network`.
    unsafe { (*session.cast::<Handle>()).device.as_ptr() }
}

unsafe extern "C" fn explanation(session: *mut interface::Session) -> *const c_char {
    // SAFETY: the interface asks for a live session.
    let handle = unsafe { handle(session) };
    let why = handle.why_not_cuda.as_ref().map(|reason| format!(" (no CUDA: {reason})")).unwrap_or_default();
    let text = format!("{}{why}, features in {}", handle.session.device(), handle.session.precision());
    handle.explanation = c_string(&text);
    handle.explanation.as_ptr()
}

unsafe extern "C" fn last_error() -> *const c_char {
    LAST_ERROR.with_borrow(|message| message.as_ptr())
}

/// A time limit; 0: none.
fn time_limit(milliseconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(milliseconds / 1e3).ok().filter(|limit| !limit.is_zero())
}

/// Runs `call`; an error or a panic becomes a status and a message.
fn guard(call: impl FnOnce() -> Result<()>) -> Status {
    let (status, message) = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => return Status::OK,
        Ok(Err(error)) => (status(&error), error.to_string()),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
            let words = words.unwrap_or("without a message").lines().next().unwrap_or_default();
            // Some operators of tch panic with libtorch's error.
            let status = if tells_of_memory(words) { Status::OUT_OF_MEMORY } else { Status::FAILED };
            (status, format!("panic: {words}"))
        }
    };
    if status == Status::OUT_OF_MEMORY {
        // The failed frame's tensors are dropped: a smaller size may fit.
        memory::release_all();
    }
    LAST_ERROR.set(c_string(&message));
    status
}

fn status(error: &Error) -> Status {
    match error {
        Error::NotFound(_) | Error::ModelNotFound(_) => Status::NOT_FOUND,
        Error::Unreadable { .. } | Error::NotVgg { .. } | Error::Model { .. } => Status::UNREADABLE,
        Error::NoDevice { .. } => Status::NO_DEVICE,
        Error::NoLayer { .. } | Error::Settings(_) => Status::SETTINGS,
        Error::Stopped => Status::STOPPED,
        error if error.is_out_of_memory() => Status::OUT_OF_MEMORY,
        _ => Status::FAILED,
    }
}

fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// # Safety
/// `text` is null or ends in NUL.
unsafe fn text(text: *const c_char) -> Option<String> {
    // SAFETY: by this function's contract.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// # Safety
/// `session` was made by `create`, is not destroyed yet and in no other use.
unsafe fn handle<'a>(session: *mut interface::Session) -> &'a mut Handle {
    // SAFETY: by this function's contract.
    unsafe { &mut *session.cast::<Handle>() }
}

/// A mask, contiguous on the CPU, as the interface gives it out.
fn given_out(mask: Option<&Tensor>) -> Result<interface::Mask> {
    let Some(mask) = mask else { return Ok(interface::Mask { data: null(), width: 0, height: 0 }) };
    let [height, width] = size_of(mask)?.map(|side| side as u32);
    Ok(interface::Mask { data: floats(mask).as_ptr(), width, height })
}

/// The values of a mask, `(1, 1, H, W)`.
///
/// # Safety
/// The mask has as many values as its size says.
unsafe fn opacities(mask: &interface::Mask) -> Result<Tensor> {
    let length = (mask.width as usize).saturating_mul(mask.height as usize);
    // SAFETY: by this function's contract.
    let values = unsafe { std::slice::from_raw_parts(mask.data, length) };
    Ok(Tensor::f_from_slice(values)?.f_view([1, 1, mask.height.into(), mask.width.into()])?)
}

/// The pixels of a picture.
///
/// # Safety
/// Each of the picture's rows can be read, as long as the frame is in use.
unsafe fn frame<'a>(picture: &Picture) -> Result<Frame<'a>> {
    let depth = match picture.bits {
        8 => Depth::Bits8,
        16 => Depth::Bits16,
        bits => return Err(Error::Settings(format!("a picture's samples have 8 or 16 bits, not {bits}"))),
    };
    let size = [picture.height, picture.width].map(|side| side as usize);
    // SAFETY: by this function's contract.
    let data = unsafe { std::slice::from_raw_parts(picture.data, Frame::bytes(size, picture.stride, depth)) };
    Frame::new(data, size, picture.stride, depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_for_lack_of_memory_has_its_own_status() {
        assert_eq!(guard(|| panic!("Torch(\"not enough memory: 5 bytes are wanted\")")), Status::OUT_OF_MEMORY);
        assert_eq!(guard(|| panic!("something else")), Status::FAILED);
    }
}
