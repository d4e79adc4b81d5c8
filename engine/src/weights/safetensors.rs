//! The format safetensors: the length of a JSON header, the header, and the tensors' bytes.

use serde_json::{Map, Value};
use tch::Kind;

use super::Reason;
use super::source::{MAX_DESCRIPTION, TRUNCATED};
use super::stored::{MAX_DIMENSIONS, Storage, Stored};

/// Whether a file with this beginning has the format.
pub fn is(head: &[u8]) -> bool {
    head.get(8) == Some(&b'{')
}

/// The tensors of a file with this beginning and length.
pub fn tensors(head: &[u8], file_length: u64) -> Result<Vec<(String, Stored)>, Reason> {
    let (length, rest) = head.split_first_chunk().ok_or("it ends early")?;
    let length = u64::from_le_bytes(*length);
    if length > file_length.saturating_sub(8) {
        return Err(TRUNCATED.into());
    }
    let header = usize::try_from(length).ok().and_then(|length| rest.get(..length));
    let header = header.ok_or_else(|| format!("its header is larger than {MAX_DESCRIPTION} bytes"))?;
    let entries: Map<String, Value> =
        serde_json::from_slice(header).map_err(|error| format!("its header is damaged: {error}"))?;

    let start = length.saturating_add(8);
    let tensors = entries.into_iter().filter(|(name, _)| name != "__metadata__").map(|(name, entry)| {
        match tensor(entry, start, file_length) {
            Ok(tensor) => Ok((name, tensor)),
            Err(reason) => Err(format!("{name}: {reason}")),
        }
    });
    tensors.collect()
}

/// The tensor that an entry of the header describes; `start` is the position of the tensors' bytes.
fn tensor(entry: Value, start: u64, file_length: u64) -> Result<Stored, Reason> {
    let damaged = || Reason::from("its entry in the header is damaged");
    let field = |name| entry.get(name).cloned().ok_or_else(damaged);
    let shape: Vec<i64> = serde_json::from_value(field("shape")?).map_err(|_| damaged())?;
    let [begin, end]: [u64; 2] = serde_json::from_value(field("data_offsets")?).map_err(|_| damaged())?;
    if shape.len() > MAX_DIMENSIONS || begin > end {
        return Err(damaged());
    }
    if end > file_length.saturating_sub(start) {
        return Err(TRUNCATED.into());
    }
    let storage = Storage { place: start.saturating_add(begin), length: end.saturating_sub(begin) };
    let tensor = Stored::contiguous(kind(&field("dtype")?), shape, storage)?;
    match tensor.bytes() {
        Ok(bytes) if bytes.end != storage.length => Err("its size does not match its shape".into()),
        _ => Ok(tensor),
    }
}

fn kind(name: &Value) -> Option<Kind> {
    match name.as_str()? {
        "F16" => Some(Kind::Half),
        "BF16" => Some(Kind::BFloat16),
        "F32" => Some(Kind::Float),
        "F64" => Some(Kind::Double),
        _ => None,
    }
}
