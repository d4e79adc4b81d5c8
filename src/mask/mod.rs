//! Masks: how much of an element's result each pixel of a frame gets, from pictures, from the frame's own alpha, or from a
//! second video on the request pad `mask`. Both elements use this module.
//!
//! A mask is stretched to the frame's size as a [`Grid`] of opacities. With several styles, each mask belongs to one of them.
//! What all masks together cover is the frame's [`Opacity`], by which [`blend`] mixes the frame and the result in the frame's
//! own format: where it is 0, the frame keeps every byte.

use std::sync::Arc;

use gst::prelude::*;
use gst_video::VideoFrameRef;

mod blend;
mod files;
mod grid;
mod held;
mod opacity;
mod pad;
mod stretch;

pub use blend::{Shares, blend};
pub use files::{MaskError, message};
pub use grid::Grid;
pub use opacity::Opacity;
pub use pad::{MaskFrame, MaskPad, pad_templates};

use crate::layout::{ComponentKind, Layout};
use files::Pictures;
use held::{FrameTimes, Held};
use stretch::stretch;

/// The source of masks. Each element has a property `mask-from` with the sources that it supports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaskFrom {
    /// The pad `mask` if it is linked, else the pictures of the property `mask`.
    #[default]
    Auto,
    /// The frame's own alpha; frames without alpha are opaque.
    Alpha,
    /// The people in the frame.
    Person,
}

/// The properties of masks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MaskSettings {
    /// Paths of pictures, separated by commas.
    pub files: String,
    /// What masks are taken from.
    pub from: MaskFrom,
    /// Whether masks are inverted.
    pub invert: bool,
}

/// The masks of a running element.
#[derive(Default)]
pub struct Masks {
    settings: MaskSettings,
    pictures: Pictures,
    /// The number of regions that frames are divided into: styles, or 1.
    regions: usize,
    /// The masks of the last frame.
    last: Option<(Source, Arc<Prepared>)>,
    /// The mask of the pad that holds.
    held: Option<Held>,
    times: FrameTimes,
}

/// What masks of a frame were made from.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Pictures,
    /// The mask frame with this number.
    Video(u64),
    Alpha,
    Person,
}

/// The masks of a frame.
pub struct Prepared {
    /// One for each mask, at the frame's size.
    pub grids: Vec<Grid>,
    /// What they cover together.
    pub opacity: Opacity,
    /// Whether they divide the frame among several styles.
    pub divides: bool,
}

/// How much of a frame is changed.
pub enum Covered {
    /// All of it: there is no mask.
    All,
    /// Nothing.
    Nothing,
    /// What these masks cover.
    Part(Arc<Prepared>),
}

impl Masks {
    /// Sets the properties, and the number of regions that the masks divide a frame into, at least 1. Reads the pictures. If
    /// this fails, nothing has changed.
    pub fn set(&mut self, settings: MaskSettings, regions: usize) -> Result<(), MaskError> {
        let pictures = files::read(&settings.files, regions)?;
        let masks = if settings.from == MaskFrom::Auto { pictures.grids.len() } else { 1 };
        files::check_count(masks, regions)?;
        *self = Self { settings, pictures, regions, ..Self::default() };
        Ok(())
    }

    /// The number of regions that was set.
    pub fn regions(&self) -> usize {
        self.regions
    }

    /// The source of the last frame's masks, in words; `None` without masks.
    fn source(&self) -> Option<&'static str> {
        self.last.as_ref().map(|(source, _)| match source {
            Source::Pictures => "the pictures of the property mask",
            Source::Video(_) => "the video of the pad mask",
            Source::Alpha => "the frame's alpha",
            Source::Person => "the people in the frame",
        })
    }

    /// Forgets what was made for frames of another size or format.
    pub fn forget_frames(&mut self) {
        self.last = None;
    }

    /// Forgets the frames that were painted: the next one does not continue them.
    pub fn forget_motion(&mut self) {
        self.times = FrameTimes::default();
    }

    /// Whether masks are taken from the frame's alpha.
    pub fn are_alpha(&self) -> bool {
        self.settings.from == MaskFrom::Alpha
    }

    /// Whether masks are the people in frames.
    pub fn are_people(&self) -> bool {
        self.settings.from == MaskFrom::Person
    }

    /// How much of a frame of this layout is changed. `video` is what the pad `mask` has for it, if that is linked; `person`,
    /// where it shows people, if that was asked for.
    fn cover(
        &mut self,
        layout: &Layout,
        frame: &VideoFrameRef<&gst::BufferRef>,
        video: Option<Option<&MaskFrame>>,
        person: Option<Grid>,
    ) -> Result<Covered, MaskError> {
        let source = match (self.settings.from, video) {
            (MaskFrom::Alpha, _) => Source::Alpha,
            (MaskFrom::Person, _) => Source::Person,
            (MaskFrom::Auto, Some(Some(frame))) => Source::Video(frame.number),
            (MaskFrom::Auto, Some(None)) => return Ok(Covered::Nothing),
            (MaskFrom::Auto, None) if self.pictures.grids.is_empty() => return Ok(Covered::All),
            (MaskFrom::Auto, None) => Source::Pictures,
        };
        let is_known = self.last.as_ref().is_some_and(|(last, _)| *last == source)
            && !matches!(source, Source::Alpha | Source::Person);
        if !is_known {
            let masks = match source {
                Source::Alpha => match alpha(layout, frame) {
                    Some(alpha) => self.prepared(&[alpha], layout)?,
                    None => return Ok(Covered::All),
                },
                Source::Person => match person {
                    Some(person) => self.prepared(&[person], layout)?,
                    None => return Ok(Covered::All),
                },
                Source::Video(number) => {
                    if self.held.as_ref().is_none_or(|held| held.number != number)
                        && let Some(Some(mask)) = video
                    {
                        self.held = Some(Held { number, grid: luma(mask)?, time: mask.start });
                    }
                    let held = self.held.as_ref().map(|held| std::slice::from_ref(&held.grid));
                    self.prepared(held.unwrap_or_default(), layout)?
                }
                Source::Pictures if self.pictures.are_indexed => self.prepared_indexed(layout)?,
                Source::Pictures => self.prepared(&self.pictures.grids, layout)?,
            };
            self.last = Some((source, Arc::new(masks)));
        }
        Ok(match &self.last {
            Some((_, prepared)) if prepared.opacity.is_empty() => Covered::Nothing,
            Some((_, prepared)) => Covered::Part(prepared.clone()),
            None => Covered::All,
        })
    }

    /// Moves the pad's mask along with what it covers to the frame of this running time, which was just painted. `by` moves a
    /// mask by a number of frames, if anything has moved. Returns the moved mask.
    pub fn follow(
        &mut self,
        layout: &Layout,
        time: Option<gst::ClockTime>,
        by: impl FnOnce(&Grid, u32) -> Result<Option<Grid>, gst::FlowError>,
    ) -> Result<Option<Arc<Prepared>>, gst::FlowError> {
        let Some(time) = time else { return Ok(None) };
        self.times.add(time);
        let (Some((source @ Source::Video(_), _)), Some(held)) = (&self.last, &mut self.held) else { return Ok(None) };
        let age = held.time.replace(time).map_or(0, |mask| self.times.age(mask));
        if age == 0 {
            return Ok(None);
        }
        let (source, Some(moved)) = (*source, by(&held.grid, age)?) else { return Ok(None) };
        held.grid = moved;
        let masks = self.held.as_ref().map(|held| std::slice::from_ref(&held.grid)).unwrap_or_default();
        let prepared = Arc::new(self.prepared(masks, layout).map_err(|_| gst::FlowError::Error)?);
        self.last = Some((source, prepared.clone()));
        Ok(Some(prepared))
    }

    /// Masks at a frame's size, and what they cover.
    fn prepared(&self, masks: &[Grid], layout: &Layout) -> Result<Prepared, MaskError> {
        self.covering(masks.iter().map(|mask| self.fitted(mask, layout)).collect(), layout)
    }

    /// The same for those of an indexed picture, which are not inverted.
    fn prepared_indexed(&self, layout: &Layout) -> Result<Prepared, MaskError> {
        let mut grids: Vec<_> =
            self.pictures.grids.iter().map(|mask| stretch(mask, [layout.width, layout.height])).collect();
        Grid::lay_over(&mut grids);
        self.covering(grids, layout)
    }

    /// Masks at a frame's size, with the opacity that they give the frame.
    fn covering(&self, grids: Vec<Grid>, layout: &Layout) -> Result<Prepared, MaskError> {
        files::check_count(grids.len(), self.regions)?;
        let opacity = match grids.len() == self.regions {
            true => Opacity::new(Grid::union(&grids), layout),
            // The last style takes the rest.
            false => Opacity::full(),
        };
        Ok(Prepared { grids, opacity, divides: self.regions > 1 })
    }

    /// A mask at a frame's size.
    fn fitted(&self, mask: &Grid, layout: &Layout) -> Grid {
        let grid = stretch(mask, [layout.width, layout.height]);
        if self.settings.invert { grid.inverted() } else { grid }
    }
}

/// How much of a frame is changed, by an element's masks and its pad `mask`, or by where it shows people. The element posts
/// errors.
pub fn cover(
    element: &impl IsA<gst::Element>,
    category: gst::DebugCategory,
    pad: &MaskPad,
    masks: &mut Masks,
    layout: &Layout,
    frame: &VideoFrameRef<&gst::BufferRef>,
    person: Option<Grid>,
) -> Result<Covered, gst::FlowError> {
    let video = pad.current();
    let source = masks.source();
    let covered = masks.cover(layout, frame, video.as_ref().map(Option::as_ref), person).map_err(|error| {
        element.post_error_message(message(error));
        gst::FlowError::Error
    })?;
    if masks.source() != source
        && let Some(source) = masks.source()
    {
        gst::debug!(category, obj = element, "masks of {}x{} are made from {source}", layout.width, layout.height);
    }
    Ok(covered)
}

/// The frame's alpha; none if its format has none.
fn alpha(layout: &Layout, frame: &VideoFrameRef<&gst::BufferRef>) -> Option<Grid> {
    let alpha = layout.components.iter().find(|component| component.kind == ComponentKind::Alpha)?;
    Some(Grid::of_component(frame, layout.depth, alpha))
}

/// The brightness of a mask from the pad.
fn luma(mask: &MaskFrame) -> Result<Grid, MaskError> {
    let frame = VideoFrameRef::from_buffer_ref_readable(&mask.buffer, &mask.info).map_err(|_| MaskError::Unreadable)?;
    Ok(Grid::of_luma(&frame))
}
