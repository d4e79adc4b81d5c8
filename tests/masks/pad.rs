//! The request pad `mask`: a second video, synchronized by running time.

use std::time::Duration;

use common::{Frame, Line};
use gst::prelude::*;
use gst::{ClockTime, SeekFlags, SeekType, State};
use gst_video::VideoFormat::{self, *};

use crate::elements;

/// Gives white frames: where frames are black, masked ones show the mask.
const WHITE: &str = "convfilter filter=kernel kernel=0 scale=1 offset=255 backend=cpu";

/// A pipeline that needs longer for a state change is considered hung.
const PATIENCE: ClockTime = ClockTime::from_seconds(60);

/// An element whose masks come from a second appsrc.
struct Masked {
    line: Line,
    masks: gst_app::AppSrc,
}

impl Masked {
    fn new(description: &str) -> Self {
        let line = Line::new(description);
        let masks = gst_app::AppSrc::builder().format(gst::Format::Time).build();
        line.pipeline.add(&masks).expect("added");
        let pad = line.element.request_pad_simple("mask").expect("a pad");
        masks.static_pad("src").expect("a pad").link(&pad).expect("linked");
        Self { line, masks }
    }

    fn playing(description: &str) -> Self {
        let masked = Self::new(description);
        masked.line.pipeline.set_state(State::Playing).expect("the pipeline starts");
        masked
    }

    /// Pushes a mask of one level.
    fn mask(&self, milliseconds: u64, level: u8) {
        let mask = Frame { format: Gray8, width: 4, height: 4, bytes: vec![level; 16] };
        self.masks.push_sample(&mask.sample(ClockTime::from_mseconds(milliseconds))).expect("taken");
    }

    /// Pushes a black frame.
    fn push(&self, milliseconds: u64) {
        let black = Frame { format: Gray8, width: 8, height: 4, bytes: vec![0; 32] };
        self.line.source.push_sample(&black.sample(ClockTime::from_mseconds(milliseconds))).expect("taken");
    }

    /// The level of the next result.
    fn pull(&self) -> u8 {
        let sample = self.line.sink.try_pull_sample(PATIENCE);
        let sample = sample.unwrap_or_else(|| panic!("no frame came out: {:?}", self.line.error()));
        let map = sample.buffer().expect("a buffer").map_readable().expect("readable");
        assert!(map.iter().all(|&level| level == map[0]), "one level: {map:?}");
        map[0]
    }

    /// The level of a frame's result.
    fn level(&self, milliseconds: u64) -> u8 {
        self.push(milliseconds);
        self.pull()
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn each_frame_gets_the_mask_of_its_time_and_the_last_one_holds_after_the_end() {
    let masked = Masked::playing(WHITE);
    std::thread::scope(|scope| {
        // A stream of masks that is ahead waits.
        scope.spawn(|| {
            for (milliseconds, level) in [(0, 10), (70, 20), (90, 30), (160, 40)] {
                masked.mask(milliseconds, level);
            }
            masked.masks.end_of_stream().expect("taken");
        });
        let levels = [0, 40, 80, 120, 160, 200, 2000].map(|milliseconds| masked.level(milliseconds));
        assert_eq!(levels, [10, 10, 20, 30, 40, 40, 40]);
    });
}

#[test]
#[ignore = "needs scripts/build"]
fn a_frame_waits_for_its_mask_unless_the_source_is_live() {
    let masked = Masked::playing(WHITE);
    masked.mask(0, 10);
    masked.push(40);
    assert!(
        masked.line.sink.try_pull_sample(ClockTime::from_mseconds(300)).is_none(),
        "the mask of 40 ms may still come"
    );
    masked.mask(40, 20);
    masked.mask(80, 30);
    assert_eq!(masked.pull(), 20);
    // Before the first mask nothing is filtered.
    let masked = Masked::playing(WHITE);
    masked.mask(100, 10);
    assert_eq!(masked.level(40), 0);
}

#[test]
#[ignore = "needs scripts/build"]
fn from_a_live_source_the_newest_mask_holds() {
    let masked = Masked::new(WHITE);
    masked.line.source.set_is_live(true);
    masked.line.pipeline.set_state(State::Playing).expect("the pipeline starts");
    assert_eq!(masked.level(0), 0, "no mask has come yet");
    for (milliseconds, level) in [(0, 10), (500, 20)] {
        masked.mask(milliseconds, level);
        // The mask's thread needs some time.
        let mut times = (0..).map(|frame| 1000 + milliseconds * 100 + frame * 20);
        let found = times.by_ref().take(1000).find(|&time| {
            std::thread::sleep(Duration::from_millis(5));
            masked.level(time) == level
        });
        assert!(found.is_some(), "the mask {level} holds");
        assert_eq!(masked.level(times.next().expect("endless") + 40), level);
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn masks_may_change_their_size_and_format() {
    let masked = Masked::playing(WHITE);
    let solid = |format: VideoFormat, size: (u32, u32), is_white: bool| {
        let mut frame = Frame::random(format, size);
        let is_yuv = frame.info().is_yuv();
        let deep = frame.largest() > 255;
        let chroma = frame.info().offset().get(1).copied().unwrap_or(usize::MAX);
        let limited = if is_white { 235 } else { 16 };
        for (at, byte) in frame.bytes.iter_mut().enumerate() {
            *byte = match (is_yuv, is_white) {
                (true, _) => {
                    if at >= chroma {
                        128
                    } else {
                        limited
                    }
                }
                (false, true) => 255,
                (false, false) => 0,
            };
        }
        assert!(!(deep && is_yuv), "its samples are bytes");
        frame
    };
    let cases = [
        (Gray8, (8, 4)),
        (Gray8, (100, 3)),
        (I420, (64, 48)),
        (Rgb, (5, 5)),
        (Gray16Le, (16, 16)),
        (Nv12, (2, 2)),
        (Bgrx, (640, 480)),
    ];
    let mut time = 0;
    for (format, size) in cases {
        for is_white in [true, false] {
            let mask = solid(format, size, is_white).sample(ClockTime::from_mseconds(time));
            masked.masks.push_sample(&mask).expect("taken");
            masked.push(time);
            time += 40;
            // The next mask shows that this one is the last before it.
            masked.mask(time, 100);
            assert_eq!(masked.pull(), if is_white { 255 } else { 0 }, "{format} {size:?}");
            assert_eq!(
                {
                    masked.mask(time + 40, 9);
                    masked.level(time)
                },
                100
            );
            time += 80;
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn both_elements_take_masks_and_are_whole_without_a_linked_pad() {
    let (_, elements) = elements("pad");
    for element in &elements {
        let masked = Masked::playing(element);
        let frame = Frame::random(I420, (48, 32));
        let whole = Line::playing(element).push_pull(&frame).bytes;
        let half = Frame { format: Gray8, width: 48, height: 32, bytes: [[0; 24], [255; 24]].concat().repeat(32) };
        masked.masks.push_sample(&half.sample(ClockTime::ZERO)).expect("taken");
        masked.masks.end_of_stream().expect("taken");
        masked.line.push(&frame);
        let sample = masked.line.sink.try_pull_sample(PATIENCE).expect("a frame");
        let result = sample.buffer().expect("a buffer").map_readable().expect("readable").to_vec();
        for (at, row) in result[..48 * 32].chunks(48).enumerate() {
            assert!(row[..24] == frame.bytes[48 * at..][..24] && row[24..] == whole[48 * at + 24..][..24], "{element}");
        }

        let pad = masked.line.element.static_pad("mask").expect("the pad");
        let other = masked.masks.static_pad("src").expect("a pad");
        other.unlink(&pad).expect("unlinked");
        let mut line = masked.line;
        let before = line.push_pull_sample(&frame.sample(ClockTime::from_mseconds(40))).bytes;
        // convfilter copies the first row.
        assert!(before[480..504] != frame.bytes[480..504], "{element}: the whole frame is changed");
        line.element.release_request_pad(&pad);
        assert!(line.element.static_pad("mask").is_none());
        line.push_pull_sample(&frame.sample(ClockTime::from_mseconds(80)));
        let pad = line.element.request_pad_simple("mask").expect("a new pad");
        other.link(&pad).expect("linked");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_flush_forgets_the_masks() {
    let masked = Masked::playing(WHITE);
    masked.mask(0, 10);
    masked.mask(1000, 20);
    assert_eq!(masked.level(0), 10);
    // A frame that waits for masks gives up.
    masked.masks.send_event(gst::event::FlushStart::new());
    masked.masks.send_event(gst::event::FlushStop::new(true));
    masked.push(40);
    std::thread::sleep(Duration::from_millis(100));
    masked.line.source.send_event(gst::event::FlushStart::new());
    masked.line.source.send_event(gst::event::FlushStop::new(true));
    masked.mask(0, 30);
    masked.mask(1000, 40);
    assert_eq!(masked.level(0), 30);
}

#[test]
#[ignore = "needs scripts/build"]
fn a_mask_of_too_few_bytes_is_an_error() {
    let masked = Masked::playing(WHITE);
    let info = Frame { format: Gray8, width: 400, height: 400, bytes: Vec::new() }.info();
    masked.masks.push_sample(&common::sample(gst::Buffer::from_slice(vec![9; 100]), &info)).expect("taken");
    masked.push(0);
    let error = masked.line.error().expect("an error");
    assert!(error.message().contains("mask"), "{error}");
}

/// Pipelines in which masks come from a source of their own, or from the same one.
fn pipelines(element: &str) -> [String; 2] {
    let size = "video/x-raw,width=64,height=48,framerate=25/1";
    [
        format!(
            "{element} name=e ! fakesink name=sink sync=false videotestsrc num-buffers=200 ! {size} ! e.sink \
             videotestsrc num-buffers=150 pattern=ball ! video/x-raw,format=GRAY8,width=32,height=32,framerate=10/1 ! e.mask"
        ),
        format!(
            "{element} name=e ! fakesink name=sink sync=false videotestsrc num-buffers=200 ! {size} ! tee name=t t. ! queue ! e.sink \
             t. ! queue ! videoconvert ! video/x-raw,format=GRAY8 ! e.mask"
        ),
    ]
}

fn pipeline(description: &str) -> gst::Pipeline {
    common::init();
    gst::parse::launch(description).expect(description).downcast().expect("a pipeline")
}

/// Sets a state and waits until it is reached.
fn go(pipeline: &gst::Pipeline, state: State) {
    let set = pipeline.set_state(state);
    let (reached, current, _) = pipeline.state(PATIENCE);
    assert!(set.is_ok() && reached.is_ok() && current == state, "{state:?}: {set:?}, {reached:?}, {current:?}");
}

fn error(pipeline: &gst::Pipeline) -> Option<gst::Message> {
    pipeline.bus().expect("a bus").pop_filtered(&[gst::MessageType::Error])
}

#[test]
#[ignore = "needs scripts/build"]
fn state_changes_succeed_waited_for_or_not() {
    let (_, elements) = elements("states");
    let mut random = common::random::Random(5);
    for description in elements.iter().flat_map(|element| pipelines(element)) {
        let line = pipeline(&description);
        for _ in 0..10 {
            for state in [State::Ready, State::Paused, State::Playing, State::Paused, State::Ready, State::Null] {
                go(&line, state);
            }
        }
        for _ in 0..60 {
            let states = [State::Null, State::Ready, State::Paused, State::Playing];
            assert!(line.set_state(states[random.number() as usize % 4]).is_ok(), "{description}");
            std::thread::sleep(Duration::from_millis(random.number() % 15));
        }
        go(&line, State::Null);
        go(&line, State::Playing);
        go(&line, State::Null);
        assert!(error(&line).is_none(), "{description}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn streams_end_and_seeks_reach_the_masks() {
    let (_, elements) = elements("seeks");
    let mut random = common::random::Random(6);
    for description in elements.iter().flat_map(|element| pipelines(element)) {
        let line = pipeline(&description);
        go(&line, State::Paused);
        for round in 0..20 {
            let place = ClockTime::from_mseconds(random.number() % 7000);
            let flags = SeekFlags::FLUSH | [SeekFlags::ACCURATE, SeekFlags::KEY_UNIT][round % 2];
            let sought = line.seek(1.0, flags, SeekType::Set, place, SeekType::None, ClockTime::NONE);
            assert!(sought.is_ok(), "{description}: {place}");
            go(&line, State::Paused);
            if round % 3 == 0 {
                go(&line, State::Playing);
                std::thread::sleep(Duration::from_millis(random.number() % 30));
            }
        }
        go(&line, State::Playing);
        let bus = line.bus().expect("a bus");
        let end = bus.timed_pop_filtered(PATIENCE, &[gst::MessageType::Eos, gst::MessageType::Error]);
        assert!(end.is_some_and(|message| message.type_() == gst::MessageType::Eos), "{description}");
        go(&line, State::Null);
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn after_a_seek_frames_get_the_masks_of_their_own_time() {
    common::init();
    // Each frame's level is its time: 1 is 40 ms.
    let line = pipeline(&format!(
        "{WHITE} name=e ! appsink name=sink sync=false appsrc name=source format=time stream-type=seekable ! e.sink \
         appsrc name=masks format=time stream-type=seekable ! e.mask"
    ));
    let source = |name: &str, level: fn(u64) -> u8| {
        let source = line.by_name(name).expect("a source").downcast::<gst_app::AppSrc>().expect("an appsrc");
        let frame = move |at: u64| Frame { format: Gray8, width: 4, height: 4, bytes: vec![level(at); 16] };
        source.set_caps(Some(&frame(0).info().to_caps().expect("caps")));
        let next = std::sync::Arc::new(std::sync::Mutex::new(0));
        let place = next.clone();
        source.set_callbacks(
            gst_app::AppSrcCallbacks::builder()
                .need_data(move |source, _| {
                    let mut next = next.lock().expect("no panic");
                    let sample = frame(*next).sample(ClockTime::from_mseconds(40) * *next);
                    *next += 1;
                    // Fails while the source is flushed.
                    let _ = source.push_sample(&sample);
                })
                .seek_data(move |_, offset| {
                    *place.lock().expect("no panic") = ClockTime::from_nseconds(offset) / ClockTime::from_mseconds(40);
                    true
                })
                .build(),
        );
    };
    source("source", |_| 0);
    source("masks", |at| at as u8);
    let sink = line.by_name("sink").expect("a sink").downcast::<gst_app::AppSink>().expect("an appsink");
    sink.set_max_buffers(2);
    go(&line, State::Playing);
    let check = |sample: gst::Sample| {
        let buffer = sample.buffer().expect("a buffer");
        let at = buffer.pts().expect("a time") / ClockTime::from_mseconds(40);
        assert_eq!(u64::from(buffer.map_readable().expect("readable")[0]), at);
        at
    };
    for _ in 0..5 {
        check(sink.try_pull_sample(PATIENCE).expect("a frame"));
    }
    for frame in [100, 20, 7] {
        let place = ClockTime::from_mseconds(40) * frame;
        line.seek_simple(SeekFlags::FLUSH | SeekFlags::ACCURATE, place).expect("sought");
        for next in frame..frame + 5 {
            assert_eq!(check(sink.try_pull_sample(PATIENCE).expect("a frame")), next);
        }
    }
    go(&line, State::Null);
}

#[test]
#[ignore = "needs scripts/build"]
fn masks_add_no_latency() {
    common::init();
    let latency = |mask: &str| {
        let line = pipeline(&format!(
            "{WHITE} name=e ! fakesink videotestsrc is-live=true ! video/x-raw,format=GRAY8,width=32,height=24 ! e.sink {mask}"
        ));
        line.set_state(State::Playing).expect("the pipeline starts");
        assert!(line.state(PATIENCE).0.is_ok());
        let mut query = gst::query::Latency::new();
        let pad = line.by_name("e").and_then(|element| element.static_pad("src")).expect("a pad");
        assert!(pad.query(&mut query));
        let result = query.result();
        line.set_state(State::Null).expect("the pipeline stops");
        result
    };
    let without = latency("");
    assert!(without.0, "live");
    let slow = "videotestsrc is-live=true ! queue min-threshold-time=200000000 ! e.mask";
    assert_eq!(latency(slow), without);
}
