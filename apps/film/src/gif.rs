//! Animated GIFs, of which GStreamer 1.22's reader never ends.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use gst::ClockTime;
use gst::prelude::*;
use image::AnimationDecoder;
use image::codecs::gif::GifDecoder;

use super::Outcome;

/// The duration of a picture that gives none, as in web browsers.
const USUAL: ClockTime = ClockTime::from_mseconds(100);

/// Whether the file at `path` is a GIF.
pub fn is_gif(path: &Path) -> bool {
    let mut head = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *b"GIF8"
}

/// The element that gives the pictures of the GIF at `path`, and their caps.
pub fn open(path: &Path) -> Outcome<(gst::Element, gst::Caps)> {
    let decoder = GifDecoder::new(BufReader::new(File::open(path)?))?;
    let (width, height) = image::ImageDecoder::dimensions(&decoder);
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgba, width, height);
    let caps = info.fps(gst::Fraction::new(0, 1)).par(gst::Fraction::new(1, 1)).build()?.to_caps()?;
    let source = gst_app::AppSrc::builder().caps(&caps).format(gst::Format::Time).block(true).max_buffers(4).build();
    let (feeding, path) = (source.clone(), PathBuf::from(path));
    std::thread::spawn(move || match feed(decoder, &feeding) {
        // Fails only if the pipeline was stopped, which then needs no EOS.
        Ok(()) => _ = feeding.end_of_stream(),
        Err(error) => gst::element_error!(feeding, gst::StreamError::Decode, ("{}: {}", path.display(), error)),
    });
    Ok((source.upcast(), caps))
}

/// Pushes the pictures, until `source` accepts no more.
fn feed(decoder: GifDecoder<BufReader<File>>, source: &gst_app::AppSrc) -> Outcome<()> {
    let mut time = ClockTime::ZERO;
    for frame in decoder.into_frames() {
        let frame = frame?;
        let (milliseconds, per) = frame.delay().numer_denom_ms();
        let length = ClockTime::from_mseconds(u64::from(milliseconds) / u64::from(per.max(1)));
        let length = if length.is_zero() { USUAL } else { length };
        let mut buffer = gst::Buffer::from_mut_slice(frame.into_buffer().into_raw());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(time);
            buffer.set_duration(length);
        }
        time += length;
        if source.push_buffer(buffer).is_err() {
            break;
        }
    }
    Ok(())
}
