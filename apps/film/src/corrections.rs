//! Corrections of what GStreamer's demuxers and decoders make of a film.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;
use gst::{ClockTime, PadProbeData, PadProbeReturn, PadProbeType};

use super::{colors, segments, times};

/// The demuxers of formats without the times at which pictures are shown. A seek in them is not exact.
const WITHOUT_TIMES: [&str; 2] = ["avidemux", "mpegpsdemux"];

/// Prefers the other decoder for AC-3: in GStreamer 1.22, a52dec crashes where channels become fewer.
pub fn avoid_a52dec() {
    let registry = gst::Registry::get();
    if let (Some(_), Some(a52dec)) = (registry.lookup_feature("avdec_ac3"), registry.lookup_feature("a52dec")) {
        a52dec.set_rank(gst::Rank::NONE);
    }
}

/// Corrects what an element inside of a source makes of its input. `has_times` becomes false if the film's format has
/// no times.
pub fn correct(element: &gst::Element, has_times: &Arc<AtomicBool>) {
    let Some(factory) = element.factory() else { return };
    let name = factory.name();
    if WITHOUT_TIMES.contains(&name.as_str()) {
        has_times.store(false, Ordering::Relaxed);
        element.connect_pad_added(|_, pad| begin_at_zero(pad));
    } else if name == "matroskademux" {
        element.connect_pad_added(|_, pad| keep_times(pad));
    } else if ["h264parse", "h265parse"].contains(&name.as_str()) {
        colors::prefer_stream(element);
    } else if factory.has_type(gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO) {
        times::repair(element);
    }
}

/// Makes the running times of a Matroska file's stream those in the file. GStreamer's begin at the first data, which it
/// corrects too late if a second stream begins earlier.
fn keep_times(pad: &gst::Pad) {
    segments::change(pad, |segment| {
        let begin = segment.start();
        segment.set_time(begin);
        segment.set_base(begin);
    });
}

/// Makes a stream's film begin at the stream time 0. No seek follows, since the file has no times.
fn begin_at_zero(pad: &gst::Pad) {
    segments::change(pad, |segment| segment.set_time(ClockTime::ZERO));
}

/// Answers queries for the duration.
pub fn answer_duration(pad: &gst::Pad, duration: ClockTime) {
    pad.add_probe(PadProbeType::QUERY_UPSTREAM, move |_, info| {
        if let Some(PadProbeData::Query(query)) = &mut info.data
            && let gst::QueryViewMut::Duration(query) = query.view_mut()
            && query.format() == gst::Format::Time
        {
            query.set(duration);
            return PadProbeReturn::Handled;
        }
        PadProbeReturn::Ok
    });
}
