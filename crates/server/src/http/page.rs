//! The page at `/`: what runs here, and how to use it.

use super::{App, Client};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use std::sync::Arc;

const PAGE: &str = include_str!("page.html");

/// `GET /`.
pub(super) async fn status(app: Arc<App>, parts: &mut Parts) -> Response {
    let client = match ConnectInfo::<Client>::from_request_parts(parts, &app).await {
        Ok(ConnectInfo(client)) => client,
        Err(rejection) => return rejection.into_response(),
    };
    let census = app.rooms.census();
    let scheme = if client.secure { "https" } else { "http" };
    let url = client.local.map_or_else(String::new, |local| format!("{scheme}://{local}"));
    let page = PAGE
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{uptime}", &app.started.elapsed().as_secs().to_string())
        .replace("{rooms}", &census.rooms.to_string())
        .replace("{broadcasters}", &census.broadcasters.to_string())
        .replace("{shards}", &app.rooms.worker().shards().to_string())
        .replace("{url}", &url);
    Html(page).into_response()
}
