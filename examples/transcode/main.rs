//! Converts films: every picture through convfilter or styletransfer, sound and subtitles taken over.
//!
//! `cargo run --release --example transcode -- INPUT OUTPUT --style painting.jpg`; `--help` tells the rest.

#[path = "../film/mod.rs"]
mod film;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{ArgGroup, Parser};
use film::bar::Bar;
use film::{Film, Made};
use gst::ClockTime;
use gst::prelude::*;

/// Filters or repaints a film. Sound, subtitles and tags are taken over.
#[derive(Parser)]
#[command(name = "transcode", group = ArgGroup::new("look").required(true))]
struct Arguments {
    /// Any film that GStreamer can read
    input: PathBuf,
    /// The film to make: .mp4, .mkv or .webm
    output: PathBuf,
    /// A filter of convfilter's, by name
    #[arg(long, value_name = "NAME", group = "look")]
    filter: Option<String>,
    /// Several filters: "median, size=3; unsharp-mask, percent=200"
    #[arg(long, value_name = "FILTERS", group = "look")]
    chain: Option<String>,
    /// A picture to paint in the style of; several parted by commas
    #[arg(long, value_name = "FILE", group = "look")]
    style: Option<String>,
    /// A property of the element: --set radius=6; as often as needed
    #[arg(long, value_name = "NAME=VALUE", value_parser = property)]
    set: Vec<(String, String)>,
    /// x264, x265, vp8, vp9, or as for gst-launch: "nvh264enc preset=hq ! h264parse" [default: x264; for .webm vp9]
    #[arg(long, value_name = "NAME")]
    encoder: Option<String>,
    /// Less is better: 0 to 50 for x264 [20] and x265 [23], 0 to 63 for vp8 [16] and vp9 [28]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=63))]
    quality: Option<u32>,
    /// Where to begin: seconds, or 1:02:03.5
    #[arg(long, value_name = "TIME", value_parser = time)]
    start: Option<ClockTime>,
    /// How much to convert
    #[arg(long, value_name = "TIME", value_parser = time)]
    duration: Option<ClockTime>,
    /// Show what is made in a window
    #[arg(long)]
    preview: bool,
    /// Go on where OUTPUT ends, if there is one
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace OUTPUT, if there is one
    #[arg(long)]
    overwrite: bool,
}

/// What a shell gives a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match transcode(Arguments::parse()) {
        Ok(made) if made.stopped => ExitCode::from(INTERRUPTED),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("transcode: {error}");
            ExitCode::FAILURE
        }
    }
}

fn transcode(arguments: Arguments) -> Result<Made, Box<dyn Error>> {
    gst::init()?;
    let output = arguments.output.display();
    if !arguments.input.is_file() {
        return Err(format!("{}: there is no such file", arguments.input.display()).into());
    }
    if arguments.output.exists() {
        if arguments.input.canonicalize()? == arguments.output.canonicalize()? {
            return Err(format!("{output} is the input, too").into());
        }
        if !arguments.overwrite && !arguments.resume {
            return Err(format!("{output} is there already: --overwrite replaces it, --resume goes on from it").into());
        }
    }
    let film = Film {
        encoder: arguments.encoder.clone(),
        quality: arguments.quality,
        start: arguments.start,
        duration: arguments.duration,
        preview: arguments.preview,
        resume: arguments.resume,
        ..Film::new(&arguments.input, arguments.output.clone(), &element(&arguments)?)
    };

    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    ctrlc::set_handler(move || {
        // Who asks again does not want to wait for the file to be closed.
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    })?;
    let bar = Bar::new(&arguments.output)?;
    let made = film.make(|progress| bar.show(progress), &stop);
    drop(bar);
    let made = made?;
    println!("{output}: {made}");
    if made.stopped {
        println!("stopped; with --resume it goes on from there");
    }
    Ok(made)
}

/// The element that was asked for.
fn element(arguments: &Arguments) -> Result<gst::Element, Box<dyn Error>> {
    let looks = [
        ("convfilter", "filter", &arguments.filter),
        ("convfilter", "chain", &arguments.chain),
        ("styletransfer", "style", &arguments.style),
    ];
    let look = looks.into_iter().find_map(|(name, property, value)| Some((name, property, value.as_ref()?)));
    let (name, property, value) = look.ok_or("neither filter nor style")?;
    let element = gst::ElementFactory::make(name)
        .build()
        .map_err(|_| format!("GStreamer does not find {name}: run scripts/build, then `. scripts/env`"))?;
    set(&element, property, value)?;
    arguments.set.iter().try_for_each(|(property, value)| set(&element, property, value))?;
    Ok(element)
}

/// Sets a property as gst-launch does.
fn set(element: &gst::Element, property: &str, value: &str) -> Result<(), Box<dyn Error>> {
    let name = element.factory().map(|factory| factory.name()).unwrap_or_default();
    let pspec = element.find_property(property).ok_or_else(|| format!("{name} has no property {property}"))?;
    let value = gst::glib::Value::deserialize_with_pspec(value, &pspec)
        .map_err(|_| format!("{property}={value}: that is none of {name}'s values"))?;
    element.set_property_from_value(property, &value);
    Ok(())
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is meant")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Seconds, or hours, minutes and seconds parted by colons.
fn time(text: &str) -> Result<ClockTime, String> {
    let seconds = text
        .split(':')
        .try_fold(0.0, |sum, part| part.parse::<f64>().ok().filter(|part| *part >= 0.0).map(|part| sum * 60.0 + part));
    seconds.and_then(|seconds| ClockTime::try_from_seconds_f64(seconds).ok()).ok_or_else(|| "a time is meant".into())
}
