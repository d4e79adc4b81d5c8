//! Containers, by file extension, and video encoders.

use std::path::Path;

use super::Outcome;

/// The muxers' pad templates.
pub const PICTURES: &str = "video_%u";
pub const SOUND: &str = "audio_%u";
pub const SUBTITLES: &str = "subtitle_%u";

/// A container format.
pub struct Container {
    pub extension: &'static str,
    /// The muxer, as for gst-launch-1.0.
    pub muxer: &'static str,
    /// The encoder for sound that the muxer does not accept as it is.
    pub sound_encoder: &'static str,
    /// The channel masks of more than one channel that this encoder knows, the smallest first.
    pub layouts: &'static [u64],
    holds_text: bool,
    /// Whether it shows only one subtitle at a time.
    pub shows_one_line: bool,
    /// Whether chapters can be written into it.
    pub holds_chapters: bool,
    /// The default video encoder.
    encoder: &'static str,
}

// An MP4 file that is not closed is lost. Fragmented MP4 would prevent that, but GStreamer 1.22 writes wrong offsets
// when it finalizes the fragments.
const CONTAINERS: [Container; 3] = [
    Container {
        extension: "mp4",
        muxer: "mp4mux",
        sound_encoder: "avenc_aac bitrate=192000 ! aacparse",
        layouts: &[0x3, 0x7, 0x107, 0x37, 0x3f],
        holds_text: true,
        shows_one_line: true,
        holds_chapters: true,
        encoder: "x264",
    },
    Container {
        extension: "mkv",
        muxer: "matroskamux",
        sound_encoder: "flacenc ! flacparse",
        layouts: &[0x3, 0x7, 0x33, 0x37, 0x3f, 0x13f, 0xc3f],
        holds_text: true,
        shows_one_line: false,
        holds_chapters: true,
        encoder: "x264",
    },
    Container {
        extension: "webm",
        muxer: "webmmux",
        sound_encoder: "opusenc bitrate=160000 ! opusparse",
        layouts: &[0x3, 0x7, 0x33, 0x37, 0x3f, 0xd0f, 0xc3f],
        holds_text: false,
        shows_one_line: false,
        holds_chapters: false,
        encoder: "vp9",
    },
];

/// Caps fields of muxers' templates that are not compared: a parser fills them in, or they only limit encoders.
const IGNORED_FIELDS: [&str; 6] = ["alignment", "channels", "framed", "layer", "rate", "stream-format"];

/// The caps of subtitles that GStreamer does not know, such as WebVTT in Matroska.
const UNKNOWN_SUBTITLES: &str = "application/x-subtitle-unknown";

impl Container {
    /// The container for a path's extension.
    pub fn of(path: &Path) -> Outcome<&'static Self> {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        CONTAINERS.iter().find(|container| extension == container.extension).ok_or_else(|| {
            let known = CONTAINERS.map(|container| format!(".{}", container.extension)).join(", ");
            format!("{}: the output's extension must be one of {known}", path.display()).into()
        })
    }

    /// The default video encoder.
    pub fn encoder(&self) -> &'static str {
        self.encoder
    }

    /// The caps at which decoding stops: raw video, and sound and subtitles in a form that the container can hold.
    pub fn wanted(&self) -> gst::Caps {
        let mut wanted = gst::Caps::builder("video/x-raw").any_features().build();
        wanted.merge(self.held(SOUND));
        if self.holds_text {
            wanted.merge(self.held(SUBTITLES));
        }
        for decoded in ["audio/x-raw", "text/x-raw"] {
            wanted.merge(gst::Caps::new_empty_simple(decoded));
        }
        wanted
    }

    /// The caps at which nothing is decoded: all that the container can hold.
    pub fn stored(&self) -> gst::Caps {
        let mut stored = self.held(PICTURES);
        stored.merge(self.held(SOUND));
        stored.merge(self.held(SUBTITLES));
        stored
    }

    /// Whether it can hold a stream of these caps, as it is or encoded again.
    pub fn holds(&self, caps: &gst::Caps) -> bool {
        let name = name(caps);
        name.starts_with("audio/") || self.holds_text && (name == "text/x-raw" || self.takes(caps, SUBTITLES))
    }

    /// Whether it can hold sound of these caps as it is.
    pub fn takes_sound(&self, caps: &gst::Caps) -> bool {
        name(caps) != "audio/x-raw" && self.takes(caps, SOUND)
    }

    fn takes(&self, caps: &gst::Caps, template: &str) -> bool {
        caps.is_subset(&self.held(template))
    }

    /// The caps of the muxer's pad template, without the ignored fields.
    fn held(&self, template: &str) -> gst::Caps {
        let muxer = self.muxer.split(' ').next().and_then(gst::ElementFactory::find);
        let template = muxer
            .as_ref()
            .and_then(|muxer| muxer.static_pad_templates().into_iter().find(|pad| pad.name_template() == template));
        let mut caps = template.map_or_else(gst::Caps::new_empty, |template| template.caps());
        // The muxer's template has these, but it refuses them.
        let accepted = caps.iter().filter(|structure| structure.name() != UNKNOWN_SUBTITLES);
        caps = accepted.map(gst::StructureRef::to_owned).collect();
        for structure in caps.make_mut().iter_mut() {
            structure.remove_fields(IGNORED_FIELDS);
        }
        caps
    }
}

/// Whether these are the caps of subtitles.
pub fn is_text(caps: &gst::Caps) -> bool {
    !["video/", "audio/", "image/"].iter().any(|kind| name(caps).starts_with(kind))
}

/// The media type of caps.
pub fn name(caps: &gst::Caps) -> &str {
    caps.structure(0).map_or("", |structure| structure.name().as_str())
}

/// A video encoder.
#[derive(Clone, Debug)]
pub struct Encoder {
    /// The encoder, as for gst-launch-1.0.
    pub description: String,
    /// Whether it accepts more than 8 bits.
    pub deep: bool,
    /// Whether it needs an even width and height.
    pub even: bool,
}

impl Encoder {
    /// x264, x265, vp8 or vp9, with a quality on the encoder's own scale, where smaller is better; or an encoder as for
    /// gst-launch-1.0.
    pub fn new(name: &str, quality: Option<u32>) -> Outcome<Self> {
        let quality_or = |default: u32| quality.unwrap_or(default);
        // No lag: GStreamer 1.22 loses the last frames that libvpx delays.
        let vpx = |element: &str, default: u32| {
            let quality = quality_or(default);
            format!(
                "{element} min-quantizer={quality} max-quantizer={quality} target-bitrate=100000000 deadline=1000000 cpu-used=4 threads=16 lag-in-frames=0"
            )
        };
        let (description, deep, even) = match name {
            "x264" => (format!("x264enc pass=qual quantizer={} ! h264parse", quality_or(20)), true, true),
            "x265" => (format!("x265enc option-string=crf={}:log-level=1 ! h265parse", quality_or(23)), true, true),
            "vp8" => (vpx("vp8enc", 16), false, false),
            "vp9" => (format!("{} row-mt=true ! vp9parse", vpx("vp9enc", 28)), true, false),
            own if quality.is_none() => (own.to_owned(), false, true),
            own => {
                let reason = "--quality is for x264, x265, vp8 and vp9 only; set the encoder's own property instead";
                return Err(format!("{own}: {reason}").into());
            }
        };
        Ok(Self { description, deep, even })
    }
}
