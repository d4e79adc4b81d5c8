//! Sound on its way into the file.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gst::{PadProbeData, PadProbeReturn, PadProbeType};

use super::notes::Notes;

/// Side and rear speakers in a channel mask. A layout with one of these pairs is the same with the other.
const SIDES: u64 = 0xc00;
const REARS: u64 = 0x30;

/// A filter, as for gst-launch-1.0, for sound that is encoded again: the smallest layout of an encoder's `layouts`,
/// which are channel masks, that has all speakers of the sound. Without it GStreamer 1.22 makes one channel of those
/// that an encoder does not know.
pub fn layout(caps: &gst::Caps, layouts: &[u64]) -> String {
    let structure = caps.structure(0);
    let channels = structure.and_then(|structure| structure.get::<i32>("channels").ok()).unwrap_or(2);
    let mask =
        structure.and_then(|structure| structure.get::<gst::Bitmask>("channel-mask").ok()).map_or(0, |mask| mask.0);
    if channels <= 1 {
        return "audio/x-raw,channels=1".into();
    }
    let as_rear = if mask & REARS == 0 && mask & SIDES == SIDES { mask & !SIDES | REARS } else { mask };
    let holds = |layout: &&u64| match mask {
        0 => i64::from(layout.count_ones()) >= i64::from(channels),
        mask => mask & !**layout == 0 || as_rear & !**layout == 0,
    };
    let layout = layouts.iter().find(holds).or(layouts.last()).copied().unwrap_or(3);
    format!("audio/x-raw,channels={},channel-mask=(bitmask){layout:#x}", layout.count_ones())
}

/// Keeps the first caps of copied sound that passes `pad`, since muxers accept no others, and most kinds of sound
/// describe themselves. Sound whose header changes is an error.
pub fn keep_caps(pad: &gst::Pad, notes: &Arc<Notes>) {
    let first = Mutex::new(None::<gst::Caps>);
    let notes = notes.clone();
    pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        let Some(PadProbeData::Event(event)) = &info.data else { return PadProbeReturn::Ok };
        let gst::EventView::Caps(caps) = event.view() else { return PadProbeReturn::Ok };
        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = first.as_ref() else {
            *first = Some(caps.caps().to_owned());
            return PadProbeReturn::Ok;
        };
        if header(first) != header(caps.caps()) {
            if let Some(element) = pad.parent_element() {
                let text = "the sound changes its format inside of the film, which the output cannot hold";
                gst::element_error!(element, gst::StreamError::Format, ("{}", text));
            }
        } else if channels(first) != channels(caps.caps()) {
            notes.changed("the number of sound channels changes inside of the film");
        }
        PadProbeReturn::Handled
    });
}

/// The part of the caps that is stored in the file's header, and is needed to decode the sound.
fn header(caps: &gst::CapsRef) -> Option<Vec<u8>> {
    let data = caps.structure(0)?.get::<gst::Buffer>("codec_data").ok()?;
    Some(data.map_readable().ok()?.to_vec())
}

fn channels(caps: &gst::CapsRef) -> Option<i32> {
    caps.structure(0)?.get("channels").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_speaker_finds_a_place() {
        gst::init().expect("GStreamer starts");
        let flac = [0x3, 0x7, 0x33, 0x37, 0x3f, 0x13f, 0xc3f];
        for (channels, mask, expected) in [
            (2, 0x3, "channels=2,channel-mask=(bitmask)0x3"),
            (6, 0xc0f, "channels=6,channel-mask=(bitmask)0x3f"),
            (5, 0xc07, "channels=5,channel-mask=(bitmask)0x37"),
            (3, 0xb, "channels=6,channel-mask=(bitmask)0x3f"),
            (4, 0x107, "channels=7,channel-mask=(bitmask)0x13f"),
            (8, 0xc3f, "channels=8,channel-mask=(bitmask)0xc3f"),
            (6, 0, "channels=6,channel-mask=(bitmask)0x3f"),
        ] {
            let caps = gst::Caps::builder("audio/x-raw")
                .field("channels", channels)
                .field("channel-mask", gst::Bitmask::new(mask))
                .build();
            assert_eq!(layout(&caps, &flac), format!("audio/x-raw,{expected}"));
        }
    }
}
