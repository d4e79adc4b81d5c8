//! Subtitles as files hold them: plain text, and in MP4 one line at a time.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gst::{ClockTime, EventType, PadProbeData, PadProbeReturn, PadProbeType};

use super::notes::Notes;

/// Whether these are the caps of subtitles with Pango markup.
pub fn is_marked_up(caps: &gst::Caps) -> bool {
    caps.structure(0).is_some_and(|structure| structure.get("format") == Ok("pango-markup"))
}

/// An element, as for gst-launch-1.0, that declares subtitles to be plain text after [`strip_markup`].
pub const PLAIN: &str = "capssetter replace=true join=false caps=text/x-raw,format=utf8";

/// Removes the markup from all subtitles that pass `pad`.
pub fn strip_markup(pad: &gst::Pad) {
    pad.add_probe(PadProbeType::BUFFER, |_, info| {
        if let Some(PadProbeData::Buffer(buffer)) = &mut info.data
            && let Ok(text) = buffer.map_readable().map(|map| plain(&String::from_utf8_lossy(&map)))
        {
            let mut stripped = gst::Buffer::from_slice(text.into_bytes());
            if let Some(stripped) = stripped.get_mut() {
                // Cannot fail: flags and timestamps need no memory.
                let _ = buffer.copy_into(stripped, gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS, ..);
            }
            *buffer = stripped;
        }
        PadProbeReturn::Ok
    });
}

/// A text without tags and entities.
fn plain(markup: &str) -> String {
    let mut text = String::new();
    let mut rest = markup;
    while let Some(begin) = rest.find('<') {
        text.push_str(&rest[..begin]);
        rest = rest[begin..].split_once('>').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    for (entity, character) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")]
    {
        text = text.replace(entity, character);
    }
    text
}

/// Ends each subtitle before the MP4 muxer's `pad` where the next one begins. After the last one, which the muxer would
/// shorten, comes an empty one.
pub fn one_at_a_time(pad: &gst::Pad, notes: &Arc<Notes>) {
    // The newest subtitle, held until the next one comes, and whether it is being passed on.
    let state = Mutex::new((None::<gst::Buffer>, false));
    let notes = notes.clone();
    pad.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        let mut lock = state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut info.data {
            Some(PadProbeData::Buffer(buffer)) if !lock.1 => {
                let Some(mut before) = lock.0.replace(buffer.clone()) else { return PadProbeReturn::Handled };
                if let (Some(end), Some(next)) = (end(&before), buffer.pts())
                    && end > next
                {
                    notes.changed("MP4 shows one subtitle at a time, so some end early");
                    let length = before.pts().map(|begin| next.saturating_sub(begin));
                    before.make_mut().set_duration(length);
                }
                *buffer = before;
            }
            Some(PadProbeData::Event(event)) if event.type_() == EventType::Eos => {
                let Some(last) = lock.0.take() else { return PadProbeReturn::Ok };
                let mut empty = gst::Buffer::new();
                if let Some(empty) = empty.get_mut() {
                    empty.set_pts(end(&last));
                    empty.set_duration(ClockTime::MSECOND);
                }
                lock.1 = true;
                drop(lock);
                // If this fails, the event that follows fails in the same way.
                let _ = pad.chain(last).and_then(|_| pad.chain(empty));
            }
            _ => (),
        }
        PadProbeReturn::Ok
    });
}

/// Where a subtitle ends.
fn end(buffer: &gst::Buffer) -> Option<ClockTime> {
    Some(buffer.pts()? + buffer.duration()?)
}
