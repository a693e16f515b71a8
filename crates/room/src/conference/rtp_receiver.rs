//! An RtpReceiver: something that a peer sends, and all the senders that carry it to the others. Does not know how a sender sends.

use super::dump::RtpReceiverDump;
use super::error::{
    CloseError, InvalidStateError, ListenRtpError, ReceiveError, SetTransportError, StateError,
};
use super::event::{PeerEvent, RtpObject, RtpReceiverEvent, tell};
use super::packets::{PacketKind, PacketListener, Packets};
use super::validate::validate;
use super::{Peer, RtpSender, Transport};
use crate::queue::lock;
use crate::register::same;
use bytes::Bytes;
use futures_util::lock::Mutex as AsyncMutex;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use tureen::dictionaries::{MediaKind, RtpParameters};
use tureen::signals::Emitter;
use tureen::{AppData, EventStream, ListenerError, Producer};

pub(super) struct RtpReceiverShared {
    id: u32,
    kind: MediaKind,
    peer: Peer,
    pub(super) emitter: Emitter<RtpReceiverEvent>,
    /// Held by whoever makes the producer, or consumers of it: one after the other.
    pub(super) media: AsyncMutex<()>,
    state: Mutex<RtpReceiverState>,
    app_data: AppData,
}

/// What changes of a receiver, and only under the lock of its room.
#[derive(Default)]
pub(super) struct RtpReceiverState {
    pub(super) closed: bool,
    pub(super) transport: Option<Transport>,
    pub(super) parameters: Option<RtpParameters>,
    pub(super) producer: Option<Producer>,
    pub(super) senders: Vec<RtpSender>,
    pub(super) packets: Weak<Packets>,
}

/// Something that a peer sends. Clones are handles to the same receiver; it does not close with them, but by [`RtpReceiver::close`] or with
/// its peer.
#[derive(Clone)]
pub struct RtpReceiver {
    pub(super) shared: Arc<RtpReceiverShared>,
}

impl PartialEq for RtpReceiver {
    fn eq(&self, other: &Self) -> bool {
        same(&self.shared, &other.shared)
    }
}

impl Eq for RtpReceiver {}

const CLOSED: InvalidStateError = InvalidStateError("rtpReceiver");

impl RtpReceiver {
    pub(super) fn new(peer: Peer, kind: MediaKind, transport: Transport) -> Self {
        let state = RtpReceiverState { transport: Some(transport), ..RtpReceiverState::default() };
        Self {
            shared: Arc::new(RtpReceiverShared {
                id: peer.room().hub().ids.draw(),
                kind,
                peer,
                emitter: Emitter::default(),
                media: AsyncMutex::new(()),
                state: Mutex::new(state),
                app_data: AppData::default(),
            }),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, RtpReceiverState> {
        lock(&self.shared.state)
    }

    pub(super) fn open_state(&self) -> Result<MutexGuard<'_, RtpReceiverState>, InvalidStateError> {
        let state = self.state();
        if state.closed { Err(CLOSED) } else { Ok(state) }
    }

    pub(super) fn tell(&self, event: RtpReceiverEvent) {
        tell(&self.shared.peer.room().hub().manager, &self.shared.emitter, event);
    }

    /// Its id, 10000000 to 99999999.
    pub fn id(&self) -> u32 {
        self.shared.id
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.shared.kind
    }

    /// Whose it is.
    pub fn peer(&self) -> &Peer {
        &self.shared.peer
    }

    /// Whose it is: [`RtpReceiver::peer`] under its older name.
    pub fn associated_peer(&self) -> &Peer {
        self.peer()
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.shared.app_data
    }

    /// Whether it is closed.
    pub fn closed(&self) -> bool {
        self.state().closed
    }

    /// What its media comes in on; `None` once that closed, until another is set.
    pub fn transport(&self) -> Option<Transport> {
        self.state().transport.clone()
    }

    /// What its endpoint sends, once [`RtpReceiver::receive`] said.
    pub fn rtp_parameters(&self) -> Option<RtpParameters> {
        self.state().parameters.clone()
    }

    /// What takes its media in, while it has parameters and a transport. It is another one after each change of them.
    pub fn producer(&self) -> Option<Producer> {
        self.state().producer.clone()
    }

    /// The senders that carry it to the others, the oldest first.
    pub fn senders(&self) -> Vec<RtpSender> {
        self.state().senders.clone()
    }

    /// Says what its endpoint sends. The first time senders are made for all others whose capabilities are set; later all senders are given
    /// what is left of it for their peers, and media goes on under it.
    ///
    /// Payload types are the room's. An encoding without one is of the first media codec; without a CNAME one is drawn.
    ///
    /// # Errors
    /// [`ReceiveError`] names the member that is refused; nothing has changed then.
    pub async fn receive(&self, parameters: RtpParameters) -> Result<(), ReceiveError> {
        let media = self.shared.media.lock().await;
        drop(self.open_state()?);
        let parameters = validate(parameters, self.kind(), self.peer().room().capabilities())?;
        let is_same =
            self.open_state()?.parameters.as_ref().is_some_and(|before| same_media(before, &parameters));
        if !is_same || self.lacks_producer() {
            self.exchange_producer(&parameters).await?;
        }
        self.take_parameters(parameters)?;
        self.settle_all(&media).await;
        Ok(())
    }

    fn take_parameters(&self, parameters: RtpParameters) -> Result<(), InvalidStateError> {
        let register = self.peer().room().lock();
        let mut state = self.open_state()?;
        let before = state.parameters.replace(parameters.clone());
        let senders = state.senders.clone();
        drop(state);
        if before.is_some() {
            self.tell(RtpReceiverEvent::ParametersChange(parameters.clone()));
            senders.iter().for_each(|sender| sender.take_parameters(&parameters));
            return Ok(());
        }
        self.tell(RtpReceiverEvent::Parameters(parameters));
        register.peers.iter().filter(|peer| *peer != self.peer()).for_each(|peer| self.add_sender(peer));
        Ok(())
    }

    /// Makes the sender that carries it to a peer, if that has said what it can do. The lock of the room is held.
    pub(super) fn add_sender(&self, peer: &Peer) {
        let (Some(capabilities), Some(parameters)) = (peer.capabilities(), self.rtp_parameters()) else {
            return;
        };
        let sender = RtpSender::new(self.clone(), peer.clone(), &parameters, &capabilities);
        self.state().senders.push(sender.clone());
        peer.state().senders.push(sender.clone());
        peer.tell(PeerEvent::NewRtpSender(sender));
    }

    /// Takes its media in on another transport of its peer. What its endpoint sends stays as it was said.
    ///
    /// # Errors
    /// [`SetTransportError`]; nothing has changed then.
    pub async fn set_transport(&self, transport: &Transport) -> Result<(), SetTransportError> {
        let media = self.shared.media.lock().await;
        let (is_same, parameters) = {
            let state = self.open_state()?;
            (state.transport.as_ref() == Some(transport), state.parameters.clone())
        };
        if transport.peer() != self.peer() {
            return Err(SetTransportError::ForeignTransport);
        }
        transport.check_open()?;
        if is_same && !self.lacks_producer() {
            return Ok(());
        }
        let producer = match &parameters {
            Some(parameters) => Some(self.produce(transport, parameters).await?),
            None => None,
        };
        {
            let _register = self.peer().room().lock();
            transport.check_open()?;
            let mut state = self.open_state()?;
            state.transport = Some(transport.clone());
            let before = std::mem::replace(&mut state.producer, producer);
            drop(state);
            drop(before);
            if !is_same {
                self.tell(RtpReceiverEvent::Transport(transport.clone()));
            }
        }
        self.settle_all(&media).await;
        Ok(())
    }

    /// Closes it, and with it all its senders; does nothing if it is closed.
    pub fn close(&self) {
        let _register = self.peer().room().lock();
        self.end(None);
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn dump(&self) -> Result<RtpReceiverDump, StateError> {
        let (mut dump, producer) = {
            let state = self.open_state()?;
            let packets = state.packets.upgrade();
            let enabled = |kind| packets.as_ref().is_some_and(|packets| packets.is_enabled(kind));
            let dump = RtpReceiverDump {
                rtp_receiver_id: self.id(),
                kind: self.kind(),
                rtp_parameters: state.parameters.clone(),
                has_transport: state.transport.is_some(),
                rtp_raw_event_enabled: enabled(PacketKind::Raw),
                rtp_object_event_enabled: enabled(PacketKind::Object),
                rtp_streams: Vec::new(),
            };
            (dump, state.producer.clone())
        };
        // A producer that went meanwhile has no streams.
        if let Some(producer) = producer.filter(|producer| !producer.closed()) {
            dump.rtp_streams = producer.get_stats().await.unwrap_or_default();
        }
        Ok(dump)
    }

    /// Tells `listener` of RTP packets as they came, until what is returned is dropped. Each new listener has a key frame asked for; video begins with
    /// one.
    ///
    /// # Errors
    /// [`ListenRtpError`].
    pub async fn on_rtp_raw(
        &self,
        listener: impl Fn(&Bytes) + Send + Sync + 'static,
    ) -> Result<PacketListener, ListenRtpError> {
        let packets = self.packets().await?;
        let listening = Arc::clone(&packets).listen_raw(listener);
        packets.start().await;
        Ok(listening)
    }

    /// Tells `listener` of RTP packets, taken apart; else as [`RtpReceiver::on_rtp_raw`].
    ///
    /// # Errors
    /// [`ListenRtpError`].
    pub async fn on_rtp_object(
        &self,
        listener: impl Fn(&RtpObject) + Send + Sync + 'static,
    ) -> Result<PacketListener, ListenRtpError> {
        let packets = self.packets().await?;
        let listening = Arc::clone(&packets).listen_objects(listener);
        packets.start().await;
        Ok(listening)
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<RtpReceiverEvent> {
        self.shared.emitter.stream()
    }

    tureen::on_events! { RtpReceiverEvent, |this| this.shared.emitter;
        /// It closed, and by which failure, if by one.
        on_close => Close(Option<CloseError>);
        /// It has its first parameters.
        on_parameters => Parameters(RtpParameters);
        /// It has other parameters.
        on_parameters_change => ParametersChange(RtpParameters);
        /// It has another transport.
        on_transport => Transport(Transport);
        /// A listener of it panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

/// Whether nothing changes for packets: what a program says besides does not concern them.
fn same_media(before: &RtpParameters, parameters: &RtpParameters) -> bool {
    let media = |parameters: &RtpParameters| RtpParameters { user_parameters: None, ..parameters.clone() };
    media(before) == media(parameters)
}

impl std::fmt::Debug for RtpReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtpReceiver")
            .field("id", &self.id())
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}
