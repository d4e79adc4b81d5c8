//! The format of `torch.save` before torch 1.6, which torchvision's files have: five pickles, then the storages.
//!
//! The pickles are a magic number, a version, a description of the writer's system, the saved object, and the storages'
//! keys. The storages follow in the order of the keys, each as its number of elements and the elements.

use std::collections::HashMap;
use std::io::SeekFrom;

use super::Reason;
use super::pickle::{Node, Pickle, Value};
use super::source::{Source, TRUNCATED};
use super::stored::{Storage, Stored};
use super::torch_objects::{self, StorageObject, TensorObject};

/// 0x1950a86a20f9469cfc6c, as in a pickle.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Whether a file with this beginning has the format. From protocol 4 on, a frame opcode precedes the number.
pub fn is(head: &[u8]) -> bool {
    let begin = head.get(..24).unwrap_or(head);
    begin.starts_with(&[0x80]) && begin.windows(MAGIC.len()).any(|bytes| bytes == MAGIC)
}

/// The tensors of a file with this beginning and length.
pub fn tensors(head: &[u8], file: &mut dyn Source, file_length: u64) -> Result<Vec<(String, Stored)>, Reason> {
    let mut rest = head;
    let (_magic, _version) = (Pickle::read(&mut rest)?, Pickle::read(&mut rest)?);
    check_byte_order(&Pickle::read(&mut rest)?)?;
    let saved = Pickle::read(&mut rest)?;
    let keys = Pickle::read(&mut rest)?;
    let start = head.len().saturating_sub(rest.len()) as u64;
    let places = places(&saved, &keys, file, start, file_length)?;

    let stored = |(name, tensor): (String, TensorObject)| {
        let stored = places.get(tensor.storage.key).and_then(|&place| tensor.stored(place));
        match stored {
            Some(stored) => Ok((name, stored)),
            None => Err(format!("{name} has no storage in the file")),
        }
    };
    torch_objects::tensors(&saved)?.into_iter().map(stored).collect()
}

fn check_byte_order(system: &Pickle) -> Result<(), Reason> {
    let Some(Node::Dict(facts)) = system.node(system.root) else {
        return Err("its system description is damaged".into());
    };
    let big = |&(key, value): &_| system.text(key) == Some("little_endian") && value == Value::Bool(false);
    if facts.iter().any(big) { Err("it is from a big-endian machine".into()) } else { Ok(()) }
}

/// The positions of the storages, by key.
fn places<'a>(
    saved: &Pickle<'a>,
    keys: &Pickle<'a>,
    file: &mut dyn Source,
    start: u64,
    file_length: u64,
) -> Result<HashMap<&'a str, Storage>, Reason> {
    let objects: HashMap<&str, StorageObject> =
        torch_objects::storages(saved)?.into_iter().map(|storage| (storage.key, storage)).collect();
    let Some(Node::List(keys_in_order)) = keys.node(keys.root) else {
        return Err("its list of storages is damaged".into());
    };
    let mut position = start;
    let mut places = HashMap::new();
    for &key in keys_in_order {
        let object = keys.text(key).and_then(|key| objects.get(key)).ok_or("it contains an unused storage")?;
        let size = object.kind.ok_or("it contains a storage of unknown type")?.elt_size_in_bytes() as u64;
        let count = count_at(file, position)?;
        if i64::try_from(count) != Ok(object.length) {
            return Err(format!("storage {} has {count} elements instead of {}", object.key, object.length));
        }
        let length = count.checked_mul(size);
        let end = length.and_then(|length| position.checked_add(8)?.checked_add(length));
        let (Some(length), Some(end)) = (length, end.filter(|&end| end <= file_length)) else {
            return Err(TRUNCATED.into());
        };
        places.insert(object.key, Storage { place: position.saturating_add(8), length });
        position = end;
    }
    Ok(places)
}

/// The number of elements at the start of a storage.
fn count_at(file: &mut dyn Source, position: u64) -> Result<u64, Reason> {
    let mut count = [0; 8];
    file.seek(SeekFrom::Start(position)).and_then(|_| file.read_exact(&mut count)).map_err(|_| TRUNCATED)?;
    Ok(u64::from_le_bytes(count))
}
