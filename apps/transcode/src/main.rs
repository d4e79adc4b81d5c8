//! Converts a film with convfilter or styletransfer; sound and subtitles are copied.
//!
//! `cargo run --release -p transcode -- INPUT OUTPUT --style painting.jpg`; `--help` lists the options.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{ArgGroup, Parser, ValueHint};
use film::bar::Bar;
use film::{Film, Made};
use gst::ClockTime;
use gst::prelude::*;

/// Filters or repaints a film. Sound, subtitles and tags are kept.
#[derive(Parser)]
#[command(name = "transcode", version, group = ArgGroup::new("effect").required(true))]
struct Arguments {
    /// Any film that GStreamer can read
    input: PathBuf,
    /// The film to write: .mp4, .mkv or .webm
    output: PathBuf,
    /// A filter of convfilter
    #[arg(long, value_name = "NAME", group = "effect")]
    filter: Option<String>,
    /// Several filters of convfilter, in order: "median, size=3; unsharp-mask, percent=200"
    #[arg(long, value_name = "FILTERS", group = "effect")]
    chain: Option<String>,
    /// A style picture for styletransfer; several are separated by commas
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "effect")]
    style: Option<String>,
    /// Set a property of the element: --set radius=6; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = property)]
    set: Vec<(String, String)>,
    /// x264, x265, vp8, vp9, or elements as for gst-launch-1.0: "nvh264enc preset=hq ! h264parse" [default: x264; for
    /// .webm vp9]
    #[arg(long, value_name = "NAME")]
    encoder: Option<String>,
    /// Quality, smaller is better: 0 to 50 for x264 [20] and x265 [23], 0 to 63 for vp8 [16] and vp9 [28]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=63))]
    quality: Option<u32>,
    /// Where to start: seconds, or 1:02:03.5
    #[arg(long, value_name = "TIME", value_parser = time)]
    start: Option<ClockTime>,
    /// How much to convert: seconds, or 1:02:03.5
    #[arg(long, value_name = "TIME", value_parser = time)]
    duration: Option<ClockTime>,
    /// Show the result in a window while converting
    #[arg(long)]
    preview: bool,
    /// Continue where an earlier run of this program ended, if there was one
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace OUTPUT, if it exists
    #[arg(long)]
    overwrite: bool,
}

/// The usual exit status after Ctrl-C.
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
        return Err(format!("{}: no such file", arguments.input.display()).into());
    }
    let film = Film {
        encoder: arguments.encoder.clone(),
        quality: arguments.quality,
        start: arguments.start,
        duration: arguments.duration,
        preview: arguments.preview,
        resume: arguments.resume,
        overwrite: arguments.overwrite,
        ..Film::new(&arguments.input, arguments.output.clone(), &element(&arguments)?)
    };

    let stop = Arc::new(AtomicBool::new(false));
    let interrupted = stop.clone();
    ctrlc::set_handler(move || {
        // A second Ctrl-C ends the program at once, without closing the file, and without the destructors of libraries that
        // other threads are still in.
        if interrupted.swap(true, Ordering::Relaxed) {
            signal_hook::low_level::exit(INTERRUPTED.into());
        }
    })?;
    let bar = Bar::new(&arguments.output)?;
    let made = film.make(|progress| bar.show(progress), &stop);
    drop(bar);
    let made = made?;
    println!("{}: {made}", made.path.display());
    if made.stopped && made.path == film.output {
        println!("stopped; --resume continues from there");
    } else if made.stopped {
        println!("stopped; {output} is as before; once it is moved away, --resume continues from there");
    }
    Ok(made)
}

/// The element, with its properties set.
fn element(arguments: &Arguments) -> Result<gst::Element, Box<dyn Error>> {
    let effects = [
        ("convfilter", "filter", &arguments.filter),
        ("convfilter", "chain", &arguments.chain),
        ("styletransfer", "style", &arguments.style),
    ];
    let effect = effects.into_iter().find_map(|(name, property, value)| Some((name, property, value.as_ref()?)));
    let (name, property, value) = effect.ok_or("one of --filter, --chain and --style is required")?;
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
        .map_err(|_| format!("{property}={value}: invalid value for this property of {name}"))?;
    element.set_property_from_value(property, &value);
    Ok(())
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Parses seconds, or hours, minutes and seconds separated by colons.
fn time(text: &str) -> Result<ClockTime, String> {
    let seconds = text
        .split(':')
        .try_fold(0.0, |sum, part| part.parse::<f64>().ok().filter(|part| *part >= 0.0).map(|part| sum * 60.0 + part));
    let time = seconds.and_then(|seconds| ClockTime::try_from_seconds_f64(seconds).ok());
    time.ok_or_else(|| "expected a time: seconds, or 1:02:03.5".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::builder::PossibleValuesParser;
    use common::documents::{Example, check};
    use gst::prelude::*;

    use super::Arguments;

    #[test]
    #[ignore = "needs scripts/build"]
    fn the_manual_and_the_completions_agree_with_the_options() {
        common::init();
        let element = gst::ElementFactory::make("convfilter").build().expect("the plugin is built");
        let filters =
            gst::glib::EnumClass::with_type(element.property_value("filter").type_()).expect("an enumeration");
        // clap keeps static texts only.
        let names: Vec<&'static str> = filters.values().iter().map(|value| &*value.nick().to_owned().leak()).collect();
        let command = Arguments::command().mut_arg("filter", |arg| arg.value_parser(PossibleValuesParser::new(names)));
        check(
            "stylefilter-transcode",
            command,
            &[
                Example { command: "film.mp4 filtered.mkv --filter emboss", effect: "Filters a film." },
                Example {
                    command: "film.mp4 painted.mp4 --style painting.jpg --set size=480 --preview",
                    effect: "Paints a film at a longer side of 480 pixels, and shows it meanwhile.",
                },
                Example {
                    command: "film.mp4 part.webm --start 1:30 --duration 20 --filter none",
                    effect: "Cuts out 20 seconds.",
                },
            ],
        );
    }
}
