//! Removes markup from subtitles: files hold plain text.

use gst::prelude::*;
use gst::{PadProbeData, PadProbeReturn, PadProbeType};

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
