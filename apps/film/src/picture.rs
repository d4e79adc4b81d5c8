//! The video on its way to the film's element: upright, progressive, and of one size.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gst::{ClockTime, PadProbeData, PadProbeReturn, PadProbeType};
use gst_video::prelude::*;
use gst_video::{VideoBufferFlags, VideoColorimetry, VideoInfo, VideoInterlaceMode};

use super::notes::Notes;
use super::segments::{self, span};
use super::{Outcome, colors};

/// The first caps of a film's video, which hold for all of it: a file has one header.
pub struct Picture {
    caps: gst::Caps,
    info: VideoInfo,
}

impl Picture {
    pub fn new(caps: &gst::Caps) -> Outcome<Self> {
        let mut caps = caps.copy();
        colors::complete(caps.make_mut());
        Ok(Self { info: VideoInfo::from_caps(&caps)?, caps })
    }

    /// Whether a sample has more than 8 bits.
    pub fn is_deep(&self) -> bool {
        self.depth() > 8
    }

    fn depth(&self) -> u32 {
        self.info.format_info().depth().first().copied().unwrap_or(8)
    }

    /// Elements, as for gst-launch-1.0, that prepare the video. With `even`, an odd width or height is cropped.
    pub fn preparation(&self, even: bool) -> String {
        let (info, par) = (&self.info, self.info.par());
        let opaque = if info.has_alpha() {
            let format = colors::with_alpha(self.depth());
            format!("videoconvert ! video/x-raw,format={format} ! identity name=opaque ! ")
        } else {
            String::new()
        };
        let crop = if even && (info.width() % 2 == 1 || info.height() % 2 == 1) {
            format!("videocrop right={} bottom={} ! ", info.width() % 2, info.height() % 2)
        } else {
            String::new()
        };
        format!(
            "queue max-size-buffers=4 max-size-bytes=0 ! videoconvert ! \
             deinterlace name=deinterlace method=greedyh fields=top ! {opaque}videoscale ! \
             video/x-raw,width={},height={},pixel-aspect-ratio={}/{} ! {crop}videoconvert ! \
             videoflip video-direction=auto ! videoconvert",
            info.width(),
            info.height(),
            par.numer(),
            par.denom(),
        )
    }

    /// The caps of pictures for the encoder, of this format.
    pub fn for_encoder(&self, format: &str) -> String {
        // The described colors stay, even if the film's description changes.
        match self.caps.structure(0).and_then(|structure| structure.get::<&str>("colorimetry").ok()) {
            Some(colors)
                if self.info.is_yuv() && VideoColorimetry::from_str(colors).ok() == Some(self.info.colorimetry()) =>
            {
                format!("video/x-raw,format={format},colorimetry=(string){colors}")
            }
            _ => format!("video/x-raw,format={format}"),
        }
    }

    /// Watches the pictures that enter `bin`, which was made by [`Self::preparation`].
    pub fn watch(&self, bin: &gst::Element, notes: &Arc<Notes>) {
        let within = |name: &str, pad: &str| bin.downcast_ref::<gst::Bin>()?.by_name(name)?.static_pad(pad);
        if let Some(pad) = within("deinterlace", "sink") {
            choose_fields(&pad);
        }
        if let Some(pad) = within("opaque", "sink") {
            colors::over_black(&pad, self.depth(), notes);
        }
        if let Some(pad) = bin.static_pad("sink") {
            self.keep_caps(&pad, notes);
            increase_times(&pad);
        }
    }

    /// Notes other sizes and shapes, and gives the whole film the first frame rate.
    fn keep_caps(&self, pad: &gst::Pad, notes: &Arc<Notes>) {
        let place = Arc::new(AtomicU64::new(0));
        segments::measure(pad, &place);
        let (first, rate, notes) = (self.info.clone(), self.info.fps(), notes.clone());
        colors::change_caps(pad, move |caps| {
            colors::complete(caps);
            let [old, new] =
                [Some(first.clone()), VideoInfo::from_caps(caps).ok()].map(|info| info.map(|info| size(&info)));
            if let (Some(old), Some(new)) = (old, new)
                && old != new
            {
                let from = ClockTime::from_nseconds(place.load(Ordering::Relaxed));
                notes.changed_from(from, &format!("pictures of {new} are scaled to {old}"));
            }
            if let Some(structure) = caps.structure_mut(0) {
                structure.set("framerate", rate);
            }
        });
    }
}

/// A picture's size, and the shape of its pixels if they are not square.
fn size(info: &VideoInfo) -> String {
    match info.par() {
        par if par.numer() == par.denom() => format!("{}x{}", info.width(), info.height()),
        par => format!("{}x{} with pixels of {}:{}", info.width(), info.height(), par.numer(), par.denom()),
    }
}

/// Makes a deinterlacer show the first field of each picture, at the picture's time: the top or the bottom field.
fn choose_fields(pad: &gst::Pad) {
    let shown = Mutex::new("top");
    pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
        let video = pad.current_caps().and_then(|caps| Some((VideoInfo::from_caps(&caps).ok()?, caps)));
        let (Some((video, caps)), Some(buffer)) = (video, info.buffer()) else { return PadProbeReturn::Ok };
        let flags = buffer.video_flags();
        let is_interlaced = match video.interlace_mode() {
            VideoInterlaceMode::Progressive => false,
            VideoInterlaceMode::Mixed => flags.contains(VideoBufferFlags::INTERLACED),
            _ => true,
        };
        let order = caps.structure(0).and_then(|structure| structure.get::<&str>("field-order").ok());
        let is_bottom_first = match order {
            Some("bottom-field-first") => true,
            Some("top-field-first") => false,
            _ => !flags.contains(VideoBufferFlags::TFF),
        };
        let fields = if is_bottom_first { "bottom" } else { "top" };
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        if is_interlaced && *shown != fields {
            *shown = fields;
            if let Some(deinterlace) = pad.parent_element() {
                deinterlace.set_property_from_str("fields", fields);
            }
        }
        PadProbeReturn::Ok
    });
}

/// Moves a picture without a time, or one that is not later than the picture before it, to the end of that picture.
fn increase_times(pad: &gst::Pad) {
    let end = Mutex::new(None::<(ClockTime, ClockTime)>);
    pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
        let Some(PadProbeData::Buffer(buffer)) = &mut info.data else { return PadProbeReturn::Ok };
        let begin = span(pad, Some(buffer)).and_then(|(segment, begin, _)| segment.to_running_time(begin));
        let mut end = end.lock().unwrap_or_else(PoisonError::into_inner);
        let length = buffer.duration().filter(|length| *length > ClockTime::ZERO).unwrap_or(ClockTime::MSECOND);
        let moved = match (begin, *end) {
            (Some(begin), Some((last, end))) if begin <= last => Some(end),
            (None, last) => Some(last.map_or(ClockTime::ZERO, |(_, end)| end)),
            _ => None,
        };
        let segment = pad.sticky_event::<gst::event::Segment>(0);
        let segment = segment.as_ref().and_then(|event| event.segment().downcast_ref::<ClockTime>());
        if let Some((moved, segment)) = moved.zip(segment) {
            buffer.make_mut().set_pts(segment.position_from_running_time(moved));
        }
        if let Some(begin) = moved.or(begin) {
            *end = Some((begin, begin + length));
        }
        PadProbeReturn::Ok
    });
}
