//! Events posted to a URL, one after the other, signed and tried again. Must not know what makes them happen.

use crate::config::Settings;
use aws_lc_rs::hmac;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;
use tureen_room::{CloseReason, RoomsEvent, RoomsEvents};

/// Carries the HMAC-SHA256 of the body, as `sha256=` and hexadecimal digits.
const SIGNATURE: &str = "Tureen-Signature";
const TIMEOUT: Duration = Duration::from_secs(10);
/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// After so many failures an event is given up: about a minute.
const ATTEMPTS: u32 = 8;

/// Where events go.
pub(crate) struct Webhooks {
    url: String,
    key: Option<hmac::Key>,
    agent: ureq::Agent,
}

impl Webhooks {
    /// `None` where no URL is set.
    pub(crate) fn new(settings: &Settings) -> Option<Self> {
        if settings.webhook_url.is_empty() {
            return None;
        }
        let secret = &settings.webhook_secret;
        let key = (!secret.is_empty()).then(|| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ureq::tls::TlsConfig::builder().unversioned_rustls_crypto_provider(provider).build();
        let agent =
            ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).tls_config(tls).build().into();
        Some(Self { url: settings.webhook_url.clone(), key, agent })
    }

    /// Posts every event until the rooms are closed. Those that are not posted in time are lost, which is logged.
    pub(crate) async fn run(self, mut events: RoomsEvents) {
        let hooks = Arc::new(self);
        let mut sequence = 0u64;
        while let Some(event) = events.next().await {
            sequence = sequence.saturating_add(1);
            let body = describe(&event, sequence).to_string();
            hooks.deliver(body).await;
        }
        if events.lagged() {
            tracing::error!("webhooks: too many events waited; no more are posted");
        }
    }

    async fn deliver(self: &Arc<Self>, body: String) {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            let (hooks, text) = (Arc::clone(self), body.clone());
            let posted = tokio::task::spawn_blocking(move || hooks.post(&text)).await;
            match posted {
                Ok(Ok(())) => return,
                Ok(Err(error)) => tracing::warn!(attempt, %error, "webhook"),
                Err(error) => tracing::error!(attempt, %error, "webhook"),
            }
            if attempt < ATTEMPTS {
                sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
        }
        tracing::error!(body, "webhook given up");
    }

    fn post(&self, body: &str) -> Result<(), ureq::Error> {
        let mut request = self.agent.post(&self.url).header("Content-Type", "application/json");
        if let Some(key) = &self.key {
            request = request.header(SIGNATURE, format!("sha256={}", signature(key, body)));
        }
        request.send(body).map(|_| ())
    }
}

fn signature(key: &hmac::Key, body: &str) -> String {
    hmac::sign(key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn describe(event: &RoomsEvent, sequence: u64) -> Value {
    use RoomsEvent as E;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let mut body = match event {
        E::RoomOpened { room } => json!({ "event": "room.started", "room": room }),
        E::RoomClosed { room } => json!({ "event": "room.ended", "room": room }),
        E::PeerJoined { room, peer } => json!({ "event": "peer.started", "room": room, "peer": peer }),
        E::PeerLeft { room, peer, reason } => {
            json!({ "event": "peer.ended", "room": room, "peer": peer, "reason": reason_name(*reason) })
        }
        E::ProducerAdded { room, peer, producer, kind } => {
            json!({ "event": "producer.started", "room": room, "peer": peer, "producer": producer, "kind": kind })
        }
        E::ProducerRemoved { room, peer, producer, kind } => {
            json!({ "event": "producer.ended", "room": room, "peer": peer, "producer": producer, "kind": kind })
        }
        _ => json!({ "event": "unknown" }),
    };
    body["sequence"] = sequence.into();
    body["timestamp"] = milliseconds.into();
    body
}

fn reason_name(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Left => "left",
        CloseReason::Replaced => "replaced",
        CloseReason::Removed => "removed",
        CloseReason::Lost => "lost",
        CloseReason::RoomClosed => "room closed",
        CloseReason::Lagged => "too slow",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        // Section 4.3, test case 2.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature(&key, "what do ya want for nothing?"), expected);
    }
}
