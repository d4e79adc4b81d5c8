//! Several elements in parallel, and several threads that change one element.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::random::Random;
use gst::prelude::*;

use crate::{elements, report};

#[test]
#[ignore = "needs scripts/build"]
fn several_elements_play_in_parallel() {
    crate::init();
    for count in [2, 10] {
        std::thread::scope(|scope| {
            for index in 0..count {
                let description = elements()[index % 3].clone();
                scope.spawn(move || play(&description));
            }
        });
    }
    report("2 and 10 instances in parallel, each on its own thread", 12, "all play to their ends");
}

/// Plays ten frames.
fn play(description: &str) {
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc num-buffers=10 ! video/x-raw,width=64,height=48 ! {description} ! fakesink"
    ));
    let pipeline = pipeline.expect("a valid description").downcast::<gst::Pipeline>().expect("a pipeline");
    pipeline.set_state(gst::State::Playing).expect("the pipeline plays");
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline.bus().expect("a bus").timed_pop_filtered(gst::ClockTime::from_seconds(120), &ends);
    assert_eq!(message.map(|message| message.type_()), Some(gst::MessageType::Eos), "{description}");
    pipeline.set_state(gst::State::Null).expect("the pipeline stops");
}

#[test]
#[ignore = "needs scripts/build"]
fn properties_change_from_four_threads() {
    crate::init();
    let mut cases = 0;
    for description in elements() {
        let pipeline = gst::parse::launch(&format!(
            "videotestsrc ! video/x-raw,width=64,height=48 ! {description} name=element ! fakesink sync=false"
        ));
        let pipeline = pipeline.expect("a valid description").downcast::<gst::Pipeline>().expect("a pipeline");
        let element = pipeline.by_name("element").expect("the element");
        pipeline.set_state(gst::State::Playing).expect("the pipeline plays");
        let done = AtomicBool::new(false);
        let changes: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..=4)
                .map(|seed| {
                    let (element, done) = (&element, &done);
                    scope.spawn(move || {
                        let mut random = Random(seed);
                        let mut changes = 0;
                        while !done.load(Ordering::Relaxed) {
                            change(element, &mut random);
                            changes += 1;
                            std::thread::sleep(Duration::from_millis(1));
                        }
                        changes
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_secs(5));
            done.store(true, Ordering::Relaxed);
            threads.into_iter().map(|thread| thread.join().expect("the thread ends")).sum()
        });
        let error = pipeline.bus().expect("a bus").pop_filtered(&[gst::MessageType::Error]);
        assert!(error.is_none(), "{description}: {error:?}");
        pipeline.set_state(gst::State::Null).expect("the pipeline stops");
        cases += changes;
    }
    report("properties set and read by four threads while playing", cases, "the stream continues");
}

/// Sets or reads a random property that can be changed while playing.
fn change(element: &gst::Element, random: &mut Random) {
    let small = (random.number() % 5) as i32;
    if element.find_property("radius").is_some() {
        match random.number() % 8 {
            0 => element
                .set_property_from_str("filter", ["none", "median", "emboss", "unsharp-mask"][small as usize % 4]),
            1 => element.set_property("radius", f64::from(small)),
            2 => element.set_property("size", (small * 2 + 1) as u32),
            3 => element.set_property("mix", f64::from(small) / 4.0),
            4 => element.set_property("kernel", ["1 2 1", "", "1 1; 1", "nonsense"][small as usize % 4]),
            5 => element.set_property("chain", ["", "blur", "median, size=3; emboss", ";;"][small as usize % 4]),
            6 => element.set_property_from_str("planes", ["luma", "all", "auto"][small as usize % 3]),
            _ => drop(element.property::<Option<String>>("adapter-name")),
        }
    } else {
        match random.number() % 7 {
            0 => element.set_property("strength", f64::from(small) / 4.0),
            1 => element.set_property("style-weight", f64::from(small) * 50.0),
            2 => element.set_property_from_str("warm-start", ["flow", "previous", "none"][small as usize % 3]),
            3 => element.set_property(
                "style",
                ["nothing.png", "", crate::style().to_str().expect("UTF-8")][small as usize % 3],
            ),
            4 => element.set_property("style-layers", ["", "relu1_1", "relu9_9"][small as usize % 3]),
            5 => element.set_property_from_str("original-colors", ["none", "luma", "match"][small as usize % 3]),
            _ => drop(element.property::<gst::Structure>("stats")),
        }
    }
}
