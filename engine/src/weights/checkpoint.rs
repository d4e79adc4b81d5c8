//! A weight file of any form: the tensors in it, each read when it is asked for.

use std::io::{self, Read, Seek, SeekFrom};

use tch::Tensor;

use super::stored::Stored;
use super::torch_zip::Archive;
use super::{Reason, safetensors, torch_stream, torch_zip};

/// The most that a description of tensors may take, a pickle or a JSON header: VGG's take some kilobytes, and in memory
/// they become up to a hundred times larger.
pub const MAX_DESCRIPTION: u64 = 1 << 20;

/// What is wrong with most files that downloads left behind.
pub const CUT_OFF: &str = "it is cut off or damaged; download it again";

/// What may be read altogether: several times the file, for deflated ones, and something for small files. It keeps
/// tensors that share their bytes, and bombs, from filling the memory.
const READ_PER_BYTE: u64 = 4;
const READ_ALWAYS: u64 = 16 << 20;

/// What a weight file is read from.
pub trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// Reads a weight file's tensors.
pub struct Reader {
    body: Body,
    /// Bytes that may still be read.
    left: u64,
}

/// What tensors are read from.
enum Body {
    /// Storages are at positions.
    File(Box<dyn Source>),
    /// Storages are entries.
    Zip(Archive),
}

/// Opens a weight file: its tensors, by their names with dots between the parts, and what reads them.
pub fn open(mut file: Box<dyn Source>) -> Result<(Vec<(String, Stored)>, Reader), Reason> {
    let in_words = |error: io::Error| error.to_string();
    let length = file.seek(SeekFrom::End(0)).map_err(in_words)?;
    file.rewind().map_err(in_words)?;
    let mut head = Vec::new();
    file.by_ref().take(MAX_DESCRIPTION).read_to_end(&mut head).map_err(in_words)?;
    let (tensors, body) = if torch_zip::is(&head) {
        let (tensors, archive) = torch_zip::open(file)?;
        (tensors, Body::Zip(archive))
    } else if torch_stream::is(&head) {
        (torch_stream::tensors(&head, file.as_mut(), length)?, Body::File(file))
    } else if safetensors::is(&head) {
        (safetensors::tensors(&head, length)?, Body::File(file))
    } else {
        return Err(stranger(&head).into());
    };
    let left = length.saturating_mul(READ_PER_BYTE).saturating_add(READ_ALWAYS);
    Ok((tensors, Reader { body, left }))
}

impl Reader {
    /// Reads a tensor, as floats of 32 bits on the CPU.
    pub fn read(&mut self, tensor: &Stored) -> Result<Tensor, Reason> {
        let range = tensor.bytes()?;
        let length = range.end.saturating_sub(range.start);
        let as_floats = tensor.elements().and_then(|count| u64::try_from(count).ok()?.checked_mul(4));
        let cost = as_floats.ok_or("its size overflows")?.max(length);
        self.left = self.left.checked_sub(cost).ok_or("it asks for much more memory than the file is large")?;

        let mut bytes = Vec::new();
        let place = tensor.storage.place;
        match &mut self.body {
            Body::File(file) => copy_from(file.as_mut(), place, range.start, length, &mut bytes),
            Body::Zip(archive) => torch_zip::copy_from(archive, place, range.start, length, &mut bytes),
        }
        .map_err(|error| error.to_string())?;
        if bytes.len() as u64 != length {
            return Err(CUT_OFF.into());
        }
        tensor.decode(&bytes)
    }
}

fn copy_from(file: &mut dyn Source, position: u64, start: u64, length: u64, bytes: &mut Vec<u8>) -> io::Result<usize> {
    file.seek(SeekFrom::Start(position.saturating_add(start)))?;
    file.take(length).read_to_end(bytes)
}

/// What a file of no known form seems to be.
fn stranger(head: &[u8]) -> &'static str {
    let text = head.trim_ascii_start();
    if head.is_empty() {
        "it is empty"
    } else if text.starts_with(b"<") {
        "it is a web page, saved in place of the file; download the file itself"
    } else if text.starts_with(b"version https://git-lfs") {
        "it is a Git LFS pointer; fetch the file with git lfs pull"
    } else if head.starts_with(b"\x89HDF") {
        "it is a Keras file (HDF5); safetensors, .pth and .ot are read"
    } else if head.starts_with(b"\x80") {
        "it is a pickle, but not one that torch.save wrote"
    } else {
        "it is neither safetensors nor a .pth or .ot file, or it is damaged"
    }
}
