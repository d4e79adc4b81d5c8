//! Tests parts of the studio's panel in headless Chromium: help, the editor of shaders, several styles together.

#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod browser;

use browser::{OSC, Page, block_on, browser, studio, studio_in};
use common::scratch;
use serde_json::{Value, json};

/// Types a text into an editor.
const TYPE: &str = "
    const [selector, text] = arguments, editor = document.querySelector(selector);
    editor.focus();
    editor.value = text;
    editor.dispatchEvent(new Event('input', { bubbles: true }));";

#[test]
#[ignore = "needs scripts/build"]
fn a_touch_shows_the_help_of_a_property() {
    block_on(async {
        let folder = scratch("studio-help");
        let (_running, address) = studio(&folder, &[OSC]);
        let (driver, client) = browser(&folder).await;
        let page = Page(&client);
        client.goto(&address).await.expect("the page opens");
        page.new_pictures("the picture moves").await;
        let row = "[data-element=convfilter][data-knob=mix]";
        let help =
            format!("const help = document.querySelector('{row} .help'); return help.hidden ? '' : help.innerText");
        page.until("the help is hidden", &help, |text| *text == "").await;
        page.touch(&format!("{row} .ask"), None).await;
        let is_help = |text: &Value| text.as_str().is_some_and(|text| text.contains("the filtered frame"));
        page.until("a touch shows the help", &help, is_help).await;
        page.save_screenshot(folder.join("help.png"), 1280, 800).await;
        page.touch(&format!("{row} .ask"), None).await;
        page.until("another touch hides it", &help, |text| *text == "").await;
        client.close().await.expect("Chromium ends");
        drop(driver);
    });
}

#[test]
#[ignore = "needs scripts/build and a Vulkan driver"]
fn the_editor_marks_the_line_of_a_fault() {
    let is_lively = |[_, spread, _]: [f64; 3]| spread > 20.0;
    let is_even = |[_, spread, _]: [f64; 3]| spread < 2.0;
    block_on(async {
        let folder = scratch("studio-editor");
        let (_running, address) = studio(&folder, &[OSC]);
        let (driver, client) = browser(&folder).await;
        let page = Page(&client);
        client.goto(&address).await.expect("the page opens");
        page.picture("the picture is shown", is_lively).await;
        page.set("[data-element=convfilter][data-knob=filter] select", "shader").await;
        let is_shown = "return document.querySelector('.editor')?.checkVisibility()";
        page.until("the editor is shown", is_shown, |shown| *shown == true).await;
        page.press("[data-knob=shader] .editor-bar button").await;
        page.set("[data-switch=convfilter] input", true).await;
        page.text("the example compiles", "filter-status", |text| !text.is_empty()).await;
        page.picture("the example shows something", is_lively).await;

        let editor = "[data-knob=shader] textarea";
        let shade = |value: &str| {
            format!("// mine\nfn shade(component: u32, x: i32, y: i32) -> f32 {{\n    return {value};\n}}\n")
        };
        page.run(TYPE, vec![editor.into(), shade("0.5").into()]).await;
        page.picture("what is typed is used", is_even).await;
        page.run(TYPE, vec![editor.into(), shade("brightness").into()]).await;
        let fault = "const box = document.querySelector('.editor');
            return [box.classList.contains('faulty'), box.style.getPropertyValue('--fault'),
                document.querySelector('.fault').textContent, document.querySelector('.numbers').textContent];";
        let is_at_line_3 = |fault: &Value| {
            let text = fault[2].as_str().unwrap_or_default();
            fault[0] == true
                && fault[1] == "2"
                && text.starts_with("Line 3, column 12: ")
                && text.contains("`brightness`")
        };
        let marked = page.until("the fault is marked", fault, is_at_line_3).await;
        assert_eq!(marked[3], "1\n2\n3\n4\n5");
        client.set_window_size(1280, 800).await.expect("the window is resized");
        page.run("document.querySelector('.editor').scrollIntoView({ block: 'center' })", vec![]).await;
        page.save_screenshot(folder.join("editor.png"), 1280, 800).await;
        page.picture("the last filter stays", is_even).await;
        page.run(TYPE, vec![editor.into(), shade("1.0 - sample(component, x, y)").into()]).await;
        page.until("the mark is gone", fault, |fault| fault[0] == false && fault[2] == "").await;
        page.picture("the new filter is used", is_lively).await;
        client.close().await.expect("Chromium ends");
        drop(driver);
    });
}

#[test]
#[ignore = "needs scripts/build"]
fn several_styles_and_a_model_are_painted_together() {
    block_on(async {
        let folder = scratch("studio-combined");
        let own = folder.join("kept");
        std::fs::create_dir_all(own.join("styles")).expect("the folder is made");
        let knobs = json!({"size": 96});
        let first = json!({"style": "first.png", "elements": {"styletransfer": {"on": false, "knobs": knobs}}});
        let settings = json!({"source": "test", "look": first, "looks": {"bare": {}}});
        std::fs::write(own.join("settings.json"), settings.to_string()).expect("the settings are written");
        for name in ["first.png", "second.png"] {
            common::write_style(&own.join("styles").join(name));
        }
        let (running, address) = studio_in(&folder, &own, &[OSC]);
        let (driver, client) = browser(&folder).await;
        let page = Page(&client);
        client.goto(&address).await.expect("the page opens");
        page.new_pictures("the picture moves").await;
        page.press("#combine").await;
        page.press("[data-style='second.png']").await;
        page.text("both are painted", "line", |line| {
            line.contains("first.png,") && line.contains("second.png") && line.contains("style-blend='\"1,1\"'")
        })
        .await;
        page.text("the style opens", "style-status", |text| text.contains("built-in")).await;
        page.set("[data-share='second.png']", "0.25").await;
        page.text("a share changes", "line", |line| line.contains("style-blend='\"1,0.25\"'")).await;
        page.save_look("mixed").await;
        page.press("[data-model=starry-night]").await;
        page.text("a model is added", "line", |line| line.contains("model=starry-night") && line.contains("style="))
            .await;
        page.text("the model paints", "style-status", |text| text.contains("starry-night")).await;
        page.save_screenshot(folder.join("combined.png"), 1280, 800).await;
        page.press("[data-style='first.png']").await;
        page.text("a style is left out", "line", |line| {
            line.contains("model=starry-night") && line.contains("second.png") && !line.contains("first.png")
        })
        .await;
        page.press("[data-look=mixed]").await;
        page.text("the look has the shares", "line", |line| line.contains("style-blend='\"1,0.25\"'")).await;
        page.press("[data-style='first.png']").await;
        page.press("[data-model=the-scream]").await;
        page.text("two presses in a row both count", "line", |line| {
            !line.contains("first.png") && line.contains("second.png") && line.contains("model=the-scream")
        })
        .await;
        page.press("[data-look=bare]").await;
        let chosen = "return document.querySelectorAll('#gallery [aria-pressed=true]').length";
        page.until("a look without a style has none", chosen, |count| *count == 0).await;
        page.text("its style is off", "line", |line| !line.contains("styletransfer")).await;
        page.press("[data-look=mixed]").await;
        page.until("the look has two styles", chosen, |count| *count == 2).await;
        running.interrupt();
        let (_running, address) = studio_in(&folder, &own, &[OSC]);
        client.goto(&address).await.expect("the page opens again");
        page.text("the shares are kept", "line", |line| line.contains("style-blend='\"1,0.25\"'")).await;
        page.press("[data-style='first.png']").await;
        page.text("a style alone is painted", "line", |line| {
            line.contains("first.png") && !line.contains("second.png") && !line.contains("style-blend")
        })
        .await;
        client.close().await.expect("Chromium ends");
        drop(driver);
    });
}
