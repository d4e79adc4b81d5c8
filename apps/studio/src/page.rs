//! The page's files, which are compiled into the program.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

macro_rules! files {
    ($($name:literal),+ $(,)?) => { [$(($name, include_bytes!(concat!("page/", $name)).as_slice())),+] };
}

const FILES: &[(&str, &[u8])] = &files![
    "brush.js",
    "command.js",
    "control.js",
    "controls.js",
    "dom.js",
    "editor.js",
    "element.js",
    "figures.js",
    "hands.js",
    "icon.svg",
    "index.html",
    "keys.js",
    "knobs.js",
    "looks.js",
    "masks.js",
    "number.js",
    "order.js",
    "output.css",
    "output.html",
    "output.js",
    "page.css",
    "page.js",
    "pictures.js",
    "projector.js",
    "scale.js",
    "shares.js",
    "shipwreck.jpg",
    "socket.js",
    "source.js",
    "starry-night.jpg",
    "state.js",
    "status.js",
    "styles.js",
    "tabs.js",
    "the-scream.jpg",
    "timeline.js",
];

/// The response for a file of this name.
pub fn file(name: &str) -> Response {
    let Some((name, bytes)) = FILES.iter().find(|(file, _)| *file == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("jpg") => "image/jpeg",
        Some("svg") => "image/svg+xml",
        Some("css") => "text/css; charset=utf-8",
        _ => "text/html; charset=utf-8",
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], *bytes).into_response()
}
