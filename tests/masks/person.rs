//! People as the mask.

use common::{Frame, root, start_error};
use gst_video::VideoFormat;

use crate::{elements, first};

/// The drawn figure of the engine's test, as a frame.
fn figure() -> Frame {
    let picture = image::open(root().join("engine/tests/person.png")).expect("a picture").into_rgb8();
    Frame { format: VideoFormat::Rgb, width: 256, height: 256, bytes: picture.into_raw() }
}

/// The shares of pixels that differ, in the middle of the figure and in the upper corners.
fn changed(before: &Frame, after: &Frame) -> [f64; 2] {
    let pixels = || before.bytes.chunks(3).zip(after.bytes.chunks(3)).enumerate();
    let share = |is_inside: &dyn Fn(usize, usize) -> bool| {
        let (mut changed, mut all) = (0.0, 0.0);
        for (at, (before, after)) in pixels().filter(|(at, _)| is_inside(at % 256, at / 256)) {
            let _ = at;
            all += 1.0;
            changed += if before != after { 1.0 } else { 0.0 };
        }
        changed / all
    };
    [share(&|x, y| (100..156).contains(&x) && y >= 190), share(&|x, y| !(40..216).contains(&x) && y < 80)]
}

#[test]
#[ignore = "needs scripts/build"]
fn people_are_painted_or_the_room_around_them() {
    let (_, [.., painter]) = elements("person");
    let frame = figure();
    let people = first(&format!("{painter} mask-from=person"), &frame);
    let [person, room] = changed(&frame, &people);
    assert!(person > 0.9 && room < 0.02, "{person} {room}");
    let around = first(&format!("{painter} mask-from=person mask-invert=true"), &frame);
    let [person, room] = changed(&frame, &around);
    assert!(person < 0.05 && room > 0.9, "inverted: {person} {room}");
}

#[test]
#[ignore = "needs scripts/build"]
fn three_styles_need_more_than_people() {
    let (folder, [.., painter]) = elements("person-styles");
    let style = folder.join("style.png").display().to_string();
    let painter = painter.replace(&style, &[style.as_str(); 3].join(","));
    let error = start_error(&format!("{painter} mask-from=person"));
    assert!(error.matches(gst::ResourceError::Settings), "{error}");
}
