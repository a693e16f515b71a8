//! HTTP: routes, and what is done to every request. Must not know how rooms work.

mod body;
mod broadcasters;
mod error;
mod page;
mod rate;

use crate::config::Settings;
use crate::metrics::Metrics;
use crate::rooms::Rooms;
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::IncomingStream;
use rate::RateLimiter;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;

/// What all requests share.
pub(crate) struct App {
    pub(crate) rooms: Rooms,
    pub(crate) metrics: Metrics,
    max_body_bytes: usize,
    rate: RateLimiter,
    started: Instant,
}

impl App {
    pub(crate) fn new(settings: &Settings, rooms: Rooms) -> Self {
        Self {
            rooms,
            metrics: Metrics::new(),
            max_body_bytes: settings.max_body_bytes,
            rate: RateLimiter::new(settings.max_requests_per_second),
            started: Instant::now(),
        }
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("rooms", &self.rooms).finish_non_exhaustive()
    }
}

/// Both ends of the connection that a request came on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) remote: SocketAddr,
    /// The address that the client reached the server on.
    pub(crate) local: Option<SocketAddr>,
}

impl Connected<IncomingStream<'_, TcpListener>> for Client {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self { remote: *stream.remote_addr(), local: stream.io().local_addr().ok() }
    }
}

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    let limit = DefaultBodyLimit::max(app.max_body_bytes);
    Router::new()
        .route("/", get(page::status))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .merge(broadcasters::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is nothing here; / lists what is") })
        .layer(limit)
        .layer(from_fn_with_state(Arc::clone(&app), observe))
        .with_state(app)
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
    let census = app.rooms.census().await;
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
        "broadcasters": census.broadcasters,
    });
    (status, axum::Json(body)).into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    app.metrics.count_rooms(app.rooms.census().await);
    // A Worker that is gone has no figures; the counters keep their last.
    if let Ok(shards) = app.rooms.worker().snapshot().await {
        app.metrics.shards(&shards);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render())
        .into_response()
}
