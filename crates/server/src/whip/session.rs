//! A session: a peer that one request made, at a location of its own. Must not know what it sends or receives.

use super::SDP_MEDIA_TYPE;
use super::problem::Problem;
use crate::access::{Grant, Secret};
use crate::http::App;
use crate::random::draw;
use crate::refusal::Refusal;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use tureen::dictionaries::{DtlsParameters, DtlsRole, DtlsState, IceParameters};
use tureen::{AnyTransport, AppData, Transport, WebRtcTransport};
use tureen_room::{CloseReason, Direction, EnterError, Peer, Room, Subscription};
use tureen_sdp_bridge::Offer;

/// Which way media goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// WHIP.
    Publisher,
    /// WHEP.
    Viewer,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Publisher => "whip",
            Self::Viewer => "whep",
        }
    }

    /// By the start of a path of ours.
    pub(super) fn of_path(path: &str) -> Self {
        if path.starts_with("/whep/") { Self::Viewer } else { Self::Publisher }
    }
}

/// What makes a peer a session, in the peer's slot for data.
pub(super) struct Session {
    /// The last part of its location. Not the peer's id, which others in the room know.
    id: Secret,
    kind: Kind,
    /// The credentials of the remote's ICE session. Held while that is restarted.
    pub(super) remote_ice: tokio::sync::Mutex<IceParameters>,
}

/// The session of a location, and its peer.
pub(super) fn find(
    app: &App,
    kind: Kind,
    room: &str,
    id: &str,
) -> Result<(Peer, std::sync::Arc<Session>), Problem> {
    let unknown = || Problem::from(Refusal::unknown("session", id));
    let room = app.rooms.room(room).map_err(|_| unknown())?;
    let is_it = |session: &Session| session.kind == kind && session.id.matches(id);
    let of =
        |peer: Peer| peer.app_data().get::<Session>().filter(|session| is_it(session)).map(|own| (peer, own));
    room.peers().into_iter().find_map(of).ok_or_else(unknown)
}

fn count(room: &Room) -> usize {
    room.peers().iter().filter(|peer| peer.app_data().get::<Session>().is_some()).count()
}

/// The transport of a session.
pub(super) fn transport(peer: &Peer) -> Option<WebRtcTransport> {
    peer.transports().into_iter().find_map(|transport| match transport {
        AnyTransport::WebRtc(transport) => Some(transport),
        _ => None,
    })
}

/// The strong entity-tag of the ICE session (RFC 9725 section 4.3.1): its credentials change with it.
pub(super) fn entity_tag(transport: &WebRtcTransport) -> String {
    format!("\"{}\"", transport.ice_parameters().username_fragment)
}

/// A session in the making: its peer leaves again unless it is kept.
pub(super) struct Opening {
    pub(super) peer: Peer,
    pub(super) transport: WebRtcTransport,
    id: String,
    kept: bool,
}

impl Drop for Opening {
    fn drop(&mut self) {
        if !self.kept {
            self.peer.close();
        }
    }
}

impl Opening {
    /// Enters a room, with a transport.
    pub(super) async fn new(
        app: &App,
        kind: Kind,
        room: &str,
        grant: &Grant,
        offer: &Offer,
    ) -> Result<Self, Problem> {
        let limit = app.settings.max_whip_sessions;
        if app.rooms.room(room).is_ok_and(|room| count(&room) >= limit) {
            return Err(Refusal::Full { what: "WHIP and WHEP sessions in the room", limit }.into());
        }
        let id = draw::<16>()?;
        let peer_id = match &grant.peer {
            Some(own) => own.clone(),
            None => format!("{}-{}", kind.prefix(), draw::<16>()?.get(..12).unwrap_or_default()),
        };
        let remote_ice = tokio::sync::Mutex::new(offer.ice().clone());
        let slot = AppData::new(Session { id: Secret::new(id.clone()), kind, remote_ice });
        let entered = app.rooms.enter(room, &peer_id, grant, Subscription::OnRequest, slot).await?;
        let (peer, _) = entered.map_err(|error| match error {
            EnterError::Taken(_) => Problem::new(StatusCode::CONFLICT, error.to_string()),
            error => Refusal::from(error).into(),
        })?;
        let direction = match kind {
            Kind::Publisher => Direction::Producing,
            Kind::Viewer => Direction::Consuming,
        };
        let transport = app.rooms.webrtc().add_for_media(&peer, direction).await;
        let transport = transport.inspect_err(|_| peer.close())?;
        let grace = Duration::from_secs(app.settings.peer_grace.into());
        end_with_transport(&peer, &transport, grace);
        Ok(Self { peer, transport, id, kept: false })
    }

    /// Connects the transport, and answers the request that came to `path`.
    pub(super) async fn finish(
        mut self,
        app: &App,
        path: &str,
        offer: &Offer,
        (role, answer): (DtlsRole, String),
    ) -> Result<Response, Problem> {
        let remote = match role {
            DtlsRole::Client => DtlsRole::Server,
            DtlsRole::Auto | DtlsRole::Server => DtlsRole::Client,
        };
        let remote = DtlsParameters { role: remote, fingerprints: offer.dtls().fingerprints.clone() };
        self.transport.connect(remote).await.map_err(Refusal::from)?;
        self.kept = true;
        let headers = [
            (header::CONTENT_TYPE, SDP_MEDIA_TYPE.to_owned()),
            (header::LOCATION, format!("{}/{}", path.trim_end_matches('/'), self.id)),
            (header::ETAG, entity_tag(&self.transport)),
        ];
        let mut response = (StatusCode::CREATED, headers, answer).into_response();
        for server in &app.settings.ice_servers {
            // What no header can carry cannot be told.
            if let Ok(link) = HeaderValue::from_str(&server.link()) {
                response.headers_mut().append(header::LINK, link);
            }
        }
        Ok(response)
    }
}

/// The peer leaves with its transport, and if nobody comes within the grace time. A connection that is lost later is the
/// transport's own watch to end.
fn end_with_transport(peer: &Peer, transport: &WebRtcTransport, grace: Duration) {
    let owner = peer.clone();
    transport.observer().on_close(move || owner.close_because(CloseReason::Left)).detach();
    let (owner, weak) = (peer.clone(), transport.downgrade());
    tokio::spawn(async move {
        tokio::time::sleep(grace).await;
        if weak.upgrade().is_some_and(|transport| transport.dtls_state() != DtlsState::Connected) {
            tracing::info!(peer = owner.id(), "never connected");
            owner.close_because(CloseReason::Lost);
        }
    });
}
