//! The page at `/`: what runs here, and how to use it.

use super::{App, Client};
use axum::extract::{ConnectInfo, State};
use axum::response::Html;
use std::sync::Arc;

const PAGE: &str = include_str!("page.html");

/// `GET /`.
pub(super) async fn status(
    State(app): State<Arc<App>>,
    ConnectInfo(client): ConnectInfo<Client>,
) -> Html<String> {
    let census = app.rooms.census().await;
    let url = client.local.map_or_else(String::new, |local| format!("http://{local}"));
    let page = PAGE
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{uptime}", &app.started.elapsed().as_secs().to_string())
        .replace("{rooms}", &census.rooms.to_string())
        .replace("{broadcasters}", &census.broadcasters.to_string())
        .replace("{shards}", &app.rooms.worker().shards().to_string())
        .replace("{url}", &url);
    Html(page)
}
