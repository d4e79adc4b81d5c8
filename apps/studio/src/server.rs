//! The HTTP server: the page's files, its commands, and WebSockets for the state and the picture.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::control::Curve;
use crate::page;
use crate::settings::Share;
use crate::studio::{Answer, Studio};

/// The maximum size of an uploaded picture, in bytes.
const MAX_UPLOAD: usize = 30 << 20;

/// Restricts the page to what the studio itself serves. `ws:` and `wss:` are for older browsers, where `'self'` does
/// not include WebSockets.
const POLICY: &str = "default-src 'self'; img-src 'self' blob:; connect-src 'self' ws: wss:; frame-ancestors 'none'";

type Shared = State<Arc<Studio>>;

#[derive(Deserialize)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
struct Element {
    element: String,
}

/// Serves the studio.
pub async fn serve(studio: Arc<Studio>, listener: tokio::net::TcpListener) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/", get(|| async { page::file("index.html") }))
        .route("/output", get(|| async { page::file("output.html") }))
        .route("/{file}", get(|Path(file): Path<String>| async move { page::file(&file) }))
        .route("/styles/{name}", get(thumbnail))
        .route("/masks/{name}", get(mask))
        .route("/pictures", get(pictures))
        .route("/state", get(state))
        .route("/api/source", command(|studio, Name { name }| studio.set_source(&name)))
        .route("/api/switch", command(switch))
        .route("/api/knob", command(set_property))
        .route("/api/preset", command(preset))
        .route("/api/reset", command(|studio, Element { element }| studio.reset(&element)))
        .route("/api/paint", command(|studio, Paint { styles, model }| studio.paint(&styles, model.as_deref())))
        .route("/api/styles", post(add_style).layer(DefaultBodyLimit::max(MAX_UPLOAD)))
        .route("/api/styles/delete", command(|studio, Name { name }| studio.delete_style(&name)))
        .route("/api/mask", post(set_mask).layer(DefaultBodyLimit::max(MAX_UPLOAD)))
        .route("/api/looks/save", command(|studio, Name { name }| studio.save_look(&name)))
        .route("/api/looks/load", command(|studio, Name { name }| studio.load_look(&name)))
        .route("/api/looks/delete", command(|studio, Name { name }| studio.delete_look(&name)))
        .route("/api/control/learn", command(learn))
        .route("/api/control/stop", command(|studio, Nothing {}| studio.stop_learning()))
        .route("/api/control/set", command(set_mapping))
        .route("/api/control/delete", command(remove_mapping))
        .route("/api/timeline", command(|studio, change| studio.change_timeline(change)))
        .route("/api/output/file", command(film))
        .route("/api/output/camera", command(camera))
        .with_state(studio)
        .layer(middleware::from_fn(move |request, next| guard(address, request, next)));
    axum::serve(listener, app).await
}

/// Refuses requests from other sites' pages, which a browser on this machine could be made to send.
async fn guard(address: SocketAddr, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    // DNS rebinding: another site's host name may resolve to this machine.
    let is_own = !address.ip().is_loopback() || ["localhost", "127.0.0.1", "[::1]"].contains(&name);
    let origin = text(header::ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    if !is_own || origin.is_some_and(|origin| origin != host) {
        return (StatusCode::FORBIDDEN, "requests from other sites are refused").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [(header::CONTENT_SECURITY_POLICY, POLICY), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")] {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    response
}

/// A route for a command. It runs on a thread of its own, since it may wait for the pipeline.
fn command<T: DeserializeOwned + Send + 'static>(
    work: fn(&Studio, T) -> Answer,
) -> axum::routing::MethodRouter<Arc<Studio>> {
    post(move |State(studio): Shared, Json(request): Json<T>| async move {
        answer(tokio::task::spawn_blocking(move || work(&studio, request)).await)
    })
}

fn answer(done: Result<Answer, tokio::task::JoinError>) -> Response {
    match done {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(reason)) => (StatusCode::CONFLICT, reason).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the command failed inside the studio").into_response(),
    }
}

#[derive(Deserialize)]
struct Switch {
    element: String,
    on: bool,
}

fn switch(studio: &Studio, Switch { element, on }: Switch) -> Answer {
    studio.switch(&element, on)
}

#[derive(Deserialize)]
struct Property {
    element: String,
    name: String,
    value: Value,
}

fn set_property(studio: &Studio, Property { element, name, value }: Property) -> Answer {
    studio.set_property(&element, &name, &value)
}

#[derive(Deserialize)]
struct Paint {
    styles: Vec<Share>,
    model: Option<String>,
}

#[derive(Deserialize)]
struct Preset {
    element: String,
    name: String,
}

fn preset(studio: &Studio, Preset { element, name }: Preset) -> Answer {
    studio.load_preset(&element, &name)
}

#[derive(Deserialize)]
struct Learn {
    element: String,
    property: String,
    range: [f64; 2],
    curve: Curve,
}

fn learn(studio: &Studio, Learn { element, property, range, curve }: Learn) -> Answer {
    studio.learn(&element, &property, range, curve)
}

#[derive(Deserialize)]
struct Mapping {
    element: String,
    property: String,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

fn set_mapping(studio: &Studio, Mapping { element, property, fields }: Mapping) -> Answer {
    studio.set_mapping(&element, &property, fields)
}

fn remove_mapping(studio: &Studio, Mapping { element, property, .. }: Mapping) -> Answer {
    studio.remove_mapping(&element, &property)
}

#[derive(Deserialize)]
struct Nothing {}

#[derive(Deserialize)]
struct Film {
    on: bool,
}

fn film(studio: &Studio, Film { on }: Film) -> Answer {
    studio.write_film(on)
}

#[derive(Deserialize)]
struct Camera {
    name: Option<String>,
}

fn camera(studio: &Studio, Camera { name }: Camera) -> Answer {
    studio.feed_camera(name.as_deref())
}

async fn add_style(State(studio): Shared, Query(Name { name }): Query<Name>, bytes: Bytes) -> Response {
    let added = tokio::task::spawn_blocking(move || studio.styles.add(&name, &bytes)).await;
    match added {
        Ok(Ok(name)) => Json(json!({ "name": name })).into_response(),
        added => answer(added.map(|added| added.map(|_| ()))),
    }
}

async fn set_mask(State(studio): Shared, Query(Element { element }): Query<Element>, bytes: Bytes) -> Response {
    answer(tokio::task::spawn_blocking(move || studio.set_mask(&element, &bytes)).await)
}

async fn mask(State(studio): Shared, Path(name): Path<String>) -> Response {
    let read = move || studio.masks.path(&name).and_then(|path| std::fs::read(path).ok());
    match tokio::task::spawn_blocking(read).await {
        Ok(Some(png)) => {
            ([(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "no-cache")], png).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn thumbnail(State(studio): Shared, Path(name): Path<String>) -> Response {
    match tokio::task::spawn_blocking(move || studio.styles.thumbnail(&name)).await {
        Ok(Some(jpeg)) => {
            ([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-cache")], jpeg).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn state(State(studio): Shared, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| send_states(studio, socket))
}

/// Sends the state at first and upon every change, until the page closes.
async fn send_states(studio: Arc<Studio>, mut socket: WebSocket) {
    let mut states = studio.reported.subscribe();
    states.mark_changed();
    loop {
        tokio::select! {
            changed = states.changed() => {
                let text = Utf8Bytes::from(states.borrow_and_update().clone());
                if changed.is_err() || socket.send(Message::Text(text)).await.is_err() {
                    break;
                }
            }
            message = socket.recv() => if !matches!(message, Some(Ok(_))) { break },
        }
    }
}

async fn pictures(State(studio): Shared, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| {
        studio.add_viewer();
        send_pictures(&studio, socket).await;
        studio.remove_viewer();
    })
}

/// Sends the newest picture each time the page asks for one, after it has drawn the last: a slow page gets fewer
/// pictures and delays no other page.
async fn send_pictures(studio: &Studio, mut socket: WebSocket) {
    let mut pictures = studio.pictures.subscribe();
    pictures.mark_unchanged();
    let mut is_requested = false;
    loop {
        tokio::select! {
            changed = pictures.changed(), if is_requested => {
                let picture = pictures.borrow_and_update().clone();
                let age = u32::try_from(picture.age.as_micros()).unwrap_or(u32::MAX);
                let message = [&picture.number.to_le_bytes()[..], &age.to_le_bytes(), &picture.jpeg].concat();
                if changed.is_err() || socket.send(Message::Binary(message.into())).await.is_err() {
                    break;
                }
                is_requested = false;
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) if text == "next" => is_requested = true,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => (),
                _ => break,
            },
        }
    }
}
