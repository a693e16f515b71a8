//! Bodies of requests: text of one media type, bounded in size and time. Must not know what is in them but SDP.

use super::problem::Problem;
use super::{ACCEPT_PATCH, ACCEPT_POST, SDP_MEDIA_TYPE};
use axum::body::{Bytes, HttpBody, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use std::time::Duration;
use tokio::time::timeout;
use tureen_sdp_bridge::{Offer, TRICKLE_MEDIA_TYPE, TrickleFragment};

/// The largest body that is taken, however much the settings allow, in bytes.
const MAX_BODY: u64 = 64 * 1024;

/// A body that is too large is still read up to this size, in bytes: a client that writes on while its connection closes would
/// not see the answer.
const MAX_DRAINED: u64 = 4 * MAX_BODY;

/// A slow client has so long to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The offer in a request.
pub(super) async fn offer(request: Request) -> Result<Offer, Problem> {
    if !accepts_sdp(request.headers()) {
        return Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "answers are of application/sdp only"));
    }
    if !is_of_type(request.headers(), SDP_MEDIA_TYPE) {
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "offers are of application/sdp only");
        return Err(problem.with(ACCEPT_POST, SDP_MEDIA_TYPE));
    }
    Ok(Offer::parse(&text(request).await?)?)
}

/// The fragment in a request.
pub(super) async fn fragment(request: Request) -> Result<TrickleFragment, Problem> {
    if !is_of_type(request.headers(), TRICKLE_MEDIA_TYPE) {
        let problem = format!("fragments are of {TRICKLE_MEDIA_TYPE} only");
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem);
        return Err(problem.with(ACCEPT_PATCH, TRICKLE_MEDIA_TYPE));
    }
    Ok(TrickleFragment::parse(&text(request).await?)?)
}

async fn text(request: Request) -> Result<String, Problem> {
    // What is said to come does not have to come to be too much.
    let said = request.body().size_hint().lower();
    if let Err(problem) = check_size(said) {
        drain(request, said).await;
        return Err(problem);
    }
    let late = || Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive");
    let bytes = timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await.map_err(|_| late())?;
    let bytes = bytes.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    check_size(bytes.len() as u64)?;
    let not_text = |_| Problem::new(StatusCode::BAD_REQUEST, "the body is not UTF-8");
    String::from_utf8(bytes.into()).map_err(not_text)
}

/// Reads a body that is not wanted, for the sake of who writes it.
async fn drain(request: Request, said: u64) {
    if said <= MAX_DRAINED {
        let _ = timeout(BODY_TIMEOUT, to_bytes(request.into_body(), MAX_DRAINED as usize)).await;
    }
}

fn check_size(len: u64) -> Result<(), Problem> {
    if len <= MAX_BODY {
        return Ok(());
    }
    let problem = format!("the body has {len} bytes; {MAX_BODY} are the most");
    Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, problem))
}

fn is_of_type(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let name = value.map(|value| value.split_once(';').map_or(value, |(name, _)| name).trim());
    name.is_some_and(|name| name.eq_ignore_ascii_case(media_type))
}

/// Whether the answer's media type is wanted (RFC 9110 section 12.5.1).
fn accepts_sdp(headers: &HeaderMap) -> bool {
    let mut values =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    let accepted = |range: &str| {
        let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
        let refused = parameters.split(';').any(|parameter| {
            let weight = parameter.trim().strip_prefix("q=");
            weight.is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0))
        });
        let name = name.trim().to_ascii_lowercase();
        !refused && matches!(&*name, "application/sdp" | "application/*" | "*/*" | "")
    };
    values.peek().is_none() || values.flat_map(|value| value.split(',')).any(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn media_types_have_parameters_and_any_case() {
        let is = |value| is_of_type(&headers(header::CONTENT_TYPE, value), SDP_MEDIA_TYPE);
        assert!(is("application/sdp") && is("Application/SDP; charset=utf-8"));
        assert!(!is("application/sdpx") && !is("text/plain") && !is(""));
        assert!(!is_of_type(&HeaderMap::new(), SDP_MEDIA_TYPE));
    }

    #[test]
    fn ranges_of_media_types_and_weights_count() {
        let accepts = |value| accepts_sdp(&headers(header::ACCEPT, value));
        assert!(accepts("*/*") && accepts("application/sdp") && accepts("text/html, application/*;q=0.8"));
        assert!(!accepts("text/html") && !accepts("application/sdp;q=0") && !accepts("application/json"));
        assert!(accepts_sdp(&HeaderMap::new()));
    }
}
