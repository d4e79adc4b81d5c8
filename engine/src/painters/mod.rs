//! Painters: how a picture comes about.

mod coarse_to_fine;
mod optimize;

pub(crate) use optimize::OptimizingPainter;
