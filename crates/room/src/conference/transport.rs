//! A peer's transport: a `tureen` transport with the names that conferences use. Does not know what goes over it.

use super::Peer;
use super::dump::ConferenceTransportDump;
use super::error::{CloseError, InvalidStateError, StateError, TransportError};
use super::event::{TransportEvent, tell};
use crate::queue::lock;
use crate::register::same;
use std::sync::{Arc, Mutex, Weak};
use tureen::dictionaries::{DtlsParameters, DtlsState, IceCandidate, IceParameters, IceRole, IceState};
use tureen::signals::Emitter;
use tureen::{
    AnyTransport, AppData, EventStream, ListenerError, RequestError, Transport as _, TransportTuple,
    WebRtcTransport,
};

pub(super) struct TransportShared {
    id: u32,
    peer: Peer,
    handle: AnyTransport,
    pub(super) emitter: Emitter<TransportEvent>,
    /// Changes under the lock of the room only.
    pub(super) closed: Mutex<bool>,
    app_data: AppData,
}

/// A transport of a peer. Clones are handles to the same transport; it does not close with them, but by [`Transport::close`] or with its peer.
#[derive(Clone)]
pub struct Transport {
    pub(super) shared: Arc<TransportShared>,
}

impl PartialEq for Transport {
    fn eq(&self, other: &Self) -> bool {
        same(&self.shared, &other.shared)
    }
}

impl Eq for Transport {}

const CLOSED: InvalidStateError = InvalidStateError("transport");

impl Transport {
    pub(super) fn new(peer: Peer, handle: AnyTransport, app_data: AppData) -> Self {
        let (id, emitter) = (peer.room().hub().ids.draw(), Emitter::default());
        let closed = Mutex::new(false);
        Self { shared: Arc::new(TransportShared { id, peer, handle, emitter, closed, app_data }) }
    }

    /// Passes on what the transport below tells, until that closes.
    pub(super) fn listen(&self) {
        let weak = || Arc::downgrade(&self.shared);
        if let AnyTransport::WebRtc(webrtc) = &self.shared.handle {
            let shared = weak();
            let ice = move |state: &IceState| pass(&shared, TransportEvent::IceStateChange(*state));
            webrtc.on_ice_state_change(ice).detach();
            let shared = weak();
            let tuple = move |tuple: &Option<TransportTuple>| {
                pass(&shared, TransportEvent::IceSelectedTupleChange(tuple.clone()));
            };
            webrtc.on_ice_selected_tuple_change(tuple).detach();
            let shared = weak();
            let dtls = move |state: &DtlsState| pass(&shared, TransportEvent::DtlsStateChange(*state));
            webrtc.on_dtls_state_change(dtls).detach();
        }
        let shared = weak();
        let closed = move || {
            if let Some(shared) = shared.upgrade() {
                Self { shared }.closed_below();
            }
        };
        self.shared.handle.observer().on_close(closed).detach();
        // It may have closed before anybody listened.
        if self.shared.handle.closed() {
            self.closed_below();
        }
    }

    pub(super) fn check_open(&self) -> Result<(), InvalidStateError> {
        if self.closed() { Err(CLOSED) } else { Ok(()) }
    }

    /// Its id, 10000000 to 99999999.
    pub fn id(&self) -> u32 {
        self.shared.id
    }

    /// Whose it is.
    pub fn peer(&self) -> &Peer {
        &self.shared.peer
    }

    /// Whether it is closed.
    pub fn closed(&self) -> bool {
        *lock(&self.shared.closed)
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.shared.app_data
    }

    /// The transport below, for what only plain or direct ones can do.
    pub fn handle(&self) -> &AnyTransport {
        &self.shared.handle
    }

    fn webrtc(&self) -> Option<&WebRtcTransport> {
        match &self.shared.handle {
            AnyTransport::WebRtc(webrtc) => Some(webrtc),
            _ => None,
        }
    }

    fn open_webrtc(&self) -> Result<&WebRtcTransport, TransportError> {
        self.check_open()?;
        self.webrtc().ok_or(TransportError::NotWebRtc)
    }

    /// Always controlled: it is a lite agent (RFC 8445 section 2.5). `None`, as all about ICE and DTLS, where it is no WebRTC transport.
    pub fn ice_role(&self) -> Option<IceRole> {
        self.webrtc().map(WebRtcTransport::ice_role)
    }

    /// Its ICE credentials.
    pub fn ice_local_parameters(&self) -> Option<IceParameters> {
        self.webrtc().map(WebRtcTransport::ice_parameters)
    }

    /// Where remotes reach it, the most preferred first.
    pub fn ice_local_candidates(&self) -> Option<Vec<IceCandidate>> {
        self.webrtc().map(WebRtcTransport::ice_candidates)
    }

    /// How far ICE has come.
    pub fn ice_state(&self) -> Option<IceState> {
        self.webrtc().map(WebRtcTransport::ice_state)
    }

    /// The pair of addresses that packets go over.
    pub fn ice_selected_tuple(&self) -> Option<TransportTuple> {
        self.webrtc().and_then(WebRtcTransport::ice_selected_tuple)
    }

    /// Its DTLS role, and the fingerprints of its certificate.
    pub fn dtls_local_parameters(&self) -> Option<DtlsParameters> {
        self.webrtc().map(WebRtcTransport::dtls_parameters)
    }

    /// How far DTLS has come.
    pub fn dtls_state(&self) -> Option<DtlsState> {
        self.webrtc().map(WebRtcTransport::dtls_state)
    }

    /// The certificate that the remote has shown, as PEM, once DTLS is connected.
    ///
    /// # Errors
    /// [`TransportError`].
    pub async fn dtls_remote_cert(&self) -> Result<Option<String>, TransportError> {
        Ok(self.open_webrtc()?.dtls_remote_cert().await?)
    }

    /// Gives it its remote's DTLS parameters, once.
    ///
    /// # Errors
    /// [`TransportError`]; nothing has changed then.
    pub async fn set_remote_dtls_parameters(&self, parameters: DtlsParameters) -> Result<(), TransportError> {
        Ok(self.open_webrtc()?.connect(parameters).await?)
    }

    /// Limits what the remote is told to send (REMB), in bits per second; 0 lifts the limit.
    ///
    /// # Errors
    /// [`TransportError`].
    pub async fn set_max_bitrate(&self, bitrate: u32) -> Result<(), TransportError> {
        Ok(self.open_webrtc()?.set_max_incoming_bitrate(bitrate).await?)
    }

    /// Draws new ICE credentials; the old ones hold until the new are used.
    ///
    /// # Errors
    /// [`TransportError`].
    pub async fn change_ufrag_pwd(&self) -> Result<IceParameters, TransportError> {
        Ok(self.open_webrtc()?.restart_ice().await?)
    }

    /// Closes it; does nothing if it is closed. Receivers and senders on it stay, without a transport.
    pub fn close(&self) {
        let _register = self.peer().room().lock();
        self.end(None);
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn dump(&self) -> Result<ConferenceTransportDump, StateError> {
        self.check_open()?;
        let transport = self.shared.handle.dump().await.map_err(|error| self.explain(error))?;
        Ok(ConferenceTransportDump { transport_id: self.id(), transport })
    }

    fn explain(&self, error: RequestError) -> StateError {
        if error == RequestError::Closed { CLOSED.into() } else { error.into() }
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<TransportEvent> {
        self.shared.emitter.stream()
    }

    tureen::on_events! { TransportEvent, |this| this.shared.emitter;
        /// It closed, and by which failure, if by one.
        on_close => Close(Option<CloseError>);
        /// Packets go over another pair of addresses now, or over none.
        on_ice_selected_tuple_change => IceSelectedTupleChange(Option<TransportTuple>);
        /// ICE came further, or consent was lost.
        on_ice_state_change => IceStateChange(IceState);
        /// DTLS came further, failed or ended.
        on_dtls_state_change => DtlsStateChange(DtlsState);
        /// A listener of it panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

fn pass(shared: &Weak<TransportShared>, event: TransportEvent) {
    if let Some(shared) = shared.upgrade() {
        tell(&shared.peer.room().hub().manager, &shared.emitter, event);
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").field("id", &self.id()).field("handle", &self.shared.handle).finish()
    }
}
