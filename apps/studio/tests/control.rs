//! Tests control from outside in headless Chromium, with OSC from a socket and sound from GStreamer.

#[allow(dead_code, reason = "some helpers are for the test of the whole page")]
mod browser;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use browser::{OSC, Page, block_on, browser, kept, studio};
use common::scratch;
use rosc::{OscMessage, OscPacket, OscType, encoder};
use serde_json::{Value, json};

/// 120 beats per minute; each is loud for a quarter of a second.
const AUDIO: &str =
    "--audio=audiotestsrc is-live=true wave=ticks tick-interval=500000000 sine-periods-per-tick=110 volume=0.5";

const RADIUS: &str = "[data-element=convfilter][data-knob=radius]";
const MIX: &str = "[data-element=convfilter][data-knob=mix]";
const MAPPING: &str = "[data-mapping='convfilter/radius']";

/// A program that sends OSC.
struct Sender {
    socket: UdpSocket,
    studio: SocketAddr,
}

impl Sender {
    /// For the studio that the page shows.
    async fn new(page: &Page<'_>) -> Self {
        let address = page.text("the studio receives OSC", "osc", |text| text.parse::<SocketAddr>().is_ok()).await;
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a port is free");
        Self { socket, studio: address.parse().expect("an address") }
    }

    fn send(&self, address: &str, number: f32) {
        let message = OscMessage { addr: address.into(), args: vec![OscType::Float(number)] };
        self.send_bytes(&encoder::encode(&OscPacket::Message(message)).expect("encoded"));
    }

    fn send_bytes(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.studio).expect("sent");
    }

    /// Whether the system refuses packets to another address of this machine at the studio's port.
    fn is_refused_at(&self, address: &str) -> bool {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a port is free");
        socket.connect((address, self.studio.port())).expect("a route");
        socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a time");
        socket.send(b"/a\0\0,\0\0\0").expect("sent");
        let answer = socket.recv(&mut [0; 8]);
        answer.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    }
}

/// Returns the number that a property's row shows.
fn shown(property: &str) -> String {
    format!("return document.querySelector('{property} input[type=number]').valueAsNumber")
}

async fn is_shown(page: &Page<'_>, what: &str, property: &str, expected: f64) {
    page.until(what, &shown(property), |value| value.as_f64().is_some_and(|value| (value - expected).abs() < 1e-3))
        .await;
}

/// Lets a property wait for a control.
async fn learn(page: &Page<'_>, property: &str) {
    let is_visible = format!("return document.querySelector('{property} .learn').offsetParent !== null");
    page.until("the property is shown", &is_visible, |visible| *visible == json!(true)).await;
    page.press(&format!("{property} .learn")).await;
    let waits = format!("return !document.querySelector('{property} .waiting').hidden");
    page.until("the property waits for a control", &waits, |waits| *waits == json!(true)).await;
}

/// Waits until the studio has a setting of the radius' mapping.
async fn is_set(page: &Page<'_>, name: &str, expected: &Value) {
    let script = format!(
        "return new Promise((done) => {{
            const socket = new WebSocket(`ws://${{location.host}}/state`);
            socket.onmessage = ({{ data }}) => {{ socket.close(); done(JSON.parse(data).control.mappings[0].{name}); }};
        }})"
    );
    page.until("the setting is sent", &script, |value| value == expected).await;
}

#[test]
#[ignore = "needs scripts/build and scripts/setup --tests"]
fn osc_and_audio_move_properties() {
    let folder = scratch("studio-control");
    block_on(async {
        let (running, address) = studio(&folder, &[OSC, AUDIO]);
        let (driver, client) = browser(&folder).await;
        let page = Page(&client);
        client.goto(&address).await.expect("the page opens");
        page.new_pictures("the picture moves").await;
        let [_, spread, _] = page.picture("the test picture has bars", |[_, spread, _]| spread > 40.0).await;
        let sender = Sender::new(&page).await;
        // 127.0.0.2 stands for the machine's other addresses.
        assert!(sender.studio.ip().is_loopback() && sender.is_refused_at("127.0.0.2"));

        page.set("[data-switch=convfilter] input", true).await;
        page.set("[data-element=convfilter][data-knob=filter] select", "box-blur").await;
        learn(&page, RADIUS).await;
        page.save_screenshot(folder.join("learning.png"), 1440, 900).await;
        for packet in [&b""[..], b"/", b"/a", b"#bundle\0", b"/a\0\0,[\0\0", &[0xff; 2000], &[0; 9000]] {
            sender.send_bytes(packet);
        }
        // The first address only repeats its value.
        for (address, number) in [("/still", 0.5), ("/still", 0.5), ("/fader/1", 0.5), ("/fader/1", 0.6)] {
            sender.send(address, number);
        }
        let name = format!("return document.querySelector(\"{MAPPING} .source-name\")?.textContent ?? ''");
        page.until("the control that moves is learnt", &name, |name| *name == json!("/fader/1")).await;

        page.press(&format!("{MAPPING} summary")).await;
        page.set(&format!("{MAPPING} select"), "linear").await;
        is_set(&page, "curve", &json!("linear")).await;
        page.set(&format!("{MAPPING} [data-end=range-from]"), 300).await;
        page.set(&format!("{MAPPING} [data-end=range-to]"), 100).await;
        is_set(&page, "range", &json!([300, 100])).await;
        sender.send("/fader/1", 0.0);
        is_shown(&page, "the range begins", RADIUS, 300.0).await;
        page.picture("the control changes the picture", |[_, blurred, _]| blurred < spread / 2.0).await;
        sender.send("/fader/1", 0.25);
        is_shown(&page, "the range is linear", RADIUS, 250.0).await;
        page.set(&format!("{MAPPING} [data-end=input-to]"), 10).await;
        is_set(&page, "input", &json!([0, 10])).await;
        sender.send("/fader/1", 5.0);
        is_shown(&page, "the control has another range", RADIUS, 200.0).await;
        page.set(&format!("{MAPPING} select"), "exponential").await;
        is_set(&page, "curve", &json!("exponential")).await;
        sender.send("/fader/1", 5.0);
        is_shown(&page, "the curve is exponential", RADIUS, 300.0 - 200.0 / 11.0).await;

        page.set(&format!("{MAPPING} select"), "linear").await;
        page.set("#mapping-convfilter-radius-smoothing", 3000).await;
        is_set(&page, "smoothing", &json!(3000)).await;
        sender.send("/fader/1", 10.0);
        let mut way = Vec::new();
        page.until("the property arrives", &shown(RADIUS), |value| {
            let value = value.as_f64().expect("a number");
            if way.last() != Some(&value) {
                way.push(value);
            }
            value == 100.0
        })
        .await;
        assert!(way.windows(2).all(|pair| pair[0] > pair[1]) && way.len() > 4, "{way:?}");

        page.set("#mapping-convfilter-radius-smoothing", 0).await;
        page.set("#mapping-convfilter-radius-quantize", true).await;
        is_set(&page, "quantize", &json!(true)).await;
        sender.send("/fader/1", 0.0);
        is_shown(&page, "a beat comes", RADIUS, 300.0).await;
        page.text("the beat is heard", "tempo", |text| {
            text.split(' ')
                .next()
                .and_then(|number| number.parse().ok())
                .is_some_and(|tempo| (100..=140).contains(&tempo))
        })
        .await;

        learn(&page, MIX).await;
        page.press(&format!("{MIX} [data-measure=level]")).await;
        let is_marked = format!("return document.querySelector('{MIX} .learn').ariaPressed");
        page.until("the property is marked", &is_marked, |marked| *marked == json!("true")).await;
        // The level is the silence between the ticks, and that of a sine with an amplitude of 0.5 in a tick, -9 dB.
        is_shown(&page, "the audio is silent", MIX, 0.0).await;
        page.until("the audio is loud", &shown(MIX), |value| {
            value.as_f64().is_some_and(|mix| (mix - 0.85).abs() < 0.02)
        })
        .await;
        learn(&page, MIX).await;
        page.press(&format!("{MIX} [data-measure=beat]")).await;
        for what in ["a beat is near 1", "the next one, too"] {
            page.until(what, &shown(MIX), |value| value.as_f64().is_some_and(|mix| mix > 0.6)).await;
            page.until("it falls", &shown(MIX), |value| value.as_f64().is_some_and(|mix| mix < 0.4)).await;
        }
        page.save_screenshot(folder.join("wide.png"), 1440, 900).await;
        page.press("[data-mapping='convfilter/mix'] summary").await;
        page.press("[data-mapping='convfilter/mix'] .remove").await;
        page.until("the mapping is deleted", &is_marked, |marked| *marked == json!("false")).await;
        running.interrupt();

        let file = std::fs::read(kept(&folder).join("control.json")).expect("the file is written");
        let file: Value = serde_json::from_slice(&file).expect("JSON");
        assert_eq!(
            file["mappings"],
            json!([{
                "element": "convfilter", "property": "radius", "source": {"osc": "/fader/1"}, "input": [0.0, 10.0],
                "range": [300.0, 100.0], "curve": "linear", "smoothing": 0, "quantize": true,
            }])
        );

        let (_running, address) = studio(&folder, &["--osc-listen=0.0.0.0:0"]);
        client.goto(&address).await.expect("the page opens again");
        let sender = Sender::new(&page).await;
        assert!(sender.studio.ip().is_unspecified() && !sender.is_refused_at("127.0.0.2"));
        is_shown(&page, "the value was saved", RADIUS, 300.0).await;
        sender.send("/fader/1", 10.0);
        is_shown(&page, "the mapping was saved, and without a beat a change does not wait", RADIUS, 100.0).await;

        client.close().await.expect("Chromium ends");
        drop(driver);
    });
}
