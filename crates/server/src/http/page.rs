//! The page at `/`: what runs here, and how to use it.

use super::App;
use axum::extract::State;
use axum::response::Html;
use std::sync::Arc;

const PAGE: &str = include_str!("page.html");

/// `GET /`.
pub(super) async fn status(State(app): State<Arc<App>>) -> Html<String> {
    let uptime = app.started.elapsed().as_secs();
    Html(PAGE.replace("{version}", env!("CARGO_PKG_VERSION")).replace("{uptime}", &uptime.to_string()))
}
