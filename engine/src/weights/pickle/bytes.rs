//! The arguments of opcodes: numbers, counted bytes, lines.

use super::{Value, damaged};
use crate::weights::Reason;

/// Reads the protocol's number; fails if it is not supported.
pub fn protocol(bytes: &mut &[u8]) -> Result<(), Reason> {
    match array(bytes)? {
        [2..=5] => Ok(()),
        [other] => Err(format!("its pickle has protocol {other}; supported are 2 to 5")),
    }
}

/// Reads an integer in the form that the opcode requires.
pub fn integer(opcode: u8, bytes: &mut &[u8]) -> Result<Value, Reason> {
    let value = match opcode {
        b'J' => i32::from_le_bytes(array(bytes)?).into(),
        b'K' => u8::from_le_bytes(array(bytes)?).into(),
        b'M' => u16::from_le_bytes(array(bytes)?).into(),
        // Two's complement in the minimum number of bytes.
        _ => match take_counted(opcode, bytes)? {
            long if long.len() > 8 => return Ok(Value::Opaque),
            long => {
                let negative = long.last().is_some_and(|last| last & 0x80 != 0);
                let mut wide = [if negative { 0xff } else { 0 }; 8];
                wide.iter_mut().zip(long).for_each(|(wide, byte)| *wide = *byte);
                i64::from_le_bytes(wide)
            }
        },
    };
    Ok(Value::Int(value))
}

/// Reads a count of 1, 4 or 8 bytes, and as many bytes.
pub fn take_counted<'a>(opcode: u8, bytes: &mut &'a [u8]) -> Result<&'a [u8], Reason> {
    let count = match opcode {
        0x8c | b'U' | b'C' | 0x8a => u8::from_le_bytes(array(bytes)?).into(),
        0x8d | 0x8e | 0x96 => u64::from_le_bytes(array(bytes)?),
        _ => u32::from_le_bytes(array(bytes)?).into(),
    };
    usize::try_from(count).ok().and_then(|count| bytes.split_off(..count)).ok_or_else(truncated)
}

/// Reads `N` bytes.
pub fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Reason> {
    let (array, rest) = bytes.split_first_chunk().ok_or_else(truncated)?;
    *bytes = rest;
    Ok(*array)
}

fn truncated() -> Reason {
    "its pickle ends early, or is longer than a state dict's; the file may be cut off".into()
}

/// Reads the text up to the end of the line.
pub fn line<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, Reason> {
    let end = bytes.iter().position(|&byte| byte == b'\n').ok_or_else(truncated)?;
    let line = bytes.split_off(..end).ok_or_else(truncated)?;
    array::<1>(bytes)?;
    std::str::from_utf8(line).map_err(|_| damaged())
}
