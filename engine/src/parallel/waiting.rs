//! How libtorch's threads wait for each other.
//!
//! libgomp's threads spin for milliseconds before they sleep. That is fastest on an idle machine. If other threads need the
//! processors, such as an encoder's or another program's, each operation waits for a thread that does not run, and a frame can
//! take ten times as long. Then threads must sleep at once. libgomp has no call for that, but its threads sleep almost at
//! once while it manages more of them than there are processors (`gomp_throttled_spin_count_var` in GCC's libgomp/env.c).

use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

/// The time between trials of the other way to wait. It doubles with each trial in vain, up to the second value while threads
/// spin, and up to the third while they sleep: a frame with threads that spin may take ten times as long.
const INTERVAL: Duration = Duration::from_secs(1);
const MAX_SPINNING: Duration = Duration::from_secs(4);
const MAX_SLEEPING: Duration = Duration::from_secs(16);

/// The weight of the newest frame in the cost: a single one may be an outlier.
const NEWS: f64 = 0.3;

/// The other way must take less than this share of a frame's time.
const GAIN: f64 = 0.9;

/// An operation on this number of values runs on all of libtorch's threads.
const LARGE: i64 = 1 << 20;

/// Makes threads spin or sleep, whichever is faster. Now and then a frame is painted the other way, and its time compared.
pub(crate) struct WaitPolicy {
    /// Teams of threads that make the others sleep, if they must.
    idle: Option<IdleTeams>,
    /// The seconds per work of the last frames.
    cost: Option<f64>,
    next_trial: Instant,
    interval: Duration,
}

impl Default for WaitPolicy {
    fn default() -> Self {
        Self { idle: None, cost: None, next_trial: Instant::now() + INTERVAL, interval: INTERVAL }
    }
}

impl WaitPolicy {
    /// Paints a frame on the CPU. `paint` returns its result, and the amount of work if it is comparable to other frames'.
    pub fn frame<T>(&mut self, paint: impl FnOnce() -> (T, Option<f64>)) -> T {
        let is_trial = self.cost.is_some() && Instant::now() >= self.next_trial;
        let before = is_trial.then(|| self.change());
        let begin = Instant::now();
        let (result, work) = paint();
        let cost = work.map(|work| begin.elapsed().as_secs_f64() / work);
        match before {
            Some(before) => self.judge(before, cost),
            None => self.follow(cost),
        }
        result
    }

    /// Keeps the cost of a frame.
    fn follow(&mut self, cost: Option<f64>) {
        let Some(cost) = cost else { return };
        self.cost = Some(self.cost.map_or(cost, |last| last + NEWS * (cost - last)));
    }

    /// Changes to the other way to wait. Returns the teams of the way before.
    fn change(&mut self) -> Option<IdleTeams> {
        let other = if self.idle.is_none() { Some(IdleTeams::new()) } else { None };
        std::mem::replace(&mut self.idle, other)
    }

    /// Keeps the other way if its frame took less time.
    fn judge(&mut self, before: Option<IdleTeams>, cost: Option<f64>) {
        let (Some(cost), Some(last)) = (cost, self.cost) else {
            // The next frame may be comparable.
            self.idle = before;
            return;
        };
        if cost < GAIN * last {
            (self.cost, self.interval) = (Some(cost), INTERVAL);
        } else {
            let max = if before.is_some() { MAX_SLEEPING } else { MAX_SPINNING };
            self.interval = (2 * self.interval).min(max);
            self.idle = before;
        }
        self.next_trial = Instant::now() + self.interval;
    }
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
    use super::*;

    /// Paints frames, every second one of which is a trial. One with threads that spin takes `spinning` milliseconds, another
    /// one `sleeping`. Returns whether threads sleep at the end.
    fn sleeps_after(policy: &mut WaitPolicy, spinning: u64, sleeping: u64) -> bool {
        for is_trial in [false, true, false, true] {
            policy.next_trial = Instant::now() + if is_trial { Duration::ZERO } else { INTERVAL };
            let took = if policy.idle.is_some() == is_trial { spinning } else { sleeping };
            policy.frame(|| (thread::sleep(Duration::from_millis(took)), Some(1.0)));
        }
        policy.idle.is_some()
    }

    #[test]
    fn the_faster_way_is_kept() {
        let mut policy = WaitPolicy::default();
        assert!(!sleeps_after(&mut policy, 20, 60));
        assert!(policy.interval > INTERVAL, "the other way is tried less and less often");
        assert!(sleeps_after(&mut policy, 120, 40), "another program began to work");
        assert!(!sleeps_after(&mut policy, 20, 60), "it has ended");
    }

    #[test]
    fn frames_of_another_kind_are_not_compared() {
        let mut policy = WaitPolicy::default();
        for work in [Some(1.0), None] {
            policy.next_trial = Instant::now();
            policy.frame(|| (thread::sleep(Duration::from_millis(3)), work));
        }
        assert!(policy.idle.is_none() && policy.next_trial <= Instant::now());
    }
}
