//! WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): media in and out of rooms with one HTTP request and no signalling.
//!
//! A publisher is a peer that has joined, so that all others get what it sends. A viewer is a peer that never joins:
//! nobody is told of it, and it gets the newest audio and video that it can receive. Either is a session at a location that
//! cannot be guessed, and ends with its peer. Must not know WebSocket signalling.
//!
//! What a viewer watches may go: its m-line stays, silent. Whoever comes after has other SSRCs than the answer said, so
//! that the viewer has to ask anew.

mod answer;
mod offer;
mod play;
mod problem;
mod publish;
mod resource;
mod session;

use crate::http::App;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use std::sync::Arc;
use tureen_sdp_bridge::TRICKLE_MEDIA_TYPE;

/// The media type of offers and answers (RFC 8866 section 8.1).
const SDP_MEDIA_TYPE: &str = "application/sdp";

/// The media types that a resource takes (Linked Data Platform 1.0 section 7.1, RFC 5789 section 3.1).
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The routes of both.
pub(crate) fn routes() -> Router<Arc<App>> {
    let of_session = || {
        let session = patch(resource::change).delete(resource::end);
        session.options(|| async { options("PATCH, DELETE, OPTIONS", ACCEPT_PATCH, TRICKLE_MEDIA_TYPE) })
    };
    let of_endpoint = || async { options("POST, OPTIONS", ACCEPT_POST, SDP_MEDIA_TYPE) };
    Router::new()
        .route("/whip/{room}", post(publish::publish).options(of_endpoint))
        .route("/whep/{room}", post(play::play).options(of_endpoint))
        .route("/whip/{room}/{session}", of_session())
        .route("/whep/{room}/{session}", of_session())
        .layer(map_response(allow_all_origins))
}

/// What may be done with a resource; also what browsers ask before a page of another origin does it.
fn options(methods: &'static str, accept: HeaderName, media_type: &'static str) -> Response {
    let headers = [
        (header::ALLOW, methods),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
        (accept, media_type),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Pages of any origin may publish and view: no cookie speaks for anybody here, but tokens and locations do.
async fn allow_all_origins(mut response: Response) -> Response {
    let exposed = "Location, ETag, Link, Accept-Post, Accept-Patch, Retry-After";
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    response
}
