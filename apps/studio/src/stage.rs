//! The pipeline: a source, the elements that are on, the page's branch and other outputs.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use film::bus;
use gst::prelude::*;
use gst::{ClockTime, PadProbeReturn, PadProbeType};

/// The maximum time to close a film that is being written.
const CLOSING: Duration = Duration::from_secs(10);

/// Keeps only the newest picture, so that a slow branch gets fewer pictures instead of old ones.
const NEWEST: &str = "queue leaky=downstream max-size-buffers=1 max-size-bytes=0 max-size-time=0";

/// The page's branch. The valve is closed while there are no viewers, so that nothing is encoded.
const PAGE: &str = "valve name=valve drop=true ! videoconvert ! jpegenc quality=85 ! appsink name=sink sync=false async=false max-buffers=1 drop=true";

/// The pipeline.
pub struct Stage {
    pipeline: gst::Pipeline,
    source: Option<gst::Element>,
    live: gst::Element,
    /// The elements that are on, in order.
    chain: Vec<gst::Element>,
    exit: gst::Element,
    tee: gst::Element,
    valve: gst::Element,
    pace: Arc<Pace>,
}

/// An output besides the page.
pub struct Output {
    pad: gst::Pad,
    bin: gst::Element,
    closed: Receiver<()>,
}

/// Measures the frame rate.
#[derive(Default)]
pub struct Pace {
    /// The frames since the last measurement, and its time.
    frames: Mutex<(u32, Option<Instant>)>,
}

impl Pace {
    /// Frames per second since the last call.
    pub fn frames_per_second(&self) -> f64 {
        let Ok(mut counted) = self.frames.lock() else { return 0.0 };
        let (frames, since) = std::mem::replace(&mut *counted, (0, Some(Instant::now())));
        since.map_or(0.0, |since| f64::from(frames) / since.elapsed().as_secs_f64().max(0.001))
    }

    fn count(&self) {
        if let Ok(mut counted) = self.frames.lock() {
            counted.0 += 1;
        }
    }
}

impl Stage {
    /// A pipeline without a source. `show` receives each picture as a JPEG, and its age.
    pub fn new(show: impl Fn(&[u8], Duration) + Send + 'static) -> Result<Self, String> {
        let pipeline = gst::Pipeline::new();
        // The clock of a camera or sound card would stop when its element is removed.
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        let make = |description: &str| -> Result<gst::Element, String> {
            let element = gst::parse::bin_from_description(description, true).map_err(|error| error.to_string())?;
            pipeline.add(&element).map_err(|error| error.to_string())?;
            Ok(element.upcast())
        };
        let (live, exit) = (make(NEWEST)?, make("videoconvert")?);
        let tee = gst::ElementFactory::make("tee").property("allow-not-linked", true).build();
        let tee = tee.map_err(|error| error.to_string())?;
        pipeline.add(&tee).map_err(|error| error.to_string())?;
        let page = make(&format!("{NEWEST} ! {PAGE}"))?;
        gst::Element::link_many([&live, &exit, &tee, &page]).map_err(|error| error.to_string())?;

        let pace = Arc::new(Pace::default());
        let counted = pace.clone();
        let pad = exit.static_pad("src").ok_or("no pad")?;
        pad.add_probe(PadProbeType::BUFFER, move |_, _| {
            counted.count();
            PadProbeReturn::Ok
        });
        let inner = |name: &str| page.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name(name));
        let valve = inner("valve").ok_or("no valve")?;
        let sink = inner("sink").and_downcast::<gst_app::AppSink>().ok_or("no sink")?;
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            if let Some(picture) = sample.buffer().and_then(|buffer| buffer.map_readable().ok()) {
                show(&picture, age(sink, &sample).unwrap_or_default());
            }
            Ok(gst::FlowSuccess::Ok)
        });
        sink.set_callbacks(callbacks.build());
        pipeline.set_state(gst::State::Playing).map_err(|error| error.to_string())?;
        Ok(Self { pipeline, source: None, live, chain: Vec::new(), exit, tee, valve, pace })
    }

    /// The pipeline's bus.
    pub fn bus(&self) -> Option<gst::Bus> {
        self.pipeline.bus()
    }

    /// The frame rate behind the elements.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The pipeline's running time.
    pub fn running(&self) -> ClockTime {
        self.pipeline.current_running_time().unwrap_or_default()
    }

    /// A function that turns the page's branch on (true) or off.
    pub fn page_switch(&self) -> impl Fn(bool) + Send + Sync + use<> {
        let valve = self.valve.clone();
        move |on| valve.set_property("drop", !on)
    }

    /// Whether `object` is the source or part of it.
    pub fn is_of_source(&self, object: &gst::Object) -> bool {
        self.source.as_ref().is_some_and(|source| object == source || object.has_as_ancestor(source))
    }

    /// Replaces the source.
    pub fn set_source(&mut self, source: Option<gst::Element>) -> Result<(), String> {
        if let Some(last) = self.source.take() {
            // Whether this fails does not matter: the source is removed anyway.
            let _ = last.set_state(gst::State::Null);
            let _ = self.pipeline.remove(&last);
        }
        let Some(source) = source else { return Ok(()) };
        self.pipeline.add(&source).map_err(|error| error.to_string())?;
        source.link(&self.live).map_err(|error| error.to_string())?;
        self.source = Some(source.clone());
        // The reason comes over the bus.
        source.sync_state_with_parent().map_err(|_| "the source cannot start".into())
    }

    /// Sends pictures through these elements, in order. New ones are opened first, so that a failure changes nothing.
    pub fn set_chain(&mut self, chain: Vec<gst::Element>) -> Result<(), String> {
        for element in chain.iter().filter(|element| !self.chain.contains(element)) {
            open(element)?;
            self.pipeline.add(element).map_err(|error| error.to_string())?;
            element.sync_state_with_parent().map_err(|error| error.to_string())?;
        }
        let last = std::mem::replace(&mut self.chain, chain);
        self.relink(&last)?;
        for element in last.iter().filter(|element| !self.chain.contains(element)) {
            // A failure does not matter: the element is not linked any more.
            let _ = element.set_state(gst::State::Null);
            let _ = self.pipeline.remove(element);
        }
        Ok(())
    }

    /// Links the chain in place of `last`, between two pictures.
    fn relink(&self, last: &[gst::Element]) -> Result<(), String> {
        let path = |chain: &[gst::Element]| -> Vec<gst::Element> {
            [&self.live].into_iter().chain(chain).chain([&self.exit]).cloned().collect()
        };
        let (before, after) = (path(last), path(&self.chain));
        let (done, is_done) = mpsc::sync_channel(1);
        let pad = self.live.static_pad("src").ok_or("no pad")?;
        pad.add_probe(PadProbeType::IDLE, move |_, _| {
            for pair in before.windows(2) {
                pair[0].unlink(&pair[1]);
            }
            // The receiver exists: it waits below.
            let _ = done.send(gst::Element::link_many(&after));
            PadProbeReturn::Remove
        });
        is_done.recv().map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// Clears the queue's flow error after an element failed. The source got that error, too, and must be made again.
    pub fn revive(&self) {
        // Errors come over the bus.
        let _ = self.live.set_state(gst::State::Ready);
        let _ = self.live.sync_state_with_parent();
    }

    /// Adds a branch, given as for gst-launch-1.0, that receives every picture.
    pub fn add_output(&self, description: &str) -> Result<Output, String> {
        let bin = gst::parse::bin_from_description(description, true).map_err(|error| error.to_string())?;
        let sink = bin.iterate_sinks().next().ok().flatten().ok_or("the output has no sink")?;
        let (closing, closed) = mpsc::sync_channel(1);
        sink.static_pad("sink").ok_or("no pad")?.add_probe(PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if info.event().is_some_and(|event| event.type_() == gst::EventType::Eos) {
                // Fails only if an earlier EOS was already reported.
                let _ = closing.try_send(());
            }
            PadProbeReturn::Ok
        });
        let bin = bin.upcast::<gst::Element>();
        open(&bin)?;
        self.pipeline.add(&bin).map_err(|error| error.to_string())?;
        bin.sync_state_with_parent().map_err(|error| error.to_string())?;
        let pad = self.tee.request_pad_simple("src_%u").ok_or("no pad")?;
        pad.link(&bin.static_pad("sink").ok_or("no pad")?).map_err(|error| error.to_string())?;
        Ok(Output { pad, bin, closed })
    }

    /// Removes an output, and waits until its file is complete.
    pub fn close(&self, output: Output) {
        let Output { pad, bin, closed } = output;
        let sink = bin.static_pad("sink");
        let (done, is_done) = mpsc::sync_channel(1);
        pad.add_probe(PadProbeType::IDLE, move |pad, _| {
            if let Some(sink) = &sink {
                // Both fail if the branch has ended already.
                let _ = pad.unlink(sink);
                let _ = sink.send_event(gst::event::Eos::new());
            }
            let _ = done.send(());
            PadProbeReturn::Remove
        });
        let _ = is_done.recv();
        // EOS never reaches a sink that failed, for example on a full disk.
        let _ = closed.recv_timeout(CLOSING);
        let _ = bin.set_state(gst::State::Null);
        let _ = self.pipeline.remove(&bin);
        self.tee.release_request_pad(&pad);
    }

    /// Stops the pipeline.
    pub fn stop(&self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Output {
    /// Whether `object` is part of it.
    pub fn has(&self, object: &gst::Object) -> bool {
        object.has_as_ancestor(&self.bin)
    }
}

/// Starts an element before it is in the pipeline. The reason for a failure is read from a temporary bus.
fn open(element: &gst::Element) -> Result<(), String> {
    element.set_bus(Some(&gst::Bus::new()));
    let opened = element.set_state(gst::State::Paused).map_err(|error| {
        let _ = element.set_state(gst::State::Null);
        bus::error(element).map_or_else(|| error.to_string(), |reason| reason.to_string())
    });
    element.set_bus(None);
    opened.map(|_| ())
}

/// How long ago a live source captured a picture, which is the picture's timestamp.
fn age(sink: &gst_app::AppSink, sample: &gst::Sample) -> Option<Duration> {
    let segment = sample.segment()?.downcast_ref::<ClockTime>()?;
    let taken = segment.to_running_time(sample.buffer()?.pts())?;
    let now = sink.current_running_time()?;
    Some(now.saturating_sub(taken).into())
}
