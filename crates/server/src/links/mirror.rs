//! What has to be done so that a room has all that another one has: compares the two, and makes and closes pipes, consumers and producers
//! until they are alike. Nothing is remembered but which pipes belong together, so that whatever was missed in an outage is seen after it.
//! Must not know which of the rooms is here.

use super::NewLink;
use super::side::{Side, SideError};
use crate::rooms::{
    NewPipe, PeerState, PipeReply, PipeState, PipedDataProducer, PipedPeer, PipedProducer, ProducerState,
    RoomState,
};
use std::collections::BTreeMap;
use tureen::{DataProducerId, PipeConnectOptions};

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
    pub(super) enable_data: bool,
}

impl Make {
    pub(super) fn of(link: &str, new: &NewLink) -> Self {
        let NewLink { enable_srtp, enable_rtx, enable_data, .. } = *new;
        Self { link: link.to_owned(), enable_srtp, enable_rtx, enable_data }
    }

    /// Whether a peer has anything that crosses.
    fn carries(&self, peer: &PeerState) -> bool {
        !peer.producers.is_empty() || self.enable_data && !peer.data_producers.is_empty()
    }

    fn pipe(&self, peer: Option<PipedPeer>) -> NewPipe {
        let Self { link, enable_srtp, enable_rtx, enable_data } = self.clone();
        NewPipe { enable_srtp, enable_rtx, enable_data, announced_address: None, peer, link }
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
        let sends = |id: &str| has.peers.iter().any(|peer| peer.id == id && make.carries(peer));
        let whole = |ends: &Ends| find(has, &ends.out).is_some() && find(had, &ends.into).is_some();
        let over = self.peers.iter().filter(|(peer, ends)| !sends(peer) || !whole(ends));
        for peer in over.map(|(peer, _)| peer.clone()).collect::<Vec<_>>() {
            self.end(from, to, &peer).await;
        }
        let mut refused = None;
        for peer in has.peers.iter().filter(|peer| make.carries(peer)) {
            note(&mut refused, self.follow((from, has), (to, had), peer, make).await)?;
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
        let empty = PipeState::default();
        let out = (from, find(has, &ends.out).unwrap_or(&empty));
        let into = (to, find(had, &ends.into).unwrap_or(&empty));
        let mut refused = None;
        // Just made, it has the name already.
        if into.1.display_name.as_ref().is_some_and(|name| *name != peer.display_name) {
            note(&mut refused, to.rename(&ends.into, &peer.display_name).await)?;
        }
        for gone in into.1.producers.iter().filter(|made| peer.producers.iter().all(|own| own.id != made.id))
        {
            to.close_producer(&ends.into, gone.id).await?;
        }
        for own in &peer.producers {
            note(&mut refused, carry(out, into, &ends, *own).await)?;
        }
        let data_producers = if make.enable_data { peer.data_producers.as_slice() } else { &[] };
        for gone in into.1.data_producers.iter().filter(|made| !data_producers.contains(made)) {
            to.close_data_producer(&ends.into, *gone).await?;
        }
        for own in data_producers {
            note(&mut refused, carry_data(out, into, &ends, *own).await)?;
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

/// Keeps the first refusal, for the others to be tried all the same.
///
/// # Errors
/// A side was not reached.
fn note(refused: &mut Option<SideError>, tried: Result<(), SideError>) -> Result<(), SideError> {
    match tried {
        Err(error @ SideError::Unreachable(_)) => return Err(error),
        Err(error) => *refused = refused.take().or(Some(error)),
        Ok(()) => {}
    }
    Ok(())
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
    let piped = PipedProducer {
        id: Some(own.id),
        kind: consumer.kind,
        rtp_parameters: consumer.rtp_parameters,
        paused: consumer.producer_paused,
        content_hint: consumer.content_hint,
    };
    let produced = to.produce(&ends.into, piped).await;
    if produced.is_err() {
        from.close_consumer(&ends.out, consumer.id).await?;
    }
    produced
}

/// Makes one data producer be in the other room.
async fn carry_data(
    (from, out): (&impl Side, &PipeState),
    (to, into): (&impl Side, &PipeState),
    ends: &Ends,
    own: DataProducerId,
) -> Result<(), SideError> {
    let consumer = out.data_consumers.iter().find(|consumer| consumer.data_producer_id == own);
    let is_made = into.data_producers.contains(&own);
    if consumer.is_some() && is_made {
        return Ok(());
    }
    // One half without the other is of no use.
    if let Some(consumer) = consumer {
        from.close_data_consumer(&ends.out, consumer.id).await?;
    }
    if is_made {
        to.close_data_producer(&ends.into, own).await?;
    }
    let consumer = from.consume_data(&ends.out, own).await?;
    let piped = PipedDataProducer {
        id: Some(own),
        sctp_stream_parameters: consumer.sctp_stream_parameters,
        label: consumer.label,
        protocol: consumer.protocol,
    };
    let produced = to.produce_data(&ends.into, piped).await;
    if produced.is_err() {
        from.close_data_consumer(&ends.out, consumer.id).await?;
    }
    produced
}
