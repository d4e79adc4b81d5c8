//! Descriptions of tensors in a file, before the tensors are read.

use std::ops::Range;

use tch::{Kind, Tensor};

use super::{Reason, first_line};

/// The maximum number of dimensions, more than any tensor of VGG has. The limit keeps the memory for malicious files
/// small.
pub const MAX_DIMENSIONS: usize = 8;

/// A tensor's type and shape, and the position of its elements.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The type of its elements; `None` if libtorch does not have it.
    pub kind: Option<Kind>,
    pub shape: Vec<i64>,
    /// In elements.
    pub strides: Vec<i64>,
    /// The index of the first element in the storage.
    pub offset: i64,
    pub storage: Storage,
}

/// A range of bytes that one or several tensors are views of.
#[derive(Clone, Copy, Debug)]
pub struct Storage {
    /// Its position in the file, or its entry's index in a zip archive.
    pub place: u64,
    /// In bytes.
    pub length: u64,
}

impl Stored {
    /// A tensor that fills its storage in row-major order.
    pub fn contiguous(kind: Option<Kind>, shape: Vec<i64>, storage: Storage) -> Result<Self, Reason> {
        let mut strides = Vec::new();
        let mut stride = 1_i64;
        for &size in shape.iter().rev() {
            strides.push(stride);
            stride = stride.checked_mul(size).ok_or("its size overflows")?;
        }
        strides.reverse();
        Ok(Self { kind, shape, strides, offset: 0, storage })
    }

    /// The range of the storage's bytes from the first element to the last.
    pub fn bytes(&self) -> Result<Range<u64>, Reason> {
        let kind = self.kind.filter(|kind| matches!(kind, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double));
        let size = kind.ok_or("it does not hold floats of 16, 32 or 64 bits")?.elt_size_in_bytes() as u64;
        let scale = |elements: i64| u64::try_from(elements).ok()?.checked_mul(size);
        let range = self
            .offset
            .checked_add(self.span().ok_or("its size overflows")?)
            .and_then(|end| Some(scale(self.offset)?..scale(end)?));
        range.filter(|range| range.end <= self.storage.length).ok_or("it extends past the end of its storage".into())
    }

    /// The number of elements. A view may have more elements than its storage.
    pub fn elements(&self) -> Option<i64> {
        self.shape.iter().try_fold(1_i64, |product, &size| product.checked_mul(size).filter(|product| *product >= 0))
    }

    /// The number of the storage's elements from the first used one to the last.
    fn span(&self) -> Option<i64> {
        if self.elements()? == 0 {
            return Some(0);
        }
        self.shape.iter().zip(&self.strides).try_fold(1_i64, |span, (&size, &stride)| {
            span.checked_add(size.checked_sub(1)?.checked_mul(stride)?).filter(|_| stride >= 0)
        })
    }

    /// The tensor in 32-bit floats, from its [`Stored::bytes`].
    pub fn decode(&self, bytes: &[u8]) -> Result<Tensor, Reason> {
        let kind = self.kind.unwrap_or(Kind::Float);
        let count = bytes.len().checked_div(kind.elt_size_in_bytes()).unwrap_or(0);
        Tensor::f_from_data_size(bytes, &[count as i64], kind)
            .and_then(|run| run.f_as_strided(&self.shape, &self.strides, 0))
            .and_then(|view| view.f_to_kind(Kind::Float)?.f_contiguous())
            .map_err(first_line)
    }
}
