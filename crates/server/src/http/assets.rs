//! The pages of the server: files that are part of the program. Must not know what they do.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

macro_rules! files {
    ($($name:literal,)*) => {
        /// Every file under `web/`, by its path there.
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../web/", $name))),)*];
    };
}

files! {
    "app.css",
    "app/call.js",
    "app/chat-panel.js",
    "app/chat.js",
    "app/controls.js",
    "app/devices.js",
    "app/dom.js",
    "app/explanations.js",
    "app/figures.js",
    "app/grid.js",
    "app/history.js",
    "app/hooks.js",
    "app/keys.js",
    "app/layers.js",
    "app/lobby.js",
    "app/main.js",
    "app/media/capabilities.js",
    "app/media/connection.js",
    "app/media/queue.js",
    "app/media/receive.js",
    "app/media/sdp.js",
    "app/media/send.js",
    "app/media/wanted.js",
    "app/meter.js",
    "app/options.js",
    "app/plot.js",
    "app/profile.js",
    "app/protoo.js",
    "app/publisher.js",
    "app/remote.js",
    "app/session.js",
    "app/sound.js",
    "app/stats.js",
    "app/theme.js",
    "app/tile-menu.js",
    "app/tile.js",
    "app/tiles.js",
    "app/toast.js",
    "app/whip-client.js",
    "app/whip.js",
    "favicon.svg",
    "icons.svg",
    "index.html",
    "whip.html",
}

/// Nothing but this server's own files, its own WebSocket, and the camera's pictures.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob: mediastream:; \
    img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// One value for all files: they change with the program.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    FILES.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
});

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = |name: &'static str| get(move |headers: HeaderMap| async move { serve(name, &headers) });
    Router::new()
        .route("/r/{room}", page("index.html"))
        .route("/whip.html", page("whip.html"))
        .route("/app.css", page("app.css"))
        .route("/favicon.svg", page("favicon.svg"))
        .route("/favicon.ico", page("favicon.svg"))
        .route("/icons.svg", page("icons.svg"))
        .route("/app/{*path}", get(script))
}

/// The page at `/`.
pub(super) fn index(headers: &HeaderMap) -> Response {
    serve("index.html", headers)
}

async fn script(Path(path): Path<String>, headers: HeaderMap) -> Response {
    serve(&format!("app/{path}"), &headers)
}

fn serve(name: &str, request: &HeaderMap) -> Response {
    let Some((_, text)) = FILES.iter().find(|(file, _)| *file == name) else {
        return (StatusCode::NOT_FOUND, "there is no such file").into_response();
    };
    let tag = HeaderValue::from_str(&TAG).unwrap_or(HeaderValue::from_static("\"\""));
    let headers = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    if request.get(header::IF_NONE_MATCH) == Some(&tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(header::CONTENT_TYPE, media_type(name))], *text).into_response()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path as FilePath, PathBuf};

    fn below(directory: &FilePath, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
            let path = entry.path();
            if path.is_dir() { below(&path, files) } else { files.push(path) }
        }
    }

    #[test]
    fn every_file_of_the_pages_is_part_of_the_program() {
        let root = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
        let mut files = Vec::new();
        below(&root, &mut files);
        let mut there: Vec<_> = files
            .iter()
            .map(|file| file.strip_prefix(&root).expect("below it").to_string_lossy().into_owned())
            .collect();
        there.sort();
        let mut served: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        served.sort();
        assert_eq!(served, there);
    }

    #[test]
    fn scripts_and_styles_keep_to_the_policy() {
        for (name, text) in FILES.iter().filter(|(name, _)| name.ends_with(".html")) {
            assert!(!text.contains("<style") && !text.contains(" style="), "{name} has styles of its own");
            assert!(!text.contains(" onclick="), "{name} has scripts of its own");
            for script in text.split("<script").skip(1) {
                assert!(script.trim_start().starts_with("type=\"module\" src=\"/"), "{name}: {script:.60}");
            }
        }
    }

    #[test]
    fn what_has_not_changed_is_not_sent_again() {
        let first = serve("app.css", &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let mut again = HeaderMap::new();
        again.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(serve("app.css", &again).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(serve("app/../config.rs", &HeaderMap::new()).status(), StatusCode::NOT_FOUND);
    }
}
