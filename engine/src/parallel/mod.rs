//! libtorch's threads: two pieces of work at once, and how threads wait for each other.
#![expect(unsafe_code, reason = "calls libtorch's threads, which tch does not offer")]

mod waiting;

pub(crate) use waiting::WaitPolicy;

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::thread;

use crate::memory::within_arena;

unsafe extern "C" {
    fn style_engine_parallel_both(work: extern "C" fn(*mut c_void, i64), state: *mut c_void);
}

/// One of two inputs, and its result.
struct Piece<I, O> {
    input: Option<I>,
    output: Option<thread::Result<O>>,
}

struct State<'a, I, O> {
    pieces: [Mutex<Piece<I, O>>; 2],
    work: &'a (dyn Fn(I) -> O + Sync),
}

/// Runs the same work on two inputs, each on a thread of libtorch if it has two: libtorch runs an operation on a small tensor
/// on one thread. Operations within the work use its thread alone.
pub(crate) fn both<I: Send, O: Send>(inputs: [I; 2], work: &(dyn Fn(I) -> O + Sync)) -> [O; 2] {
    let pieces = inputs.map(|input| Mutex::new(Piece { input: Some(input), output: None }));
    let mut state = State { pieces, work };
    // SAFETY: `run` gets the state that it expects, and returns for both inputs before this call does.
    unsafe { style_engine_parallel_both(run::<I, O>, (&raw mut state).cast()) };
    state.pieces.map(|piece| {
        let piece = piece.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        match piece.output.unwrap_or_else(|| Err(Box::new("parallel_for skipped an input"))) {
            Ok(output) => output,
            Err(panic) => resume_unwind(panic),
        }
    })
}

extern "C" fn run<I: Send, O: Send>(state: *mut c_void, number: i64) {
    // SAFETY: the state is that of `both`, which outlives this call; each piece is behind its lock.
    let state = unsafe { &*state.cast::<State<I, O>>() };
    if let Some(Ok(mut piece)) = state.pieces.get(number as usize).map(Mutex::lock)
        && let Some(input) = piece.input.take()
    {
        // A panic must not unwind through C++.
        piece.output = Some(within_arena(number as u32 + 1, || catch_unwind(AssertUnwindSafe(|| (state.work)(input)))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_input_gets_its_own_output_and_panics_come_back() {
        assert_eq!(both([20, 1], &|number| number + 1), [21, 2]);
        let outcome = catch_unwind(|| both([0, 1], &|number: i32| assert_eq!(number, 0, "a panic in the second")));
        assert!(outcome.is_err());
    }
}
