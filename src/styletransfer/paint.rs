//! Painting a frame: smaller if memory is short, with progress messages, and the figures afterwards.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_video::VideoFrameRef;
use gst_video::prelude::*;
use style_engine_interface::Progress;

use super::engine::{Engine, EngineError, Statistic};
use super::errors::engine_message;
use super::imp::{CAT, StyleTransfer};
use super::state::State;
use crate::mask::{Covered, Grid, Opacity, Prepared, Shares, blend};

/// The interval of progress messages for a first frame that takes long.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// If memory is short, frames are painted at a smaller size, whose longer side is at least this, in pixels.
const MIN_SIDE: i32 = 64;

impl StyleTransfer {
    /// Paints what is covered of a frame, which `frames` has read. Returns the time that it took in the engine.
    pub(super) fn paint(
        &self,
        state: &mut State,
        covered: &Covered,
        input: &VideoFrameRef<&gst::BufferRef>,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<Duration, gst::FlowError> {
        self.divide(state, covered)?;
        let limits = state.time_limits();
        let State { engine: Some(engine), frames: Some(frames), settings, max_size, .. } = state else {
            return Err(gst::FlowError::NotNegotiated);
        };
        let (mut report, mut is_logged) = (FirstFrame::default(), false);
        let mut on_progress = |progress: Progress| {
            gst::log!(CAT, imp = self, "step {} of {}, loss {:.6}", progress.step, progress.steps, progress.loss);
            if progress.is_first {
                if !std::mem::replace(&mut is_logged, true) {
                    gst::debug!(CAT, imp = self, "a first frame: painted from scratch in {} steps", progress.steps);
                }
                report.update(self, &progress);
            }
            !self.stopping.load(Ordering::Relaxed)
        };
        let mut painted = frames.stylize(engine, limits, &mut on_progress, output);
        while let Err(EngineError::OutOfMemory(reason)) = &painted
            && let Some(smaller) = smaller(max_size.unwrap_or(settings.size), longer_side(input))
        {
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{reason}; painting at {smaller} pixels"));
            *max_size = Some(smaller);
            painted = settings
                .apply(engine, *max_size)
                .and_then(|()| frames.stylize(engine, limits, &mut on_progress, output));
        }
        report.end(self);
        let in_engine = painted.map_err(|error| match error {
            EngineError::Stopped(_) => gst::FlowError::Flushing,
            error => {
                self.post_error_message(engine_message(error));
                gst::FlowError::Error
            }
        })?;
        let moved = self.move_mask(state, input)?;
        let State { frames: Some(frames), fading, .. } = state else { return Err(gst::FlowError::NotNegotiated) };
        let full = Opacity::full();
        let opacity = match (&moved, covered) {
            (Some(masks), _) | (None, Covered::Part(masks)) => &masks.opacity,
            _ => &full,
        };
        blend(frames.layout(), &Shares { opacity, strength: fading.strength(), keeps_alpha: true }, input, output);
        Ok(in_engine)
    }

    /// Where the frame that was read shows people, if masks are taken from that.
    pub(super) fn find_person(&self, state: &mut State) -> Result<Option<Grid>, gst::FlowError> {
        match state {
            State { engine: Some(engine), frames: Some(frames), masks, .. } if masks.are_people() => {
                let found = engine.find_person(frames.content()).map_err(|error| {
                    self.post_error_message(engine_message(error));
                    gst::FlowError::Error
                })?;
                Ok(Some(found))
            }
            _ => Ok(None),
        }
    }

    /// Moves the pad's mask along with what it covers, if it is that of an earlier frame than `input`, which was just painted.
    /// The last mask of a stream stays where it is.
    fn move_mask(
        &self,
        state: &mut State,
        input: &VideoFrameRef<&gst::BufferRef>,
    ) -> Result<Option<Arc<Prepared>>, gst::FlowError> {
        let State { engine: Some(engine), frames: Some(frames), masks, .. } = state else { return Ok(None) };
        let segment = self.obj().segment();
        let time = segment.downcast_ref::<gst::format::Time>();
        let time = time.and_then(|segment| segment.to_running_time(input.buffer().pts()));
        let continues = self.mask_pad.continues();
        masks.follow(frames.layout(), time, |mask, age| match continues {
            true => engine.move_mask(mask, age).map_err(|error| {
                self.post_error_message(engine_message(error));
                gst::FlowError::Error
            }),
            false => Ok(None),
        })
    }

    /// Tells the engine how masks divide a frame among styles, if that has changed.
    fn divide(&self, state: &mut State, covered: &Covered) -> Result<(), gst::FlowError> {
        let division = match covered {
            Covered::Part(masks) if masks.divides => Some(masks),
            _ => None,
        };
        let State { engine: Some(engine), division: last, .. } = state else { return Ok(()) };
        if last.as_ref().map(Arc::as_ptr) == division.map(Arc::as_ptr) {
            return Ok(());
        }
        let masks = division.map(|masks| masks.grids.as_slice()).unwrap_or_default();
        engine.set_masks(masks).map_err(|error| {
            self.post_error_message(engine_message(error));
            gst::FlowError::Error
        })?;
        *last = division.cloned();
        Ok(())
    }

    /// Keeps the figures of a painted frame, which took `took`, and posts those that others wait for.
    pub(super) fn record(&self, state: &mut State, took: Duration, in_engine: Duration) {
        state.painted = state.painted.saturating_add(1);
        let statistics = state.engine.as_mut().map(Engine::statistics).unwrap_or_default();
        self.log_frame(state, &statistics);
        state.follow_work(took, in_engine);
        let has_changed = {
            let mut shown = self.shown();
            shown.statistics = statistics;
            shown.latency.record(gst::ClockTime::try_from(took).unwrap_or(gst::ClockTime::MAX))
        };
        if has_changed && state.is_live == Some(true) {
            self.post_latency();
        }
        let interval = u64::from(state.settings.stats_interval);
        if interval > 0 && state.painted.is_multiple_of(interval) {
            let message = gst::message::Element::builder(self.shown().stats()).src(&*self.obj()).build();
            // An element outside of a pipeline has no bus.
            let _ = self.obj().post_message(message);
        }
    }

    /// Logs a frame's figures, and the size at which it was painted, if that is another one than the last frame's.
    fn log_frame(&self, state: &State, statistics: &[Statistic]) {
        let of = |statistics: &[Statistic], name| {
            statistics.iter().find(|statistic| statistic.name == name).map_or(0.0, |statistic| statistic.value.as_f64())
        };
        let size = |statistics| [of(statistics, "width"), of(statistics, "height")];
        let [width, height] = size(statistics);
        let limit = state.time_limits().frame;
        if size(&self.shown().statistics) != [width, height] {
            let reason = match state.settings.size {
                _ if state.max_size.is_some() => "for which there is memory",
                size if size > 0 => "by the property size",
                size if size < 0 && limit.is_some() => "at which a frame's steps fit in its time",
                _ => "their own size",
            };
            gst::info!(CAT, imp = self, "frames are painted at {width}x{height}: {reason}");
        }
        let limit = limit.map_or("no limit".into(), |limit| format!("a limit of {limit:.1?}"));
        let [steps, milliseconds] = ["steps", "milliseconds"].map(|name| of(statistics, name));
        let number = state.painted;
        gst::debug!(CAT, imp = self, "frame {number}: {width}x{height}, {steps} steps, {milliseconds:.1} ms, {limit}");
    }

    fn post_progress(&self, kind: gst::ProgressType, text: &str) {
        // An element outside of a pipeline has no bus.
        let message = gst::message::Progress::builder(kind, "first-frame", text).src(&*self.obj()).build();
        let _ = self.obj().post_message(message);
    }
}

/// The progress messages of a first frame that takes long.
struct FirstFrame {
    last_post: Instant,
    is_posted: bool,
}

impl Default for FirstFrame {
    fn default() -> Self {
        Self { last_post: Instant::now(), is_posted: false }
    }
}

impl FirstFrame {
    fn update(&mut self, element: &StyleTransfer, progress: &Progress) {
        if self.last_post.elapsed() < PROGRESS_INTERVAL {
            return;
        }
        let kind = if self.is_posted { gst::ProgressType::Continue } else { gst::ProgressType::Start };
        (self.last_post, self.is_posted) = (Instant::now(), true);
        element.post_progress(kind, &format!("painting the first frame: step {} of {}", progress.step, progress.steps));
    }

    fn end(&self, element: &StyleTransfer) {
        if self.is_posted {
            element.post_progress(gst::ProgressType::Complete, "painted the first frame");
        }
    }
}

fn longer_side(frame: &VideoFrameRef<&gst::BufferRef>) -> i32 {
    i32::try_from(frame.width().max(frame.height())).unwrap_or(i32::MAX)
}

/// Half the longer side at which a frame was painted, if that is not too small.
fn smaller(size: i32, frame: i32) -> Option<i32> {
    let painted = if size <= 0 { frame } else { size.min(frame) };
    Some(painted / 2).filter(|&smaller| smaller >= MIN_SIDE)
}

#[cfg(test)]
mod tests {
    use gst::glib;
    use gst_video::subclass::prelude::*;
    use gst_video::{VideoFormat, VideoInfo};

    use super::super::engine::small;
    use super::*;

    /// Sets the size of frames.
    fn set_caps(element: &StyleTransfer, width: u32, height: u32) -> VideoInfo {
        let info = VideoInfo::builder(VideoFormat::Rgbx, width, height).build().unwrap();
        let caps = info.to_caps().unwrap();
        element.set_info(&caps, &info, &caps, &info).unwrap();
        info
    }

    /// Paints a frame; the size that the engine was given.
    fn paint(element: &StyleTransfer, info: &VideoInfo) -> i32 {
        element.follow_settings(&mut element.state());
        let [input, mut output] = [(); 2].map(|()| gst::Buffer::with_size(info.size()).unwrap());
        element.follow_look(&mut element.state(), &input, true);
        let input = VideoFrameRef::from_buffer_ref_readable(&input, info).unwrap();
        let mut output = VideoFrameRef::from_buffer_ref_writable(output.get_mut().unwrap(), info).unwrap();
        element.transform_frame(&input, &mut output).unwrap();
        small::size(element.state().engine.as_ref().unwrap())
    }

    #[test]
    fn after_out_of_memory_a_smaller_size_stays_until_new_caps_or_a_new_size() {
        gst::init().unwrap();
        let object = glib::Object::new::<super::super::StyleTransfer>();
        let element = object.imp();
        element.state().engine = Some(small::engine());
        let large = set_caps(element, 400, 300);
        assert_eq!(paint(element, &large), 100);
        object.set_property("strength", 0.5);
        assert_eq!(paint(element, &large), 100);
        object.set_property("size", 300);
        assert_eq!(paint(element, &large), 75);
        let small = set_caps(element, 80, 60);
        assert_eq!(paint(element, &small), 300);
    }
}
