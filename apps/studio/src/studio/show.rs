//! Plays the timeline: fades from look to look, whether or not a page is open.

use std::sync::Weak;
use std::time::Duration;

use super::{Answer, State, Studio};
use crate::fade::Fade;
use crate::knobs;
use crate::settings::Look;
use crate::timeline::Command;

/// The time between two changes of a number that fades.
const TICK: Duration = Duration::from_millis(40);

/// Pages get a report of a fade at every so many ticks.
const TICKS_PER_REPORT: u32 = 5;

/// Plays a studio's timeline until the studio is closed.
pub fn run(studio: &Weak<Studio>) {
    for tick in (0..TICKS_PER_REPORT).cycle() {
        let Some(studio) = studio.upgrade() else { break };
        studio.advance(tick == 0);
        drop(studio);
        std::thread::sleep(TICK);
    }
}

impl Studio {
    /// Changes or plays the timeline.
    pub fn change_timeline(&self, change: Command) -> Answer {
        self.command(|state| {
            let timeline = &mut state.timeline;
            let mut step = None;
            match change {
                Command::Add { look } => {
                    state.settings.looks.get(&look).ok_or_else(|| format!("no such look: {look}"))?;
                    timeline.add(&look);
                }
                Command::Remove { index } => timeline.remove(index)?,
                Command::Move { from, to } => timeline.shift(from, to)?,
                Command::Time { index, fade, hold } => timeline.set_times(index, fade, hold)?,
                Command::Repeat { on } => timeline.set_repeats(on),
                Command::Play => step = timeline.play(),
                Command::Pause => timeline.pause(),
                Command::Next => step = timeline.next(),
                Command::Previous => step = timeline.previous(),
                Command::Show { index } => step = Some(index),
            }
            timeline.save()?;
            step.map_or(Ok(()), |index| self.show(state, index))
        })
    }

    /// Shows a step of the timeline.
    fn show(&self, state: &mut State, index: usize) -> Answer {
        let step = state.timeline.step(index)?.clone();
        let look = state.saved_look(&step.look);
        let shown = look.and_then(|look| self.fade(state, &look, Duration::from_secs_f64(step.fade)));
        state.timeline.begin(index);
        shown
    }

    /// Fades to a look. What cannot fade changes now, as far as possible; all errors are returned.
    fn fade(&self, state: &mut State, look: &Look, time: Duration) -> Answer {
        if time.is_zero() {
            return self.apply(state, look);
        }
        let elements: Vec<_> =
            state.effects.iter().map(|effect| (effect.name, effect.element.clone(), effect.on)).collect();
        let mut fade = Fade::new(&elements, look, time);
        let mut problems = Vec::new();
        for (name, first) in fade.first(&elements) {
            problems.extend(self.apply_to(state, name, &first));
        }
        fade.begin();
        state.fade = Some(fade);
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    /// Moves the numbers that fade, and goes to the next step if its time has come.
    fn advance(&self, reports: bool) {
        let mut state = self.state();
        let state = &mut *state;
        let is_fading = state.fade.is_some();
        if let Some(fade) = &state.fade {
            for (element, property, value) in fade.values() {
                if let Ok(effect) = state.effect(element) {
                    // The value lies between two that were valid.
                    let _ = knobs::set(&effect.element, property, &value.into());
                }
            }
        }
        if let Some(fade) = state.fade.take_if(|fade| fade.is_over()) {
            self.end(state, fade);
        }
        let is_due = state.timeline.is_due();
        if is_due && let Err(problem) = self.show_next(state) {
            state.problem = Some(problem);
        }
        if is_due || (is_fading && state.fade.is_none()) {
            self.save(state);
        }
        if is_due || (is_fading && reports) {
            self.report(state);
        }
    }

    /// Shows the step after the current one; pauses after the last one.
    fn show_next(&self, state: &mut State) -> Answer {
        if let Some(index) = state.timeline.next() {
            return self.show(state, index);
        }
        state.timeline.pause();
        state.timeline.save()
    }

    /// Applies what changes when a fade is over.
    fn end(&self, state: &mut State, fade: Fade) {
        for (name, last) in fade.last() {
            let problems = self.apply_to(state, name, last);
            if !problems.is_empty() {
                state.problem = Some(problems.join("; "));
            }
        }
        for effect in &state.effects {
            fade.restore(effect.name, &effect.element);
        }
    }
}
