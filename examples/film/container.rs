//! What files can hold, by their extension, and what encodes pictures for them.

use std::path::Path;

use super::Outcome;

/// Muxers' pads.
pub const PICTURES: &str = "video_%u";
pub const SOUND: &str = "audio_%u";
pub const SUBTITLES: &str = "subtitle_%u";

/// A kind of file.
pub struct Container {
    pub extension: &'static str,
    /// The muxer, as for gst-launch.
    pub muxer: &'static str,
    /// What encodes sound that the muxer does not take as it is.
    pub sound_encoder: &'static str,
    holds_text: bool,
    encoder: &'static str,
}

// An MP4 file is lost where it cannot be closed. Fragments, made whole in the end, would help, but GStreamer 1.22 gets their
// places wrong.
const CONTAINERS: [Container; 3] = [
    Container {
        extension: "mp4",
        muxer: "mp4mux",
        sound_encoder: "avenc_aac bitrate=192000 ! aacparse",
        holds_text: true,
        encoder: "x264",
    },
    Container {
        extension: "mkv",
        muxer: "matroskamux",
        sound_encoder: "flacenc ! flacparse",
        holds_text: true,
        encoder: "x264",
    },
    Container {
        extension: "webm",
        muxer: "webmmux",
        sound_encoder: "opusenc bitrate=160000 ! opusparse",
        holds_text: false,
        encoder: "vp9",
    },
];

/// Fields of caps that a parser fills in, and those that bound what encoders make.
const LOOSE: [&str; 6] = ["alignment", "channels", "framed", "layer", "rate", "stream-format"];

impl Container {
    /// The one whose extension `path` has.
    pub fn of(path: &Path) -> Outcome<&'static Self> {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        CONTAINERS.iter().find(|container| extension == container.extension).ok_or_else(|| {
            let known = CONTAINERS.map(|container| format!(".{}", container.extension)).join(", ");
            format!("{}: the output's extension must be one of {known}", path.display()).into()
        })
    }

    /// What encodes pictures for it where nothing else is asked for.
    pub fn encoder(&self) -> &'static str {
        self.encoder
    }

    /// What is asked of a film: decoded pictures, and sound and subtitles as they are, where they can stay so.
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

    /// Everything as it lies in it.
    pub fn stored(&self) -> gst::Caps {
        let mut stored = self.held(PICTURES);
        stored.merge(self.held(SOUND));
        stored.merge(self.held(SUBTITLES));
        stored
    }

    /// Whether a stream of these caps can go into it, as it is or encoded.
    pub fn holds(&self, caps: &gst::Caps) -> bool {
        let name = name(caps);
        name.starts_with("audio/") || self.holds_text && (name == "text/x-raw" || self.takes(caps, SUBTITLES))
    }

    /// Whether sound of these caps goes into it as it is.
    pub fn takes_sound(&self, caps: &gst::Caps) -> bool {
        name(caps) != "audio/x-raw" && self.takes(caps, SOUND)
    }

    fn takes(&self, caps: &gst::Caps, template: &str) -> bool {
        caps.is_subset(&self.held(template))
    }

    /// What its muxer takes, loosely.
    fn held(&self, template: &str) -> gst::Caps {
        let muxer = self.muxer.split(' ').next().and_then(gst::ElementFactory::find);
        let template = muxer
            .as_ref()
            .and_then(|muxer| muxer.static_pad_templates().into_iter().find(|pad| pad.name_template() == template));
        let mut caps = template.map_or_else(gst::Caps::new_empty, |template| template.caps());
        for structure in caps.make_mut().iter_mut() {
            structure.remove_fields(LOOSE);
        }
        caps
    }
}

/// What caps are of.
pub fn name(caps: &gst::Caps) -> &str {
    caps.structure(0).map_or("", |structure| structure.name().as_str())
}

/// What encodes pictures.
#[derive(Clone, Debug)]
pub struct Encoder {
    /// As for gst-launch.
    pub description: String,
    /// Whether it takes more than 8 bits, and whether only even widths and heights.
    pub deep: bool,
    pub even: bool,
}

impl Encoder {
    /// x264, x265, vp8, vp9, with a quality in their own numbers, where less is better; or an encoder of one's own, as for
    /// gst-launch.
    pub fn new(name: &str, quality: Option<u32>) -> Outcome<Self> {
        let of_quality = |usual: u32| quality.unwrap_or(usual);
        // GStreamer 1.22 loses the last pictures of those that libvpx holds back.
        let vpx = |element: &str, usual: u32| {
            let quality = of_quality(usual);
            format!(
                "{element} min-quantizer={quality} max-quantizer={quality} target-bitrate=100000000 deadline=1000000 cpu-used=4 threads=16 lag-in-frames=0"
            )
        };
        let (description, deep, even) = match name {
            "x264" => (format!("x264enc pass=qual quantizer={} ! h264parse", of_quality(20)), true, true),
            "x265" => (format!("x265enc option-string=crf={}:log-level=1 ! h265parse", of_quality(23)), true, true),
            "vp8" => (vpx("vp8enc", 16), false, false),
            "vp9" => (format!("{} row-mt=true ! vp9parse", vpx("vp9enc", 28)), true, false),
            own if quality.is_none() => (own.to_owned(), false, true),
            own => return Err(format!("{own}: an encoder of your own takes its quality as a property").into()),
        };
        Ok(Self { description, deep, even })
    }
}
