//! The properties of masks: files that cannot be used, and changes while playing.

use common::{Frame, Line, start_error};
use gst::prelude::*;
use gst_video::VideoFormat;

use crate::{elements, write_mask};

#[test]
#[ignore = "needs scripts/build"]
fn the_error_for_a_bad_mask_names_the_file() {
    let (folder, elements) = elements("errors");
    let (missing, text) = (folder.join("missing.png"), folder.join("text.png"));
    std::fs::write(&text, "no picture").expect("written");
    let mask = folder.join("mask.png");
    write_mask(&mask, (4, 4), |_, _| 200);
    for element in &elements {
        let error = start_error(&format!("{element} mask={}", missing.display()));
        assert!(error.matches(gst::ResourceError::NotFound) && error.message().contains("missing.png"), "{error}");
        let error = start_error(&format!("{element} mask={}", text.display()));
        assert!(error.matches(gst::ResourceError::Read) && error.message().contains("text.png"), "{error}");
        let error = start_error(&format!("{element} mask={0},{0}", mask.display()));
        assert!(error.matches(gst::ResourceError::Settings) && error.message().contains("2 masks"), "{error}");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn the_mask_changes_while_playing_and_a_bad_one_leaves_the_last() {
    let (folder, elements) = elements("playing");
    let [left, right] = ["left.png", "right.png"].map(|name| folder.join(name));
    write_mask(&left, (32, 24), |x, _| if x < 16 { 255 } else { 0 });
    write_mask(&right, (32, 24), |x, _| if x < 16 { 0 } else { 255 });
    for element in &elements {
        let mut line = Line::playing(element);
        let frame = Frame::random(VideoFormat::Gray8, (32, 24));
        // Whether the left and the right half of the result differ from the frame.
        let changed = |line: &mut Line| {
            let result = line.push_pull(&frame).bytes;
            [0..16, 16..32].map(|half| {
                frame
                    .bytes
                    .chunks(32)
                    .zip(result.chunks(32))
                    .any(|(before, after)| before[half.clone()] != after[half.clone()])
            })
        };
        assert_eq!(changed(&mut line), [true, true], "{element}");
        line.element.set_property("mask", left.to_str().expect("a path in UTF-8"));
        assert_eq!(changed(&mut line), [true, false], "{element}");
        line.element.set_property("mask-invert", true);
        assert_eq!(changed(&mut line), [false, true], "{element}");
        line.element.set_property("mask", right.to_str().expect("a path in UTF-8"));
        assert_eq!(changed(&mut line), [true, false], "{element}");
        line.element.set_property("mask", "/missing.png");
        assert_eq!(changed(&mut line), [true, false], "{element}");
        let warning = line.warning().expect("a warning");
        assert!(warning.message().contains("missing.png") && warning.message().contains("stay"), "{warning}");
        line.element.set_property("mask", "");
        assert_eq!(changed(&mut line), [true, true], "{element}");
    }
}
