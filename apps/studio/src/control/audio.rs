//! The loudness and the beat of an audio input, from a pipeline of its own.

use film::bus;
use gst::glib;
use gst::prelude::*;

use super::engine::Event;
use super::mapping::Source;
use super::onsets::{Onsets, RATE};

/// The input's sample rate. With the number of bands it gives bands of 125 Hz.
const SAMPLES: u32 = 16_000;
const BANDS: u32 = 65;

/// Listens to a source, given as for gst-launch-1.0, and passes its level and its beats to `receive`. It ends only with
/// an error or with the source.
pub fn listen(source: &str, mut receive: impl FnMut(Event)) -> String {
    match pipeline(source) {
        Ok(pipeline) => {
            let end = follow(&pipeline, &mut receive);
            // Whether this fails does not matter: the pipeline is dropped.
            let _ = pipeline.set_state(gst::State::Null);
            end
        }
        Err(error) => error.to_string(),
    }
}

fn pipeline(source: &str) -> Result<gst::Pipeline, glib::Error> {
    let interval = u64::from(1_000_000_000 / RATE);
    let analysis = format!(
        "audioconvert ! audioresample ! audio/x-raw,rate={SAMPLES},channels=1 ! level interval={interval} \
         ! spectrum interval={interval} bands={BANDS} threshold=-80 ! fakesink sync=true"
    );
    let pipeline = gst::parse::launch(&format!("{source} ! {analysis}"))?;
    pipeline.downcast().map_err(|_| glib::Error::new(gst::CoreError::Failed, "not a pipeline"))
}

fn follow(pipeline: &gst::Pipeline, receive: &mut impl FnMut(Event)) -> String {
    let Some(messages) = pipeline.bus() else { return "the pipeline has no bus".into() };
    // The reason for a failure comes over the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    let mut onsets = Onsets::default();
    for message in messages.iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Element(element) => {
                let Some(structure) = element.structure() else { continue };
                if let Some(level) = level(structure) {
                    receive(Event::Control(Source::Level, level));
                } else if spectrum(structure).is_some_and(|bands| onsets.hear(&bands)) {
                    receive(Event::AudioBeat);
                }
            }
            gst::MessageView::Error(error) => return bus::words(error),
            gst::MessageView::Eos(_) => return "the source has ended".into(),
            _ => (),
        }
    }
    "the pipeline has stopped".into()
}

/// The root mean square of a message of `level`, in decibels.
fn level(structure: &gst::StructureRef) -> Option<f64> {
    let levels = structure.get::<glib::ValueArray>("rms").ok()?;
    let level = levels.first()?.get::<f64>().ok()?;
    // Silence is minus infinity.
    Some(level.max(-200.0))
}

/// The bands of a message of `spectrum`, in decibels.
fn spectrum(structure: &gst::StructureRef) -> Option<Vec<f32>> {
    let bands = structure.get::<gst::List>("magnitude").ok()?;
    Some(bands.iter().filter_map(|band| band.get().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of level messages before each beat, and the levels.
    fn heard(source: &str) -> (Vec<usize>, Vec<f64>) {
        gst::init().expect("GStreamer starts");
        let (mut beats, mut levels) = (Vec::new(), Vec::new());
        let end = listen(source, |event| match event {
            Event::Control(Source::Level, level) => levels.push(level),
            Event::AudioBeat => beats.push(levels.len()),
            event => panic!("{event:?}"),
        });
        assert_eq!(end, "the source has ended");
        (beats, levels)
    }

    /// The distances between beats, after those of the first second, in which little is known about the sound.
    fn distances(beats: &[usize]) -> Vec<usize> {
        let later: Vec<usize> = beats.iter().copied().filter(|beat| *beat > 50).collect();
        later.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn ticks_have_beats_and_levels() {
        // 120 beats per minute for 4 seconds; a level comes 50 times a second.
        let (beats, levels) =
            heard("audiotestsrc wave=ticks tick-interval=500000000 samplesperbuffer=320 num-buffers=200");
        assert!((199..=201).contains(&levels.len()), "{}", levels.len());
        assert!(beats.len() >= 7 && distances(&beats).iter().all(|distance| (24..=26).contains(distance)), "{beats:?}");
        let loud = levels.iter().filter(|level| **level > -20.0).count();
        let silent = levels.iter().filter(|level| **level < -90.0).count();
        assert!((8..=24).contains(&loud) && silent > 100, "{levels:?}");
    }

    #[test]
    fn a_bass_drum_is_heard_behind_other_sounds() {
        let (beats, _) = heard(
            "audiomixer name=mixer \
             audiotestsrc wave=ticks freq=60 sine-periods-per-tick=6 tick-interval=600000000 samplesperbuffer=320 num-buffers=300 ! mixer. \
             audiotestsrc wave=ticks freq=7000 sine-periods-per-tick=200 tick-interval=150000000 volume=0.1 samplesperbuffer=320 num-buffers=300 ! mixer. \
             audiotestsrc wave=pink-noise volume=0.03 samplesperbuffer=320 num-buffers=300 ! mixer. \
             mixer.",
        );
        assert!(beats.len() >= 8 && distances(&beats).iter().all(|distance| (29..=31).contains(distance)), "{beats:?}");
    }

    #[test]
    fn a_steady_sound_has_no_beat_and_its_level() {
        let (beats, levels) = heard("audiotestsrc wave=sine freq=440 volume=0.5 samplesperbuffer=320 num-buffers=50");
        assert!(beats.len() <= 1, "{beats:?}");
        let (beats, _) = heard("audiotestsrc wave=pink-noise samplesperbuffer=320 num-buffers=150");
        assert!(distances(&beats).is_empty(), "{beats:?}");
        // A sine's mean square is half of its peak's square.
        assert!(levels[2..48].iter().all(|level| (level + 9.03).abs() < 0.2), "{levels:?}");
    }

    #[test]
    fn what_cannot_be_listened_to_is_told() {
        gst::init().expect("GStreamer starts");
        for (source, reason) in [("no-such-element", "no-such-element"), ("filesrc location=/nothing", "not found")] {
            let end = listen(source, |_| ());
            assert!(end.contains(reason), "{end}");
        }
    }
}
