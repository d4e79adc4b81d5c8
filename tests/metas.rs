//! Tests that both elements keep a frame's metadata.

use common::random::Random;
use common::{Frame, Line, sample, scratch};
use gst_video::{
    VideoAFDMeta, VideoAFDSpec, VideoAFDValue, VideoCaptionMeta, VideoCaptionType, VideoCropMeta, VideoFormat,
    VideoRegionOfInterestMeta,
};

/// Each frame's metadata in words; what describes its memory is left out.
fn metas(buffer: &gst::BufferRef) -> Vec<String> {
    let mut words: Vec<_> = buffer
        .iter_meta::<gst::Meta>()
        .filter(|meta| !meta.has_tag::<gst::meta::tags::Memory>())
        .map(|meta| meta.api().name().to_owned())
        .collect();
    if let Some(region) = buffer.meta::<VideoRegionOfInterestMeta>() {
        words.push(format!("{} {:?}", region.roi_type(), region.rect()));
    }
    words.extend(buffer.meta::<VideoCropMeta>().map(|crop| format!("{:?}", crop.rect())));
    words.extend(buffer.meta::<VideoAFDMeta>().map(|afd| format!("{:?}", afd.afd())));
    words.extend(buffer.meta::<VideoCaptionMeta>().map(|caption| format!("{:?}", caption.data())));
    words.extend(buffer.meta::<gst::ReferenceTimestampMeta>().map(|time| format!("{}", time.timestamp())));
    words.sort();
    words
}

#[test]
#[ignore = "needs scripts/build"]
fn regions_crop_rectangles_and_the_like_stay_on_frames() {
    common::init();
    let style = scratch("metas-style").join("style.png");
    common::write_style(&style);
    let mut frame = Frame { format: VideoFormat::I420, width: 64, height: 48, bytes: Vec::new() };
    frame.bytes = Random(1).bytes(frame.info().size());
    let mut buffer = gst::Buffer::from_slice(frame.bytes.clone());
    let marked = buffer.make_mut();
    marked.set_flags(gst::BufferFlags::DISCONT | gst::BufferFlags::MARKER);
    VideoRegionOfInterestMeta::add(marked, "face", (10, 12, 20, 24));
    VideoCropMeta::add(marked, (4, 6, 50, 40));
    VideoAFDMeta::add(marked, 0, VideoAFDSpec::AtscA53, VideoAFDValue::_43Full149Center);
    VideoCaptionMeta::add(marked, VideoCaptionType::Cea608Raw, &[0x94, 0x2c]);
    let clock = gst::Caps::new_empty_simple("timestamp/x-unix");
    gst::ReferenceTimestampMeta::add(marked, &clock, gst::ClockTime::from_nseconds(12_345), None);
    let expected = metas(&buffer);
    assert!(
        expected.len() == 10 && expected.iter().any(|words| words.contains("face (10, 12, 20, 24)")),
        "{expected:?}"
    );

    let paint = format!("styletransfer style={} device=cpu first-iterations=1", style.display());
    for element in [
        "convfilter",
        "convfilter filter=blur backend=cpu",
        "convfilter filter=gaussian-blur backend=gpu",
        &paint,
        &format!("{paint} strength=0"),
        "videobalance hue=0.5",
    ] {
        let line = Line::playing(element);
        line.source.push_sample(&sample(buffer.clone(), &frame.info())).expect("the frame is accepted");
        let result = line.sink.try_pull_sample(gst::ClockTime::from_seconds(60)).expect("a frame comes out");
        let result = result.buffer().expect("a buffer");
        assert_eq!(metas(result), expected, "{element}");
        assert!(result.flags().contains(gst::BufferFlags::MARKER), "{element}");
    }
}
