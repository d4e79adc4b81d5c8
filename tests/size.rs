//! Tests of the size at which styletransfer paints large frames.

use common::{Frame, Line, scratch};
use gst::prelude::*;
use gst_video::VideoFormat;

#[test]
#[ignore = "needs scripts/build"]
fn large_frames_are_painted_smaller_and_a_message_tells() {
    common::init();
    let style = scratch("size-style").join("style.png");
    common::write_style(&style);
    let mut frame = Frame { format: VideoFormat::Rgb, width: 2000, height: 16, bytes: Vec::new() };
    frame.bytes = vec![90; frame.info().size()];
    let painted = |settings: &str| {
        let line = format!("styletransfer style={} device=cpu first-iterations=1 {settings}", style.display());
        let mut line = Line::playing(&line);
        line.push_pull(&frame);
        let info = line.pipeline.bus().expect("a bus").pop_filtered(&[gst::MessageType::Info]);
        let text = info.map(|message| match message.view() {
            gst::MessageView::Info(info) => info.error().message().to_owned(),
            _ => unreachable!("filtered"),
        });
        (line.element.property::<gst::Structure>("stats").get::<u64>("width").expect("a width"), text)
    };
    let (width, text) = painted("");
    assert_eq!(width, 1920);
    assert!(text.expect("a message").contains("2000x16 are painted with a longer side of 1920 pixels"));
    assert_eq!(painted("size=0"), (2000, None));
    assert_eq!(painted("size=64"), (64, None));
}
