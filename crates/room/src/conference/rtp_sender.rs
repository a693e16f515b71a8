//! An RtpSender: what somebody else sends, on its way to one peer. Does not know how consumers are made.

use super::dump::RtpSenderDump;
use super::error::{CloseError, InvalidStateError, SetTransportError, StateError};
use super::event::{ParametersChange, RtpSenderEvent, tell};
use super::ids::{random_name, random_ssrc};
use super::reduce::{SenderIdentity, is_available, reduce};
use super::settings::EnableOptions;
use super::{Peer, RtpReceiver, Transport};
use crate::queue::lock;
use crate::register::same;
use std::sync::{Arc, Mutex, MutexGuard};
use tureen::dictionaries::{MediaKind, RtpCapabilities, RtpParameters};
use tureen::signals::Emitter;
use tureen::{AppData, Consumer, EventStream, ListenerError};

pub(super) struct RtpSenderShared {
    id: u32,
    peer: Peer,
    receiver: RtpReceiver,
    pub(super) identity: SenderIdentity,
    pub(super) emitter: Emitter<RtpSenderEvent>,
    state: Mutex<RtpSenderState>,
    app_data: AppData,
}

/// What changes of a sender, and only under the lock of its room.
pub(super) struct RtpSenderState {
    pub(super) closed: bool,
    pub(super) transport: Option<Transport>,
    pub(super) parameters: RtpParameters,
    pub(super) enabled: bool,
    pub(super) consumer: Option<Consumer>,
}

impl RtpSenderState {
    pub(super) fn available(&self) -> bool {
        is_available(&self.parameters)
    }

    pub(super) fn active(&self) -> bool {
        !self.closed && self.available() && self.enabled && self.transport.is_some()
    }
}

/// What somebody else sends, on its way to one peer. It is made by the room, see [`Peer::on_new_rtp_sender`], and closes with its receiver or its
/// peer. Clones are handles to the same sender; it does not close with them.
#[derive(Clone)]
pub struct RtpSender {
    pub(super) shared: Arc<RtpSenderShared>,
}

impl PartialEq for RtpSender {
    fn eq(&self, other: &Self) -> bool {
        same(&self.shared, &other.shared)
    }
}

impl Eq for RtpSender {}

const CLOSED: InvalidStateError = InvalidStateError("rtpSender");

impl RtpSender {
    pub(super) fn new(
        receiver: RtpReceiver,
        peer: Peer,
        parameters: &RtpParameters,
        capabilities: &RtpCapabilities,
    ) -> Self {
        let identity = SenderIdentity { mid: random_name(), ssrc: random_ssrc() };
        let parameters = reduce(parameters, capabilities, &identity);
        let state =
            RtpSenderState { closed: false, transport: None, parameters, enabled: true, consumer: None };
        Self {
            shared: Arc::new(RtpSenderShared {
                id: peer.room().hub().ids.draw(),
                peer,
                receiver,
                identity,
                emitter: Emitter::default(),
                state: Mutex::new(state),
                app_data: AppData::default(),
            }),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, RtpSenderState> {
        lock(&self.shared.state)
    }

    pub(super) fn open_state(&self) -> Result<MutexGuard<'_, RtpSenderState>, InvalidStateError> {
        let state = self.state();
        if state.closed { Err(CLOSED) } else { Ok(state) }
    }

    pub(super) fn tell(&self, event: RtpSenderEvent) {
        tell(&self.peer().room().hub().manager, &self.shared.emitter, event);
    }

    /// Changes the state, and tells whether it sends if that changed. The lock of the room is held.
    pub(super) fn change<T>(&self, emit: bool, change: impl FnOnce(&mut RtpSenderState) -> T) -> T {
        let mut state = self.state();
        let before = state.active();
        let changed = change(&mut state);
        let after = state.active();
        drop(state);
        if emit && before != after {
            self.tell(RtpSenderEvent::ActiveChange(after));
        }
        changed
    }

    /// Its id, 10000000 to 99999999.
    pub fn id(&self) -> u32 {
        self.shared.id
    }

    /// Whether it is closed: its receiver is, or its peer.
    pub fn closed(&self) -> bool {
        self.state().closed
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.shared.receiver.kind()
    }

    /// Whose it is: who gets the media.
    pub fn peer(&self) -> &Peer {
        &self.shared.peer
    }

    /// Who sends the media: the owner of [`RtpSender::associated_rtp_receiver`].
    pub fn associated_peer(&self) -> &Peer {
        self.shared.receiver.peer()
    }

    /// What its media comes from.
    pub fn associated_rtp_receiver(&self) -> &RtpReceiver {
        &self.shared.receiver
    }

    /// What its media goes out on; `None` until it is set, and once it closed.
    pub fn transport(&self) -> Option<Transport> {
        self.state().transport.clone()
    }

    /// What its peer is to receive: the parameters of the receiver, as far as its peer's capabilities go, under a MID and SSRCs of its own that
    /// never change; see [`reduce`].
    pub fn rtp_parameters(&self) -> RtpParameters {
        self.state().parameters.clone()
    }

    /// Whether its peer can take the media: false where its capabilities have none of the codecs.
    pub fn available(&self) -> bool {
        self.state().available()
    }

    /// Whether it sends what comes in: it is available, enabled and has a transport.
    pub fn active(&self) -> bool {
        self.state().active()
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.shared.app_data
    }

    /// What sends its media: `None` while it is not available, or it or its receiver has no transport. It is another one after each change of
    /// them.
    pub fn consumer(&self) -> Option<Consumer> {
        self.state().consumer.clone()
    }

    /// Its receiver was given other parameters. The lock of the room is held.
    pub(super) fn take_parameters(&self, parameters: &RtpParameters) {
        let Some(capabilities) = self.peer().capabilities() else { return };
        let rtp_parameters = reduce(parameters, &capabilities, &self.shared.identity);
        if self.state().parameters == rtp_parameters {
            return;
        }
        let available = is_available(&rtp_parameters);
        let change = ParametersChange { rtp_parameters: rtp_parameters.clone(), available };
        self.tell(RtpSenderEvent::ParametersChange(change));
        self.change(true, |state| state.parameters = rtp_parameters);
    }

    /// Sends its media on a transport of its peer. It goes on there as it was, with its parameters and SSRCs, if it had another one before.
    ///
    /// # Errors
    /// [`SetTransportError`]; nothing has changed then.
    pub async fn set_transport(&self, transport: &Transport) -> Result<(), SetTransportError> {
        let receiver = self.associated_rtp_receiver();
        let media = receiver.shared.media.lock().await;
        drop(self.open_state()?);
        if transport.peer() != self.peer() {
            return Err(SetTransportError::ForeignTransport);
        }
        transport.check_open()?;
        let is_same = self.state().transport.as_ref() == Some(transport);
        let consumer = if is_same { None } else { self.consume_on(transport, &media).await? };
        {
            let _register = self.peer().room().lock();
            transport.check_open()?;
            drop(self.open_state()?);
            if !is_same {
                self.tell(RtpSenderEvent::Transport(transport.clone()));
                let before = self.change(true, |state| {
                    state.transport = Some(transport.clone());
                    std::mem::replace(&mut state.consumer, consumer)
                });
                drop(before);
            }
        }
        Ok(self.settle(&media).await?)
    }

    /// Sends again after [`RtpSender::disable`], from a key frame on; does nothing if it is enabled.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn enable(&self, options: EnableOptions) -> Result<(), StateError> {
        self.set_enabled(true, options).await
    }

    /// Sends nothing until [`RtpSender::enable`]; does nothing if it is disabled.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn disable(&self, options: EnableOptions) -> Result<(), StateError> {
        self.set_enabled(false, options).await
    }

    async fn set_enabled(&self, enabled: bool, options: EnableOptions) -> Result<(), StateError> {
        let media = self.associated_rtp_receiver().shared.media.lock().await;
        {
            let _register = self.peer().room().lock();
            drop(self.open_state()?);
            self.change(options.emit, |state| state.enabled = enabled);
        }
        match self.settle(&media).await {
            Ok(()) => Ok(()),
            Err(_) if self.closed() => Err(CLOSED.into()),
            Err(tureen::ConsumeError::Request(error)) => Err(error.into()),
            Err(error) => {
                self.fail(error);
                Err(CLOSED.into())
            }
        }
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn dump(&self) -> Result<RtpSenderDump, StateError> {
        let state = self.open_state()?;
        Ok(RtpSenderDump {
            rtp_sender_id: self.id(),
            kind: self.kind(),
            rtp_parameters: state.parameters.clone(),
            has_transport: state.transport.is_some(),
            available: state.available(),
            supported_payload_types: state.parameters.codecs.iter().map(|codec| codec.payload_type).collect(),
            active: state.active(),
        })
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<RtpSenderEvent> {
        self.shared.emitter.stream()
    }

    tureen::on_events! { RtpSenderEvent, |this| this.shared.emitter;
        /// It closed, and by which failure, if by one.
        on_close => Close(Option<CloseError>);
        /// It sends with other parameters, or its peer can no longer take it, or can again.
        on_parameters_change => ParametersChange(ParametersChange);
        /// Whether it sends changed.
        on_active_change => ActiveChange(bool);
        /// It has another transport.
        on_transport => Transport(Transport);
        /// A listener of it panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

impl std::fmt::Debug for RtpSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtpSender")
            .field("id", &self.id())
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}
