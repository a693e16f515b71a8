//! What the program asks of a shard: one queue in one order, so that nothing overtakes what it depends on.
//!
//! Calls are admitted up to a limit; closes always are, and as each object is closed at most once by whoever made it, their
//! number is bounded by that of live objects. Must not know Cores or sockets' contents.

use crate::error::{AddListeningTransportError, CallError};
use crate::ice_listen::WebRtcSockets;
use crate::listen::{BoundIceSocket, BoundPair};
use crate::snapshot::ShardSnapshot;
use crate::transport::AnyTransport;
use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use futures_channel::oneshot;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tureen_media_model::{Command, PipeOptions, Reply, RouterId, SctpOptions, TransportId, TransportOptions};
use tureen_transport::{KeyMaterial, PlainDetails, PlainTransportOptions, SocketId};
use tureen_transport_webrtc::{DtlsCertificate, IceCredentials, IceListen, WebRtcDetails, WebRtcOptions};
use tureen_udp::Waker;

pub(crate) enum Message {
    Call(Box<Command<AnyTransport>>, oneshot::Sender<Reply<AnyTransport>>),
    Close(Box<Command<AnyTransport>>),
    AddPlain(Box<AddPlain>, oneshot::Sender<Result<PlainDetails, AddListeningTransportError>>),
    AddWebRtc(Box<AddWebRtc>, oneshot::Sender<Result<WebRtcDetails, AddListeningTransportError>>),
    AddListeners(Vec<BoundIceSocket>, oneshot::Sender<Result<Vec<IceListen>, AddListeningTransportError>>),
    RemoveListeners(Vec<SocketId>),
    Snapshot(oneshot::Sender<ShardSnapshot>),
    #[cfg(test)]
    Panic,
}

impl Message {
    /// Whether it counts among the calls that are admitted up to a limit.
    fn was_admitted(&self) -> bool {
        match self {
            Self::Call(..)
            | Self::AddPlain(..)
            | Self::AddWebRtc(..)
            | Self::AddListeners(..)
            | Self::Snapshot(_) => true,
            Self::Close(_) | Self::RemoveListeners(_) => false,
            #[cfg(test)]
            Self::Panic => false,
        }
    }
}

/// A message in its envelope. Handles hold the queue of these in the types of their futures: the trait object spares the
/// compiler from proving for each of them that all a transport is made of may change threads, for which it has a limit.
trait Envelope: Send {
    fn open(self: Box<Self>) -> Message;
}

impl Envelope for Message {
    fn open(self: Box<Self>) -> Message {
        *self
    }
}

/// A WebRTC transport whose sockets are bound.
pub(crate) struct AddWebRtc {
    pub(crate) router: RouterId,
    pub(crate) id: TransportId,
    pub(crate) sockets: WebRtcSockets,
    pub(crate) options: WebRtcOptions,
    pub(crate) credentials: IceCredentials,
    pub(crate) certificate: DtlsCertificate,
    pub(crate) model: TransportOptions,
}

/// A plain transport whose sockets are bound and wait for their shard.
pub(crate) struct AddPlain {
    pub(crate) router: RouterId,
    pub(crate) id: TransportId,
    pub(crate) options: PlainTransportOptions,
    pub(crate) sockets: BoundPair,
    pub(crate) key_material: KeyMaterial,
    pub(crate) sctp: Option<SctpOptions>,
    pub(crate) pipe: Option<PipeOptions>,
}

/// A packet that the program sends on a direct transport.
pub(crate) struct ProgramPacket {
    pub(crate) transport: TransportId,
    pub(crate) packet: Bytes,
}

/// How a shard fares, for those who wait for it.
#[derive(Debug, Default)]
pub(crate) struct Status {
    stopping: AtomicBool,
    died: AtomicBool,
}

impl Status {
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn die(&self) {
        self.died.store(true, Ordering::Release);
    }

    /// Why a shard does not answer.
    pub(crate) fn absence(&self) -> CallError {
        if self.died.load(Ordering::Acquire) { CallError::ShardDied } else { CallError::Stopped }
    }
}

/// The program's end.
#[derive(Clone)]
pub(crate) struct Outside {
    messages: Sender<Box<dyn Envelope>>,
    packets: Sender<ProgramPacket>,
    calls: Arc<Admission>,
    pub(crate) waker: Waker,
    pub(crate) status: Arc<Status>,
}

#[derive(Debug)]
struct Admission {
    waiting: AtomicUsize,
    limit: usize,
}

/// The shard's end.
pub(crate) struct Inbox {
    messages: Receiver<Box<dyn Envelope>>,
    packets: Receiver<ProgramPacket>,
    calls: Arc<Admission>,
}

/// The two ends of a shard's queues, for `calls` calls and `packets` packets.
pub(crate) fn inbox(calls: usize, packets: usize, waker: Waker) -> (Outside, Inbox) {
    let (messages, message_receiver) = unbounded();
    let (packets, packet_receiver) = bounded(packets);
    let calls = Arc::new(Admission { waiting: AtomicUsize::new(0), limit: calls });
    let inbox = Inbox { messages: message_receiver, packets: packet_receiver, calls: Arc::clone(&calls) };
    (Outside { messages, packets, calls, waker, status: Arc::default() }, inbox)
}

impl Outside {
    /// Queues what expects an answer, within the limit.
    pub(crate) fn call<A>(
        &self,
        message: impl FnOnce(oneshot::Sender<A>) -> Message,
    ) -> Result<oneshot::Receiver<A>, CallError> {
        if self.calls.waiting.fetch_add(1, Ordering::AcqRel) >= self.calls.limit {
            self.calls.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(CallError::Busy);
        }
        let (sender, answer) = oneshot::channel();
        self.messages.send(Box::new(message(sender))).map_err(|_| self.status.absence())?;
        self.waker.wake();
        Ok(answer)
    }

    /// Queues what must not be lost and expects no answer. A shard that is gone has closed everything already.
    pub(crate) fn post(&self, message: Message) {
        if self.messages.send(Box::new(message)).is_ok() {
            self.waker.wake();
        }
    }

    /// Queues a packet; gives it back where there is no room.
    pub(crate) fn packet(
        &self,
        packet: ProgramPacket,
    ) -> Result<(), crossbeam_channel::TrySendError<ProgramPacket>> {
        self.packets.try_send(packet)?;
        self.waker.wake();
        Ok(())
    }
}

impl Inbox {
    pub(crate) fn next(&self) -> Option<Message> {
        let message = self.messages.try_recv().ok()?.open();
        if message.was_admitted() {
            self.calls.waiting.fetch_sub(1, Ordering::AcqRel);
        }
        Some(message)
    }

    pub(crate) fn next_packet(&self) -> Option<ProgramPacket> {
        self.packets.try_recv().ok()
    }

    pub(crate) fn has_more(&self) -> bool {
        !self.messages.is_empty() || !self.packets.is_empty()
    }
}
