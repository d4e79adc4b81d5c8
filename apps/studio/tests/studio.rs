//! Tests the studio's page in headless Chromium.

#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod browser;
#[path = "../src/knobs.rs"]
#[allow(dead_code, reason = "only some functions are tested here")]
mod knobs;

use std::path::Path;
use std::process::Command;

use browser::{OSC, Page, block_on, browser, kept, studio};
use common::{Frame, Line, scratch};
use fantoccini::Locator;
use fantoccini::actions::{MouseActions, TouchActions};
use gst::prelude::*;
use serde_json::json;

/// Returns the ages of pictures when the page has drawn them, in milliseconds. The source draws the time into them.
const DELAYS: &str = "
    const done = arguments[0], canvas = document.getElementById('picture'), delays = [];
    let last = canvas.dataset.frame;
    const measure = () => {
        if (canvas.dataset.frame !== last) {
            last = canvas.dataset.frame;
            const row = canvas.getContext('2d').getImageData(0, 8, 24 * 16, 1).data;
            let time = 0;
            for (let bit = 0; bit < 24; bit++) time = time * 2 + (row[4 * (16 * bit + 8) + 1] > 128 ? 1 : 0);
            delays.push((Date.now() - time) & 0xffffff);
        }
        if (delays.length < 90) requestAnimationFrame(measure); else done(delays);
    };
    measure();";

/// The number of a film's frames that can be decoded.
fn frames(film: &Path) -> usize {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args("-v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0".split(' ')).arg(film);
    let output = ffprobe.output().expect("scripts/setup --tests installs ffprobe").stdout;
    String::from_utf8_lossy(&output).trim().parse().unwrap_or_default()
}

fn png(picture: &image::RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("the picture is encoded");
    bytes.into_inner()
}

fn style() -> Vec<u8> {
    let picture = image::RgbImage::from_fn(96, 96, |x, y| {
        let ring = ((f64::from(x) - 48.0).hypot(f64::from(y) - 40.0) / 5.0) as u32 % 2;
        image::Rgb(if ring == 0 { [250, 180, 20] } else { [20, 30, 140] })
    });
    png(&picture)
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn the_page_shows_the_picture_and_changes_settings() {
    let folder = scratch("studio");
    block_on(async {
        // A model that cannot be opened.
        let models = kept(&folder).join("models");
        std::fs::create_dir_all(&models).expect("made");
        std::fs::write(models.join("broken.pth"), b"no network at all").expect("written");
        let (running, address) = studio(&folder, &[OSC]);
        let (driver, client) = browser(&folder).await;
        let page = Page(&client);
        client.goto(&address).await.expect("the page opens");

        page.new_pictures("the picture moves").await;
        page.set("#source", "clock").await;
        page.text("the command has the source", "line", |line| line.contains("videotestsrc")).await;
        let delays = client.execute_async(DELAYS, vec![]).await.expect("pictures come");
        let mut delays: Vec<i64> = serde_json::from_value(delays).expect("numbers");
        // The first ones may be of the previous source, which has no time code.
        let delays = &mut delays[20..];
        delays.sort_unstable();
        println!("640 x 360, from drawing to drawn: median {} ms, {delays:?}", delays[delays.len() / 2]);

        // A large blur makes the bars nearly gray.
        let [_, spread, _] = page.picture("the test picture has bars", |[_, spread, _]| spread > 40.0).await;
        page.set("[data-switch=convfilter] input", true).await;
        page.set("[data-element=convfilter][data-knob=filter] select", "box-blur").await;
        page.set("[data-element=convfilter][data-knob=radius] input[type=number]", 300).await;
        page.picture("a filter changes the picture", |[_, blurred, _]| blurred < spread / 2.0).await;
        let section = "[data-element-section=convfilter] .mask";
        page.press(&format!("{section} .draw")).await;
        page.press("#brush-done").await;
        page.picture("a black mask keeps the picture", |[_, masked, _]| masked > spread * 0.9).await;
        page.press(&format!("{section} .draw")).await;
        page.set("#brush-size", 0.4).await;
        // The measured rows are a quarter of the picture's height above and below these.
        page.drag(mouse(), "#mask", 0.42).await;
        page.save_screenshot(folder.join("mask.png"), 1440, 900).await;
        page.press("#brush-done").await;
        page.picture("what is drawn is filtered", |[_, blurred, _]| blurred < spread / 2.0).await;
        page.text("the command has the mask", "line", |line| line.contains("convfilter mask=")).await;
        for (tool, whose) in [("#brush-erase", "erased"), ("#brush-clear", "cleared")] {
            page.press(&format!("{section} .draw")).await;
            page.press(tool).await;
            if whose == "erased" {
                page.drag(mouse(), "#mask", 0.42).await;
            }
            page.press("#brush-done").await;
            page.picture(&format!("a mask that is {whose} filters nothing"), |[_, masked, _]| masked > spread * 0.9)
                .await;
            page.press(&format!("{section} .draw")).await;
            page.drag(TouchActions::new("finger".into()), "#mask", 0.42).await;
            page.press("#brush-done").await;
            page.picture("what a finger draws is filtered", |[_, blurred, _]| blurred < spread / 2.0).await;
        }
        page.drop_file(section, "black.png", &png(&image::RgbImage::new(8, 8))).await;
        page.picture("a dropped mask is used", |[_, masked, _]| masked > spread * 0.9).await;
        page.drop_file(section, "holiday.png", b"no picture at all").await;
        page.text("a bad mask is refused", "toast", |text| text.contains("the mask cannot be used")).await;
        page.set("[data-element=convfilter][data-knob=mask-invert] input", true).await;
        page.picture("the inverted mask is white", |[_, blurred, _]| blurred < spread / 2.0).await;
        page.set("[data-element=convfilter][data-knob=mask-invert] input", false).await;
        page.save_look("masked").await;
        page.press(&format!("{section} .remove")).await;
        page.picture("without a mask all is filtered", |[_, blurred, _]| blurred < spread / 2.0).await;
        page.press("[data-look=masked]").await;
        page.picture("the look has the mask", |[_, masked, _]| masked > spread * 0.9).await;
        page.press(&format!("{section} .remove")).await;
        page.text("the mask is removed", "line", |line| !line.contains("mask=")).await;
        page.set("[data-element=convfilter][data-knob=mix] input[type=range]", 0).await;
        page.picture("a slider changes the picture", |[_, mixed, _]| mixed > spread * 0.9).await;
        page.text("the command has the properties", "line", |line| {
            line.contains("convfilter filter=box-blur radius=300.0 mix=0.0")
        })
        .await;

        page.press("#record").await;
        let film = page.text("a film is written", "film", |text| !text.is_empty()).await;
        page.new_pictures("the picture moves while recording").await;
        page.press("#record").await;
        page.text("the film is closed", "film", str::is_empty).await;
        assert!(film.starts_with(folder.to_str().expect("a path in UTF-8")) && frames(Path::new(&film)) > 5, "{film}");

        page.drop_file("body", "holiday.png", b"no picture at all").await;
        let reason = page.text("a bad file is refused", "toast", |text| !text.is_empty()).await;
        assert!(reason.contains("holiday.png cannot be used: not a readable picture"), "{reason}");

        page.set("[data-switch=convfilter] input", false).await;
        page.set("[data-element=styletransfer][data-knob=size] input[type=number]", 96).await;
        let [before, ..] = page.picture("the filter is off", |[_, spread, _]| spread > 40.0).await;
        page.drop_file("body", "rings of gold.png", &style()).await;
        page.text("the style opens", "style-status", |text| text.contains("built-in")).await;
        page.picture("a dropped style changes the picture", |[mean, ..]| (mean - before).abs() > 4.0).await;
        client.find(Locator::Css("[data-style='rings of gold.jpg']")).await.expect("the gallery has the style");
        page.save_screenshot(folder.join("phone.png"), 500, 844).await;
        page.save_screenshot(folder.join("wide.png"), 1440, 900).await;

        // A second page shows the same picture, and a page in the background, which does not draw, delays nobody.
        let other = client.new_window(true).await.expect("another page");
        let first = client.window().await.expect("this page");
        client.switch_to_window(other.handle.clone()).await.expect("the other page is open");
        client.goto(&address).await.expect("the page opens");
        page.new_pictures("the picture moves on the second page").await;
        page.text("both pages are counted", "viewers", |text| text == "2").await;
        client.switch_to_window(first).await.expect("the first page is open");
        page.new_pictures("the picture moves on the first page").await;

        page.save_look("golden").await;
        page.set("[data-switch=styletransfer] input", false).await;
        page.text("the style is off", "style-status", str::is_empty).await;
        running.interrupt();

        let (_running, address) = studio(&folder, &[OSC]);
        client.goto(&address).await.expect("the page opens again");
        page.new_pictures("the picture moves again").await;
        page.text("the style is still off", "line", |line| !line.contains("styletransfer")).await;
        let radius = "[data-element=convfilter][data-knob=radius] input[type=number]";
        let radius = format!("return document.querySelector('{radius}').value");
        page.until("the radius was saved", &radius, |value| *value == json!("300")).await;
        page.press("[data-look=golden]").await;
        page.text("the saved look is loaded", "style-status", |text| text.contains("built-in")).await;
        page.picture("the loaded look changes the picture", |[mean, ..]| (mean - before).abs() > 4.0).await;

        page.press("[data-model=starry-night]").await;
        page.text("the model paints", "style-status", |text| text.starts_with("starry-night")).await;
        let line = page.text("the command has the model", "line", |line| line.contains("model=starry-night")).await;
        assert!(!line.contains("style="), "{line}");
        page.set("[data-element=styletransfer][data-knob=mask-from] select", "person").await;
        page.text("people are the mask", "line", |line| line.contains("mask-from=person")).await;
        page.save_screenshot(folder.join("models.png"), 1440, 900).await;
        page.press("[data-model='broken.pth']").await;
        page.text("a broken model is refused", "toast", |text| text.contains("broken.pth")).await;
        page.text("the last model goes on", "style-status", |text| text.starts_with("starry-night")).await;
        page.save_look("night").await;
        page.press("[data-look=golden]").await;
        page.text("the look has a style and no model", "style-status", |text| text.contains("built-in")).await;
        page.text("the command has no model", "line", |line| !line.contains("model=")).await;
        page.press("[data-look=night]").await;
        page.text("the look has a model", "style-status", |text| text.starts_with("starry-night")).await;

        client.close().await.expect("Chromium ends");
        drop(driver);
    });
}

fn mouse() -> MouseActions {
    MouseActions::new("mouse".into())
}

/// Values other than the defaults for the properties that a filter may use.
const CHANGED: [(&str, &str); 12] = [
    ("kernel", "1 0; 0 4"),
    ("kernel-order", "bottom-up"),
    ("offset", "9"),
    ("percent", "40"),
    ("radius", "4"),
    ("radius-y", "7"),
    ("rank", "5"),
    ("rounding", "down"),
    ("scale", "3"),
    ("size", "5"),
    ("threshold", "90"),
    ("border", "zero"),
];
/// The kernel filter does not start without a kernel.
const START: &str = "convfilter backend=cpu kernel=\"1 2; 3 5\"";

#[test]
#[ignore = "needs scripts/build"]
fn a_property_is_shown_with_every_filter_that_it_changes() {
    let mut frame = Frame { format: gst_video::VideoFormat::Gray8, width: 24, height: 24, bytes: Vec::new() };
    frame.bytes = common::random::Random(5).bytes(24 * 24);
    let mut line = Line::playing(START);
    let shown = serde_json::to_value(knobs::all(&line.element)).expect("JSON");
    let shown = shown.as_array().expect("a list");
    let is_shown_for = |name: &str, filter: &str| {
        let property = shown.iter().find(|property| property["name"] == name).expect("a property");
        property["for"].as_array().is_none_or(|filters| filters.contains(&json!(filter)))
    };
    let filters =
        gst::glib::EnumClass::with_type(line.element.property_value("filter").type_()).expect("an enumeration");
    // The shader filter needs a GPU, and uses only the border of these.
    for filter in filters.values().iter().map(|value| value.nick()).filter(|&filter| filter != "shader") {
        line.element.set_property_from_str("filter", filter);
        let before = line.push_pull(&frame).bytes;
        for (name, value) in CHANGED {
            let default = line.element.property_value(name);
            line.element.set_property_from_str(name, value);
            let changes = line.push_pull(&frame).bytes != before;
            assert!(!changes || is_shown_for(name, filter), "{name} changes {filter} but is hidden");
            line.element.set_property_from_value(name, &default);
        }
    }
}

#[test]
#[ignore = "needs scripts/build"]
fn a_control_s_number_is_rounded_to_what_a_property_can_be() {
    let line = Line::playing(START);
    let set = |name: &str, number: f64| {
        knobs::set_number(&line.element, name, number);
        knobs::number(&line.element, name)
    };
    // A window's size is odd; choices are counted; a switch is on in its upper half.
    assert_eq!([4.1, 5.9, 7.0].map(|size| set("size", size)), [5.0, 5.0, 7.0].map(Some));
    assert_eq!([0.4, 1.6].map(|choice| set("border", choice)), [0.0, 2.0].map(Some));
    assert_eq!([0.49, 0.5].map(|on| set("mask-invert", on)), [0.0, 1.0].map(Some));
    assert_eq!([2.25, 1e9].map(|mix| set("mix", mix)), [1.0, 1.0].map(Some));
    for (name, range) in
        [("mix", Some([0.0, 1.0])), ("mask-invert", Some([0.0, 1.0])), ("kernel", None), ("name", None)]
    {
        assert_eq!(knobs::number_range(&line.element, name), range, "{name}");
    }
    assert_eq!(set("kernel", 1.0), None);
}
