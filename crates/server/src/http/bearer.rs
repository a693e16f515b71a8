//! Bearer tokens of requests (RFC 6750 section 2.1), and what goes without one. Must not know what tokens say.

use super::{ApiError, App, Client};
use crate::access::Grant;
use crate::refusal::Refusal;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;

/// The token of a request.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What a request may do in a room.
pub(crate) fn grant(app: &App, headers: &HeaderMap, room: &str) -> Result<Grant, ApiError> {
    Ok(app.access.to_room(token(headers), room).map_err(Refusal::from)?)
}

/// Lets operators through: those with an administrator's token or, where no tokens are configured, this machine.
pub(super) async fn operators_only(
    State(app): State<Arc<App>>,
    ConnectInfo(client): ConnectInfo<Client>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let allowed = if app.access.needs_tokens() {
        app.access.to_operate(token(headers)).map_err(Refusal::from)
    } else if client.remote.ip().to_canonical().is_loopback() && is_local(headers) {
        Ok(())
    } else {
        Err(Refusal::Forbidden(
            "without configured tokens this is for requests of the same machine only".into(),
        ))
    };
    match allowed {
        Ok(()) => next.run(request).await,
        Err(refusal) => ApiError::from(refusal).into_response(),
    }
}

/// Whether a program asks, or a page of this machine: a page from elsewhere has an origin of its own, or a name for this
/// machine that is not one of this machine's.
fn is_local(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let same = |origin: &str| origin.split_once("://").is_some_and(|(_, authority)| authority == host);
    let origin = headers.get(header::ORIGIN).is_none_or(|origin| origin.to_str().is_ok_and(same));
    origin && names_loopback(host)
}

fn names_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        is_local(&headers)
    }

    #[test]
    fn a_page_from_elsewhere_is_not_this_machine() {
        assert!(local("127.0.0.1:8080", None) && local("localhost:8080", None) && local("[::1]:8080", None));
        assert!(local("localhost:8080", Some("http://localhost:8080")));
        assert!(!local("localhost:8080", Some("https://evil.example")));
        assert!(!local("localhost:8080", Some("null")));
        assert!(!local("evil.example:8080", None), "a name that was bent to this machine");
        assert!(!local("[", None));
    }
}
