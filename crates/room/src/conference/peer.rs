//! A peer: somebody in a room, with transports, receivers for what it sends, and senders for what it gets. Does not know its endpoint.

use super::capabilities::effective_capabilities;
use super::dump::PeerDump;
use super::error::{
    CloseError, CreateRtpReceiverError, CreateTransportError, InvalidStateError, SetCapabilitiesError,
    StateError,
};
use super::event::{PeerEvent, tell};
use super::settings::{ReceiverKind, TransportOptions};
use super::{Room, RtpReceiver, RtpSender, Transport};
use crate::queue::lock;
use crate::register::same;
use std::sync::{Arc, Mutex, MutexGuard};
use tureen::dictionaries::{MediaKind, RtpCapabilities, validate_rtp_capabilities};
use tureen::signals::Emitter;
use tureen::{
    AnyTransport, AppData, DirectTransportOptions, EventStream, ListenerError, PlainTransportOptions,
};

pub(super) struct PeerShared {
    id: u32,
    name: String,
    room: Room,
    pub(super) emitter: Emitter<PeerEvent>,
    state: Mutex<PeerState>,
    app_data: AppData,
}

/// What changes of a peer, and only under the lock of its room.
#[derive(Default)]
pub(super) struct PeerState {
    pub(super) closed: bool,
    pub(super) capabilities: Option<RtpCapabilities>,
    pub(super) transports: Vec<Transport>,
    pub(super) receivers: Vec<RtpReceiver>,
    pub(super) senders: Vec<RtpSender>,
}

/// Somebody in a room. Clones are handles to the same peer; it does not leave with them, but by [`Peer::close`] or with its room.
#[derive(Clone)]
pub struct Peer {
    pub(super) shared: Arc<PeerShared>,
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        same(&self.shared, &other.shared)
    }
}

impl Eq for Peer {}

const CLOSED: InvalidStateError = InvalidStateError("peer");

impl Peer {
    pub(super) fn new(room: Room, name: String) -> Self {
        let (id, emitter, state) = (room.hub().ids.draw(), Emitter::default(), Mutex::default());
        Self { shared: Arc::new(PeerShared { id, name, room, emitter, state, app_data: AppData::default() }) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, PeerState> {
        lock(&self.shared.state)
    }

    pub(super) fn open_state(&self) -> Result<MutexGuard<'_, PeerState>, InvalidStateError> {
        let state = self.state();
        if state.closed { Err(CLOSED) } else { Ok(state) }
    }

    pub(super) fn tell(&self, event: PeerEvent) {
        tell(&self.shared.room.hub().manager, &self.shared.emitter, event);
    }

    /// Its id, 10000000 to 99999999.
    pub fn id(&self) -> u32 {
        self.shared.id
    }

    /// Its name, which nobody else in the room has.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The room that it is, or was, in.
    pub fn room(&self) -> &Room {
        &self.shared.room
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.shared.app_data
    }

    /// Whether it is closed.
    pub fn closed(&self) -> bool {
        self.state().closed
    }

    /// What it can do within the room, once [`Peer::set_capabilities`] said.
    pub fn capabilities(&self) -> Option<RtpCapabilities> {
        self.state().capabilities.clone()
    }

    /// Its transports, the oldest first.
    pub fn transports(&self) -> Vec<Transport> {
        self.state().transports.clone()
    }

    /// What it sends, the oldest first.
    pub fn rtp_receivers(&self) -> Vec<RtpReceiver> {
        self.state().receivers.clone()
    }

    /// What it gets, the oldest first.
    pub fn rtp_senders(&self) -> Vec<RtpSender> {
        self.state().senders.clone()
    }

    /// Says once what its endpoint can do. Returns what is left of it within the room; see
    /// [`effective_capabilities`]. Senders for what the others send already are made, and told of, before this returns.
    ///
    /// # Errors
    /// [`SetCapabilitiesError`].
    pub async fn set_capabilities(
        &self,
        mut capabilities: RtpCapabilities,
    ) -> Result<RtpCapabilities, SetCapabilitiesError> {
        let room = self.room();
        let effective = {
            let register = room.lock();
            let mut state = self.open_state()?;
            if state.capabilities.is_some() {
                return Err(SetCapabilitiesError::AlreadySet);
            }
            validate_rtp_capabilities(&mut capabilities)?;
            let effective = effective_capabilities(room.capabilities(), &capabilities);
            state.capabilities = Some(effective.clone());
            drop(state);
            self.tell(PeerEvent::Capabilities(effective.clone()));
            register.sources(self).iter().for_each(|source| source.add_sender(self));
            effective
        };
        room.hub().manager.all_told().await;
        Ok(effective)
    }

    /// Makes a transport for a browser.
    ///
    /// # Errors
    /// [`CreateTransportError`].
    pub async fn create_transport(
        &self,
        options: TransportOptions,
    ) -> Result<Transport, CreateTransportError> {
        drop(self.open_state()?);
        let room = self.room();
        let made = room.router().create_webrtc_transport(room.hub().addresses.webrtc(&options)?).await?;
        self.add_transport(made.into(), options.app_data)
    }

    /// Makes a transport of plain RTP over UDP.
    ///
    /// # Errors
    /// [`CreateTransportError`].
    pub async fn create_plain_transport(
        &self,
        options: PlainTransportOptions,
    ) -> Result<Transport, CreateTransportError> {
        drop(self.open_state()?);
        let app_data = options.app_data.clone();
        let made = self.room().router().create_plain_transport(options).await?;
        self.add_transport(made.into(), app_data)
    }

    /// Makes a transport to this program.
    ///
    /// # Errors
    /// [`CreateTransportError`].
    pub async fn create_direct_transport(
        &self,
        options: DirectTransportOptions,
    ) -> Result<Transport, CreateTransportError> {
        drop(self.open_state()?);
        let app_data = options.app_data.clone();
        let made = self.room().router().create_direct_transport(options).await?;
        self.add_transport(made.into(), app_data)
    }

    fn add_transport(
        &self,
        made: AnyTransport,
        app_data: AppData,
    ) -> Result<Transport, CreateTransportError> {
        let register = self.room().lock();
        let mut state = self.open_state()?;
        let transport = Transport::new(self.clone(), made, app_data);
        state.transports.push(transport.clone());
        drop(state);
        self.tell(PeerEvent::NewTransport(transport.clone()));
        drop(register);
        transport.listen();
        Ok(transport)
    }

    /// Makes a receiver for something that it sends on a transport. The others get it once [`RtpReceiver::receive`] said what it is.
    ///
    /// # Errors
    /// [`CreateRtpReceiverError`].
    pub fn create_rtp_receiver(
        &self,
        kind: impl Into<ReceiverKind>,
        transport: &Transport,
    ) -> Result<RtpReceiver, CreateRtpReceiverError> {
        let kind = match kind.into() {
            ReceiverKind::Audio => MediaKind::Audio,
            ReceiverKind::Video => MediaKind::Video,
            ReceiverKind::Depth => return Err(CreateRtpReceiverError::Depth),
        };
        let _register = self.room().lock();
        let mut state = self.open_state()?;
        if transport.peer() != self {
            return Err(CreateRtpReceiverError::ForeignTransport);
        }
        transport.check_open()?;
        if state.capabilities.is_none() {
            return Err(CreateRtpReceiverError::NoCapabilities);
        }
        let receiver = RtpReceiver::new(self.clone(), kind, transport.clone());
        state.receivers.push(receiver.clone());
        drop(state);
        self.tell(PeerEvent::NewRtpReceiver(receiver.clone()));
        Ok(receiver)
    }

    /// Leaves the room, with all that it has; does nothing if it is closed.
    pub fn close(&self) {
        let mut register = self.room().lock();
        register.peers.retain(|other| other != self);
        self.end(None);
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn dump(&self) -> Result<PeerDump, StateError> {
        let mut dump = PeerDump {
            peer_id: self.id(),
            peer_name: self.name().to_owned(),
            capabilities: self.open_state()?.capabilities.clone(),
            transports: Vec::new(),
            rtp_receivers: Vec::new(),
            rtp_senders: Vec::new(),
        };
        for transport in self.transports() {
            dump.transports.push(transport.dump().await?);
        }
        for receiver in self.rtp_receivers() {
            dump.rtp_receivers.push(receiver.dump().await?);
        }
        for sender in self.rtp_senders() {
            dump.rtp_senders.push(sender.dump().await?);
        }
        Ok(dump)
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<PeerEvent> {
        self.shared.emitter.stream()
    }

    tureen::on_events! { PeerEvent, |this| this.shared.emitter;
        /// It closed, and by which failure, if by one.
        on_close => Close(Option<CloseError>);
        /// Its capabilities were set; these are the effective ones.
        on_capabilities => Capabilities(RtpCapabilities);
        /// A transport was made.
        on_new_transport => NewTransport(Transport);
        /// A receiver was made.
        on_new_rtp_receiver => NewRtpReceiver(RtpReceiver);
        /// A sender was made: somebody else sends.
        on_new_rtp_sender => NewRtpSender(RtpSender);
        /// A listener of it panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("id", &self.id()).field("name", &self.name()).finish_non_exhaustive()
    }
}
