//! The demo's generated film and style picture.

use std::error::Error;
use std::path::{Path, PathBuf};

use gst::prelude::*;

use crate::scene;

const WIDTH: usize = 640;
const HEIGHT: usize = 360;
const FRAMES_PER_SECOND: u64 = 25;
const SECONDS: u64 = 6;

/// Films the scene, with sound, into `folder`; returns the file.
pub fn clip(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let path = folder.join("source.mp4");
    println!("filming {}", path.display());
    let pipeline = gst::parse::launch(&format!(
        "appsrc name=scene format=time caps=video/x-raw,format=RGB,width={WIDTH},height={HEIGHT},framerate={FRAMES_PER_SECOND}/1 \
         ! videoconvert ! video/x-raw,format=I420 ! x264enc pass=quant quantizer=18 ! h264parse ! queue ! mp4mux name=muxer \
         audiotestsrc wave=pink-noise volume=0.05 samplesperbuffer=441 num-buffers={} \
         ! audio/x-raw,rate=44100 ! audioconvert ! avenc_aac ! aacparse ! queue ! muxer. \
         muxer. ! filesink name=file",
        SECONDS * 100
    ))?
    .downcast::<gst::Pipeline>()
    .map_err(|_| "the description is no pipeline")?;
    pipeline.by_name("file").ok_or("no file")?.set_property("location", path.to_str());

    let source = pipeline.by_name("scene").and_downcast::<gst_app::AppSrc>().ok_or("no scene")?;
    let mut frames = (0..FRAMES_PER_SECOND * SECONDS).map(|index| {
        let pixels = scene::render(index as f64 / FRAMES_PER_SECOND as f64, WIDTH, HEIGHT);
        let mut buffer = gst::Buffer::from_mut_slice(pixels);
        if let Some(buffer) = buffer.get_mut() {
            let duration = gst::ClockTime::SECOND / FRAMES_PER_SECOND;
            buffer.set_pts(duration * index);
            buffer.set_duration(duration);
        }
        buffer
    });
    source.set_callbacks(
        gst_app::AppSrcCallbacks::builder()
            .need_data(move |source, _| {
                // A failure is reported on the pipeline's bus.
                let _ = match frames.next() {
                    Some(frame) => source.push_buffer(frame),
                    None => source.end_of_stream(),
                };
            })
            .build(),
    );
    film::bus::wait(&pipeline)?;
    Ok(path)
}

/// Paints the style into `folder`; returns the file.
pub fn style(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    const SIZE: (usize, usize) = (640, 480);
    let path = folder.join("style.png");
    let pixels = painting::paint(SIZE.0, SIZE.1);
    image::save_buffer(&path, &pixels, SIZE.0 as u32, SIZE.1 as u32, image::ColorType::Rgb8)?;
    Ok(path)
}
