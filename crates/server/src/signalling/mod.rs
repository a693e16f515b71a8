//! Rooms over WebSocket, sub-protocol `protoo`: one connection is one peer's. Must not know how media flows.
//!
//! Messages are JSON: requests with an id, their responses, and notifications; both sides send requests. A client's requests
//! are answered one after the other, in their order.

mod data_methods;
pub(crate) mod lone;
mod message;
mod methods;
mod outbox;
mod pump;
mod seat;
mod session;

use crate::http::{ApiError, App, Client};
use crate::refusal::Refusal;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, FromRequestParts, Query};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use seat::Ticket;
use serde::Deserialize;
use std::sync::Arc;
use tureen_room::{MAX_REPLICAS, Subscription};

const PROTOCOL: &str = "protoo";

/// What the URL of a WebSocket says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Target {
    room_id: Option<String>,
    peer_id: Option<String>,
    token: Option<String>,
    consumer_replicas: Option<String>,
}

impl Target {
    /// Clients in the field write what a missing number is spelled as in their language.
    fn replicas(&self) -> u8 {
        let asked = self.consumer_replicas.as_deref().and_then(|text| text.parse::<u8>().ok());
        asked.unwrap_or(0).min(MAX_REPLICAS)
    }
}

/// Answers an upgrade to a WebSocket.
pub(crate) async fn upgrade(app: Arc<App>, parts: &mut Parts, upgrade: WebSocketUpgrade) -> Response {
    let client = match ConnectInfo::<Client>::from_request_parts(parts, &app).await {
        Ok(ConnectInfo(client)) => client,
        Err(rejection) => return rejection.into_response(),
    };
    let target = Query::try_from_uri(&parts.uri);
    match admit(&app, target, &upgrade).await {
        Ok(ticket) => {
            let limit = app.settings.max_message_bytes;
            let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(limit).max_frame_size(limit);
            upgrade.on_upgrade(move |socket| session::run(app, client, ticket, socket))
        }
        Err(error) => error.into_response(),
    }
}

/// Takes the peer's seat, before the connection is a WebSocket: who is refused gets a status.
async fn admit(
    app: &Arc<App>,
    target: Result<Query<Target>, QueryRejection>,
    upgrade: &WebSocketUpgrade,
) -> Result<Ticket, ApiError> {
    if !upgrade.requested_protocols().any(|protocol| protocol == PROTOCOL) {
        return Err(ApiError::argument("Sec-WebSocket-Protocol: must name protoo"));
    }
    let target = target?.0;
    let missing = |name: &str| Refusal::Argument(format!("{name}: missing in the query"));
    let room = target.room_id.as_deref().ok_or_else(|| missing("roomId"))?;
    let peer = target.peer_id.as_deref().ok_or_else(|| missing("peerId"))?;
    let grant = app.access.to_room(target.token.as_deref(), room).map_err(Refusal::from)?;
    Ok(seat::take(app, room, peer, grant, Subscription::All { replicas: target.replicas() }).await?)
}
