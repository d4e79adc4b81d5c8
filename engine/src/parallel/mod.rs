//! libtorch's threads: several pieces of work at once, and how threads wait for each other.
#![expect(unsafe_code, reason = "calls libtorch's threads, which tch does not offer")]

mod waiting;

pub(crate) use waiting::WaitPolicy;

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::thread;

unsafe extern "C" {
    fn style_engine_parallel_each(count: i64, work: extern "C" fn(*mut c_void, i64), state: *mut c_void);
}

/// An input and its result.
struct Piece<I, O> {
    input: Option<I>,
    output: Option<thread::Result<O>>,
}

struct State<'a, I, O> {
    pieces: Vec<Mutex<Piece<I, O>>>,
    work: &'a (dyn Fn(I) -> O + Sync),
}

/// Runs the same work on several inputs, divided among libtorch's threads: libtorch runs an operation on a small tensor on one
/// thread. Operations within the work use its thread alone.
pub(crate) fn each<I: Send, O: Send>(inputs: Vec<I>, work: &(dyn Fn(I) -> O + Sync)) -> Vec<O> {
    let pieces = inputs.into_iter().map(|input| Mutex::new(Piece { input: Some(input), output: None }));
    let mut state = State { pieces: pieces.collect(), work };
    let count = state.pieces.len() as i64;
    // SAFETY: `run` gets the state that it expects, and returns for all inputs before this call does.
    unsafe { style_engine_parallel_each(count, run::<I, O>, (&raw mut state).cast()) };
    let outputs = state.pieces.into_iter().map(|piece| {
        let piece = piece.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        match piece.output.unwrap_or_else(|| Err(Box::new("parallel_for skipped an input"))) {
            Ok(output) => output,
            Err(panic) => resume_unwind(panic),
        }
    });
    outputs.collect()
}

/// The number of rows in a band, if `rows` are divided among libtorch's threads: a multiple of `unit`.
pub(crate) fn band(rows: usize, unit: usize) -> usize {
    rows.max(1).div_ceil(tch::get_num_threads().max(1) as usize).next_multiple_of(unit)
}

extern "C" fn run<I: Send, O: Send>(state: *mut c_void, number: i64) {
    // SAFETY: the state is that of `both`, which outlives this call; each piece is behind its lock.
    let state = unsafe { &*state.cast::<State<I, O>>() };
    if let Some(Ok(mut piece)) = state.pieces.get(number as usize).map(Mutex::lock)
        && let Some(input) = piece.input.take()
    {
        // A panic must not unwind through C++.
        piece.output = Some(catch_unwind(AssertUnwindSafe(|| (state.work)(input))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_input_gets_its_own_output_and_panics_come_back() {
        assert_eq!(each(vec![20, 1, 7], &|number| number + 1), [21, 2, 8]);
        assert!(each(vec![], &|number: i32| number).is_empty());
        let outcome = catch_unwind(|| each(vec![0, 1], &|number: i32| assert_eq!(number, 0, "a panic in the second")));
        assert!(outcome.is_err());
    }

    #[test]
    fn bands_are_multiples_of_their_unit() {
        for rows in [1, 7, 100] {
            let band = band(rows, 4);
            assert!(
                band > 0 && band.is_multiple_of(4) && band * tch::get_num_threads() as usize >= rows,
                "{rows}: {band}"
            );
        }
    }
}
