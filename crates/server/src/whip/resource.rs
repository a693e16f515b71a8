//! What is done with a session at its location: candidates and ICE restarts, and its end. Must not know media.

use super::offer::fragment;
use super::problem::Problem;
use super::session::{Kind, entity_tag, find, transport};
use crate::http::App;
use crate::http::bearer::token;
use crate::refusal::Refusal;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tureen_sdp_bridge::TRICKLE_MEDIA_TYPE;

/// `PATCH`: candidates, of which a lite agent needs none (RFC 8445 section 2.5), or an ICE restart (RFC 9725 section 4.3).
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Path((room, id)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    app.access.to_room(token(request.headers()), &room)?;
    let (peer, session) = find(&app, Kind::of_path(request.uri().path()), &room, &id)?;
    let tags = entity_tags(request.headers());
    let fragment = fragment(request).await?;
    let unknown = || Refusal::unknown("session", &id);
    // Held so that restarts come one after the other.
    let mut remote = session.remote_ice.lock().await;
    let transport = transport(&peer).ok_or_else(unknown)?;
    let Some(tags) = tags else {
        return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "If-Match: missing"));
    };
    let current = entity_tag(&transport);
    if !tags.iter().any(|tag| tag == "*" || *tag == current) {
        let detail = "If-Match: the ICE session has changed since";
        return Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail));
    }
    let Some(ice) = fragment.ice.as_ref().filter(|_| fragment.restarts_ice(&remote)) else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let own = transport.restart_ice().await.map_err(|error| Refusal::request(error, "session", &id))?;
    remote.clone_from(ice);
    let body = fragment.answer_restart(&own, &transport.ice_candidates())?;
    let headers =
        [(header::CONTENT_TYPE, TRICKLE_MEDIA_TYPE.to_owned()), (header::ETAG, entity_tag(&transport))];
    Ok((headers, body).into_response())
}

/// `DELETE`.
pub(super) async fn end(
    State(app): State<Arc<App>>,
    Path((room, id)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, Problem> {
    app.access.to_room(token(request.headers()), &room)?;
    find(&app, Kind::of_path(request.uri().path()), &room, &id)?.0.close();
    Ok(StatusCode::OK)
}

/// The entity-tags of `If-Match`, if there is such a header (RFC 9110 section 13.1.1).
fn entity_tags(headers: &HeaderMap) -> Option<Vec<String>> {
    let values = headers.get_all(header::IF_MATCH).iter().filter_map(|value| value.to_str().ok());
    let tags = values.flat_map(|value| value.split(',')).map(|tag| tag.trim().to_owned());
    headers.contains_key(header::IF_MATCH).then(|| tags.collect())
}
