//! The memory of tensors on the CPU, which is reused from step to step and from frame to frame.
#![expect(unsafe_code, reason = "calls C++ functions, since libtorch's allocators are C++ classes")]

use std::sync::Once;

unsafe extern "C" {
    fn style_engine_memory_install();
    fn style_engine_memory_use_arena(number: u32);
    fn style_engine_memory_next_frame();
    fn style_engine_memory_release_all();
    fn style_engine_memory_taken() -> u64;
}

/// Makes libtorch, in the whole process, reuse the memory of tensors.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    // SAFETY: the pool lives as long as the process; older tensors are freed by the allocator that they are from.
    ONCE.call_once(|| unsafe { style_engine_memory_install() });
}

/// Runs `work` with a memory arena of its own. Pieces of work that run concurrently must use different arenas (1, 2,
/// ...): otherwise peak memory would depend on thread timing.
pub(crate) fn within_arena<T>(number: u32, work: impl FnOnce() -> T) -> T {
    // SAFETY: sets a variable of this thread.
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
