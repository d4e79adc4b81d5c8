//! Weight files of any format: lists the tensors in a file, and reads them one by one.

use std::io::{self, Read, Seek, SeekFrom};

use tch::Tensor;

use super::source::{MAX_DESCRIPTION, Source, TRUNCATED};
use super::stored::Stored;
use super::torch_zip::Archive;
use super::{Reason, safetensors, torch_stream, torch_zip};

/// The maximum number of bytes to read in all: a multiple of the file's size, for compressed files, plus a constant for
/// small files. This prevents decompression bombs, and tensors that share their bytes, from filling the memory.
const MAX_BYTES_PER_FILE_BYTE: u64 = 4;
const MIN_BYTES_ALLOWED: u64 = 16 << 20;

/// Reads a weight file's tensors.
pub struct Reader {
    body: Body,
    /// The number of bytes that may still be read.
    left: u64,
}

/// The source of tensors' bytes.
enum Body {
    /// Storages are at positions in the file.
    File(Box<dyn Source>),
    /// Storages are entries of the archive.
    Zip(Archive),
}

/// Opens a weight file. Returns its tensors by name, with dots between the parts of a name, and a reader for them.
pub fn open(mut file: Box<dyn Source>) -> Result<(Vec<(String, Stored)>, Reader), Reason> {
    let reason = |error: io::Error| error.to_string();
    let length = file.seek(SeekFrom::End(0)).map_err(reason)?;
    file.rewind().map_err(reason)?;
    let mut head = Vec::new();
    file.by_ref().take(MAX_DESCRIPTION).read_to_end(&mut head).map_err(reason)?;
    let (tensors, body) = if torch_zip::is(&head) {
        let (tensors, archive) = torch_zip::open(file)?;
        (tensors, Body::Zip(archive))
    } else if torch_stream::is(&head) {
        (torch_stream::tensors(&head, file.as_mut(), length)?, Body::File(file))
    } else if safetensors::is(&head) {
        (safetensors::tensors(&head, length)?, Body::File(file))
    } else {
        return Err(unknown_format(&head).into());
    };
    let left = length.saturating_mul(MAX_BYTES_PER_FILE_BYTE).saturating_add(MIN_BYTES_ALLOWED);
    Ok((tensors, Reader { body, left }))
}

impl Reader {
    /// Reads a tensor, as floats of 32 bits on the CPU.
    pub fn read(&mut self, tensor: &Stored) -> Result<Tensor, Reason> {
        let range = tensor.bytes()?;
        let length = range.end.saturating_sub(range.start);
        let as_floats = tensor.elements().and_then(|count| u64::try_from(count).ok()?.checked_mul(4));
        let cost = as_floats.ok_or("its size overflows")?.max(length);
        self.left = self.left.checked_sub(cost).ok_or("its tensors need much more memory than the file's size")?;

        let mut bytes = Vec::new();
        let place = tensor.storage.place;
        match &mut self.body {
            Body::File(file) => copy_from(file.as_mut(), place, range.start, length, &mut bytes),
            Body::Zip(archive) => torch_zip::copy_from(archive, place, range.start, length, &mut bytes),
        }
        .map_err(|error| error.to_string())?;
        if bytes.len() as u64 != length {
            return Err(TRUNCATED.into());
        }
        tensor.decode(&bytes)
    }
}

fn copy_from(file: &mut dyn Source, position: u64, start: u64, length: u64, bytes: &mut Vec<u8>) -> io::Result<usize> {
    file.seek(SeekFrom::Start(position.saturating_add(start)))?;
    file.take(length).read_to_end(bytes)
}

/// The error for a file of unknown format, which names its likely content.
fn unknown_format(head: &[u8]) -> &'static str {
    let text = head.trim_ascii_start();
    if head.is_empty() {
        "it is empty"
    } else if text.starts_with(b"<") {
        "it is a web page instead of the file; download the file itself"
    } else if text.starts_with(b"version https://git-lfs") {
        "it is a Git LFS pointer; fetch the file with git lfs pull"
    } else if head.starts_with(b"\x89HDF") {
        "it is a Keras file (HDF5); supported are safetensors, .pth and .ot"
    } else if head.starts_with(b"\x80") {
        "it is a pickle, but not one written by torch.save"
    } else {
        "it is not a safetensors, .pth or .ot file, or it is damaged"
    }
}
