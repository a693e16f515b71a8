//! What has to be done so that a room has all that another one has: compares the two, and makes and closes pipes, consumers and producers
//! until they are alike. Nothing is remembered but which pipes belong together, so that whatever was missed in an outage is seen after it.
//! Must not know which of the rooms is here.

use super::side::{Side, SideError};
use crate::rooms::{
    NewPipe, PeerState, PipeReply, PipeState, PipedPeer, PipedProducer, ProducerState, RoomState,
};
use std::collections::BTreeMap;
use tureen::PipeConnectOptions;

const FORBIDDEN: u16 = 403;

/// The two ends that carry what one peer sends.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    /// In the room that the peer is in.
    out: String,
    /// In the other one.
    into: String,
}

/// One direction of a link.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    /// By the id of the peer.
    peers: BTreeMap<String, Ends>,
}

/// What pipes of a link are made like.
#[derive(Clone, Debug)]
pub(super) struct Make {
    pub(super) link: String,
    pub(super) enable_srtp: bool,
    pub(super) enable_rtx: bool,
}

impl Make {
    fn pipe(&self, peer: Option<PipedPeer>) -> NewPipe {
        let Self { link, enable_srtp, enable_rtx } = self.clone();
        NewPipe { enable_srtp, enable_rtx, announced_address: None, peer, link }
    }
}

fn find<'a>(room: &'a RoomState, pipe: &str) -> Option<&'a PipeState> {
    room.pipes.iter().find(|state| state.id == pipe)
}

impl Mirror {
    /// How many peers are in the other room by now.
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether a pipe is one of its own.
    pub(super) fn has(&self, pipe: &str) -> bool {
        self.peers.values().any(|ends| ends.out == pipe || ends.into == pipe)
    }

    /// Makes `to` have what `from` has. What one peer is refused keeps none of the others; the first refusal is the answer.
    ///
    /// # Errors
    /// A side is not reached, or has refused something.
    pub(super) async fn turn(
        &mut self,
        (from, has): (&impl Side, &RoomState),
        (to, had): (&impl Side, &RoomState),
        make: &Make,
    ) -> Result<(), SideError> {
        let sends = |id: &str| has.peers.iter().any(|peer| peer.id == id && !peer.producers.is_empty());
        let whole = |ends: &Ends| find(has, &ends.out).is_some() && find(had, &ends.into).is_some();
        let over = self.peers.iter().filter(|(peer, ends)| !sends(peer) || !whole(ends));
        for peer in over.map(|(peer, _)| peer.clone()).collect::<Vec<_>>() {
            self.end(from, to, &peer).await;
        }
        let mut refused = None;
        for peer in has.peers.iter().filter(|peer| !peer.producers.is_empty()) {
            match self.follow((from, has), (to, had), peer, make).await {
                Err(error @ SideError::Unreachable(_)) => return Err(error),
                Err(error) => refused = refused.or(Some(error)),
                Ok(()) => {}
            }
        }
        refused.map_or(Ok(()), Err)
    }

    async fn follow(
        &mut self,
        (from, has): (&impl Side, &RoomState),
        (to, had): (&impl Side, &RoomState),
        peer: &PeerState,
        make: &Make,
    ) -> Result<(), SideError> {
        let ends = match self.peers.get(&peer.id) {
            Some(ends) => ends.clone(),
            None => {
                let ends = join(from, to, peer, make).await?;
                self.peers.insert(peer.id.clone(), ends.clone());
                ends
            }
        };
        let empty = PipeState {
            id: String::new(),
            link: String::new(),
            producers: Vec::new(),
            consumers: Vec::new(),
        };
        let out = find(has, &ends.out).unwrap_or(&empty);
        let into = find(had, &ends.into).unwrap_or(&empty);
        for gone in into.producers.iter().filter(|made| peer.producers.iter().all(|own| own.id != made.id)) {
            to.close_producer(&ends.into, gone.id).await?;
        }
        let mut refused = None;
        for own in &peer.producers {
            match carry((from, out), (to, into), &ends, *own).await {
                Err(error @ SideError::Unreachable(_)) => return Err(error),
                Err(error) => refused = refused.or(Some(error)),
                Ok(()) => {}
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Closes what carries a peer. A side that is not reached closes its end by itself after a while.
    async fn end(&mut self, from: &impl Side, to: &impl Side, peer: &str) {
        if let Some(ends) = self.peers.remove(peer) {
            let closed = (from.close(&ends.out).await, to.close(&ends.into).await);
            tracing::debug!(peer, ?closed, "link: peer ended");
        }
    }

    /// Closes all of it.
    pub(super) async fn end_all(&mut self, from: &impl Side, to: &impl Side) {
        for peer in self.peers.keys().cloned().collect::<Vec<_>>() {
            self.end(from, to, &peer).await;
        }
    }
}

/// Opens both ends, and tells each of the other.
async fn join(from: &impl Side, to: &impl Side, peer: &PeerState, make: &Make) -> Result<Ends, SideError> {
    let named = PipedPeer { display_name: peer.display_name.clone(), device: peer.device.clone() };
    let out = from.open(make.pipe(None)).await?;
    let joined = async {
        let into = to.open(make.pipe(Some(named))).await?;
        from.connect(&out.id, remote(&into).await?).await?;
        to.connect(&into.id, remote(&out).await?).await?;
        Ok::<_, SideError>(into)
    };
    // What was opened and is not one of ours is closed with the next turn.
    let into = joined.await?;
    Ok(Ends { out: out.id, into: into.id })
}

/// Where one end is, as the other needs it.
async fn remote(end: &PipeReply) -> Result<PipeConnectOptions, SideError> {
    let unknown = || SideError::Unreachable(format!("no address of {}", end.ip));
    let ip = match end.ip.parse() {
        Ok(ip) => ip,
        Err(_) => {
            let mut found =
                tokio::net::lookup_host((end.ip.as_str(), end.port)).await.map_err(|_| unknown())?;
            found.next().ok_or_else(unknown)?.ip()
        }
    };
    Ok(PipeConnectOptions { ip, port: end.port, srtp_parameters: end.srtp_parameters.clone() })
}

/// Makes one producer be in the other room as it is in its own.
async fn carry(
    (from, out): (&impl Side, &PipeState),
    (to, into): (&impl Side, &PipeState),
    ends: &Ends,
    own: ProducerState,
) -> Result<(), SideError> {
    let consumer = out.consumers.iter().find(|consumer| consumer.producer_id == own.id);
    let made = into.producers.iter().find(|made| made.id == own.id);
    if let (Some(_), Some(made)) = (consumer, made) {
        if made.paused == own.paused {
            return Ok(());
        }
        return match to.set_paused(&ends.into, own.id, own.paused).await {
            // An operator there has muted it.
            Err(SideError::Refused(FORBIDDEN, _)) => Ok(()),
            done => done,
        };
    }
    // One half without the other is of no use.
    if let Some(consumer) = consumer {
        from.close_consumer(&ends.out, consumer.id).await?;
    }
    if made.is_some() {
        to.close_producer(&ends.into, own.id).await?;
    }
    let consumer = from.consume(&ends.out, own.id).await?;
    let (kind, rtp_parameters) = (consumer.kind, consumer.rtp_parameters);
    let piped = PipedProducer { id: Some(own.id), kind, rtp_parameters, paused: consumer.producer_paused };
    let produced = to.produce(&ends.into, piped).await;
    if produced.is_err() {
        from.close_consumer(&ends.out, consumer.id).await?;
    }
    produced
}
