//! What listeners of a conference are told, one enum for each class. Must not know who tells it.

use super::error::CloseError;
use super::{Peer, Room, RtpReceiver, RtpSender, Transport};
use bytes::Bytes;
use tureen::dictionaries::{DtlsState, IceState, RtpCapabilities, RtpParameters};
use tureen::signals::{Class, Emitter, Signal};
use tureen::{ListenerError, TransportTuple, WorkerManager};

const PARAMETERS: Class = Class::Newest(0);
const ACTIVE: Class = Class::Newest(1);
const TRANSPORT: Class = Class::Newest(2);
const SELECTED_TUPLE: Class = Class::Newest(3);
const ICE: Class = Class::Newest(4);
const DTLS: Class = Class::Newest(5);

/// What a sender sends from now on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ParametersChange {
    /// Its parameters.
    pub rtp_parameters: RtpParameters,
    /// Whether its peer can take any of it.
    pub available: bool,
}

/// A packet of a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtpObject {
    /// Its payload type.
    pub payload_type: u8,
    /// Its marker.
    pub marker: bool,
    /// Its sequence number.
    pub sequence_number: u16,
    /// Its timestamp.
    pub timestamp: u32,
    /// Its source.
    pub ssrc: u32,
    /// What it carries, without header and padding.
    pub payload: Bytes,
}

/// How loud a receiver was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AudioLevel {
    /// Whose it is.
    pub peer: Peer,
    /// The receiver.
    pub rtp_receiver: RtpReceiver,
    /// Its average level in dBov, -127 to 0.
    pub audio_level: i8,
}

tureen::events! {
    /// News of a [`Server`](super::Server).
    ServerEvent {
        /// It closed, and by which failure, if by one.
        Close(Option<CloseError>) = "close", Class::Lifecycle;
        /// A room was made.
        NewRoom(Room) = "newroom", Class::Lifecycle;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// News of a [`Room`].
    RoomEvent {
        /// It closed, and by which failure, if by one.
        Close(Option<CloseError>) = "close", Class::Lifecycle;
        /// A peer was made.
        NewPeer(Peer) = "newpeer", Class::Lifecycle;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// News of a [`Peer`].
    PeerEvent {
        /// It closed, and by which failure, if by one.
        Close(Option<CloseError>) = "close", Class::Lifecycle;
        /// Its capabilities were set; these are the effective ones.
        Capabilities(RtpCapabilities) = "capabilities", Class::Lifecycle;
        /// A transport was made.
        NewTransport(Transport) = "newtransport", Class::Lifecycle;
        /// A receiver was made.
        NewRtpReceiver(RtpReceiver) = "newrtpreceiver", Class::Lifecycle;
        /// A sender was made: somebody else sends.
        NewRtpSender(RtpSender) = "newrtpsender", Class::Lifecycle;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// News of a [`Transport`].
    TransportEvent {
        /// It closed, and by which failure, if by one.
        Close(Option<CloseError>) = "close", Class::Lifecycle;
        /// Packets go over another pair of addresses now, or over none.
        IceSelectedTupleChange(Option<TransportTuple>) = "iceselectedtuplechange", SELECTED_TUPLE;
        /// ICE came further, or consent was lost.
        IceStateChange(IceState) = "icestatechange", ICE;
        /// DTLS came further, failed or ended.
        DtlsStateChange(DtlsState) = "dtlsstatechange", DTLS;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// News of an [`RtpReceiver`].
    RtpReceiverEvent {
        /// It closed, and by which failure, if by one.
        Close(Option<CloseError>) = "close", Class::Lifecycle;
        /// It has its first parameters.
        Parameters(RtpParameters) = "parameters", Class::Lifecycle;
        /// It has other parameters.
        ParametersChange(RtpParameters) = "parameterschange", PARAMETERS;
        /// It has another transport.
        Transport(Transport) = "transport", TRANSPORT;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// News of an [`RtpSender`].
    RtpSenderEvent {
        /// It closed, and by which failure, if by one.
        Close(Option<CloseError>) = "close", Class::Lifecycle;
        /// It sends with other parameters, or its peer can no longer take it, or can again.
        ParametersChange(ParametersChange) = "parameterschange", PARAMETERS;
        /// Whether it sends changed.
        ActiveChange(bool) = "activechange", ACTIVE;
        /// It has another transport.
        Transport(Transport) = "transport", TRANSPORT;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// Levels of those in a [`Room`].
    AudioLevelsEvent {
        /// How loud they were, the loudest first.
        Levels(Vec<AudioLevel>) = "audiolevels", Class::Newest(0);
    }
    /// Packets of an [`RtpReceiver`].
    RtpRawEvent {
        /// A packet as it came.
        Rtp(Bytes) = "rtpraw", Class::Sample;
    }
    /// Packets of an [`RtpReceiver`], taken apart.
    RtpObjectEvent {
        /// A packet.
        Rtp(RtpObject) = "rtpobject", Class::Sample;
    }
}

macro_rules! listener_errors {
    ($($Event:ident),*) => {$(
        impl From<ListenerError> for $Event {
            fn from(error: ListenerError) -> Self {
                Self::ListenerError(error)
            }
        }
    )*};
}

listener_errors!(ServerEvent, RoomEvent, PeerEvent, TransportEvent, RtpReceiverEvent, RtpSenderEvent);

/// Logs the panics of listeners where no event tells of them.
pub(super) fn report(panics: Vec<ListenerError>) {
    for panic in panics {
        tracing::error!(target: "tureen::info", event = panic.event, message = panic.message, "a listener panicked");
    }
}

/// Tells those who listen now, on the thread that listeners are called on and in the order of the calls.
pub(super) fn tell<E: Signal + From<ListenerError>>(manager: &WorkerManager, emitter: &Emitter<E>, event: E) {
    let (emitter, audience) = (emitter.clone(), emitter.audience());
    manager.run(move || {
        for panic in emitter.emit_to(audience, &event) {
            emitter.emit(&panic.into());
        }
    });
}

/// The same for an object's last event: its listeners are let go after it.
pub(super) fn tell_last<E: Signal + From<ListenerError>>(
    manager: &WorkerManager,
    emitter: &Emitter<E>,
    event: E,
) {
    tell(manager, emitter, event);
    let emitter = emitter.clone();
    manager.run(move || emitter.end());
}
