//! A studio and its page in headless Chromium, for the tests.

use std::future::Future;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{program, stage};
use fantoccini::actions::{ActionSequence, InputSource, MOUSE_BUTTON_LEFT, PointerAction, TouchActions};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// The maximum wait for any change of a page, also on a machine that is busy with libtorch.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the mean and the standard deviation of a part of the picture, and the frame's number.
pub const MEASURE: &str = "
    const canvas = document.getElementById('picture');
    if (!canvas.dataset.frame) return null;
    const { data } = canvas.getContext('2d').getImageData(0, 100, canvas.width, 100);
    let sum = 0, square = 0;
    for (let i = 0; i < data.length; i += 4) { sum += data[i + 1]; square += data[i + 1] ** 2; }
    const count = data.length / 4, mean = sum / count;
    return [mean, Math.sqrt(square / count - mean * mean), Number(canvas.dataset.frame)];";

/// Drops a file, given by its name and bytes, on an element.
pub const DROP: &str = "
    const [selector, name, bytes] = arguments, data = new DataTransfer(), target = document.querySelector(selector);
    data.items.add(new File([new Uint8Array(bytes)], name));
    for (const type of ['dragenter', 'dragover', 'drop']) {
        target.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }";

/// Sets a control as a user does: changes it and fires its events.
pub const SET: &str = "
    const [selector, value] = arguments, control = document.querySelector(selector);
    if (control.type === 'checkbox') { if (control.checked !== value) control.click(); return; }
    control.value = value;
    for (const type of ['input', 'change']) control.dispatchEvent(new Event(type, { bubbles: true }));";

/// A program that is killed at the end of the test.
pub struct Running(Child);

impl Running {
    /// Starts a program and reads its output until `find` returns something.
    pub fn start<T>(command: &mut Command, find: impl Fn(&str) -> Option<T>) -> (Self, T) {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("scripts/setup --tests installs the program");
        let mut output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let found = output.by_ref().lines().find_map(|line| find(&line.expect("text"))).expect("the line is printed");
        // The pipe must not fill up, or the program would block.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        (Self(child), found)
    }

    /// Ends the program as Ctrl-C does.
    pub fn interrupt(mut self) {
        let sent = Command::new("kill").args(["-s", "INT", &self.0.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        assert!(self.0.wait().expect("the program ends").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail if the program has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The option for OSC on a free port.
pub const OSC: &str = "--osc-listen=127.0.0.1:0";

/// The studio's own folder below `folder`.
pub fn kept(folder: &Path) -> PathBuf {
    folder.join(r"kept, in a\folder")
}

/// A studio with its files below `folder`, and the page's address. `options` are more options for it.
pub fn studio(folder: &Path, options: &[&str]) -> (Running, String) {
    // The element separates styles by commas, but a folder's name may have commas, too.
    studio_in(folder, &kept(folder), options)
}

/// A studio with its own files in `kept` and all others in `folder`.
pub fn studio_in(folder: &Path, kept: &Path, options: &[&str]) -> (Running, String) {
    let studio = common::app("studio");
    let studio = studio.to_str().expect("a path in UTF-8");
    let mut command = program(studio, &stage().join("lib/gstreamer-1.0"), &folder.join("registry.bin"));
    command.args(["--listen", "127.0.0.1:0", "--folder"]).arg(kept).args(options);
    command.env("XDG_RUNTIME_DIR", folder);
    Running::start(&mut command, |line| line.split_once(" at ").map(|(_, address)| address.to_owned()))
}

/// Chromium, controlled through chromedriver.
pub async fn browser(folder: &Path) -> (Running, Client) {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port is free").local_addr().expect("an address").port();
    let mut driver = Command::new("chromedriver");
    driver.arg(format!("--port={port}")).stderr(Stdio::null());
    let (driver, ()) = Running::start(&mut driver, |line| line.contains("started successfully").then_some(()));
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", &profile];
    let capabilities = json!({ "goog:chromeOptions": { "args": arguments } });
    let Value::Object(capabilities) = capabilities else { unreachable!("json! made an object") };
    let client = ClientBuilder::new(HttpConnector::new())
        .capabilities(Capabilities::from_iter(capabilities))
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .expect("Chromium starts");
    (driver, client)
}

/// The page in the browser.
pub struct Page<'a>(pub &'a Client);

impl Page<'_> {
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.0.execute(script, arguments).await.expect("the script runs")
    }

    /// Waits until `is_expected` accepts the result of `script`.
    pub async fn until(&self, what: &str, script: &str, mut is_expected: impl FnMut(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let value = self.run(script, vec![]).await;
            if is_expected(&value) {
                return value;
            }
            assert!(begin.elapsed() < PATIENCE, "{what}: {value}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until `is_expected` accepts the text of an element of the page.
    pub async fn text(&self, what: &str, id: &str, is_expected: impl Fn(&str) -> bool) -> String {
        let script = format!("return document.getElementById('{id}').textContent");
        let text = self.until(what, &script, |text| is_expected(text.as_str().unwrap_or_default())).await;
        text.as_str().expect("a text").to_owned()
    }

    /// Waits until `is_expected` accepts the picture's mean, deviation and number.
    pub async fn picture(&self, what: &str, is_expected: impl Fn([f64; 3]) -> bool) -> [f64; 3] {
        let numbers = |value: &Value| -> Option<[f64; 3]> { serde_json::from_value(value.clone()).ok() };
        let measured = self.until(what, MEASURE, |value| numbers(value).is_some_and(&is_expected)).await;
        numbers(&measured).expect("three numbers")
    }

    pub async fn set(&self, selector: &str, value: impl Into<Value>) {
        self.run(SET, vec![selector.into(), value.into()]).await;
    }

    pub async fn press(&self, button: &str) {
        let button = self.0.find(Locator::Css(button)).await.expect("the button exists");
        button.click().await.expect("the button is pressed");
    }

    pub async fn drop_file(&self, target: &str, name: &str, bytes: &[u8]) {
        self.run(DROP, vec![target.into(), name.into(), bytes.into()]).await;
    }

    /// Draws a stroke with a pointer from left to right across an element, at this part of its height.
    pub async fn drag<A>(&self, pointer: A, element: &str, part: f64)
    where
        A: InputSource<Action = PointerAction> + Into<ActionSequence>,
    {
        let element = self.0.find(Locator::Css(element)).await.expect("the element exists");
        let (left, top, width, height) = element.rectangle().await.expect("a rectangle");
        let (y, duration) = (top + part * height, Some(Duration::from_millis(50)));
        let at = |x: f64| PointerAction::MoveTo { duration, x, y };
        let stroke = pointer
            .then(at(left + 2.0))
            .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
            .then(at(left + width / 2.0))
            .then(at(left + width - 2.0))
            .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.0.perform_actions(stroke).await.expect("the stroke is drawn");
    }

    /// Touches an element in its middle with a finger; then moves the finger to another element, or lifts it at once.
    pub async fn touch(&self, element: &str, to: Option<&str>) {
        let mut finger = TouchActions::new("finger".into());
        for (index, selector) in [Some(element), to].into_iter().flatten().enumerate() {
            let (x, y) = self.middle(selector).await;
            let duration = Some(Duration::from_millis(100));
            finger = finger.then(PointerAction::MoveTo { duration, x, y });
            if index == 0 {
                finger = finger.then(PointerAction::Down { button: MOUSE_BUTTON_LEFT });
            }
        }
        finger = finger.then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.0.perform_actions(finger).await.expect("the element is touched");
    }

    /// Where an element's middle is in the window, after the page has scrolled to it.
    async fn middle(&self, selector: &str) -> (f64, f64) {
        let script = "
            const node = document.querySelector(arguments[0]);
            node.scrollIntoView({ block: 'nearest' });
            const { left, top, width, height } = node.getBoundingClientRect();
            return [left + width / 2, top + height / 2];";
        let middle = self.run(script, vec![selector.into()]).await;
        serde_json::from_value(middle).expect("the element exists")
    }

    /// Presses a key while the page itself has the focus.
    pub async fn key(&self, key: &str) {
        self.run("document.activeElement.blur()", vec![]).await;
        self.0.find(Locator::Css("body")).await.expect("a body").send_keys(key).await.expect("the key is pressed");
    }

    pub async fn save_look(&self, name: &str) {
        self.run("document.getElementById('look-name').value = arguments[0]", vec![name.into()]).await;
        self.press("#look-save").await;
        let chip = format!("[data-look={name}]");
        let saved = self.0.wait().at_most(PATIENCE).for_element(Locator::Css(&chip)).await;
        saved.expect("the look is saved");
    }

    /// Waits for several new pictures.
    pub async fn new_pictures(&self, what: &str) {
        let [_, _, number] = self.picture(what, |_| true).await;
        self.picture(what, |[_, _, later]| later > number + 5.0).await;
    }

    /// Saves a screenshot for a person to check.
    pub async fn save_screenshot(&self, path: PathBuf, width: u32, height: u32) {
        self.0.set_window_size(width, height).await.expect("the window is resized");
        tokio::time::sleep(Duration::from_millis(500)).await;
        std::fs::write(path, self.0.screenshot().await.expect("a screenshot")).expect("the screenshot is written");
    }
}

/// Runs an asynchronous test.
pub fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}
