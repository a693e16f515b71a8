//! HTTP: routes, and what is done to every request. Must not know how rooms work.

mod assets;
pub(crate) mod bearer;
mod body;
mod broadcasters;
mod error;
mod operators;
mod pipes;
mod rate;
mod status;

pub(crate) use error::ApiError;
pub(crate) use rate::RateLimiter;

use crate::access::Access;
use crate::config::Settings;
use crate::links::Links;
use crate::listener::Place;
use crate::metrics::Metrics;
use crate::rooms::Rooms;
use crate::signalling;
use axum::Router;
use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// What all requests share.
pub(crate) struct App {
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) links: Links,
    pub(crate) metrics: Metrics,
    pub(crate) settings: Arc<Settings>,
    pub(crate) access: Access,
    rate: RateLimiter,
    started: Instant,
}

impl App {
    pub(crate) fn new(settings: Arc<Settings>, rooms: Rooms) -> Self {
        Self {
            rooms: Arc::new(rooms),
            links: Links::default(),
            metrics: Metrics::new(),
            access: Access::new(&settings),
            rate: RateLimiter::new(settings.max_requests_per_second),
            started: Instant::now(),
            settings,
        }
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("rooms", &self.rooms).finish_non_exhaustive()
    }
}

/// The connection that a request came on.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) remote: SocketAddr,
    /// The address that the client reached the server on.
    pub(crate) local: Option<SocketAddr>,
    /// Whether it is TLS.
    pub(crate) secure: bool,
    /// Held for as long as anybody talks over the connection.
    #[expect(dead_code, reason = "counts by being held")]
    pub(crate) place: Place,
}

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    let limit = DefaultBodyLimit::max(app.settings.max_body_bytes);
    Router::new()
        .route("/", get(root))
        .route("/status", get(status::page))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .merge(assets::routes())
        .merge(broadcasters::routes())
        .merge(operators::routes(&app))
        .merge(crate::whip::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is nothing here; /status lists what is") })
        .layer(limit)
        .layer(from_fn_with_state(Arc::clone(&app), observe))
        .with_state(app)
}

/// The page, and where signalling connects to.
async fn root(State(app): State<Arc<App>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &app).await {
        Ok(upgrade) => signalling::upgrade(app, &mut parts, upgrade).await,
        Err(_) => assets::index(&parts.headers),
    }
}

/// Limits the rate of a client, and counts and logs what it gets.
async fn observe(
    State(app): State<Arc<App>>,
    ConnectInfo(client): ConnectInfo<Client>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let path = request.uri().path().to_owned();
    let response = match app.rate.take(client.remote.ip(), started) {
        Ok(()) => next.run(request).await,
        Err(wait) => {
            let seconds = wait.as_secs().saturating_add(1).to_string();
            let text = "too many requests from this address";
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds)], text).into_response()
        }
    };
    let (status, took) = (response.status().as_u16(), started.elapsed());
    app.metrics.request(method.as_str(), &route, status, took);
    tracing::debug!(%method, path, status, client = %client.remote, took_us = took.as_micros() as u64, "request");
    response
}

/// Says 503 once the Worker is gone: nothing can be forwarded then.
async fn healthz(State(app): State<Arc<App>>) -> Response {
    let census = app.rooms.census();
    let worker = app.rooms.worker();
    let (status, word) = if worker.died() {
        (StatusCode::SERVICE_UNAVAILABLE, "died")
    } else if worker.closed() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else {
        (StatusCode::OK, "ok")
    };
    let body = json!({
        "status": word,
        "version": env!("CARGO_PKG_VERSION"),
        "uptimeSeconds": app.started.elapsed().as_secs(),
        "shards": worker.shards(),
        "rooms": census.rooms,
        "peers": census.peers,
        "broadcasters": census.broadcasters,
        "draining": app.rooms.draining(),
    });
    (status, axum::Json(body)).into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    app.metrics.count_rooms(app.rooms.census());
    // A Worker that is gone has no figures; the counters keep their last.
    if let Ok(shards) = app.rooms.worker().snapshot().await {
        app.metrics.shards(&shards);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render())
        .into_response()
}
