//! Tests the timeline and the output page in headless Chromium.

#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod browser;

use std::path::PathBuf;
use std::time::Duration;

use browser::{OSC, Page, block_on, browser, kept, studio};
use common::scratch;
use serde_json::{Value, json};

/// The keys that move the timeline.
const SPACE: &str = " ";
const RIGHT: &str = "\u{e014}";
const PAGE_UP: &str = "\u{e00e}";

/// Records of every state what the timeline is at and what the filter is: step, playing, radius, mix, on.
const RECORD: &str = "
    window.seen = [];
    new WebSocket(`ws://${location.host}/state`).onmessage = ({ data }) => {
        const { timeline, elements } = JSON.parse(data);
        const { on, knobs } = elements.find(({ name }) => name === 'convfilter');
        const value = (knob) => knobs.find(({ name }) => name === knob).value;
        window.seen.push([timeline.current, timeline.plays, value('radius'), value('mix'), on]);
    };";

type Seen = (Option<usize>, bool, f64, f64, bool);

/// A folder with three looks: a weak blur, a strong one, none.
fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    let blur = |radius: f64| json!({"elements": {"convfilter": {"on": true, "knobs": {"filter": "box-blur", "radius": radius}}}});
    let looks = json!({"weak": blur(1.0), "strong": blur(200.0), "plain": {}});
    std::fs::create_dir_all(kept(&folder)).expect("the folder is made");
    let settings = json!({"source": "test", "looks": looks}).to_string();
    std::fs::write(kept(&folder).join("settings.json"), settings).expect("the settings are written");
    folder
}

/// The looks of the timeline, in their order.
async fn order(page: &Page<'_>, looks: &[&str]) {
    let script = "return [...document.querySelectorAll('#timeline li')].map((row) => row.dataset.step)";
    page.until("the order", script, |order| *order == json!(looks)).await;
}

/// Waits for the step that is shown and for whether the timeline plays.
async fn current(page: &Page<'_>, step: usize, plays: bool) {
    let script = "return [
        [...document.querySelectorAll('#timeline li')].findIndex((row) => row.hasAttribute('aria-current')),
        document.getElementById('timeline-play').getAttribute('aria-pressed') === 'true'];";
    page.until("the current step", script, |now| *now == json!([step, plays])).await;
}

async fn add(page: &Page<'_>, look: &str) {
    page.set("#timeline-look", look).await;
    page.press("#timeline-add").await;
    let script = "return document.querySelector('#timeline li:last-child')?.dataset.step";
    page.until("the look is added", script, |last| *last == look).await;
}

/// Sets the seconds that a look fades in and stays.
async fn set_times(page: &Page<'_>, look: &str, fade: f64, hold: f64) {
    for (place, time) in [(1, fade), (2, hold)] {
        page.set(&format!("[data-step={look}] .times label:nth-child({place}) input"), time.to_string()).await;
    }
}

/// What RECORD has seen.
async fn seen(page: &Page<'_>, what: &str, is_enough: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
    let read = |value: &Value| -> Vec<Seen> { serde_json::from_value(value.clone()).expect("records") };
    read(&page.until(what, "return window.seen ?? []", |value| is_enough(&read(value))).await)
}

/// The steps one after the other.
fn steps(seen: &[Seen]) -> Vec<usize> {
    let mut steps: Vec<_> = seen.iter().filter_map(|(step, ..)| *step).collect();
    steps.dedup();
    steps
}

fn check_fade(values: &[f64], from: f64, to: f64) {
    let sign = (to - from).signum();
    assert!(values.windows(2).all(|pair| (pair[1] - pair[0]) * sign >= 0.0), "{values:?} is not monotone");
    let between = values.iter().filter(|value| (*value - from) * sign > 0.0 && (to - *value) * sign > 0.0);
    assert!(between.count() > 3, "{values:?} does not go slowly from {from} to {to}");
}

#[test]
#[should_panic(expected = "is not monotone")]
fn a_fade_that_goes_back_is_told() {
    check_fade(&[0.0, 0.2, 0.4, 0.3, 0.6, 0.8, 1.0], 0.0, 1.0);
}

#[test]
#[should_panic(expected = "does not go slowly")]
fn a_jump_is_told() {
    check_fade(&[0.0, 0.0, 0.1, 1.0, 1.0], 0.0, 1.0);
}

#[test]
#[ignore = "needs scripts/build"]
fn the_timeline_plays_looks() {
    block_on(async {
        let folder = folder("studio-timeline");
        let (running, address) = studio(&folder, &[OSC]);
        let (driver, client) = browser(&folder).await;
        let page = Page(&client);
        client.goto(&address).await.expect("the page opens");
        page.save_screenshot(folder.join("empty.png"), 1280, 800).await;
        for look in ["weak", "strong", "plain"] {
            add(&page, look).await;
        }
        set_times(&page, "weak", 0.0, 0.3).await;
        set_times(&page, "strong", 3.0, 0.3).await;
        set_times(&page, "plain", 3.0, 0.3).await;

        page.run(RECORD, vec![]).await;
        page.press("#timeline-play").await;
        current(&page, 1, true).await;
        page.save_screenshot(folder.join("timeline.png"), 1280, 800).await;
        let played =
            seen(&page, "the timeline ends", |seen| seen.last().is_some_and(|last| last.0 == Some(2) && !last.1));
        let played = played.await;
        assert_eq!(steps(&played), [0, 1, 2]);
        let during = |step: usize| played.iter().filter(move |seen| seen.0 == Some(step));
        check_fade(&during(1).map(|seen| seen.2).collect::<Vec<_>>(), 1.0, 200.0);
        assert!(during(1).all(|seen| seen.4 && seen.3 == 1.0), "{played:?}");
        // The look without a filter switches it off at the end, and leaves its properties at their defaults.
        check_fade(&during(2).filter(|seen| seen.4).map(|seen| seen.3).collect::<Vec<_>>(), 1.0, 0.0);
        let last = played.last().expect("states");
        assert_eq!((last.3, last.4), (1.0, false));

        // It starts again, without an end, and goes on while no page is open.
        for look in ["weak", "strong", "plain"] {
            set_times(&page, look, 0.1, 0.3).await;
        }
        page.press("#timeline-repeat").await;
        page.run(RECORD, vec![]).await;
        page.press("#timeline-play").await;
        let repeated = seen(&page, "the timeline repeats", |seen| steps(seen).len() > 5).await;
        assert!(steps(&repeated).windows(2).all(|pair| pair[1] == (pair[0] + 1) % 3), "{:?}", steps(&repeated));
        page.press("#timeline-repeat").await;
        page.press("#timeline-play").await;
        page.press("[data-step=weak] .show").await;
        current(&page, 0, false).await;
        page.press("#timeline-play").await;
        client.goto("about:blank").await.expect("the page closes");
        tokio::time::sleep(Duration::from_secs(4)).await;
        client.goto(&address).await.expect("the page opens");
        page.run(RECORD, vec![]).await;
        let first = seen(&page, "a state", |seen| !seen.is_empty()).await;
        assert_eq!((first[0].0, first[0].1), (Some(2), false), "the timeline waited for the page");

        // Keys, and a look that is chosen by hand.
        for look in ["weak", "strong", "plain"] {
            set_times(&page, look, 0.2, 600.0).await;
        }
        page.key(PAGE_UP).await;
        current(&page, 1, false).await;
        page.key(SPACE).await;
        current(&page, 1, true).await;
        page.key(RIGHT).await;
        current(&page, 2, true).await;
        page.key(SPACE).await;
        current(&page, 2, false).await;
        page.press("#timeline-previous").await;
        current(&page, 1, false).await;
        page.press("[data-look=weak]").await;
        page.until("no step is current", "return document.querySelector('[aria-current]') === null", |none| {
            *none == true
        })
        .await;

        // The order: by button, whose focus stays with the look, and by dragging with a finger.
        page.press("[data-step=weak] .down").await;
        order(&page, &["strong", "weak", "plain"]).await;
        let focused = "const { activeElement } = document;
            return [activeElement.className, activeElement.closest('li')?.dataset.step];";
        page.until("the focus stays", focused, |focus| *focus == json!(["quiet down", "weak"])).await;
        page.touch("[data-step=plain] .handle", Some("[data-step=strong] .show")).await;
        order(&page, &["plain", "strong", "weak"]).await;
        client.set_window_size(500, 844).await.expect("the window is resized");
        page.press("[data-tab=looks]").await;
        page.run("document.getElementById('transport').scrollIntoView()", vec![]).await;
        page.save_screenshot(folder.join("phone.png"), 500, 844).await;
        page.until("the picture stays in its place", "return document.scrollingElement.scrollTop", |top| *top == 0)
            .await;
        page.save_screenshot(folder.join("wide.png"), 1280, 800).await;
        client.refresh().await.expect("the page opens again");
        order(&page, &["plain", "strong", "weak"]).await;
        page.press("[data-step=weak] .show").await;
        current(&page, 2, false).await;
        page.press("#timeline-repeat").await;
        page.press("#timeline-play").await;
        current(&page, 2, true).await;
        running.interrupt();

        let (_running, address) = studio(&folder, &[OSC]);
        client.goto(&address).await.expect("the page opens again");
        order(&page, &["plain", "strong", "weak"]).await;
        current(&page, 0, true).await;
        let times = "return [...document.querySelectorAll('#timeline input')].map((input) => input.value)";
        page.until("the times", times, |times| *times == json!(["0.2", "600", "0.2", "600", "0.2", "600"])).await;
        page.press("[data-step=strong] .remove").await;
        order(&page, &["plain", "weak"]).await;
        page.press("#looks-edit").await;
        page.press("#look-chips [aria-label='Delete weak']").await;
        order(&page, &["plain"]).await;

        client.close().await.expect("Chromium ends");
        drop(driver);
    });
}

#[test]
#[ignore = "needs scripts/build"]
fn the_output_page_shows_only_the_picture() {
    block_on(async {
        let folder = folder("studio-output");
        let (_running, address) = studio(&folder, &[OSC]);
        let (driver, client) = browser(&folder).await;
        let page = Page(&client);
        client.goto(&format!("{address}/output")).await.expect("the page opens");
        page.new_pictures("the picture moves").await;
        let shown = "
            const { left, top, width, height } = document.getElementById('picture').getBoundingClientRect();
            const isWhole = left === 0 && top === 0 && width === innerWidth && height === innerHeight;
            return [isWhole, document.body.innerText.trim(), getComputedStyle(document.body).backgroundColor,
                document.querySelectorAll('button, input, a').length];";
        page.until("only the picture is shown", shown, |now| *now == json!([true, "", "rgb(0, 0, 0)", 0])).await;
        page.save_screenshot(folder.join("output.png"), 1280, 800).await;
        let is_full = "return document.fullscreenElement !== null";
        page.press("#picture").await;
        page.until("a click fills the screen", is_full, |full| *full == true).await;
        page.key("f").await;
        page.until("F ends it", is_full, |full| *full == false).await;
        client.close().await.expect("Chromium ends");
        drop(driver);
    });
}
