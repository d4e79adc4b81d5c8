//! The sources: test pictures, cameras, a film.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use gst::glib;
use gst::prelude::*;
use gst::{PadProbeData, PadProbeReturn, PadProbeType};
use serde::Serialize;

/// The names of the test pictures, without and with a time code.
pub const TEST: &str = "test";
pub const CLOCK: &str = "clock";

/// The name of the film from the command line.
pub const FILM: &str = "film";

/// The message that a source posts at its end.
pub const ENDED: &str = "source-ended";

/// The time code has this many bits of the time in milliseconds, the highest first; each is a square with this side.
const CODE_BITS: usize = 24;
const CODE_SIDE: usize = 16;

/// A source or a virtual camera, as the page lists it.
#[derive(Clone, PartialEq, Serialize)]
pub struct Named {
    pub name: String,
    pub label: String,
}

/// The available sources and virtual cameras.
pub struct Sources {
    film: Option<PathBuf>,
    /// The size to which all sources are scaled.
    size: (u32, u32),
    devices: gst::DeviceMonitor,
}

impl Sources {
    /// Starts to monitor cameras.
    pub fn new(film: Option<PathBuf>, size: (u32, u32)) -> Self {
        let devices = gst::DeviceMonitor::new();
        for class in ["Video/Source", "Video/Sink"] {
            devices.add_filter(Some(class), None);
        }
        if let Err(error) = devices.start() {
            eprintln!("studio: cannot list cameras: {error}");
        }
        Self { film, size, devices }
    }

    /// The source at the start: the film if one was given, else the last one used.
    pub fn first(&self, last: Option<String>) -> String {
        if self.film.is_some() { FILM.into() } else { last.unwrap_or_else(|| TEST.into()) }
    }

    /// All sources.
    pub fn all(&self) -> Vec<Named> {
        let film = self.film.as_ref().and_then(|film| film.file_name()).map(|film| film.to_string_lossy().into_owned());
        let own =
            [(FILM, film), (TEST, Some("Test picture".into())), (CLOCK, Some("Test picture with a time code".into()))];
        let own = own.into_iter().filter_map(|(name, label)| Some(Named { name: name.into(), label: label? }));
        own.chain(self.devices("Video/Source")).collect()
    }

    /// All virtual cameras.
    pub fn outputs(&self) -> Vec<Named> {
        self.devices("Video/Sink").collect()
    }

    fn devices(&self, class: &'static str) -> impl Iterator<Item = Named> {
        self.devices.devices().into_iter().filter(move |device| device.has_classes(class)).filter_map(|device| {
            let properties = device.properties()?;
            let path =
                ["api.v4l2.path", "device.path"].into_iter().find_map(|key| properties.get::<String>(key).ok())?;
            Some(Named { name: path, label: device.display_name().into() })
        })
    }

    /// Makes a source for a pipeline whose running time is `running`.
    pub fn make(&self, name: &str, running: gst::ClockTime) -> Result<gst::Element, String> {
        if !self.all().iter().any(|source| source.name == name) {
            return Err(format!("no such source: {name}"));
        }
        let (width, height) = self.size;
        let fit = format!(
            "videoconvert ! videoscale add-borders=true ! \
             capsfilter caps=video/x-raw,width={width},height={height},pixel-aspect-ratio=1/1"
        );
        let launch = self.launch(name)?;
        let test = format!("{launch} ! video/x-raw,width={width},height={height},framerate=30/1");
        let description = match name {
            TEST => format!("{test} ! timeoverlay font-desc=\"Sans 24\" ! {fit}"),
            CLOCK => format!("{test},format=I420 ! {fit}"),
            FILM => format!("{launch} name=film ! {fit} ! clocksync ts-offset={}", running.nseconds()),
            _ => format!("{launch} ! {fit}"),
        };
        let source = gst::parse::bin_from_description(&description, false).map_err(|error| error.to_string())?;
        // Not with `ghost_unlinked_pads`: it would also add the sink pad that decodebin links later.
        let pad = source.find_unlinked_pad(gst::PadDirection::Src).ok_or("the source has no video")?;
        let pad = gst::GhostPad::with_target(&pad).map_err(|error| error.to_string())?.upcast::<gst::Pad>();
        source.add_pad(&pad).map_err(|error| error.to_string())?;
        if let Some(film) = source.by_name("film") {
            // There is no need to decode sound and subtitles.
            film.connect("autoplug-continue", false, |values| {
                let caps = values.get(2)?.get::<gst::Caps>().ok()?;
                let is_other =
                    |name: &str| ["audio/", "text/", "subpicture/"].iter().any(|kind| name.starts_with(kind));
                Some(caps.structure(0).is_none_or(|caps| !is_other(caps.name())).to_value())
            });
        }
        let source = source.upcast::<gst::Element>();
        if name == FILM {
            pad.set_offset(i64::try_from(running.nseconds()).unwrap_or_default());
        }
        if name == CLOCK {
            pad.add_probe(PadProbeType::BUFFER, move |_, info| {
                if let Some(buffer) = info.buffer_mut() {
                    draw_time(buffer.make_mut(), width as usize);
                }
                PadProbeReturn::Ok
            });
        }
        act_like_a_camera(&source, &pad);
        Ok(source)
    }

    /// A source as gst-launch-1.0 writes it.
    pub fn launch(&self, name: &str) -> Result<String, String> {
        Ok(match name {
            TEST | CLOCK => "videotestsrc is-live=true pattern=smpte horizontal-speed=2".into(),
            FILM => format!("uridecodebin uri={}", uri(self.film.as_deref().ok_or("no film was given")?)?),
            device => format!("v4l2src device={device} ! decodebin"),
        })
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.devices.stop();
    }
}

fn uri(film: &Path) -> Result<String, String> {
    let path = std::path::absolute(film).map_err(|error| error.to_string())?;
    Ok(glib::filename_to_uri(path, None).map_err(|error| error.to_string())?.into())
}

/// Reports the source as live, so that elements take no longer for a frame than its duration, and replaces EOS by a
/// message, so that the pipeline keeps running.
fn act_like_a_camera(source: &gst::Element, pad: &gst::Pad) {
    let element = source.clone();
    pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(PadProbeData::Event(event)) = &mut info.data
            && event.type_() == gst::EventType::Eos
        {
            let ended = || gst::Structure::new_empty(ENDED);
            // Fails only if the bus is gone, so that nobody needs the message.
            let _ = element.post_message(gst::message::Application::builder(ended()).src(&element).build());
            *event = gst::event::CustomDownstream::new(ended());
        }
        PadProbeReturn::Ok
    });
    pad.add_probe(PadProbeType::QUERY_UPSTREAM, |_, info| match info.query_mut().map(gst::QueryRef::view_mut) {
        Some(gst::QueryViewMut::Latency(query)) => {
            query.set(true, gst::ClockTime::ZERO, gst::ClockTime::NONE);
            PadProbeReturn::Handled
        }
        _ => PadProbeReturn::Ok,
    });
}

/// Draws the time code into the upper left of an I420 frame's luma: a white square is a 1.
fn draw_time(buffer: &mut gst::BufferRef, width: usize) {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let Ok(mut picture) = buffer.map_writable() else { return };
    for line in picture.chunks_mut(width.next_multiple_of(4)).take(CODE_SIDE) {
        for (bit, square) in line.chunks_mut(CODE_SIDE).take(CODE_BITS).enumerate() {
            square.fill(if time >> (CODE_BITS - 1 - bit) & 1 == 1 { 235 } else { 16 });
        }
    }
}
