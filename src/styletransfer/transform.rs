//! The element as a video filter: its life, its events and its frames.

use std::sync::atomic::Ordering;
use std::time::Instant;

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::prelude::*;
use gst_video::subclass::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo};

use super::engine::EngineError;
use super::errors::{engine_message, style_message};
use super::fading::Fading;
use super::imp::{CAT, StyleTransfer};
use super::rgba::RgbaFrames;
use super::shown::Shown;
use super::state::State;
use crate::element;
use crate::mask::{self, Covered, Masks};

impl BaseTransformImpl for StyleTransfer {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings();
        let mut fading = Fading::new(&settings).map_err(style_message)?;
        let mut masks = Masks::default();
        masks.set(settings.masks(), settings.regions()).map_err(mask::message)?;
        // In a thread of its own: libtorch gives each calling thread its own workers, and those of this thread would remain
        // beside those of the streaming thread.
        let opened = std::thread::scope(|scope| scope.spawn(|| self.open_engine(&settings, &mut fading)).join());
        let panicked = |_| Err(EngineError::Failed("the engine could not be opened: it panicked".into()));
        let mut engine = opened.unwrap_or_else(panicked).map_err(engine_message)?;
        self.stopping.store(false, Ordering::Relaxed);
        gst::info!(CAT, imp = self, "{}, on {}", engine.network(), engine.explanation());
        *self.shown() = Shown {
            network: Some(engine.network()),
            device: engine.device(),
            statistics: engine.statistics(),
            ..Shown::default()
        };
        *self.state() = State { engine: Some(engine), settings, fading, masks, ..State::default() };
        self.obj().notify("network");
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state() = State::default();
        Ok(())
    }

    fn src_event(&self, event: gst::Event) -> bool {
        self.mask_pad.pass_upstream(event, |event| self.parent_src_event(event))
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        self.mask_pad.own_event(&event);
        match event.type_() {
            gst::EventType::FlushStart => self.stopping.store(true, Ordering::Relaxed),
            gst::EventType::FlushStop => {
                self.state().reset();
                self.stopping.store(false, Ordering::Relaxed);
            }
            gst::EventType::Gap => {
                gst::debug!(CAT, imp = self, "a gap: the next frame is painted from scratch");
                self.state().forget_paint();
            }
            _ => {}
        }
        self.parent_sink_event(event)
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        if !BaseTransformImplExt::parent_query(self, direction, query) {
            return false;
        }
        if direction == gst::PadDirection::Src
            && let gst::QueryViewMut::Latency(query) = query.view_mut()
        {
            let (is_live, min, max) = query.result();
            let own = self.shown().latency.reported();
            query.set(is_live, min.saturating_add(own), max.map(|max| max.saturating_add(own)));
        }
        true
    }

    fn transform_meta(
        &self,
        _outbuf: &mut gst::BufferRef,
        _meta: gst::MetaRef<'_, gst::Meta>,
        _inbuf: &gst::BufferRef,
    ) -> bool {
        // Frames keep their size, so regions of interest, crop rectangles and the like stay true. GStreamer itself leaves
        // out what describes a buffer's memory.
        true
    }

    fn before_transform(&self, inbuf: &gst::BufferRef) {
        element::sync_values(self.obj().upcast_ref(), *CAT, inbuf);
        self.mask_pad.follow(self.obj().upcast_ref(), inbuf);
        let mut state = self.state();
        self.follow_settings(&mut state);
        self.follow_source(&mut state);
        let is_first = state.expected.is_none();
        // Late frames, which the parent drops, pass here too.
        let jumps = state.follow_time(inbuf);
        if jumps {
            gst::debug!(CAT, imp = self, "time jumps: the next frame is painted from scratch");
        }
        self.follow_look(&mut state, inbuf, is_first || jumps);
    }

    fn transform(&self, inbuf: &gst::Buffer, outbuf: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        element::check_both(
            self.obj().upcast_ref(),
            self.state().frames.as_ref().map(RgbaFrames::layout),
            inbuf,
            outbuf,
        )?;
        self.parent_transform(inbuf, outbuf)
    }
}

impl VideoFilterImpl for StyleTransfer {
    fn set_info(
        &self,
        _incaps: &gst::Caps,
        info: &VideoInfo,
        _outcaps: &gst::Caps,
        _out_info: &VideoInfo,
    ) -> Result<(), gst::LoggableError> {
        let frames = RgbaFrames::new(info).map_err(|error| gst::loggable_error!(CAT, "{info:?}: {error}"))?;
        let mut state = self.state();
        state.frames = Some(frames);
        state.masks.forget_frames();
        state.duration = frame_duration(info);
        state.is_live = None;
        state.reset();
        if let Err(error) = state.reset_max_size().and_then(|()| state.prepare(info)) {
            gst::warning!(CAT, imp = self, "{error}");
        }
        Ok(())
    }

    fn transform_frame(
        &self,
        input: &VideoFrameRef<&gst::BufferRef>,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let begin = Instant::now();
        let mut state = self.state();
        if state.fading.strength() == 0.0 {
            // Not converted: RGB cannot hold every sample of YUV.
            state.forget_paint();
            input.copy(output).map_err(|_| gst::FlowError::Error)?;
            return Ok(gst::FlowSuccess::Ok);
        }
        let State { masks, frames: Some(frames), .. } = &mut *state else { return Err(gst::FlowError::NotNegotiated) };
        if !frames.read(input, masks.are_alpha()).map_err(|_| gst::FlowError::Error)? {
            state.reset();
            input.copy(output).map_err(|_| gst::FlowError::Error)?;
            return Ok(gst::FlowSuccess::Ok);
        }
        let person = self.find_person(&mut state)?;
        let State { masks, frames: Some(frames), .. } = &mut *state else { return Err(gst::FlowError::NotNegotiated) };
        let covered = mask::cover(&*self.obj(), *CAT, &self.mask_pad, masks, frames.layout(), input, person)?;
        if matches!(covered, Covered::Nothing) {
            input.copy(output).map_err(|_| gst::FlowError::Error)?;
            return Ok(gst::FlowSuccess::Ok);
        }
        let in_engine = self.paint(&mut state, &covered, input, output)?;
        self.record(&mut state, begin.elapsed(), in_engine);
        Ok(gst::FlowSuccess::Ok)
    }
}

/// The duration of each frame, if the stream has a frame rate.
fn frame_duration(info: &VideoInfo) -> Option<gst::ClockTime> {
    let fps = info.fps();
    let (frames, seconds) = (u64::try_from(fps.numer()).ok()?, u64::try_from(fps.denom()).ok()?);
    // Still pictures and streams of changing rate say 0.
    if frames == 0 { None } else { gst::ClockTime::SECOND.mul_div_round(seconds, frames) }
}
