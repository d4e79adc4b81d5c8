//! The memory of tensors on the CPU: kept from step to step and from frame to frame.
#![expect(unsafe_code, reason = "calls what is written in C++, as libtorch's allocators are")]

use std::sync::Once;

unsafe extern "C" {
    fn style_engine_memory_install();
    fn style_engine_memory_use_arena(number: u32);
    fn style_engine_memory_next_frame();
    fn style_engine_memory_release_all();
    fn style_engine_memory_taken() -> u64;
}

/// Makes libtorch, in all of this process, keep the memory of tensors for the next ones.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    // SAFETY: the pool lives as long as the process; tensors made before are given back to where they are from.
    ONCE.call_once(|| unsafe { style_engine_memory_install() });
}

/// Runs `work` with a memory arena of its own. Pieces of work that run concurrently must use different arenas (1, 2, ...):
/// otherwise peak memory would depend on thread timing.
pub(crate) fn within_arena<T>(number: u32, work: impl FnOnce() -> T) -> T {
    // SAFETY: a number of this thread's.
    unsafe { style_engine_memory_use_arena(number) };
    let result = work();
    // SAFETY: as above.
    unsafe { style_engine_memory_use_arena(0) };
    result
}

/// Ends a frame: memory that was not used for several frames is returned to the system.
pub(crate) fn next_frame() {
    // SAFETY: may be called from any thread, at any time.
    unsafe { style_engine_memory_next_frame() }
}

/// Returns all unused memory to the system.
pub(crate) fn release_all() {
    // SAFETY: as above.
    unsafe { style_engine_memory_release_all() }
}

/// How many times memory for a tensor of 64 KiB or more was taken from the system, by all sessions together.
pub fn taken() -> u64 {
    // SAFETY: as above.
    unsafe { style_engine_memory_taken() }
}
