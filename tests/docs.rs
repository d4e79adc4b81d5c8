//! Checks the pages in docs/: their tables must agree with the elements, and the command lines on them must play, as
//! must every preset.
//!
//! `scripts/docs` regenerates the tables.

use std::fmt::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{root, scratch};
use gst::glib;
use gst::prelude::*;

const ELEMENTS: [&str; 2] = ["convfilter", "styletransfer"];

/// Separates the text of a page from its generated tables.
const MARK: &str = "<!-- From here on, scripts/docs writes the element's own description. -->\n";

/// Properties of every element, which the pages do not list.
const INHERITED: [&str; 3] = ["name", "parent", "qos"];

#[test]
#[ignore = "needs scripts/build"]
fn tables_agree_with_the_elements() {
    common::init();
    for name in ELEMENTS {
        let path = root().join(format!("docs/{name}.md"));
        let page = std::fs::read_to_string(&path).expect("the page exists");
        let (by_hand, tables) = page.split_once(MARK).expect("the page has the mark");
        let current = tables_of(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, format!("{by_hand}{MARK}{current}")).expect("the page is written");
        } else {
            assert!(tables == current, "docs/{name}.md does not agree with the element: run scripts/docs");
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn gst_inspect_lists_the_same_properties_and_presets_as_the_pages() {
    let folder = scratch("docs-inspect");
    for name in ELEMENTS {
        let page = std::fs::read_to_string(root().join(format!("docs/{name}.md"))).expect("the page exists");
        let (text, success) = shell(&folder, &format!("gst-inspect-1.0 {name}"));
        assert!(success, "{text}");
        // The elements have neither signals nor actions: the pages would have to list them.
        assert!(!text.contains("Element Signals") && !text.contains("Element Actions"), "{text}");
        let (_, inspected) = text.split_once("Element Properties:").expect("properties");
        let (properties, presets) = inspected.split_once("\nPresets:").expect("scripts/env sets the path of presets");
        for line in properties.lines() {
            // A property's first line is indented by two spaces, further lines by more.
            let Some((property, meaning)) = line
                .strip_prefix("  ")
                .filter(|line| line.starts_with(char::is_alphabetic))
                .and_then(|line| line.split_once(": "))
                .map(|(property, meaning)| (property.trim(), meaning.trim()))
            else {
                continue;
            };
            let row = page.lines().any(|line| line.starts_with(&format!("| {property} |")) && line.contains(meaning));
            assert_eq!(row, !INHERITED.contains(&property), "{name}: {property}: {meaning}");
        }
        for Preset { name: preset, comment, .. } in presets_of(name) {
            assert!(presets.contains(&format!("\"{preset}\": {comment}")), "{name}: {preset}: {presets}");
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn presets_have_valid_properties_and_values() {
    common::init();
    for name in ELEMENTS {
        let element = gst::ElementFactory::make(name).build().expect(name);
        for Preset { name: preset, settings, .. } in presets_of(name) {
            let sets_style = settings.iter().any(|(property, _)| property == "style");
            assert!(!sets_style, "{preset}: a preset must not set a style, which is the user's file");
            for (property, text) in settings {
                let pspec = element.find_property(&property).unwrap_or_else(|| panic!("{preset}: {property}"));
                let value = glib::Value::deserialize_with_pspec(&text, &pspec);
                let value = value.unwrap_or_else(|_| panic!("{preset}: {property}={text}"));
                // Panics if the value is out of range.
                element.set_property_from_value(&property, &value);
            }
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn presets_play() {
    let folder = scratch("docs-presets");
    painting(&folder);
    for name in ELEMENTS {
        let style = if name == "styletransfer" { "style=painting.jpg" } else { "" };
        for Preset { name: preset, .. } in presets_of(name) {
            let source = "videotestsrc num-buffers=2 ! video/x-raw,width=32,height=24";
            play(&folder, &format!("gst-launch-1.0 {source} ! {name} @preset={preset} {style} ! fakesink"));
        }
        let line = format!("gst-launch-1.0 videotestsrc ! {name} @preset=none-of-these ! fakesink");
        assert!(!shell(&folder, &line).1, "{line} plays");
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn lines_on_the_pages_play() {
    // Replaces cameras; windows are replaced by fakesink.
    let camera = "videotestsrc num-buffers=2 ! video/x-raw,width=32,height=24";
    let folder = scratch("docs-lines");
    painting(&folder);
    symlink(root().join("examples"), folder.join("examples")).expect("linked");
    play(&folder, &format!("gst-launch-1.0 {camera} ! x264enc ! mp4mux ! filesink location=film.mp4"));
    let mut count = 0;
    let pages = ["README.md", "docs/convfilter.md", "docs/styletransfer.md", "docs/settings.md"];
    for page in pages.into_iter().chain(["docs/masks.md", "docs/deepdream.md", "docs/first-five-minutes.md"]) {
        let page = std::fs::read_to_string(root().join(page)).expect("the page exists");
        let page = page.replace("\\\n", " ");
        for line in page.lines().filter_map(|line| line.strip_prefix("    ")) {
            let line = line.replace("v4l2src", camera).replace("autovideosink", "fakesink");
            let line = line.replace("videotestsrc is-live=true", camera);
            let of_files = line.replace("recipe=deepdream", "");
            if line.starts_with("gst-launch-1.0 ") && !["recipe=", "model="].iter().any(|part| of_files.contains(part))
            {
                play(&folder, &line);
            } else if line.starts_with("examples/") {
                play(&folder, &format!("SOURCE='{camera}' SINK=fakesink {line}"));
            } else if let Some(name) = line.strip_prefix("cargo run --release --example ") {
                let name = name.split_whitespace().next().expect("a name");
                let line = format!("SOURCE='{camera}' SINK=fakesink {}", common::example(name).display());
                let (text, success) = shell(&folder, &line);
                assert!(success, "{line}\n{text}");
            } else {
                // Other recipes need real weights, models their files. Other tests run apps, scripts and Meson; gpu-check
                // needs a GPU.
                continue;
            }
            count += 1;
        }
    }
    assert!(count > 18, "only {count} lines were found");
}

/// An element's properties, presets and formats as Markdown tables.
fn tables_of(name: &str) -> String {
    let factory = gst::ElementFactory::find(name).expect(name);
    let element = factory.create().build().expect(name);
    let mut properties: Vec<_> = element.list_properties().iter().cloned().collect();
    properties.retain(|pspec| pspec.owner_type() == element.type_());

    let mut text = String::from("\n## Properties\n\n");
    text += "*Control*: a GstController can drive it while playing. A property without a default is read-only.\n\n";
    text += &table_head(&["property", "type", "values", "default", "can be set", "meaning"]);
    for pspec in &properties {
        let (kind, values) = kind_and_values(pspec);
        let is_writable = pspec.flags().contains(glib::ParamFlags::WRITABLE);
        let default = if is_writable { shown(pspec.default_value()) } else { String::new() };
        let meaning = pspec.blurb().unwrap_or_default();
        text += &row(&[pspec.name(), &kind, &values, &default, when(pspec), meaning]);
    }

    for pspec in &properties {
        if let Some(class) = glib::EnumClass::with_type(pspec.value_type()) {
            writeln!(text, "\n### {}\n", pspec.name()).expect("a string grows");
            text += &table_head(&["value", "number", "meaning"]);
            for value in class.values() {
                text += &row(&[value.nick(), &value.value().to_string(), value.name()]);
            }
        } else if pspec.value_type() == gst::Structure::static_type() {
            let fields = statistics(&element, pspec.name());
            writeln!(text, "\n### {}\n\n`{}` has these fields:\n", pspec.name(), fields.name())
                .expect("a string grows");
            text += &table_head(&["field", "type"]);
            for (field, value) in fields.iter() {
                text += &row(&[field, type_name(value.type_())]);
            }
        }
    }

    text += "\n## Presets\n\n";
    text += &table_head(&["preset", "effect", "properties"]);
    for Preset { name: preset, comment, settings } in presets_of(name) {
        let settings: Vec<_> = settings.iter().map(|(property, text)| format!("`{property}={text}`")).collect();
        text += &row(&[&preset, &comment, &settings.join(", ")]);
    }

    let pads: Vec<_> = factory.static_pad_templates().iter().map(|template| template.caps()).collect();
    assert!(pads.iter().all(|caps| *caps == pads[0]), "all pads of {name} have the same formats");
    let structure = pads[0].structure(0).expect("a format");
    let formats = structure.get::<gst::List>("format").expect("formats");
    let formats: Vec<_> = formats.iter().map(|format| format.get::<String>().expect("a name")).collect();
    writeln!(text, "\n## Formats\n\nAll pads, the request pad [mask](masks.md) too, `{}`:\n", structure.name())
        .expect("a string grows");
    text += &wrapped(&formats);
    text
}

/// A property's type and the values that it accepts.
fn kind_and_values(pspec: &glib::ParamSpec) -> (String, String) {
    let range = if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecDouble>() {
        format!("{} to {}", number(pspec.minimum()), number(pspec.maximum()))
    } else if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecInt>() {
        format!("{} to {}", pspec.minimum(), pspec.maximum())
    } else if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecUInt>() {
        format!("{} to {}", pspec.minimum(), pspec.maximum())
    } else if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecUInt64>() {
        format!("{} to {}", pspec.minimum(), pspec.maximum())
    } else if pspec.value_type() == glib::Type::BOOL {
        "true, false".into()
    } else if pspec.is::<glib::ParamSpecEnum>() || pspec.is::<glib::ParamSpecBoxed>() {
        format!("[below](#{})", pspec.name())
    } else {
        String::new()
    };
    let kind = if pspec.is::<glib::ParamSpecEnum>() { "enum" } else { type_name(pspec.value_type()) };
    (kind.into(), range)
}

fn type_name(of: glib::Type) -> &'static str {
    match of {
        glib::Type::F64 => "double",
        glib::Type::I32 => "int",
        glib::Type::U32 => "uint",
        glib::Type::U64 => "uint64",
        glib::Type::BOOL => "boolean",
        glib::Type::STRING => "string",
        of if of == gst::Structure::static_type() => "structure",
        of => of.name(),
    }
}

/// When a property can be set.
fn when(pspec: &glib::ParamSpec) -> &'static str {
    let flags = pspec.flags();
    match () {
        () if !flags.contains(glib::ParamFlags::WRITABLE) => "",
        () if flags.contains(gst::PARAM_FLAG_CONTROLLABLE) => "while playing; control",
        () if flags.contains(gst::PARAM_FLAG_MUTABLE_PLAYING) => "while playing",
        () => "before it starts",
    }
}

/// A default value in the form that users type.
fn shown(value: &glib::Value) -> String {
    match value.get::<Option<String>>() {
        Ok(text) => format!("\"{}\"", text.unwrap_or_default()),
        Err(_) if value.type_() == glib::Type::F64 => number(value.get().expect("a double")),
        Err(_) => value.serialize().expect("a value with a text").to_string(),
    }
}

fn number(value: f64) -> String {
    if value.abs() < 1e9 { value.to_string() } else { format!("{value:.1e}").replace(".0e", "e") }
}

fn table_head(columns: &[&str]) -> String {
    row(columns) + &row(&vec!["---"; columns.len()])
}

fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | "))
}

/// Words in lines of up to 120 characters.
fn wrapped(words: &[String]) -> String {
    let mut lines = vec![String::new()];
    for word in words {
        let line = lines.last_mut().expect("at least one line");
        if line.is_empty() {
            *line += word;
        } else if line.len() + 1 + word.len() <= 120 {
            *line += &format!(" {word}");
        } else {
            lines.push(word.clone());
        }
    }
    lines.join("\n") + "\n"
}

/// A preset that comes with an element.
struct Preset {
    name: String,
    comment: String,
    /// The properties that it sets, and their values as text.
    settings: Vec<(String, String)>,
}

/// The structure that a property of styletransfer has once the element has started, since its engine names the fields.
fn statistics(element: &gst::Element, property: &str) -> gst::Structure {
    let style = scratch("docs").join("style.png");
    common::write_style(&style);
    element.set_property("style", style.to_str());
    element.set_state(gst::State::Paused).expect("the element starts");
    let structure = element.property(property);
    element.set_state(gst::State::Null).expect("the element stops");
    structure
}

fn presets_of(element: &str) -> Vec<Preset> {
    const COMMENT: &str = "_meta/comment";
    common::init();
    let kind = gst::ElementFactory::find(element).expect(element).element_type().name();
    let file = glib::KeyFile::new();
    file.load_from_file(root().join(format!("presets/{kind}.prs")), glib::KeyFileFlags::NONE).expect("presets");
    let groups = file.groups();
    let presets = groups.iter().filter(|group| !group.starts_with('_')).map(|name| {
        let value = |key: &str| file.value(name, key).expect("a value").to_string();
        let keys = file.keys(name).expect("keys");
        let properties = keys.iter().filter(|&key| key != COMMENT);
        let settings = properties.map(|key| (key.to_string(), value(key))).collect();
        Preset { name: name.to_string(), comment: value(COMMENT), settings }
    });
    let presets: Vec<_> = presets.collect();
    assert!(!presets.is_empty(), "{element} has presets");
    presets
}

/// Runs a command in a shell that has sourced scripts/env; returns its output and whether it succeeded.
fn shell(folder: &Path, command: &str) -> (String, bool) {
    let env: PathBuf = root().join("scripts/env");
    let output = Command::new("bash")
        .args(["-c", &format!(". '{}' && {command}", env.display())])
        .current_dir(folder)
        .env("GST_REGISTRY", folder.join("registry.bin"))
        // Hides the user's own presets and weights.
        .env("XDG_DATA_HOME", folder)
        .env_remove("STYLEFILTER_WEIGHTS")
        // cargo sets these, but a user's shell does not.
        .env_remove("LIBTORCH")
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("bash runs");
    (String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(), output.status.success())
}

fn play(folder: &Path, line: &str) {
    let (text, success) = shell(folder, line);
    assert!(success && text.contains("Got EOS") && !text.contains("WARNING"), "{line}\n{text}");
}

/// Writes the pictures that the pages' command lines use.
fn painting(folder: &Path) {
    let picture = image::RgbImage::from_fn(32, 24, |x, y| image::Rgb([(x * 8) as u8, (y * 10) as u8, 90]));
    for name in ["painting.jpg", "drawing.jpg", "photo.jpg"] {
        picture.save(folder.join(name)).expect("the picture is written");
    }
    let cut_out = image::RgbaImage::from_fn(32, 24, |x, y| image::Rgba([(x * 8) as u8, 20, 90, (y * 10) as u8]));
    cut_out.save(folder.join("logo.png")).expect("the picture is written");
    for name in ["person.png", "room.png"] {
        image::GrayImage::from_fn(32, 24, |x, _| image::Luma([(x * 8) as u8]))
            .save(folder.join(name))
            .expect("written");
    }
    let labels = std::fs::File::create(folder.join("labels.png")).expect("a file");
    let mut encoder = png::Encoder::new(labels, 2, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(&[200, 0, 0, 0, 0, 200][..]);
    encoder.write_header().expect("a header").write_image_data(&[0, 1]).expect("a row");
}
