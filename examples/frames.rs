//! Raw frames through an element: this program makes each frame, pushes it, and waits for the result.
//!
//!     cargo run --release --example frames

use std::error::Error;

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;
const FRAMES_PER_SECOND: u64 = 25;

fn main() -> Result<(), Box<dyn Error>> {
    gst::init()?;
    // sync=false: results are not held back until it is time to show them. styletransfer can be used in the same way.
    let pipeline = gst::parse::launch(
        "appsrc name=source format=time ! convfilter filter=find-edges ! appsink name=sink sync=false",
    )?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "this is no pipeline")?;
    let source = pipeline.by_name("source").and_downcast::<gst_app::AppSrc>().ok_or("there is no appsrc")?;
    let sink = pipeline.by_name("sink").and_downcast::<gst_app::AppSink>().ok_or("there is no appsink")?;

    // The caps tell the elements what the bytes mean. The output has the same caps.
    let frame_rate = gst::Fraction::new(FRAMES_PER_SECOND as i32, 1);
    let info = VideoInfo::builder(VideoFormat::Rgba, WIDTH, HEIGHT).fps(frame_rate).build()?;
    source.set_caps(Some(&info.to_caps()?));
    pipeline.set_state(gst::State::Playing)?;

    for index in 0..FRAMES_PER_SECOND {
        let mut buffer = gst::Buffer::from_mut_slice(square(index as u32 * 8));
        let time = gst::ClockTime::SECOND * index / FRAMES_PER_SECOND;
        buffer.get_mut().ok_or("a new buffer has one owner")?.set_pts(time);
        source.push_buffer(buffer)?;
        // Neither element holds frames back, so each frame's result comes before the next frame is pushed.
        let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(10));
        let sample = sample.ok_or("no frame came out; GST_DEBUG=2 shows the reason")?;
        let bytes = sample.buffer().ok_or("there is no frame")?.map_readable()?;
        let bright = bytes.chunks(4).filter(|pixel| pixel[0] > 128).count();
        println!("{time}: {bright} pixels are edges");
    }

    source.end_of_stream()?;
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}

/// A frame with a white square on black, `left` pixels from the left, as R, G, B, A bytes in rows from the top.
fn square(left: u32) -> Vec<u8> {
    let pixels = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    let pixel = |(x, y)| {
        let level = if (left..left + 80).contains(&x) && (80..160).contains(&y) { 255 } else { 0 };
        [level, level, level, 255]
    };
    pixels.flat_map(pixel).collect()
}
