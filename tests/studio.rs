//! The studio's page in a browser: headless Chromium.

mod common;
#[path = "../examples/studio/knobs.rs"]
#[allow(dead_code, reason = "what each is for is tested here")]
mod knobs;
#[path = "../examples/studio/line.rs"]
#[allow(dead_code, reason = "its own tests run here")]
mod line;

use std::future::Future;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Frame, Line, program, scratch, stage};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use gst::prelude::*;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// How long a page may take for anything, on a machine that is busy with libtorch, too.
const PATIENCE: Duration = Duration::from_secs(60);

/// The mean brightness of a part of the picture, and how much of it there is: something that says whether it changed.
const LOOK: &str = "
    const canvas = document.getElementById('picture');
    if (!canvas.dataset.frame) return null;
    const { data } = canvas.getContext('2d').getImageData(0, 100, canvas.width, 100);
    let sum = 0, square = 0;
    for (let i = 0; i < data.length; i += 4) { sum += data[i + 1]; square += data[i + 1] ** 2; }
    const count = data.length / 4, mean = sum / count;
    return [mean, Math.sqrt(square / count - mean * mean), Number(canvas.dataset.frame)];";

/// Drops a file on the page: its name and bytes.
const DROP: &str = "
    const [name, bytes] = arguments, data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], name));
    for (const type of ['dragenter', 'dragover', 'drop']) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }";

/// Turns a control as a user does: sets it, and lets the page hear.
const TURN: &str = "
    const [selector, value] = arguments, control = document.querySelector(selector);
    if (control.type === 'checkbox') { if (control.checked !== value) control.click(); return; }
    control.value = value;
    for (const type of ['input', 'change']) control.dispatchEvent(new Event(type, { bubbles: true }));";

/// How old pictures are as they are shown, in milliseconds: the sources draw the time.
const DELAYS: &str = "
    const done = arguments[0], canvas = document.getElementById('picture'), delays = [];
    let last = canvas.dataset.frame;
    const look = () => {
        if (canvas.dataset.frame !== last) {
            last = canvas.dataset.frame;
            const row = canvas.getContext('2d').getImageData(0, 8, 24 * 16, 1).data;
            let time = 0;
            for (let bit = 0; bit < 24; bit++) time = time * 2 + (row[4 * (16 * bit + 8) + 1] > 128 ? 1 : 0);
            delays.push((Date.now() - time) & 0xffffff);
        }
        if (delays.length < 90) requestAnimationFrame(look); else done(delays);
    };
    look();";

/// A program that ends with the test.
struct Running(Child);

impl Running {
    /// Starts it, and reads lines until `find` finds what it tells.
    fn start<T>(command: &mut Command, find: impl Fn(&str) -> Option<T>) -> (Self, T) {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("scripts/setup --tests installs it");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let found = output.by_ref().lines().find_map(|line| find(&line.expect("text"))).expect("it tells");
        // What it goes on to say must not hold it up.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        (Self(child), found)
    }

    /// As Ctrl-C does.
    fn interrupt(mut self) {
        let sent = Command::new("kill").args(["-s", "INT", &self.0.id().to_string()]).status();
        assert!(sent.expect("it is sent").success());
        assert!(self.0.wait().expect("it ends").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The studio, with what it keeps in `folder`; the page's address.
fn studio(folder: &Path) -> (Running, String) {
    let studio = common::example("studio");
    let studio = studio.to_str().expect("a path in UTF-8");
    let mut command = program(studio, &stage().join("lib/gstreamer-1.0"), &folder.join("registry.bin"));
    // The element parts several styles by commas; folders may have them, too.
    command.args(["--listen", "127.0.0.1:0", "--folder"]).arg(folder.join(r"kept, in a\folder"));
    command.env("XDG_RUNTIME_DIR", folder);
    Running::start(&mut command, |line| line.split_once(" at ").map(|(_, address)| address.to_owned()))
}

/// Chromium, by its driver.
async fn browser(folder: &Path) -> (Running, Client) {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port is free").local_addr().expect("it is bound").port();
    let mut driver = Command::new("chromedriver");
    driver.arg(format!("--port={port}")).stderr(Stdio::null());
    let (driver, ()) = Running::start(&mut driver, |line| line.contains("started successfully").then_some(()));
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", &profile];
    let capabilities = json!({ "goog:chromeOptions": { "args": arguments } });
    let Value::Object(capabilities) = capabilities else { unreachable!("it is one") };
    let client = ClientBuilder::new(HttpConnector::new())
        .capabilities(Capabilities::from_iter(capabilities))
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .expect("Chromium starts");
    (driver, client)
}

/// A page, and what a test does with it.
struct Page<'a>(&'a Client);

impl Page<'_> {
    async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.0.execute(script, arguments).await.expect("the script runs")
    }

    /// Waits until `is_so` holds for what `script` returns.
    async fn until(&self, what: &str, script: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let value = self.run(script, vec![]).await;
            if is_so(&value) {
                return value;
            }
            assert!(begin.elapsed() < PATIENCE, "{what}: {value}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn text(&self, what: &str, id: &str, is_so: impl Fn(&str) -> bool) -> String {
        let script = format!("return document.getElementById('{id}').textContent");
        let text = self.until(what, &script, |text| is_so(text.as_str().unwrap_or_default())).await;
        text.as_str().expect("a text").to_owned()
    }

    /// The picture's mean, deviation and number.
    async fn look(&self, what: &str, is_so: impl Fn([f64; 3]) -> bool) -> [f64; 3] {
        let numbers = |value: &Value| -> Option<[f64; 3]> { serde_json::from_value(value.clone()).ok() };
        let seen = self.until(what, LOOK, |value| numbers(value).is_some_and(&is_so)).await;
        numbers(&seen).expect("three numbers")
    }

    async fn turn(&self, selector: &str, value: impl Into<Value>) {
        self.run(TURN, vec![selector.into(), value.into()]).await;
    }

    async fn press(&self, button: &str) {
        let button = self.0.find(Locator::Css(button)).await.expect("it is there");
        button.click().await.expect("it is pressed");
    }

    async fn drop_file(&self, name: &str, bytes: &[u8]) {
        self.run(DROP, vec![name.into(), bytes.into()]).await;
    }

    /// Waits for pictures after those so far.
    async fn moves_on(&self, what: &str) {
        let [_, _, number] = self.look(what, |_| true).await;
        self.look(what, |[_, _, later]| later > number + 5.0).await;
    }

    /// Keeps what it looks like, to be looked at.
    async fn photograph(&self, path: PathBuf, width: u32, height: u32) {
        self.0.set_window_size(width, height).await.expect("it has a size");
        tokio::time::sleep(Duration::from_millis(500)).await;
        std::fs::write(path, self.0.screenshot().await.expect("a screenshot")).expect("it is written");
    }
}

/// How many pictures of a film can be decoded.
fn frames(film: &Path) -> usize {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args("-v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0".split(' ')).arg(film);
    let output = ffprobe.output().expect("scripts/setup --tests installs it").stdout;
    String::from_utf8_lossy(&output).trim().parse().unwrap_or_default()
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

fn style() -> Vec<u8> {
    let picture = image::RgbImage::from_fn(96, 96, |x, y| {
        let ring = ((f64::from(x) - 48.0).hypot(f64::from(y) - 40.0) / 5.0) as u32 % 2;
        image::Rgb(if ring == 0 { [250, 180, 20] } else { [20, 30, 140] })
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("it is written");
    bytes.into_inner()
}

#[test]
fn the_page_shows_the_picture_and_turns_what_can_be_turned() {
    let folder = scratch("studio");
    block_on(async {
        let (running, address) = studio(&folder);
        let (driver, client) = browser(&folder).await;
        let page = Page(&client);
        client.goto(&address).await.expect("the page opens");

        page.moves_on("the picture moves").await;
        page.turn("#source", "clock").await;
        page.text("the command follows", "line", |line| line.contains("videotestsrc")).await;
        let delays = client.execute_async(DELAYS, vec![]).await.expect("pictures come");
        let mut delays: Vec<i64> = serde_json::from_value(delays).expect("numbers");
        // Those at the beginning may be the other source's.
        let delays = &mut delays[20..];
        delays.sort_unstable();
        println!("640 x 360, from drawing to drawn: median {} ms, {delays:?}", delays[delays.len() / 2]);

        // Blurred far, the bars are all but grey.
        let [_, spread, _] = page.look("the test picture has bars", |[_, spread, _]| spread > 40.0).await;
        page.turn("[data-switch=convfilter] input", true).await;
        page.turn("[data-element=convfilter][data-knob=filter] select", "box-blur").await;
        page.turn("[data-element=convfilter][data-knob=radius] input[type=number]", 300).await;
        page.look("a filter changes it", |[_, blurred, _]| blurred < spread / 2.0).await;
        page.turn("[data-element=convfilter][data-knob=mix] input[type=range]", 0).await;
        page.look("a slider changes it", |[_, mixed, _]| mixed > spread * 0.9).await;
        page.text("the command tells it", "line", |line| {
            line.contains("convfilter filter=box-blur radius=300.0 mix=0.0")
        })
        .await;

        page.press("#record").await;
        let film = page.text("a film is written", "film", |text| !text.is_empty()).await;
        page.moves_on("it is watched meanwhile").await;
        page.press("#record").await;
        page.text("it is closed", "film", str::is_empty).await;
        assert!(film.starts_with(folder.to_str().expect("a path in UTF-8")) && frames(Path::new(&film)) > 5, "{film}");

        page.drop_file("holiday.png", b"no picture at all").await;
        let reason = page.text("a bad file is refused", "toast", |text| !text.is_empty()).await;
        assert!(reason.contains("holiday.png cannot be used: it is not a picture"), "{reason}");

        page.turn("[data-switch=convfilter] input", false).await;
        page.turn("[data-element=styletransfer][data-knob=size] input[type=number]", 96).await;
        let [before, ..] = page.look("the picture as it was", |[_, spread, _]| spread > 40.0).await;
        page.drop_file("rings of gold.png", &style()).await;
        page.text("the style opens", "style-status", |text| text.contains("built-in")).await;
        page.look("a dropped style changes it", |[mean, ..]| (mean - before).abs() > 4.0).await;
        client.find(Locator::Css("[data-style='rings of gold.jpg']")).await.expect("it is in the gallery");
        page.photograph(folder.join("phone.png"), 500, 844).await;
        page.photograph(folder.join("wide.png"), 1440, 900).await;

        // Who looks later sees the same, and a page that does not draw holds nobody up.
        let other = client.new_window(true).await.expect("another page");
        let first = client.window().await.expect("this page");
        client.switch_to_window(other.handle.clone()).await.expect("it is there");
        client.goto(&address).await.expect("the page opens");
        page.moves_on("the picture moves there, too").await;
        page.text("both are counted", "viewers", |text| text == "2").await;
        client.switch_to_window(first).await.expect("it is there");
        page.moves_on("the picture moves here, too").await;

        page.run("document.getElementById('look-name').value = 'golden'", vec![]).await;
        page.press("#look-save").await;
        client.wait().at_most(PATIENCE).for_element(Locator::Css("[data-look=golden]")).await.expect("it is saved");
        page.turn("[data-switch=styletransfer] input", false).await;
        page.text("the style is off", "style-status", str::is_empty).await;
        running.interrupt();

        let (_running, address) = studio(&folder);
        client.goto(&address).await.expect("the page opens again");
        page.moves_on("the picture moves again").await;
        page.text("what was set is kept", "line", |line| !line.contains("styletransfer")).await;
        let radius = "[data-element=convfilter][data-knob=radius] input[type=number]";
        let radius = format!("return document.querySelector('{radius}').value");
        page.until("a knob is where it was", &radius, |value| *value == json!("300")).await;
        page.press("[data-look=golden]").await;
        page.text("the look comes back", "style-status", |text| text.contains("built-in")).await;
        page.look("and is seen", |[mean, ..]| (mean - before).abs() > 4.0).await;

        client.close().await.expect("Chromium ends");
        drop(driver);
    });
}

/// Other values of the knobs that a filter may use, and what the kernel filter needs to start.
const TURNED: [(&str, &str); 12] = [
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
const START: &str = "convfilter backend=cpu kernel=\"1 2; 3 5\"";

#[test]
fn a_knob_is_shown_with_every_filter_that_it_changes() {
    let mut frame = Frame { format: gst_video::VideoFormat::Gray8, width: 24, height: 24, bytes: Vec::new() };
    frame.bytes = common::random::Random(5).bytes(24 * 24);
    let mut line = Line::playing(START);
    let knobs = serde_json::to_value(knobs::all(&line.element)).expect("JSON");
    let shown_for = |name: &str, filter: &str| {
        let knob = knobs.as_array().expect("a list").iter().find(|knob| knob["name"] == name).expect("a knob");
        knob["for"].as_array().is_none_or(|filters| filters.contains(&json!(filter)))
    };
    let filters =
        gst::glib::EnumClass::with_type(line.element.property_value("filter").type_()).expect("an enumeration");
    // The shader filter runs on GPUs alone, and has none of these but the border.
    for filter in filters.values().iter().map(|value| value.nick()).filter(|&filter| filter != "shader") {
        line.element.set_property_from_str("filter", filter);
        let before = line.push_pull(&frame).bytes;
        for (name, value) in TURNED {
            let default = line.element.property_value(name);
            line.element.set_property_from_str(name, value);
            let changes = line.push_pull(&frame).bytes != before;
            assert!(!changes || shown_for(name, filter), "{name} changes {filter}, and is hidden");
            line.element.set_property_from_value(name, &default);
        }
    }
}
