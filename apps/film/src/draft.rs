//! The file that a run writes: a draft beside the output, which takes the output's place when it is good.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;
use gst::{PadProbeData, PadProbeReturn, PadProbeType};

use super::earlier::Earlier;
use super::ebml;
use super::lock::Lock;
use super::tracks::{Description, Track};
use super::{Outcome, matroska, mp4};

/// The mark of this program's files: in Matroska and WebM the writing application, in MP4 the minor version.
const MARK: &str = "stylefilter transcode";
const MP4_MARK: [u8; 4] = *b"stlf";

/// The place of the minor version in an MP4 file's first box, which is of type `ftyp`.
const MINOR_VERSION: std::ops::Range<usize> = 12..16;

/// The number of bytes in which the mark must be.
const HEAD: u64 = 4096;

/// The files of a run.
pub struct Draft {
    /// The file that the user named.
    pub output: PathBuf,
    /// The file that is written: `film.unfinished.mkv`.
    pub path: PathBuf,
    /// The name of an earlier draft while this one is written: `film.earlier.mkv`.
    pub earlier: PathBuf,
    /// Whether this run has begun to write the draft.
    is_begun: AtomicBool,
    _lock: Lock,
}

impl Draft {
    /// The files for `output`. It is an error if one of them is the input, if another run writes them, or if one of the
    /// drafts' names is taken by a file of another origin.
    pub fn new(input: &Path, output: &Path) -> Outcome<Self> {
        // Through a link, the file that it leads to is replaced.
        let output = if output.is_symlink() { output.canonicalize()? } else { output.to_owned() };
        if output.exists() && !output.is_file() {
            return Err(format!("{} is not a file", output.display()).into());
        }
        let beside =
            |word: &str| output.with_extension(format!("{word}.{}", output.extension().unwrap_or_default().display()));
        let (path, earlier) = (beside("unfinished"), beside("earlier"));
        for path in [&output, &path, &earlier] {
            if is_same(input, path) {
                return Err(format!("{} is the input, too", path.display()).into());
            }
        }
        let lock = Lock::take(&output)?;
        let draft = Self { output, path, earlier, is_begun: AtomicBool::new(false), _lock: lock };
        for path in [&draft.path, &draft.earlier] {
            if path.exists() && !is_ours(path)? && path.metadata()?.len() > 0 {
                let (path, output) = (path.display(), draft.output.display());
                return Err(format!("{path} is in the way of {output}, and not of this program: rename it").into());
            }
        }
        Ok(draft)
    }

    /// Refuses to replace the output, or what an earlier run has left.
    pub fn must_be_free(&self) -> Outcome<()> {
        if self.output.exists() {
            let output = self.output.display();
            return Err(format!("{output} already exists: --overwrite replaces it, --resume continues it").into());
        }
        if let Some(left) = [&self.path, &self.earlier].into_iter().find(|path| Earlier::measure(path).is_some()) {
            let left = left.display();
            return Err(
                format!("{left} is left of an earlier run: --resume continues it, --overwrite replaces it").into()
            );
        }
        Ok(())
    }

    /// Creates the draft, and returns the element that writes it.
    pub fn sink(&self) -> Outcome<gst::Element> {
        File::create(&self.path).map_err(|error| format!("cannot write {}: {error}", self.output.display()))?;
        self.is_begun.store(true, Ordering::Relaxed);
        // As a URI, since a name that is not UTF-8 cannot be a property's value.
        let uri = gst::glib::filename_to_uri(std::path::absolute(&self.path)?, None)?;
        Ok(gst::Element::make_from_uri(gst::URIType::Sink, &uri, None)?)
    }

    /// Puts the finished draft, with its description, in the output's place.
    pub fn finish(self, description: &Description) -> Outcome<()> {
        self.correct(description)?;
        File::open(&self.path)?.sync_all()?;
        fs::rename(&self.path, &self.output)?;
        remove(&self.earlier)
    }

    /// Writes the description into the closed draft.
    pub fn correct(&self, description: &Description) -> io::Result<()> {
        match ebml::is_ebml(&self.path) {
            true => matroska::correct(&self.path, &description.tracks),
            false => mp4::correct(&self.path, description),
        }
    }

    /// After an unfinished run: keeps `film`, a draft or the output, and removes the other drafts. The film becomes the
    /// output, unless there is one; returns its path.
    pub fn keep(self, film: &Path) -> Outcome<PathBuf> {
        let place = if film == self.output || !self.output.exists() { self.output } else { self.path.clone() };
        if film != place {
            fs::rename(film, &place)?;
        }
        [&self.path, &self.earlier].into_iter().filter(|path| **path != place).try_for_each(|path| remove(path))?;
        Ok(place)
    }

    /// Whether this run has begun to write the draft.
    pub fn is_begun(&self) -> bool {
        self.is_begun.load(Ordering::Relaxed)
    }

    /// Removes the draft, if this run has begun to write it.
    pub fn remove(self) -> Outcome<()> {
        if self.is_begun() { remove(&self.path) } else { Ok(()) }
    }
}

/// Marks the file with these tracks that `muxer` writes as this program's.
pub fn mark(muxer: &gst::Element, tracks: &[Track]) {
    if muxer.has_property_with_type("writing-app", String::static_type()) {
        let room = " ".repeat(matroska::room(tracks));
        muxer.set_property("writing-app", format!("{MARK}{room}"));
        return;
    }
    let Some(pad) = muxer.static_pad("src") else { return };
    pad.add_probe(PadProbeType::BUFFER | PadProbeType::BUFFER_LIST, |_, info| {
        let first = match &mut info.data {
            Some(PadProbeData::Buffer(buffer)) => Some(buffer.make_mut()),
            Some(PadProbeData::BufferList(list)) => list.make_mut().get_mut(0),
            _ => None,
        };
        if let Some(mut bytes) = first.and_then(|buffer| buffer.map_writable().ok())
            && bytes.get(4..8) == Some(b"ftyp")
            && let Some(version) = bytes.get_mut(MINOR_VERSION)
        {
            version.copy_from_slice(&MP4_MARK);
        }
        PadProbeReturn::Remove
    });
}

/// Whether this program made the file.
pub fn is_ours(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    let is_mp4 = head.get(4..8) == Some(b"ftyp") && head.get(MINOR_VERSION) == Some(&MP4_MARK);
    let is_marked = || head.windows(MARK.len()).any(|bytes| bytes == MARK.as_bytes());
    Ok(is_mp4 || head.starts_with(&ebml::MAGIC) && is_marked())
}

/// Whether both paths lead to the same file.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(|path| path.metadata().map(|file| (file.dev(), file.ino())).ok());
    one.is_some() && one == other
}

fn remove(path: &Path) -> Outcome<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
