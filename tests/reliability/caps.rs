//! Caps that change while a stream plays, and caps that the elements do not accept.

use gst::prelude::*;
use gst_video::{VideoColorimetry, VideoFormat, VideoInfo, VideoInterlaceMode};

use crate::{element, elements, info, noise, report};

/// A list of caps that differ in size, format, frame rate, interlacing, colorimetry or pixel aspect ratio.
fn changes() -> Vec<VideoInfo> {
    let size = |width, height| info(VideoFormat::I420, width, height);
    let mut changes: Vec<_> =
        [(64, 48), (33, 17), (1, 1), (640, 2), (2, 640), (48, 64), (3, 3)].map(|(w, h)| size(w, h)).into();
    // Every format of the pad template.
    let template = element("convfilter").pad_template("sink").expect("a template");
    let formats = template.caps().structure(0).expect("a structure").get::<gst::List>("format").expect("formats");
    for format in formats.iter() {
        let format = format.get::<String>().expect("a name").parse().expect("a format");
        changes.push(info(format, 37, 23));
    }
    let of = |builder: gst_video::VideoInfoBuilder| builder.build().expect("valid");
    let builder = || VideoInfo::builder(VideoFormat::I420, 64, 48);
    for rate in [(0, 1), (1, 1), (30_000, 1001), (1000, 1), (i32::MAX, 1)] {
        changes.push(of(builder().fps(gst::Fraction::new(rate.0, rate.1))));
    }
    for mode in [VideoInterlaceMode::Interleaved, VideoInterlaceMode::Mixed, VideoInterlaceMode::Progressive] {
        changes.push(of(builder().interlace_mode(mode)));
    }
    for colorimetry in ["bt601", "bt709", "bt2020", "bt2100-pq", "smpte240m", "2:4:7:1"] {
        let colorimetry: VideoColorimetry = colorimetry.parse().expect("a known colorimetry");
        changes.push(of(builder().colorimetry(&colorimetry)));
    }
    for (n, d) in [(1, 2), (16, 15)] {
        changes.push(of(builder().par(gst::Fraction::new(n, d))));
    }
    changes
}

#[test]
#[ignore = "needs scripts/build"]
fn caps_change_with_every_frame() {
    let changes = changes();
    for description in elements() {
        let mut harness = gst_check::Harness::with_element(&element(&description), Some("sink"), Some("src"));
        for round in 0..2 {
            for info in &changes {
                let caps = info.to_caps().expect("caps");
                harness.set_src_caps(caps.clone());
                let result = harness
                    .push_and_pull(noise(info))
                    .unwrap_or_else(|error| panic!("{description}, round {round}: {error:?}, {caps}"));
                let pad = harness.element().expect("the element").static_pad("src").expect("a pad");
                assert_eq!(pad.current_caps(), Some(caps), "{description}");
                gst_video::VideoFrameRef::from_buffer_ref_readable(&result, info).expect("a whole frame");
            }
        }
    }
    let test = "caps that change with every frame: sizes from 1x1, all formats, frame rates from 0/1, interlace modes, \
                colorimetries, pixel aspect ratios";
    report(test, changes.len() * 6, "every frame comes out in its own caps");
}

#[test]
#[ignore = "needs scripts/build"]
fn unsupported_caps_are_refused() {
    let unsupported = [
        "video/x-raw,format=NV12_4L4,width=64,height=48,framerate=30/1",
        "video/x-raw(memory:GLMemory),format=RGBA,width=64,height=48,framerate=30/1",
        "video/x-raw,format=RGBA,width=0,height=48,framerate=30/1",
        "video/x-raw,format=RGBA,height=48,framerate=30/1",
        "video/x-raw,format=RGBA,width=-5,height=48,framerate=30/1",
        "video/x-h264",
        "audio/x-raw,format=S16LE,rate=44100,channels=2,layout=interleaved",
    ];
    let mut cases = 0;
    for description in elements() {
        for caps in unsupported {
            let mut harness = gst_check::Harness::with_element(&element(&description), Some("sink"), Some("src"));
            harness.play();
            let pad = harness.element().expect("the element").static_pad("sink").expect("a pad");
            pad.send_event(gst::event::StreamStart::new("stream"));
            let accepted = pad.send_event(gst::event::Caps::new(&caps.parse().expect("caps")));
            pad.send_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
            let flow = pad.chain(gst::Buffer::with_size(64 * 48 * 4).expect("memory"));
            let is_refused = !accepted && flow == Err(gst::FlowError::NotNegotiated);
            assert!(is_refused, "{description}, {caps}: {accepted}, {flow:?}");
            cases += 1;
        }
    }
    report("unsupported caps: GPU memory, tiles, no width, width 0 or -5, sound", cases, "refused as not negotiated");
}
