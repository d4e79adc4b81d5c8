//! Names and marks of tracks, and other metadata, that GStreamer 1.22 neither reads nor writes.

use std::collections::HashMap;
use std::path::Path;

use gst::prelude::*;
use gst::tags::Title;
use gst::{PadProbeData, PadProbeReturn, PadProbeType};

use super::colors::Hdr10;
use super::{ebml, matroska, mp4};

/// Marks of tracks: the id in Matroska, and the role in MP4, if it has one.
pub const MARKS: [(u32, Option<&str>); 6] = [
    (0x55aa, Some("forced-subtitle")),
    // For viewers who do not hear well, and for those who do not see well.
    (0x55ab, Some("caption")),
    (0x55ac, None),
    (0x55ad, Some("description")),
    // In the language in which the film was made.
    (0x55ae, None),
    (0x55af, Some("commentary")),
];

/// A track's name and marks.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The name, or an empty text.
    pub name: String,
    /// Whether a player may choose the track by itself.
    pub is_default: bool,
    /// The ids in Matroska of further marks, all of [`MARKS`].
    pub marks: Vec<u32>,
}

impl Track {
    /// Removes the name from the tags that reach a muxer's pad: it is written for itself, and players take a title in
    /// the tags of an MP4 track for the film's.
    pub fn drop_title(&self, pad: &gst::Pad) {
        let name = self.name.clone();
        pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if let Some(PadProbeData::Event(event)) = &mut info.data
                && let gst::EventView::Tag(tags) = event.view()
                && tags.tag().scope() == gst::TagScope::Stream
                && tags.tag().get::<Title>().is_some_and(|title| title.get() == name)
            {
                let mut tags = tags.tag_owned();
                tags.make_mut().remove::<Title>();
                *event = gst::event::Tag::builder(tags).seqnum(event.seqnum()).build();
            }
            PadProbeReturn::Ok
        });
    }
}

impl Default for Track {
    fn default() -> Self {
        Self { name: String::new(), is_default: true, marks: Vec::new() }
    }
}

/// The metadata of an output that GStreamer does not write.
#[derive(Debug, Default)]
pub struct Description {
    /// The tracks, in the order of the file.
    pub tracks: Vec<Track>,
    /// The chapters, if the muxer cannot write them.
    pub chapters: Option<gst::Toc>,
    pub hdr10: Hdr10,
}

/// The parts of a file that GStreamer ignores.
#[derive(Debug, Default)]
pub struct Extras {
    /// The tracks with these numbers.
    pub tracks: HashMap<u64, Track>,
    pub chapters: Option<gst::Toc>,
    /// Whether the file has chapters, even if they are in a form that is not read.
    pub has_chapters: bool,
    pub has_attachments: bool,
}

impl Extras {
    /// Reads a file; everything is empty if it is neither Matroska nor MP4.
    pub fn read(path: &Path) -> Self {
        let read = if ebml::is_ebml(path) { matroska::extras } else { mp4::extras };
        // The demuxer reports a file that cannot be read.
        read(path).unwrap_or_default()
    }

    /// The track of a stream with this id, which ends with the track's number and, in Matroska, with its id.
    pub fn track(&self, stream_id: &str) -> Track {
        let last = stream_id.rsplit('/').next().unwrap_or_default();
        let number = last.split(':').next().and_then(|number| number.parse().ok());
        number.and_then(|number: u64| self.tracks.get(&number)).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atoms;

    /// Matroska and MP4 with a track of the number 2 and this name, a forced one.
    fn files(name: &str) -> [Vec<u8>; 2] {
        let element = ebml::written;
        let track = [element(0xd7, &[2]), element(0x536e, name.as_bytes()), element(0x55aa, &[1])].concat();
        let segment = element(0x1853_8067, &element(0x1654_ae6b, &element(0xae, &track)));
        let header = [vec![0; 15], vec![2], vec![0; 68]].concat();
        let kind = b"\0\0\0\0urn:mpeg:dash:role:2011\0forced-subtitle\0";
        let user = [atoms::written(b"name", name.as_bytes()), atoms::written(b"kind", kind)].concat();
        let track = [atoms::written(b"tkhd", &header), atoms::written(b"udta", &user)].concat();
        let movie = atoms::written(b"moov", &atoms::written(b"trak", &track));
        [[ebml::written(0x1a45_dfa3, &[]), segment].concat(), movie]
    }

    #[test]
    fn tracks_are_read_and_damaged_files_are_no_danger() {
        let path = std::env::temp_dir().join(format!("film-tracks-{}", std::process::id()));
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            Extras::read(&path)
        };
        for file in files("One") {
            let track = read(&file).track("film/002:5");
            assert_eq!((track.name.as_str(), track.marks), ("One", vec![0x55aa]));
            for place in 0..file.len() {
                read(&file[..place]);
                for value in [0, 1, 0x7f, 0xff] {
                    let mut damaged = file.clone();
                    damaged[place] = value;
                    read(&damaged);
                }
            }
        }
        std::fs::remove_file(path).expect("removed");
    }
}
