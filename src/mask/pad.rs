//! The request pad `mask`: a second video, whose frames are masks. It is matched with the element's own stream by running
//! time, as in `compositor`: a mask holds from its own time until the next one's.
//!
//! From a source that is not live, a frame waits until the masks have reached its time. From a live source it never waits:
//! the newest mask holds while a slower element computes the next one. After the end of the masks, the last one holds.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use gst::prelude::*;
use gst_base::prelude::*;
use gst_video::VideoInfo;

use super::MaskError;
use crate::formats::{self, FORMATS};
use crate::guard::caught;
use crate::layout::Layout;
use crate::sync::lock;

/// The masks that are kept for frames to come. With more, a stream of masks that is ahead waits.
const MAX_WAITING: usize = 2;

/// The templates of an element's pads, this one among them.
pub fn pad_templates() -> Vec<gst::PadTemplate> {
    let caps = gst_video::VideoCapsBuilder::new().format_list(FORMATS).build();
    let mask = gst::PadTemplate::new("mask", gst::PadDirection::Sink, gst::PadPresence::Request, &caps).ok();
    formats::pad_templates().into_iter().chain(mask).collect()
}

/// A mask from the pad.
#[derive(Clone)]
pub struct MaskFrame {
    /// Its bytes, which were checked to be as many as `info` says.
    pub buffer: gst::Buffer,
    /// Its format and size.
    pub info: VideoInfo,
    /// Its number, which no other mask of the pad has.
    pub number: u64,
    /// Its running time; none: it holds at once.
    pub start: Option<gst::ClockTime>,
}

/// An element's pad `mask`, if it was requested.
#[derive(Default)]
pub struct MaskPad {
    pad: Mutex<Option<gst::Pad>>,
    stream: Arc<Stream>,
}

/// The pad's stream.
#[derive(Default)]
struct Stream {
    masks: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// The masks to come.
    waiting: VecDeque<MaskFrame>,
    /// The mask that holds.
    current: Option<MaskFrame>,
    /// The running time up to which the stream is known.
    position: Option<gst::ClockTime>,
    has_ended: bool,
    /// Masks that have arrived.
    count: u64,
    /// The pad is flushed.
    is_flushing: bool,
    /// The element stops: nothing waits.
    is_stopped: bool,
    /// The element's own stream is flushed: its frames do not wait.
    is_interrupted: bool,
    /// Flushing seeks on their way to both streams. Until they have arrived, a frame is still of the old place, or the
    /// masks are: none is taken.
    seeks: u32,
    /// Whether the element's source is live, once it was queried.
    is_live: Option<bool>,
}

impl MaskPad {
    /// Makes the pad; none if there is one already.
    pub fn request(&self, element: &impl IsA<gst::Element>, template: &gst::PadTemplate) -> Option<gst::Pad> {
        if lock(&self.pad).is_some() {
            return None;
        }
        let [on_buffer, on_event, on_unlink] = [(); 3].map(|()| self.stream.clone());
        let pad = gst::Pad::builder_from_template(template)
            .name("mask")
            .chain_function(move |pad, parent, buffer| {
                caught(|| on_buffer.chain(pad, buffer)).unwrap_or_else(|message| {
                    post(parent, gst::error_msg!(gst::LibraryError::Failed, ("{message}")));
                    Err(gst::FlowError::Error)
                })
            })
            .event_function(move |pad, _, event| caught(|| on_event.event(pad, &event)).unwrap_or(false))
            // What is asked about the element's own streams has no answer here.
            .query_function(|pad, parent, query| match query.type_() {
                gst::QueryType::Caps | gst::QueryType::AcceptCaps => gst::Pad::query_default(pad, parent, query),
                _ => false,
            })
            .build();
        pad.connect_unlinked(move |_, _| on_unlink.changed.notify_all());
        self.stream.clear();
        if element.current_state() > gst::State::Ready {
            pad.set_active(true).ok()?;
        }
        element.add_pad(&pad).ok()?;
        Some(lock(&self.pad).insert(pad).clone())
    }

    /// Removes the pad.
    pub fn release(&self, element: &impl IsA<gst::Element>, pad: &gst::Pad) {
        lock(&self.pad).take();
        self.stream.release();
        // Waits for the pad's stream.
        let _ = pad.set_active(false);
        self.stream.clear();
        let _ = element.remove_pad(pad);
    }

    /// Waits for the masks that belong to a frame of `element`, and makes the last of them current.
    pub fn follow(&self, element: &gst_base::BaseTransform, frame: &gst::BufferRef) {
        let Some(pad) = lock(&self.pad).clone() else { return };
        let time =
            element.segment().downcast_ref::<gst::format::Time>().and_then(|own| own.to_running_time(frame.pts()));
        let known = self.stream.queue().is_live;
        let is_live = known.unwrap_or_else(|| is_live(element));
        let mut queue = self.stream.queue();
        queue.is_live = Some(is_live);
        while !queue.is_stopped && !queue.is_interrupted && pad.is_linked() {
            if queue.seeks == 0 {
                while queue.waiting.front().is_some_and(|mask| mask.start <= time || time.is_none()) {
                    queue.current = queue.waiting.pop_front();
                    self.stream.changed.notify_all();
                }
                let is_known = time.is_none() || queue.has_ended || !queue.waiting.is_empty() || queue.position > time;
                if is_live || is_known {
                    return;
                }
            }
            queue = self.stream.wait(queue);
        }
    }

    /// The mask that holds, if there is one; none if the pad is not linked.
    pub fn current(&self) -> Option<Option<MaskFrame>> {
        let is_linked = lock(&self.pad).as_ref().is_some_and(|pad| pad.is_linked());
        is_linked.then(|| self.stream.queue().current.clone())
    }

    /// Whether more masks may come after the one that holds.
    pub fn continues(&self) -> bool {
        let queue = self.stream.queue();
        !queue.has_ended || !queue.waiting.is_empty()
    }

    /// Passes on an event from downstream: a seek concerns the masks, too. `send` passes it to the element's own source.
    pub fn pass_upstream(&self, event: gst::Event, send: impl FnOnce(gst::Event) -> bool) -> bool {
        let gst::EventView::Seek(seek) = event.view() else { return send(event) };
        let Some(pad) = lock(&self.pad).clone() else { return send(event) };
        // A seek that does not flush waits for the frame in work, which therefore must not wait for the seek.
        let holds_frames = u32::from(seek.get().1.contains(gst::SeekFlags::FLUSH));
        self.stream.count_seeks(|seeks| seeks.saturating_add(holds_frames));
        pad.push_event(event.clone());
        let is_handled = send(event);
        self.stream.count_seeks(|seeks| seeks.saturating_sub(holds_frames));
        self.stream.changed.notify_all();
        is_handled
    }

    /// The element changes its state.
    pub fn change_state(&self, transition: gst::StateChange) {
        match transition {
            gst::StateChange::ReadyToPaused => {
                let mut queue = self.stream.queue();
                *queue = Queue { seeks: queue.seeks, ..Queue::default() };
            }
            // Else the pads would wait for each other.
            gst::StateChange::PausedToReady => self.stream.queue().is_stopped = true,
            _ => return,
        }
        self.stream.changed.notify_all();
    }

    /// An event of the element's own stream.
    pub fn own_event(&self, event: &gst::Event) {
        match event.type_() {
            gst::EventType::FlushStart => self.stream.queue().is_interrupted = true,
            gst::EventType::FlushStop => self.stream.queue().is_interrupted = false,
            _ => return,
        }
        self.stream.changed.notify_all();
    }
}

impl Stream {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.masks)
    }

    fn count_seeks(&self, count: impl FnOnce(u32) -> u32) {
        let mut queue = self.queue();
        queue.seeks = count(queue.seeks);
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what waits.
    fn release(&self) {
        self.queue().is_flushing = true;
        self.changed.notify_all();
    }

    fn clear(&self) {
        let mut queue = self.queue();
        let Queue { count, is_stopped, is_interrupted, seeks, is_live, .. } = *queue;
        *queue = Queue { count, is_stopped, is_interrupted, seeks, is_live, ..Queue::default() };
        self.changed.notify_all();
    }

    fn chain(&self, pad: &gst::Pad, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let caps = pad.current_caps().ok_or(gst::FlowError::NotNegotiated)?;
        let info = VideoInfo::from_caps(&caps).map_err(|_| gst::FlowError::NotNegotiated)?;
        if !crate::element::is_whole(&Layout::new(&info), &buffer) {
            return Err(too_small(pad));
        }
        let segment = pad.sticky_event::<gst::event::Segment>(0).ok_or(gst::FlowError::Error)?;
        let end = buffer.pts().map(|pts| pts.saturating_add(buffer.duration().unwrap_or_default()));
        let (start, end) = match segment.segment().downcast_ref::<gst::format::Time>() {
            Some(segment) if buffer.pts().is_some() => match segment.clip(buffer.pts(), end) {
                Some((start, end)) => (segment.to_running_time(start), segment.to_running_time(end)),
                // Before the place of an exact seek, or after its end.
                None => return Ok(gst::FlowSuccess::Ok),
            },
            _ => (None, None),
        };
        let mut queue = self.queue();
        while queue.waiting.len() >= MAX_WAITING && !queue.is_flushing && !queue.is_stopped {
            queue = self.wait(queue);
        }
        if queue.is_flushing || queue.is_stopped {
            return Err(gst::FlowError::Flushing);
        }
        queue.count = queue.count.saturating_add(1);
        let number = queue.count;
        queue.waiting.push_back(MaskFrame { buffer, info, number, start });
        queue.position = end;
        self.changed.notify_all();
        Ok(gst::FlowSuccess::Ok)
    }

    fn event(&self, pad: &gst::Pad, event: &gst::Event) -> bool {
        match event.view() {
            gst::EventView::FlushStart(_) => self.queue().is_flushing = true,
            gst::EventView::FlushStop(_) => self.clear(),
            gst::EventView::Eos(_) => self.queue().has_ended = true,
            gst::EventView::StreamStart(_) => self.queue().has_ended = false,
            gst::EventView::Gap(gap) => {
                let (begin, duration) = gap.get();
                let segment = pad.sticky_event::<gst::event::Segment>(0);
                let segment = segment.as_ref().and_then(|event| event.segment().downcast_ref::<gst::format::Time>());
                let end = begin.saturating_add(duration.unwrap_or_default());
                if let Some(end) = segment.and_then(|segment| segment.to_running_time(end)) {
                    self.queue().position = Some(end);
                }
            }
            gst::EventView::Caps(caps) => {
                return VideoInfo::from_caps(caps.caps()).is_ok();
            }
            _ => return true,
        }
        self.changed.notify_all();
        true
    }
}

/// Whether an element's source is live.
fn is_live(element: &gst_base::BaseTransform) -> bool {
    let mut query = gst::query::Latency::new();
    element.sink_pad().peer_query(&mut query) && query.result().0
}

fn too_small(pad: &gst::Pad) -> gst::FlowError {
    post(pad.parent().as_ref(), gst::error_msg!(gst::StreamError::Format, ("{}", MaskError::Unreadable)));
    gst::FlowError::Error
}

fn post(element: Option<&gst::Object>, message: gst::ErrorMessage) {
    if let Some(element) = element.and_then(|parent| parent.downcast_ref::<gst::Element>()) {
        element.post_error_message(message);
    }
}
