//! One exchange over HTTP: a browser's offer comes in, an answer goes out, and no signalling follows. Must not know what is sent to whom.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::timeout;
use tureen::dictionaries::{DtlsParameters, DtlsRole, DtlsState, IceState, RtpParameters};
use tureen::{
    CreateTransportError, ListenInfo, Router, Transport as _, TransportEvent, WebRtcTransport,
    WebRtcTransportOptions,
};
use tureen_sdp_bridge::{Answer, LocalTransport, Offer};

/// How long a browser may take until it is connected.
const PATIENCE: Duration = Duration::from_secs(30);

/// What goes on in one section of an offer.
pub(crate) struct Section {
    pub(crate) mid: String,
    /// The producer's parameters.
    pub(crate) received: Option<RtpParameters>,
    /// The consumer's.
    pub(crate) sent: Option<RtpParameters>,
}

/// A transport that a browser reaches at `address`.
pub(crate) async fn listen(
    router: &Router,
    address: IpAddr,
) -> Result<WebRtcTransport, CreateTransportError> {
    router.create_webrtc_transport(WebRtcTransportOptions::new(vec![ListenInfo::new(address)])).await
}

/// Has the transport expect who made the offer, and writes the answer. Sections that are not listed are rejected.
pub(crate) async fn answer(
    offer: &Offer,
    transport: &WebRtcTransport,
    sections: &[Section],
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let (ice, candidates) = (transport.ice_parameters(), transport.ice_candidates());
    let dtls = transport.dtls_parameters();
    let mut answer = Answer::new(offer, LocalTransport { ice: &ice, candidates: &candidates, dtls: &dtls })?;
    for Section { mid, received, sent } in sections {
        if let Some(producer) = received {
            answer.receive(mid, producer)?;
        }
        if let Some(consumer) = sent {
            answer.send(mid, consumer)?;
        }
    }
    let role = match answer.dtls_role() {
        DtlsRole::Client => DtlsRole::Server,
        DtlsRole::Auto | DtlsRole::Server => DtlsRole::Client,
    };
    let text = answer.to_sdp()?;
    let fingerprints = offer.dtls().fingerprints.clone();
    transport.connect(DtlsParameters { role, fingerprints }).await?;
    Ok(text)
}

/// Waits until the browser is gone, or did not come.
pub(crate) async fn gone(transport: &WebRtcTransport) {
    let mut events = transport.events();
    let mut patience = PATIENCE;
    while let Ok(Some(event)) = timeout(patience, events.next()).await {
        match event {
            TransportEvent::DtlsStateChange(DtlsState::Connected) => patience = Duration::MAX,
            TransportEvent::DtlsStateChange(DtlsState::Failed | DtlsState::Closed)
            | TransportEvent::IceStateChange(IceState::Disconnected | IceState::Closed) => return,
            _ => {}
        }
    }
}

/// An error, as a response that says why.
pub(crate) struct Refusal(Box<dyn Error + Send + Sync>);

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, self.0.to_string()).into_response()
    }
}
