//! The style pictures, and the targets of the style losses.

use tch::{Device, Tensor};

use crate::color::ColorStatistics;
use crate::networks::vgg::Vgg;
use crate::normalization::Normalizer;
use crate::recipes::Recipe;
use crate::size::{resize, scaled, size_of};
use crate::targets::{StyleTargets, style_targets};
use crate::{Error, Result};

/// The maximum factor by which a style picture is enlarged. Beyond it, strokes would be blurred.
const MAX_ENLARGEMENT: i64 = 2;

/// A style.
pub struct Style {
    /// The picture, `(1, 3, H, W)` in 0..1.
    pub picture: Tensor,
    /// The weight beside other styles, at least 0.
    pub weight: f64,
}

/// The styles on a device, with weights that sum up to 1; there may be none.
pub(crate) fn normalized(styles: &[Style], device: Device) -> Result<Vec<Style>> {
    if styles.is_empty() {
        return Ok(Vec::new());
    }
    let all: f64 = styles.iter().map(|style| style.weight).sum();
    if !(all.is_normal() && styles.iter().all(|style| style.weight >= 0.0)) {
        return Err(Error::Settings("the styles' weights must not be negative, and not all 0".into()));
    }
    let own = |style: &Style| Ok(Style { picture: style.picture.f_to_device(device)?, weight: style.weight / all });
    styles.iter().map(own).collect()
}

/// The styles, and what was last computed from them.
#[derive(Default)]
pub(crate) struct Styles {
    /// Their weights sum up to 1.
    styles: Vec<Style>,
    targets: Option<StyleTargets>,
    /// Whether masks divide the frames among the styles.
    divided: bool,
    /// The pictures' colors, together and each by itself.
    colors: Option<ColorStatistics>,
    own_colors: Vec<ColorStatistics>,
    /// The colors that the pictures are matched to.
    matched: Option<ColorStatistics>,
}

impl Styles {
    /// Sets the styles, of which only the ratios of weights count.
    pub fn set(&mut self, styles: &[Style], device: Device) -> Result<()> {
        self.styles = normalized(styles, device)?;
        self.targets = None;
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.styles.is_empty()
    }

    /// The number of styles.
    pub fn count(&self) -> usize {
        self.styles.len()
    }

    /// Whether masks divide the frames among the styles.
    pub fn divide(&mut self, divided: bool) {
        if self.divided != divided {
            (self.divided, self.targets) = (divided, None);
        }
    }

    /// Whether the targets are up to date.
    pub fn is_prepared(&self) -> bool {
        self.targets.is_some()
    }

    /// Discards the targets: they are computed again when they are next needed.
    pub fn forget_targets(&mut self) {
        self.targets = None;
    }

    /// The targets of the style losses.
    pub fn targets(&self) -> Result<&StyleTargets> {
        self.targets.as_ref().ok_or(Error::NoStyle)
    }

    /// The styles' colors.
    pub fn colors(&self) -> Option<&ColorStatistics> {
        self.colors.as_ref()
    }

    /// The colors of each style.
    pub fn own_colors(&self) -> &[ColorStatistics] {
        &self.own_colors
    }

    /// Matches the styles to the colors of `content` from now on; `None`: to no colors. The colors of a scene's first
    /// frame are used for the whole scene.
    pub fn match_colors(&mut self, content: Option<&Tensor>, is_first: bool) -> Result<()> {
        match content {
            None => self.matched = None,
            Some(content) if is_first || self.matched.is_none() => {
                self.matched = Some(ColorStatistics::of(content)?);
                self.targets = None;
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Computes the targets for frames of this height and width, unless they are up to date. The style is resized so
    /// that its longer side is the frame's times `scale`, as far as [`MAX_ENLARGEMENT`] allows.
    pub fn prepare(
        &mut self,
        network: &Vgg,
        recipe: &Recipe,
        input: &Normalizer,
        scale: f64,
        size: [i64; 2],
    ) -> Result<()> {
        if self.targets.as_ref().is_some_and(|targets| targets.size == size) {
            return Ok(());
        }
        let longest = (size[0].max(size[1]) as f64 * scale).round() as i64;
        let prepared = |style: &Style| {
            let own = size_of(&style.picture)?;
            let mut picture =
                resize(&style.picture, scaled(own, longest.clamp(1, MAX_ENLARGEMENT * own[0].max(own[1]))))?;
            if let Some(colors) = &self.matched {
                picture = colors.apply_to(&picture)?;
            }
            Ok((ColorStatistics::of(&picture)?, input.apply(&picture)?, style.weight))
        };
        let styles = self.styles.iter().map(prepared).collect::<Result<Vec<_>>>()?;
        self.colors = ColorStatistics::blend(styles.iter().map(|(colors, _, weight)| (colors, *weight)))?;
        let (mut own_colors, mut normalized) = (Vec::new(), Vec::new());
        for (colors, picture, weight) in styles {
            own_colors.push(colors);
            normalized.push((picture, weight));
        }
        self.own_colors = own_colors;
        self.targets = Some(style_targets(network, recipe, &normalized, size, self.divided)?);
        Ok(())
    }
}
