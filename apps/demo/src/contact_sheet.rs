//! Frames of several films at the same times, side by side.

use std::error::Error;
use std::path::Path;

use gst::glib;
use gst::prelude::*;
use gst_video::prelude::*;
use image::{RgbImage, imageops};

/// Each frame's width on the sheet; the height keeps the film's aspect ratio.
const WIDTH: u32 = 384;

/// One film's row.
pub struct Strip<'a> {
    /// The film's file.
    pub film: &'a Path,
    /// The caption for the frame at a position in the film (0..1).
    pub caption: &'a dyn Fn(f64) -> String,
}

/// Writes a sheet with a row for each strip and `columns` frames, taken at equal distances.
pub fn write(path: &Path, columns: usize, strips: &[Strip]) -> Result<(), Box<dyn Error>> {
    let shares: Vec<f64> = (0..columns).map(|column| (column as f64 + 0.5) / columns as f64).collect();
    let rows = strips
        .iter()
        .map(|strip| shares.iter().map(|&share| frame(strip.film, share, &(strip.caption)(share))).collect())
        .collect::<Result<Vec<Vec<RgbImage>>, _>>()?;
    let height = rows.iter().flatten().map(RgbImage::height).max().unwrap_or(0);
    let mut sheet = RgbImage::new(WIDTH * columns as u32, height * rows.len() as u32);
    for (row, frames) in (0..).zip(&rows) {
        for (column, frame) in (0..).zip(frames) {
            imageops::replace(&mut sheet, frame, column * i64::from(WIDTH), row * i64::from(height));
        }
    }
    sheet.save(path)?;
    Ok(())
}

/// The frame at a position in a film (0..1), with a caption.
fn frame(film: &Path, share: f64, caption: &str) -> Result<RgbImage, Box<dyn Error>> {
    let pipeline = gst::parse::launch(&format!(
        "uridecodebin name=film ! videoconvert ! videoscale ! video/x-raw,format=RGB,width={WIDTH},pixel-aspect-ratio=1/1 \
         ! textoverlay name=caption valignment=top halignment=left shaded-background=true shading-value=160 font-desc=\"Sans 12\" \
         ! videoconvert ! video/x-raw,format=RGB ! appsink name=frame sync=false"
    ))?
    .downcast::<gst::Pipeline>()
    .map_err(|_| "the description is no pipeline")?;
    let uri = glib::filename_to_uri(std::path::absolute(film)?, None)?;
    pipeline.by_name("film").ok_or("no film")?.set_property("uri", uri);
    pipeline.by_name("caption").ok_or("no caption")?.set_property("text", caption);
    let sink = pipeline.by_name("frame").and_downcast::<gst_app::AppSink>().ok_or("no sink")?;
    let result = seek_and_pull(&pipeline, &sink, share);
    pipeline.set_state(gst::State::Null)?;
    result
}

fn seek_and_pull(pipeline: &gst::Pipeline, sink: &gst_app::AppSink, share: f64) -> Result<RgbImage, Box<dyn Error>> {
    pipeline.set_state(gst::State::Paused)?;
    pipeline.state(None).0?;
    let duration = pipeline.query_duration::<gst::ClockTime>().ok_or("the film has no duration")?;
    let time = gst::ClockTime::from_nseconds((duration.nseconds() as f64 * share) as u64);
    pipeline.seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, time)?;
    let sample = sink.pull_preroll()?;
    let info = gst_video::VideoInfo::from_caps(sample.caps().ok_or("the frame has no caps")?)?;
    let buffer = sample.buffer().ok_or("the sample has no frame")?;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info)?;
    let (row, stride) = (info.width() as usize * 3, frame.plane_stride()[0] as usize);
    let pixels = frame.plane_data(0)?.chunks(stride).take(info.height() as usize).flat_map(|line| &line[..row]);
    let picture = RgbImage::from_raw(info.width(), info.height(), pixels.copied().collect());
    picture.ok_or_else(|| "the frame is too small".into())
}
