//! The page at `/status`: what runs here, and what can be asked over HTTP.

use super::{App, Client};
use axum::extract::{ConnectInfo, State};
use axum::response::Html;
use std::sync::Arc;

const PAGE: &str = include_str!("status.html");

/// `GET /status`.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    ConnectInfo(client): ConnectInfo<Client>,
) -> Html<String> {
    let census = app.rooms.census();
    let scheme = if client.secure { "https" } else { "http" };
    let url = client.local.map_or_else(String::new, |local| format!("{scheme}://{local}"));
    Html(
        PAGE.replace("{version}", env!("CARGO_PKG_VERSION"))
            .replace("{uptime}", &app.started.elapsed().as_secs().to_string())
            .replace("{rooms}", &census.rooms.to_string())
            .replace("{broadcasters}", &census.broadcasters.to_string())
            .replace("{shards}", &app.rooms.worker().shards().to_string())
            .replace("{url}", &url),
    )
}
