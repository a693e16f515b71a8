//! What goes out on a WebSocket: a bounded queue, and the requests that wait for the client's answer. Must not know sockets.

use super::message;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tureen_room::{DataOffer, Offer, Peer};

/// Messages that wait for a client that reads slowly.
const QUEUE: usize = 512;
/// A client has so long to answer a request, and to make room in a full queue.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Something that the client is told of in a request, and has to make its side of.
pub(super) enum Offered {
    Media(Offer),
    Data(DataOffer),
}

impl Offered {
    /// Whether it is closed, so that there is nothing to be told.
    pub(super) fn closed(&self) -> bool {
        match self {
            Self::Media(offer) => offer.consumer.closed(),
            Self::Data(offer) => offer.data_consumer.closed(),
        }
    }

    fn method(&self) -> &'static str {
        match self {
            Self::Media(_) => "newConsumer",
            Self::Data(_) => "newDataConsumer",
        }
    }

    /// The client does not want it.
    pub(super) fn decline(&self, peer: &Peer) {
        match self {
            Self::Media(offer) => peer.close_consumer(&offer.consumer.id()),
            Self::Data(offer) => peer.close_data_consumer(&offer.data_consumer.id()),
        };
    }
}

/// The sending half; clones share it.
#[derive(Clone)]
pub(super) struct Outbox {
    shared: Arc<Shared>,
}

struct Shared {
    queue: mpsc::Sender<String>,
    slow: watch::Sender<bool>,
    next_id: AtomicU64,
    waiting: Mutex<HashMap<u64, (Offered, Instant)>>,
}

impl Outbox {
    pub(super) fn new() -> (Self, mpsc::Receiver<String>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let shared = Shared {
            queue,
            slow: watch::Sender::new(false),
            next_id: AtomicU64::new(1),
            waiting: Mutex::default(),
        };
        (Self { shared: Arc::new(shared) }, receiver)
    }

    /// Never waits: a client whose queue is full is too slow to be served.
    pub(super) fn send(&self, text: String) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.shared.queue.try_send(text) {
            self.shared.slow.send_replace(true);
        }
    }

    pub(super) fn notify(&self, method: &str, data: &Value) {
        self.send(message::notification(method, data));
    }

    /// Waits for room, but not for ever.
    pub(super) async fn send_in_turn(&self, text: String) {
        if timeout(PATIENCE, self.shared.queue.send(text)).await.is_err() {
            self.shared.slow.send_replace(true);
        }
    }

    /// Tells the client of a consumer, and remembers that it has to answer.
    pub(super) async fn offer(&self, offered: Offered, data: &Value) {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let request = message::request(id, offered.method(), data);
        self.waiting().insert(id, (offered, Instant::now()));
        self.send_in_turn(request).await;
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (Offered, Instant)>> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request that an answer is to, if it was still waited for.
    pub(super) fn answered(&self, id: u64) -> Option<Offered> {
        self.waiting().remove(&id).map(|(offer, _)| offer)
    }

    /// Requests that have waited for too long; they wait no more.
    pub(super) fn overdue(&self, now: Instant) -> Vec<Offered> {
        let mut waiting = self.waiting();
        let late = |since: Instant| now.saturating_duration_since(since) >= PATIENCE;
        let ids: Vec<u64> =
            waiting.iter().filter(|(_, (_, since))| late(*since)).map(|(id, _)| *id).collect();
        ids.iter().filter_map(|id| waiting.remove(id)).map(|(offer, _)| offer).collect()
    }

    /// All requests that wait, in the order in which they were made.
    pub(super) fn unanswered(&self) -> Vec<Offered> {
        let mut waiting: Vec<_> = self.waiting().drain().collect();
        waiting.sort_by_key(|(id, _)| *id);
        waiting.into_iter().map(|(_, (offer, _))| offer).collect()
    }

    /// Resolves when the client turns out to be too slow.
    pub(super) async fn until_slow(&self) {
        // The sender is held by `self`, so that this does not fail.
        let _ = self.shared.slow.subscribe().wait_for(|slow| *slow).await;
    }
}
