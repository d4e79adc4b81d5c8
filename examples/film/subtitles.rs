//! Subtitles without markup, as files hold them.

use gst::prelude::*;
use gst::{PadProbeData, PadProbeReturn, PadProbeType};

/// Whether these are subtitles with Pango's markup.
pub fn is_marked_up(caps: &gst::Caps) -> bool {
    caps.structure(0).is_some_and(|structure| structure.get("format") == Ok("pango-markup"))
}

/// Says, as for gst-launch, that they are plain, once [`strip_markup`] made them so.
pub const PLAIN: &str = "capssetter replace=true join=false caps=text/x-raw,format=utf8";

/// Takes the markup from what goes through `pad`.
pub fn strip_markup(pad: &gst::Pad) {
    pad.add_probe(PadProbeType::BUFFER, |_, info| {
        if let Some(PadProbeData::Buffer(buffer)) = &mut info.data
            && let Ok(text) = buffer.map_readable().map(|map| plain(&String::from_utf8_lossy(&map)))
        {
            let mut stripped = gst::Buffer::from_slice(text.into_bytes());
            if let Some(stripped) = stripped.get_mut() {
                // Nothing that can fail is copied.
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
