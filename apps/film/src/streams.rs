//! The streams of a film, on their way from the file to the branches.

use gst::prelude::*;
use gst::{PadProbeData, PadProbeId, PadProbeReturn, PadProbeType};

use super::{Outcome, container};

/// A stream, which is blocked until it is connected.
pub struct Stream {
    pub pad: gst::Pad,
    pub caps: gst::Caps,
    hold: PadProbeId,
}

impl Stream {
    /// Blocks the stream at `pad`, except for the sticky events that describe it.
    pub fn held(pad: &gst::Pad, caps: gst::Caps) -> Option<Self> {
        let hold = pad.add_probe(PadProbeType::BLOCK_DOWNSTREAM, |_, info| match &info.data {
            Some(PadProbeData::Event(event)) if event.is_sticky() && event.type_() != gst::EventType::Eos => {
                PadProbeReturn::Pass
            }
            _ => PadProbeReturn::Ok,
        })?;
        Some(Self { pad: pad.clone(), caps, hold })
    }

    /// Links the stream to `pad` and unblocks it.
    pub fn connect(self, pad: &gst::Pad) -> Outcome<()> {
        self.pad.link(pad)?;
        self.pad.remove_probe(self.hold);
        Ok(())
    }

    /// Sends the stream to a fakesink: a source whose stream is not linked would fail.
    pub fn discard(self, pipeline: &gst::Pipeline) -> Outcome<()> {
        let sink = gst::ElementFactory::make("fakesink").property("async", false).build()?;
        pipeline.add(&sink)?;
        sink.sync_state_with_parent()?;
        self.connect(&sink.static_pad("sink").ok_or("a sink without a pad")?)
    }

    /// Whether this is decoded video.
    pub fn is_picture(&self) -> bool {
        container::name(&self.caps) == "video/x-raw"
    }

    /// Whether this is decoded from single pictures, such as a thumbnail or a cover.
    fn is_of_stills(&self) -> bool {
        let mut pad = Some(self.pad.clone());
        while let Some(ghost) = pad.as_ref().and_then(|pad| pad.downcast_ref::<gst::GhostPad>()) {
            pad = ghost.target();
        }
        let decoder = pad.and_then(|pad| pad.parent_element());
        let caps = decoder.and_then(|decoder| decoder.static_pad("sink")?.current_caps());
        caps.is_some_and(|caps| container::name(&caps).starts_with("image/"))
    }
}

/// The index of the film's main video among the streams for which `is_wanted` holds: the first, or the first that is
/// not made of single pictures.
pub fn main_picture(streams: &[Stream], is_wanted: impl Fn(&Stream) -> bool) -> Option<usize> {
    let first = |is_wanted: &dyn Fn(&Stream) -> bool| streams.iter().position(is_wanted);
    first(&|stream| is_wanted(stream) && !stream.is_of_stills()).or_else(|| first(&is_wanted))
}
