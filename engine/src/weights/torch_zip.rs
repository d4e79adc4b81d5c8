//! The format of `torch.save` since torch 1.6, and of TorchScript, which tch's `.ot` files use: a zip archive with a
//! pickle, `NAME/data.pkl`, and an entry for each storage, `NAME/data/KEY`.

use std::io::{self, BufReader, Read};

use zip::ZipArchive;

use super::Reason;
use super::pickle::Pickle;
use super::source::{MAX_DESCRIPTION, Source, TRUNCATED};
use super::stored::{Storage, Stored};
use super::torch_objects;

/// A zip archive in a file.
pub type Archive = ZipArchive<BufReader<Box<dyn Source>>>;

/// Whether a file with this beginning has the format.
pub fn is(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04")
}

/// The tensors in a file, and the archive to read them from.
pub fn open(file: Box<dyn Source>) -> Result<(Vec<(String, Stored)>, Archive), Reason> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|_| TRUNCATED)?;
    let root = root(&archive).ok_or("it is a zip archive, but not one written by torch.save")?;
    check_byte_order(&mut archive, &format!("{root}byteorder"))?;

    let pickle = description(&mut archive, &format!("{root}data.pkl"))?;
    let pickle = Pickle::read(&mut &pickle[..])?;
    let mut tensors = Vec::new();
    for (name, tensor) in torch_objects::tensors(&pickle)? {
        let storage = storage(&mut archive, &format!("{root}data/{}", tensor.storage.key));
        match storage.and_then(|storage| tensor.stored(storage)) {
            Some(stored) => tensors.push((name, stored)),
            None => return Err(format!("{name} has no storage in the archive")),
        }
    }
    Ok((tensors, archive))
}

/// Whether a file is a TorchScript module: beside its tensors, it has constants and code.
pub fn has_code(file: Box<dyn Source>) -> bool {
    let Ok(archive) = ZipArchive::new(BufReader::new(file)) else { return false };
    let Some(root) = root(&archive) else { return false };
    let code = format!("{root}code/");
    archive.index_for_name(&format!("{root}constants.pkl")).is_some()
        && archive.file_names().flatten().any(|name| name.starts_with(&code))
}

/// The folder, with its slash, that contains a `data.pkl`.
fn root(archive: &Archive) -> Option<String> {
    archive.file_names().flatten().find_map(|name| root_of(&name).map(str::to_owned))
}

/// The folder, with its slash, if this is the name of its `data.pkl`.
fn root_of(name: &str) -> Option<&str> {
    name.strip_suffix("data.pkl").filter(|root| root.strip_suffix('/').is_some_and(|folder| !folder.contains('/')))
}

/// Appends up to `length` bytes of an entry, from byte `start` on.
pub fn copy_from(archive: &mut Archive, entry: u64, start: u64, length: u64, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let mut entry = archive.by_index(usize::try_from(entry).map_err(io::Error::other)?)?;
    io::copy(&mut entry.by_ref().take(start), &mut io::sink())?;
    entry.take(length).read_to_end(bytes)
}

fn storage(archive: &mut Archive, name: &str) -> Option<Storage> {
    let index = archive.index_for_name(name)?;
    let length = archive.by_index_raw(index).ok()?.size();
    Some(Storage { place: index as u64, length })
}

/// Fails if the archive has an entry with the byte order, as newer versions of torch write it, and it is not
/// little-endian.
fn check_byte_order(archive: &mut Archive, name: &str) -> Result<(), Reason> {
    if archive.index_for_name(name).is_some() && description(archive, name)? != b"little" {
        return Err("it is from a big-endian machine".into());
    }
    Ok(())
}

/// The content of an entry of limited size.
fn description(archive: &mut Archive, name: &str) -> Result<Vec<u8>, Reason> {
    let index = archive.index_for_name(name).ok_or(TRUNCATED)?;
    let mut bytes = Vec::new();
    copy_from(archive, index as u64, 0, MAX_DESCRIPTION, &mut bytes).map_err(|error| format!("{name}: {error}"))?;
    Ok(bytes)
}
