//! Tests the demo on a film with sound: both results must keep the frames, the duration and the sound.

use std::path::Path;

use common::{program, scratch, stage};
use gst::prelude::*;

/// The number of a stream's buffers, and the end of the last one.
#[derive(Debug)]
struct Stream {
    buffers: usize,
    end: gst::ClockTime,
}

/// The film's encoded video and sound.
fn streams(film: &Path) -> [Stream; 2] {
    let pipeline = gst::parse::launch(&format!(
        "filesrc location={} ! qtdemux name=film film.video_0 ! appsink name=video sync=false async=false \
         film.audio_0 ! appsink name=audio sync=false async=false",
        film.display()
    ));
    let pipeline = pipeline.expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    pipeline.set_state(gst::State::Playing).expect("the pipeline plays");
    let streams = ["video", "audio"].map(|name| {
        let sink = pipeline.by_name(name).and_downcast::<gst_app::AppSink>().expect("a sink");
        let mut stream = Stream { buffers: 0, end: gst::ClockTime::ZERO };
        while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(20)) {
            let buffer = sample.buffer().expect("a buffer");
            stream.buffers += 1;
            stream.end = stream.end.max(buffer.pts().expect("a time") + buffer.duration().expect("a duration"));
        }
        assert!(sink.is_eos(), "{}: no {name}", film.display());
        stream
    });
    pipeline.set_state(gst::State::Null).expect("the pipeline stops");
    streams
}

#[test]
#[ignore = "needs scripts/build"]
fn films_keep_frames_duration_and_sound() {
    common::init();
    let folder = scratch("demo");
    let run = |command: &mut std::process::Command| {
        let output = command.current_dir(&folder).output().expect("the program runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{text}");
        text
    };
    let program = |name: &str| program(name, &stage().join("lib/gstreamer-1.0"), &folder.join("registry.bin"));
    let clip = "videotestsrc num-buffers=18 pattern=smpte ! video/x-raw,format=I420,width=160,height=120,framerate=12/1 \
        ! x264enc ! h264parse ! queue ! mp4mux name=muxer ! filesink location=clip.mp4 \
        audiotestsrc num-buffers=66 samplesperbuffer=1024 ! audio/x-raw,rate=44100 ! avenc_aac ! aacparse ! queue ! muxer.";
    run(program("gst-launch-1.0").args(clip.split_whitespace()));
    image::RgbImage::from_fn(40, 30, |x, y| image::Rgb([(x * 6) as u8, (y * 8) as u8, 120]))
        .save(folder.join("style.png"))
        .expect("the style is written");

    let demo = common::app("demo");
    let text = run(program(&demo.display().to_string()).args(["clip.mp4", "style.png"]));
    for words in ["filtered.mp4: 18 frames", "styled.mp4: 18 frames", "frames/s", "on cpu", "built-in network"] {
        assert!(text.contains(words), "{words} is not in: {text}");
    }

    let [picture, sound] = streams(&folder.join("clip.mp4"));
    assert_eq!(picture.buffers, 18);
    for film in ["filtered.mp4", "styled.mp4"] {
        let [its_picture, its_sound] = streams(&folder.join("target/demo").join(film));
        let difference = |a: gst::ClockTime, b: gst::ClockTime| a.absdiff(b).mseconds();
        assert_eq!(its_picture.buffers, picture.buffers, "{film}");
        assert!(difference(its_picture.end, picture.end) <= 1, "{film}: {its_picture:?} {picture:?}");
        // The first packet may be missing: it only primes the decoder.
        assert!(sound.buffers - its_sound.buffers <= 1, "{film}: {its_sound:?} {sound:?}");
        assert!(difference(its_sound.end, sound.end) <= 50, "{film}: {its_sound:?} {sound:?}");
    }

    let sheet = image::open(folder.join("target/demo/contact-sheet.png")).expect("a contact sheet");
    assert_eq!((sheet.width(), sheet.height()), (5 * 384, 3 * 288));
}
