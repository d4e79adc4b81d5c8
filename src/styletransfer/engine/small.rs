//! For tests: an engine that has memory for pictures of up to 100 pixels a side, and leaves the result as it is.

use std::ptr::NonNull;

use style_engine_interface::{OnProgress, Statistic};

use super::{Engine, Mask, Model, Parameters, Picture, Session, Status, Style, Table, VERSION, c_char, c_void};

/// A session, which knows the size that was set.
pub fn engine() -> Engine {
    Engine { table: &TABLE, session: Box::into_raw(Box::<i32>::default()).cast() }
}

/// The size that was set.
pub fn size(engine: &Engine) -> i32 {
    // SAFETY: its sessions are sizes.
    unsafe { *engine.session.cast::<i32>() }
}

static TABLE: Table = Table {
    version: VERSION,
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
    network: name,
    device: name,
    explanation,
    last_error,
};

unsafe extern "C" fn create(
    _: *const c_char,
    _: *const *const c_char,
    _: usize,
    _: bool,
    _: *const c_char,
    _: *mut *mut Session,
) -> Status {
    Status::FAILED
}

unsafe extern "C" fn destroy(session: *mut Session) {
    // SAFETY: as `engine` made it.
    drop(unsafe { Box::from_raw(session.cast::<i32>()) });
}

unsafe extern "C" fn set_styles(_: *mut Session, _: *const Style, _: usize) -> Status {
    Status::OK
}

unsafe extern "C" fn set_models(_: *mut Session, _: *const Model, _: usize) -> Status {
    Status::OK
}

unsafe extern "C" fn set_masks(_: *mut Session, _: *const Mask, _: usize) -> Status {
    Status::OK
}

unsafe extern "C" fn move_mask(_: *mut Session, _: *const Mask, _: u32, _: *mut Mask) -> Status {
    Status::FAILED
}

unsafe extern "C" fn find_person(_: *mut Session, _: *const Picture, _: *mut Mask) -> Status {
    Status::FAILED
}

unsafe extern "C" fn set_parameters(
    session: *mut Session,
    parameters: *const Parameters,
    _: *const c_char,
    _: *const c_char,
) -> Status {
    // SAFETY: a session of this engine's, and parameters.
    unsafe { *session.cast::<i32>() = (*parameters).size };
    Status::OK
}

unsafe extern "C" fn prepare(_: *mut Session, _: u32, _: u32, _: f64) -> Status {
    Status::OK
}

unsafe extern "C" fn stylize(
    session: *mut Session,
    frame: *const Picture,
    _: *mut u8,
    _: f64,
    _: f64,
    _: OnProgress,
    _: *mut c_void,
) -> Status {
    // SAFETY: a session of this engine's, and a picture.
    let (size, frame) = unsafe { (*session.cast::<i32>(), *frame) };
    let longer = frame.width.max(frame.height);
    let painted = u32::try_from(size).ok().filter(|&size| size > 0).map_or(longer, |size| size.min(longer));
    if painted > 100 { Status::OUT_OF_MEMORY } else { Status::OK }
}

unsafe extern "C" fn reset(_: *mut Session) {}

unsafe extern "C" fn statistics(_: *mut Session, count: *mut usize) -> *const Statistic {
    // SAFETY: a place for the number.
    unsafe { *count = 0 };
    NonNull::dangling().as_ptr()
}

unsafe extern "C" fn name(_: *const Session) -> *const c_char {
    c"small".as_ptr()
}

unsafe extern "C" fn explanation(_: *mut Session) -> *const c_char {
    c"small".as_ptr()
}

unsafe extern "C" fn last_error() -> *const c_char {
    c"not enough memory".as_ptr()
}
