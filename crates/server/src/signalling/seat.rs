//! A peer's seat: which connection speaks for the peer, and how long it is kept when none does. Must not know messages.

use super::outbox::Offered;
use crate::access::{Grant, Secret};
use crate::http::App;
use crate::refusal::Refusal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tureen::AppData;
use tureen_room::{CloseReason, EnterError, Inbox, Peer, Subscription};

/// What makes a peer one that has connections, in the peer's slot for data.
pub(crate) struct Seat {
    token: Secret,
    /// Counts connections; the newest one speaks for the peer.
    newest: watch::Sender<u64>,
    /// Of the connection that reads it.
    pub(super) inbox: tokio::sync::Mutex<Option<Inbox>>,
    unanswered: Mutex<Vec<Offered>>,
}

/// A connection's right to speak for a peer.
pub(super) struct Ticket {
    pub(super) peer: Peer,
    pub(super) seat: Arc<Seat>,
    /// Whether the peer was there before: its client may go on, or start anew.
    pub(super) resumed: bool,
    number: u64,
}

impl Seat {
    fn new(grant: &Grant) -> Self {
        Self {
            token: grant.token.clone(),
            newest: watch::Sender::new(0),
            inbox: tokio::sync::Mutex::default(),
            unanswered: Mutex::default(),
        }
    }

    fn unanswered(&self) -> MutexGuard<'_, Vec<Offered>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what a client that is gone was told of and did not answer.
    pub(super) fn keep_unanswered(&self, offers: Vec<Offered>) {
        self.unanswered().extend(offers);
    }

    /// Takes what was kept.
    pub(super) fn take_unanswered(&self) -> Vec<Offered> {
        std::mem::take(&mut *self.unanswered())
    }

    fn call(self: &Arc<Self>, peer: Peer, resumed: bool) -> Ticket {
        let mut number = 0;
        self.newest.send_modify(|newest| {
            *newest = newest.saturating_add(1);
            number = *newest;
        });
        Ticket { peer, seat: Arc::clone(self), resumed, number }
    }
}

impl Ticket {
    /// Resolves when another connection speaks for the peer.
    pub(super) async fn until_replaced(&self) {
        let mut newest = self.seat.newest.subscribe();
        // The sender is held by `self`, so that this does not fail.
        let _ = newest.wait_for(|newest| *newest != self.number).await;
    }

    fn is_newest(&self) -> bool {
        *self.seat.newest.borrow() == self.number
    }

    /// The connection is gone without a goodbye: the peer is kept for `grace`, unless another connection comes.
    pub(super) async fn keep(self, grace: Duration) {
        tokio::time::sleep(grace).await;
        if self.is_newest() {
            self.peer.close_because(CloseReason::Lost);
        }
    }
}

/// Takes the seat of a peer: a new one, or that of the peer with this id, whose connection is replaced. A peer that came with
/// another token is not handed over; it leaves, and a new one takes its place.
pub(super) async fn take(
    app: &Arc<App>,
    room: &str,
    id: &str,
    grant: Grant,
    subscription: Subscription,
) -> Result<Ticket, Refusal> {
    loop {
        let slot = AppData::new(Seat::new(&grant));
        match app.rooms.enter(room, id, &grant, subscription, slot).await? {
            Ok((peer, inbox)) => {
                let seat = peer.app_data().get::<Seat>().ok_or_else(|| Refusal::Failed("no seat".into()))?;
                *seat.inbox.lock().await = Some(inbox);
                return Ok(seat.call(peer, false));
            }
            Err(EnterError::Taken(taken)) => {
                // It may have left in between.
                let Some(peer) = app.rooms.room(room).ok().and_then(|room| room.peer(id)) else { continue };
                let Some(seat) = peer.app_data().get::<Seat>() else {
                    return Err(EnterError::Taken(taken).into());
                };
                if seat.token.matches(grant.token.as_str()) {
                    peer.set_subscription(subscription);
                    return Ok(seat.call(peer, true));
                }
                peer.close_because(CloseReason::Replaced);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Makes a new peer of the same id and rights in the place of one whose client starts anew.
pub(super) async fn renew(app: &Arc<App>, old: &Ticket) -> Result<Ticket, Refusal> {
    let room = old.peer.room().id().to_owned();
    let grant = Grant { role: old.peer.role(), peer: None, token: old.seat.token.clone() };
    let subscription = old.peer.subscription();
    old.peer.close_because(CloseReason::Replaced);
    take(app, &room, old.peer.id(), grant, subscription).await
}
