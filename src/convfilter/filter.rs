//! The `filter` property: its values, and how each filter is built.

use gst::glib;
use gst::prelude::*;

use super::settings::{ParseCache, Settings};
use crate::filters::{self, Border, BorderMode, FilterError, FixedKernel};

/// The `filter` property's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstConvFilterFilter")]
pub enum Filter {
    /// Frames pass through unchanged.
    #[default]
    #[enum_value(name = "None: frames pass through unchanged", nick = "none")]
    None,
    #[enum_value(name = "Pillow's BLUR, 5 x 5", nick = "blur")]
    Blur,
    #[enum_value(name = "Pillow's CONTOUR: dark lines on white", nick = "contour")]
    Contour,
    #[enum_value(name = "Pillow's DETAIL", nick = "detail")]
    Detail,
    #[enum_value(name = "Pillow's EDGE_ENHANCE", nick = "edge-enhance")]
    EdgeEnhance,
    #[enum_value(name = "Pillow's EDGE_ENHANCE_MORE", nick = "edge-enhance-more")]
    EdgeEnhanceMore,
    #[enum_value(name = "Pillow's EMBOSS: a relief in gray", nick = "emboss")]
    Emboss,
    #[enum_value(name = "Pillow's FIND_EDGES: bright lines on black", nick = "find-edges")]
    FindEdges,
    #[enum_value(name = "Pillow's SMOOTH, 3 x 3", nick = "smooth")]
    Smooth,
    #[enum_value(name = "Pillow's SMOOTH_MORE, 5 x 5", nick = "smooth-more")]
    SmoothMore,
    #[enum_value(name = "Pillow's SHARPEN", nick = "sharpen")]
    Sharpen,
    #[enum_value(name = "Pillow's GaussianBlur, by radius and radius-y", nick = "gaussian-blur")]
    GaussianBlur,
    #[enum_value(name = "Pillow's BoxBlur, by radius and radius-y", nick = "box-blur")]
    BoxBlur,
    #[enum_value(name = "Pillow's UnsharpMask, by radius, radius-y, percent and threshold", nick = "unsharp-mask")]
    UnsharpMask,
    #[enum_value(name = "Your own kernel, by kernel, scale, offset, kernel-order and rounding", nick = "kernel")]
    Kernel,
    #[enum_value(name = "Pillow's RankFilter, by size and rank", nick = "rank")]
    Rank,
    #[enum_value(name = "Pillow's MedianFilter, by size", nick = "median")]
    Median,
    #[enum_value(name = "Pillow's MinFilter, by size", nick = "min")]
    Min,
    #[enum_value(name = "Pillow's MaxFilter, by size", nick = "max")]
    Max,
    #[enum_value(name = "Pillow's ModeFilter, by size", nick = "mode")]
    Mode,
    #[enum_value(
        name = "Your own WGSL, by shader or shader-location; needs a GPU or a software Vulkan driver",
        nick = "shader"
    )]
    Shader,
}

/// How a filter is built, and from which properties.
pub struct FilterInfo {
    /// The value of the `filter` property.
    filter: Filter,
    /// The properties that this filter reads, in addition to `border`, which all filters read.
    properties: &'static [&'static str],
    /// The border that Pillow has for this filter: the meaning of `border=auto`.
    auto_border: Border,
    builder: Builder,
}

enum Builder {
    Fixed(FixedKernel),
    FromSettings(fn(&Settings, Border, &mut ParseCache) -> Result<filters::Filter, FilterError>),
}

const CLAMP: Border = Border::Extend(BorderMode::Clamp);
const TRUNCATE: Border = Border::Extend(BorderMode::Truncate);

/// Every filter except `none`, in the order of the enumeration.
static FILTERS: [FilterInfo; 20] = [
    fixed(Filter::Blur, FixedKernel::BLUR),
    fixed(Filter::Contour, FixedKernel::CONTOUR),
    fixed(Filter::Detail, FixedKernel::DETAIL),
    fixed(Filter::EdgeEnhance, FixedKernel::EDGE_ENHANCE),
    fixed(Filter::EdgeEnhanceMore, FixedKernel::EDGE_ENHANCE_MORE),
    fixed(Filter::Emboss, FixedKernel::EMBOSS),
    fixed(Filter::FindEdges, FixedKernel::FIND_EDGES),
    fixed(Filter::Smooth, FixedKernel::SMOOTH),
    fixed(Filter::SmoothMore, FixedKernel::SMOOTH_MORE),
    fixed(Filter::Sharpen, FixedKernel::SHARPEN),
    from_settings(Filter::GaussianBlur, &["radius", "radius-y"], CLAMP, |set, border, _| {
        Ok(filters::gaussian_blur(set.radius_x(), set.radius_y(), border))
    }),
    from_settings(Filter::BoxBlur, &["radius", "radius-y"], CLAMP, |set, border, _| {
        Ok(filters::box_blur(set.radius_x(), set.radius_y(), border))
    }),
    from_settings(Filter::UnsharpMask, &["radius", "radius-y", "percent", "threshold"], CLAMP, |set, border, _| {
        Ok(filters::unsharp_mask(set.radius_x(), set.radius_y(), set.percent, set.threshold, border))
    }),
    from_settings(
        Filter::Kernel,
        &["kernel", "scale", "offset", "kernel-order", "rounding"],
        Border::Copy,
        |set, border, _| Ok(set.kernel()?.filter(border)),
    ),
    from_settings(Filter::Rank, &["size", "rank"], CLAMP, |set, border, _| filters::rank(set.size, set.rank, border)),
    from_settings(Filter::Median, &["size"], CLAMP, |set, border, _| filters::median(set.size, border)),
    from_settings(Filter::Min, &["size"], CLAMP, |set, border, _| filters::min(set.size, border)),
    from_settings(Filter::Max, &["size"], CLAMP, |set, border, _| filters::max(set.size, border)),
    from_settings(Filter::Mode, &["size"], TRUNCATE, |set, border, _| Ok(filters::mode(set.size, border))),
    from_settings(Filter::Shader, &["shader", "shader-location"], CLAMP, |set, border, cache| {
        Ok(filters::shader(set.shader(cache)?, border))
    }),
];

const fn fixed(filter: Filter, kernel: FixedKernel) -> FilterInfo {
    FilterInfo { filter, properties: &[], auto_border: Border::Copy, builder: Builder::Fixed(kernel) }
}

const fn from_settings(
    filter: Filter,
    properties: &'static [&'static str],
    auto_border: Border,
    build: fn(&Settings, Border, &mut ParseCache) -> Result<filters::Filter, FilterError>,
) -> FilterInfo {
    FilterInfo { filter, properties, auto_border, builder: Builder::FromSettings(build) }
}

impl Filter {
    /// The filter's row in the table; `none` has no row.
    pub fn info(self) -> Option<&'static FilterInfo> {
        FILTERS.iter().find(|info| info.filter == self)
    }

    /// The filter's nick, which users type.
    pub fn nick(self) -> String {
        glib::EnumValue::from_value(&self.to_value()).map_or_else(String::new, |(_, value)| value.nick().to_owned())
    }
}

impl FilterInfo {
    /// Builds the filter from the settings.
    pub fn build(&self, settings: &Settings, cache: &mut ParseCache) -> Result<filters::Filter, FilterError> {
        let border = settings.border_or(self.auto_border);
        match &self.builder {
            Builder::Fixed(kernel) => Ok(kernel.kernel().filter(border)),
            Builder::FromSettings(build) => build(settings, border, cache),
        }
    }
}

/// Whether any filter reads this property.
pub fn is_read(property: &str) -> bool {
    property == "border" || FILTERS.iter().any(|info| info.properties.contains(&property))
}

/// The properties that each filter reads, without `border`: `gaussian-blur: radius, radius-y; rank: size, rank`. The
/// element factory has this text as metadata, for programs that show a filter's properties.
pub fn properties_by_filter() -> String {
    let with_properties = FILTERS.iter().filter(|info| !info.properties.is_empty());
    let rows = with_properties.map(|info| format!("{}: {}", info.filter.nick(), info.properties.join(", ")));
    rows.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> glib::EnumClass {
        glib::EnumClass::with_type(Filter::static_type()).unwrap()
    }

    #[test]
    fn rows_have_the_order_of_the_values() {
        let in_table: Vec<_> = FILTERS.iter().map(|info| info.filter as i32).collect();
        let in_enumeration: Vec<_> = values().values().iter().map(glib::EnumValue::value).collect();
        assert_eq!([&[Filter::None as i32], &in_table[..]].concat(), in_enumeration);
    }

    #[test]
    fn descriptions_list_the_properties_that_filters_read() {
        for info in &FILTERS {
            let description = values().value(info.filter as i32).unwrap().name();
            let description = description.split(';').next().unwrap();
            let named = description.split_once(", by ").map_or("", |(_, properties)| properties);
            let named = named.replace(" and ", ", ").replace(" or ", ", ");
            assert_eq!(named, info.properties.join(", "), "{description}");
        }
    }

    #[test]
    fn the_element_has_all_properties_of_the_table() {
        gst::init().unwrap();
        let element = glib::Object::new::<super::super::ConvFilter>();
        for property in FILTERS.iter().flat_map(|info| info.properties) {
            assert!(element.find_property(property).is_some(), "{property}");
        }
    }
}
