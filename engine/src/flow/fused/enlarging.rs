//! A flow for another size of the picture.

use std::slice::ChunksExactMut;

use multiversion::multiversion;
use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::frame::floats_mut;
use crate::parallel;
use crate::planes::{Enlarger, Planes, Size, bands, planes_of};

/// As [`super::super::enlarge`], for one flow.
pub(in super::super) fn enlarge(flow: &Tensor, [height, width]: [i64; 2]) -> Result<Tensor> {
    let flow = Planes::of(flow, 2)?;
    let size = Size { height: height as usize, width: width as usize };
    let mut enlarged = Tensor::f_empty([1, 2, height, width], (Kind::Float, Device::Cpu))?;
    let (enlarger, [x, y]) = (Enlarger::new(flow.size, size), planes_of(flow.values(), flow.size.pixels()));
    let factors = [size.width as f32 / flow.size.width as f32, size.height as f32 / flow.size.height as f32];
    let components = [(x, factors[0]), (y, factors[1])];
    let rows = parallel::band(size.height, 1);
    let bands = bands::<_, 2>(floats_mut(&mut enlarged), size, rows).enumerate();
    parallel::each(bands.collect(), &|(band, planes)| {
        for ((plane, factor), enlarged) in components.into_iter().zip(planes) {
            enlarge_rows(&enlarger, plane, factor, band * rows, enlarged.chunks_exact_mut(size.width));
        }
    });
    Ok(enlarged)
}

/// Computes the rows of an enlarged plane from row `first` on.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn enlarge_rows(enlarger: &Enlarger, plane: &[f32], factor: f32, first: usize, rows: ChunksExactMut<'_, f32>) {
    let mut spare = Vec::new();
    for (y, row) in (first..).zip(rows) {
        enlarger.row(plane, y, &mut spare, row);
        row.iter_mut().for_each(|value| *value *= factor);
    }
}
