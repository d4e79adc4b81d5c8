//! A cache of tensors that depend only on the size of frames.

use std::cell::RefCell;
use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use crate::Result;

/// A cached tensor's name, the numbers that it depends on, such as the size, its kind and its device.
type Key = (&'static str, [i64; 3], Kind, Device);

thread_local! {
    static CACHE: RefCell<HashMap<Key, Tensor>> = RefCell::default();
}

/// The maximum number of cached tensors: enough for frames of two or three sizes.
const MAX_CACHED: usize = 128;

/// The tensor of this key, made if it is not in the cache.
pub(super) fn cached(key: Key, make: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
    if let Some(found) = CACHE.with_borrow(|cache| cache.get(&key).map(Tensor::shallow_clone)) {
        return Ok(found);
    }
    let made = make()?;
    CACHE.with_borrow_mut(|cache| {
        if cache.len() == MAX_CACHED {
            cache.clear();
        }
        cache.insert(key, made.shallow_clone());
    });
    Ok(made)
}
