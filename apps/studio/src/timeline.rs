//! The timeline: looks in an order, each with the time that it fades in and the time that it stays.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::json;

/// The longest fade and the longest hold, in seconds: a day.
const MAX_TIME: f64 = 86_400.0;

/// The times of a new step, in seconds.
const FADE: f64 = 2.0;
const HOLD: f64 = 10.0;

/// What a page does with the timeline.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Command {
    /// Appends a look.
    Add {
        look: String,
    },
    /// Removes a step.
    Remove {
        index: usize,
    },
    /// Moves a step to another place.
    Move {
        from: usize,
        to: usize,
    },
    /// Sets the times of a step, in seconds.
    Time {
        index: usize,
        fade: f64,
        hold: f64,
    },
    /// Sets whether the first step follows the last one.
    Repeat {
        on: bool,
    },
    Play,
    /// Stays at the current step.
    Pause,
    /// Shows the next step.
    Next,
    /// Shows the previous step.
    Previous,
    /// Shows a step.
    Show {
        index: usize,
    },
}

/// A look of the timeline.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Step {
    /// The look's name.
    pub look: String,
    /// The time from the last look to this one, in seconds.
    pub fade: f64,
    /// The time that it stays after that, in seconds.
    pub hold: f64,
}

/// The contents of the timeline's file. Its field names must stay: users have such files.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Content {
    steps: Vec<Step>,
    /// Whether the first step follows the last one.
    repeats: bool,
    /// Whether it plays; a studio that is opened again goes on playing.
    plays: bool,
}

/// The timeline.
pub struct Timeline {
    path: PathBuf,
    content: Content,
    /// The step whose look is shown, and the beginning of its fade.
    current: Option<(usize, Instant)>,
}

/// The timeline, as JSON for the page.
#[derive(Serialize)]
pub struct Report<'a> {
    steps: &'a [Step],
    repeats: bool,
    plays: bool,
    current: Option<usize>,
    /// The time since the beginning of the current step, in seconds.
    elapsed: f64,
}

impl Timeline {
    /// Opens a timeline that is stored in a file, which need not exist. If the file cannot be read, the timeline is
    /// empty, and the reason is returned, too.
    pub fn open(path: PathBuf) -> (Self, Option<String>) {
        let (mut content, problem) = match json::read::<Content>(&path) {
            Ok(content) => (content.unwrap_or_default(), None),
            Err(problem) => (Content::default(), Some(problem)),
        };
        for step in &mut content.steps {
            // Users may have edited the file.
            (step.fade, step.hold) = (step.fade.clamp(0.0, MAX_TIME), step.hold.clamp(0.0, MAX_TIME));
        }
        (Self { path, content, current: None }, problem)
    }

    /// Writes the file.
    pub fn save(&self) -> Result<(), String> {
        json::write(&self.path, &self.content)
    }

    /// A step.
    pub fn step(&self, index: usize) -> Result<&Step, String> {
        self.content.steps.get(index).ok_or_else(|| format!("the timeline has no look {}", index + 1))
    }

    /// Appends a look.
    pub fn add(&mut self, look: &str) {
        self.content.steps.push(Step { look: look.into(), fade: FADE, hold: HOLD });
    }

    /// Removes a step. If it is the current one, its look stays.
    pub fn remove(&mut self, index: usize) -> Result<(), String> {
        self.step(index)?;
        self.content.steps.remove(index);
        match &mut self.current {
            Some((current, _)) if *current == index => self.leave(),
            Some((current, _)) => *current -= usize::from(*current > index),
            None => (),
        }
        Ok(())
    }

    /// Removes all steps with a look.
    pub fn forget(&mut self, look: &str) {
        while let Some(index) = self.content.steps.iter().position(|step| step.look == look) {
            // The step exists.
            let _ = self.remove(index);
        }
    }

    /// Moves a step to another place.
    pub fn shift(&mut self, from: usize, to: usize) -> Result<(), String> {
        self.step(from)?;
        self.step(to)?;
        let step = self.content.steps.remove(from);
        self.content.steps.insert(to, step);
        if let Some((current, _)) = &mut self.current {
            *current = match *current {
                current if current == from => to,
                current => current - usize::from(current > from) + usize::from(current >= to + usize::from(to > from)),
            };
        }
        Ok(())
    }

    /// Sets the times of a step, in seconds.
    pub fn set_times(&mut self, index: usize, fade: f64, hold: f64) -> Result<(), String> {
        self.step(index)?;
        if ![fade, hold].iter().all(|time| (0.0..=MAX_TIME).contains(time)) {
            return Err(format!("a fade and a hold must have 0 to {MAX_TIME} seconds"));
        }
        let step = &mut self.content.steps[index];
        (step.fade, step.hold) = (fade, hold);
        Ok(())
    }

    /// Whether the first step follows the last one.
    pub fn set_repeats(&mut self, repeats: bool) {
        self.content.repeats = repeats;
    }

    /// Stays at the current step.
    pub fn pause(&mut self) {
        self.content.plays = false;
    }

    /// Plays on from the current step, whose hold starts anew. The result is the step to begin with, if it is another.
    pub fn play(&mut self) -> Option<usize> {
        self.content.plays = !self.content.steps.is_empty();
        match self.current.filter(|_| self.next().is_some()) {
            Some((current, _)) => {
                let fade = Duration::from_secs_f64(self.content.steps[current].fade);
                self.current = Some((current, Instant::now().checked_sub(fade).unwrap_or_else(Instant::now)));
                None
            }
            None => self.content.plays.then_some(0),
        }
    }

    /// A step has begun.
    pub fn begin(&mut self, index: usize) {
        self.current = Some((index, Instant::now()));
    }

    /// Another look than the timeline's is shown now.
    pub fn leave(&mut self) {
        self.current = None;
        self.pause();
    }

    /// The step after the current one.
    pub fn next(&self) -> Option<usize> {
        let next = self.current.map_or(0, |(current, _)| current + 1);
        let first = (self.content.repeats && !self.content.steps.is_empty()).then_some(0);
        Some(next).filter(|next| *next < self.content.steps.len()).or(first)
    }

    /// The step before the current one.
    pub fn previous(&self) -> Option<usize> {
        let last = self.content.steps.len().checked_sub(1);
        match self.current {
            Some((0, _)) => last.filter(|_| self.content.repeats),
            Some((current, _)) => Some(current - 1),
            None => last,
        }
    }

    /// Whether it plays and the time of the current step is over.
    pub fn is_due(&self) -> bool {
        let is_over = |(current, begun): (usize, Instant)| {
            self.step(current).is_ok_and(|step| begun.elapsed().as_secs_f64() >= step.fade + step.hold)
        };
        self.content.plays && self.current.is_none_or(is_over)
    }

    /// The timeline for the page.
    pub fn report(&self) -> Report<'_> {
        Report {
            steps: &self.content.steps,
            repeats: self.content.repeats,
            plays: self.content.plays,
            current: self.current.map(|(current, _)| current),
            elapsed: self.current.map_or(0.0, |(_, begun)| begun.elapsed().as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A timeline that is not stored, with the looks a, b, c and d, at the step `current`.
    fn timeline(current: usize) -> Timeline {
        let mut timeline = Timeline { path: PathBuf::new(), content: Content::default(), current: None };
        for look in ["a", "b", "c", "d"] {
            timeline.add(look);
        }
        timeline.begin(current);
        timeline
    }

    /// The looks in their order, the current one in upper case.
    fn order(timeline: &Timeline) -> String {
        let current = timeline.current.map(|(current, _)| current);
        let looks = timeline.content.steps.iter().map(|step| step.look.clone()).enumerate();
        looks.map(|(index, look)| if Some(index) == current { look.to_uppercase() } else { look }).collect()
    }

    #[test]
    fn the_current_step_stays_current_when_steps_move() {
        for current in 0..4 {
            for from in 0..4 {
                for to in 0..4 {
                    let mut timeline = timeline(current);
                    let look = timeline.content.steps[current].look.to_uppercase();
                    timeline.shift(from, to).unwrap();
                    assert!(order(&timeline).contains(&look), "{current}: {from} to {to}: {}", order(&timeline));
                }
            }
        }
        let mut moved = timeline(1);
        moved.shift(0, 2).unwrap();
        assert_eq!(order(&moved), "Bcad");
        moved.remove(1).unwrap();
        assert_eq!(order(&moved), "Bad");
        moved.forget("b");
        assert_eq!(order(&moved), "ad");
        assert!(moved.shift(0, 2).is_err() && moved.remove(2).is_err() && moved.set_times(0, -1.0, 1.0).is_err());
    }

    #[test]
    fn the_last_step_ends_the_timeline_unless_it_repeats() {
        let mut timeline = timeline(3);
        assert_eq!((timeline.next(), timeline.previous()), (None, Some(2)));
        timeline.set_times(3, 0.0, 0.0).unwrap();
        assert!(!timeline.is_due());
        assert_eq!(timeline.play(), Some(0));
        assert!(timeline.is_due());
        timeline.set_repeats(true);
        assert_eq!(timeline.next(), Some(0));
        timeline.begin(0);
        assert!(!timeline.is_due());
        assert_eq!((timeline.next(), timeline.previous(), timeline.play()), (Some(1), Some(3), None));
        timeline.leave();
        assert!(!timeline.content.plays);
        assert_eq!(timeline.play(), Some(0));
    }

    #[test]
    fn a_timeline_survives_its_file() {
        let path = std::env::temp_dir().join(format!("timeline-{}.json", std::process::id()));
        let mut stored = timeline(0);
        stored.path.clone_from(&path);
        stored.set_times(2, 0.5, 3.0).unwrap();
        stored.set_repeats(true);
        stored.save().unwrap();
        let (read, problem) = Timeline::open(path.clone());
        assert_eq!((read.content.steps, read.content.repeats, problem), (stored.content.steps, true, None));
        std::fs::write(&path, r#"{"steps": [{"look": "a", "fade": -1, "hold": 1e300}]}"#).unwrap();
        let (read, _) = Timeline::open(path.clone());
        assert_eq!((read.content.steps[0].fade, read.content.steps[0].hold), (0.0, MAX_TIME));
        std::fs::write(&path, "{").unwrap();
        let (read, problem) = Timeline::open(path.clone());
        assert!(read.content.steps.is_empty() && problem.unwrap().contains("timeline"));
        std::fs::remove_file(path).unwrap();
    }
}
