//! How libtorch's threads wait for each other.
//!
//! libgomp's threads spin for milliseconds before they sleep. That is fastest on an idle machine. If other threads need the
//! processors, such as an encoder's or another program's, each operation waits for a thread that does not run, and a frame can
//! take ten times as long. Then threads must sleep at once. libgomp has no call for that, but its threads sleep almost at
//! once while it manages more of them than there are processors (`gomp_throttled_spin_count_var` in GCC's libgomp/env.c).

use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use tch::{Device, Kind, Tensor};

/// The time between two frames whose context switches are counted.
const INTERVAL: Duration = Duration::from_secs(1);

/// More involuntary context switches per second than this, of threads that sleep while they wait, mean that others need the
/// processors. On an idle machine of two processors there were 50, beside one busy thread from 3000 to 8000.
const CONTENTION: f64 = 500.0;

/// An operation on this number of values runs on all of libtorch's threads.
const LARGE: i64 = 1 << 20;

/// Makes threads spin on an idle machine and sleep on a busy one. Once per interval a frame is painted with threads that
/// sleep: threads that spin are rarely interrupted, even on a busy machine.
#[derive(Default)]
pub(crate) struct WaitPolicy {
    /// Teams of threads that make the others sleep, if they must.
    idle: Option<IdleTeams>,
    /// When the last frame was measured.
    measured: Option<Instant>,
}

impl WaitPolicy {
    /// Runs a frame's work on the CPU.
    pub fn frame<T>(&mut self, work: impl FnOnce() -> T) -> T {
        if self.measured.is_some_and(|last| last.elapsed() < INTERVAL) {
            return work();
        }
        let idle = self.idle.take().unwrap_or_else(IdleTeams::new);
        let (begin, before) = (Instant::now(), involuntary_switches());
        let result = work();
        let switches = (involuntary_switches() - before) as f64 / begin.elapsed().as_secs_f64();
        self.idle = (switches > CONTENTION).then_some(idle);
        self.measured = Some(Instant::now());
        result
    }
}

/// The involuntary context switches of this process's threads until now.
fn involuntary_switches() -> i64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.involuntary_context_switches())
}

/// Teams of libtorch's threads that sleep: together with the working team, more threads than processors.
struct IdleTeams {
    /// Each team's thread ends when its channel is closed.
    _threads: Vec<Sender<()>>,
}

impl IdleTeams {
    fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        // The calling thread is not among those that libgomp counts.
        let counted = (tch::get_num_threads() as usize).saturating_sub(1);
        let teams = processors.checked_div(counted).unwrap_or(0);
        Self { _threads: (0..teams).filter_map(|_| idle_team()).collect() }
    }
}

fn idle_team() -> Option<Sender<()>> {
    let (sender, closed) = channel();
    let run = move || {
        // The team starts with the thread's first large operation, and ends with the thread.
        let _values = Tensor::f_zeros([LARGE], (Kind::Float, Device::Cpu)).and_then(|values| values.f_exp());
        let _ = closed.recv();
    };
    thread::Builder::new().name("idle-team".into()).spawn(run).ok()?;
    Some(sender)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn threads_sleep_beside_busy_ones() {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 * thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            let mut policy = WaitPolicy::default();
            policy.frame(|| {
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_millis(300) {
                    let _values = Tensor::zeros([LARGE], (Kind::Float, Device::Cpu)).exp();
                }
            });
            is_over.store(true, Ordering::Relaxed);
            assert!(policy.idle.is_some());
        });
    }
}
