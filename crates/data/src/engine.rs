//! One association of the SCTP library, with times as ours. Knows no role beyond who began, and judges no message.

use crate::options::{AssociationOptions, SCTP_PORT};
use bytes::Bytes;
use sctp_proto::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    ServerConfig, TransportConfig,
};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tureen_rtp_wire::Time;

/// What the library cuts messages to fit into, in bytes. Where it puts many chunks into one packet it counts neither their
/// padding nor the last one's header, so that a packet of tiny messages has up to 1311 bytes.
const MTU: u32 = 1100;
/// The common header of a packet and the header of a DATA chunk.
const DATA_OVERHEAD: u32 = 28;
/// Retransmission timeouts in milliseconds: for links of people, not of RFC 9260's century.
const RTO_INITIAL: u64 = 500;
const RTO_MIN: u64 = 400;
const RTO_MAX: u64 = 60_000;
const MAX_INIT_RETRANSMITS: usize = 8;
/// The library wants an address and only hands it back.
const REMOTE: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, SCTP_PORT));

/// The initiate tag of an INIT, which is alone in its packet and goes to tag 0 (RFC 9260 sections 3.3.2 and 8.5.1).
pub(crate) fn initiate_tag(datagram: &[u8]) -> Option<u32> {
    const INIT: u8 = 1;
    let verification_tag = datagram.get(4..8)?;
    let tag = datagram.get(16..20)?;
    let is_init = verification_tag == [0; 4] && datagram.get(12) == Some(&INIT);
    is_init.then(|| tag.iter().fold(0, |tag, byte| tag << 8 | u32::from(*byte)))
}

/// How associations of the library are made.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    endpoint: Arc<EndpointConfig>,
    server: Arc<ServerConfig>,
    transport: Arc<TransportConfig>,
}

impl Configuration {
    pub(crate) fn new(options: &AssociationOptions) -> Self {
        let transport = TransportConfig::default()
            .with_max_num_outbound_streams(options.outgoing_streams)
            .with_max_num_inbound_streams(options.incoming_streams)
            .with_max_send_message_size(options.max_message_size)
            .with_max_receive_message_size(options.max_message_size)
            .with_max_receive_buffer_size(options.receive_buffer_size())
            .with_max_init_retransmits(Some(MAX_INIT_RETRANSMITS))
            // With a limit the library would stop to repeat, and say nothing.
            .with_max_data_retransmits(None)
            .with_rto_initial_ms(RTO_INITIAL)
            .with_rto_min_ms(RTO_MIN)
            .with_rto_max_ms(RTO_MAX)
            .with_local_port(SCTP_PORT)
            .with_remote_port(SCTP_PORT);
        let transport = Arc::new(transport);
        let mut endpoint = EndpointConfig::new();
        endpoint.max_payload_size(MTU - DATA_OVERHEAD);
        let mut server = ServerConfig::new();
        server.transport = Arc::clone(&transport);
        Self { endpoint: Arc::new(endpoint), server: Arc::new(server), transport }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::new(Arc::clone(&self.endpoint), Some(Arc::clone(&self.server)))
    }

    fn connect(&self, endpoint: &mut Endpoint) -> Option<(AssociationHandle, Association)> {
        let mut client = ClientConfig::new();
        client.transport = Arc::clone(&self.transport);
        endpoint.connect(client, REMOTE).ok()
    }
}

/// Ties our time to the library's.
///
/// The library reads the clock at one place: where it sets the first timer of an association that it begins. That reading
/// is taken as the instant of the `now` that we were given, so nothing that it does afterwards depends on a clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    instant: Instant,
    time: Time,
}

impl Clock {
    fn of_beginning(association: &Association, now: Time) -> Option<Self> {
        let first_timer = association.poll_timeout()?;
        let instant = first_timer.checked_sub(Duration::from_millis(RTO_INITIAL))?;
        Some(Self { instant, time: now })
    }

    fn instant(self, now: Time) -> Instant {
        // Where the platform cannot say an instant that late, time stands still.
        self.instant.checked_add(now.since(self.time)).unwrap_or(self.instant)
    }

    fn time(self, instant: Instant) -> Time {
        self.time + instant.saturating_duration_since(self.instant)
    }
}

/// Who began an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initiator {
    /// We, with this initiate tag.
    Local(u32),
    /// The remote, with this initiate tag.
    Remote(u32),
}

/// A live association.
#[derive(Debug)]
pub(crate) struct Engine {
    endpoint: Endpoint,
    handle: AssociationHandle,
    pub(crate) association: Association,
    clock: Clock,
    pub(crate) initiator: Initiator,
    /// Our own INIT, if we began.
    init: Option<Bytes>,
}

impl Engine {
    /// Begins an association; its INIT is put to `outgoing`.
    pub(crate) fn begin(
        configuration: &Configuration,
        now: Time,
        outgoing: &mut VecDeque<Bytes>,
    ) -> Option<Self> {
        let mut endpoint = configuration.endpoint();
        let (handle, association) = configuration.connect(&mut endpoint)?;
        let clock = Clock::of_beginning(&association, now)?;
        let initiator = Initiator::Local(0);
        let mut begun = Self { endpoint, handle, association, clock, initiator, init: None };
        let before = outgoing.len();
        begun.transmit(now, outgoing);
        begun.init = outgoing.get(before).cloned();
        begun.initiator = Initiator::Local(initiate_tag(begun.init.as_ref()?)?);
        Some(begun)
    }

    /// Answers an INIT of the remote's, if it is a good one; the answer is put to `outgoing`.
    pub(crate) fn accept(
        configuration: &Configuration,
        now: Time,
        (tag, init): (u32, &[u8]),
        outgoing: &mut VecDeque<Bytes>,
    ) -> Option<Self> {
        let (_, reference) = configuration.connect(&mut configuration.endpoint())?;
        let clock = Clock::of_beginning(&reference, now)?;
        let mut endpoint = configuration.endpoint();
        let init = Bytes::copy_from_slice(init);
        let (handle, event) = endpoint.handle(clock.instant(now), REMOTE, None, None, init)?;
        let DatagramEvent::NewAssociation(association) = event else { return None };
        let initiator = Initiator::Remote(tag);
        let mut begun = Self { endpoint, handle, association, clock, initiator, init: None };
        let before = outgoing.len();
        begun.transmit(now, outgoing);
        (outgoing.len() > before).then_some(begun)
    }

    /// Puts our own INIT to `outgoing` once more, before its time.
    pub(crate) fn repeat_init(&self, outgoing: &mut VecDeque<Bytes>) {
        outgoing.extend(self.init.clone());
    }

    /// Takes a datagram; says whether it was the association's.
    pub(crate) fn handle_datagram(&mut self, now: Time, datagram: &[u8]) -> bool {
        let bytes = Bytes::copy_from_slice(datagram);
        match self.endpoint.handle(self.clock.instant(now), REMOTE, None, None, bytes) {
            Some((handle, DatagramEvent::AssociationEvent(event))) if handle == self.handle => {
                self.association.handle_event(event);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Event> {
        self.association.poll()
    }

    /// Puts all that is to be sent now to `outgoing`.
    pub(crate) fn transmit(&mut self, now: Time, outgoing: &mut VecDeque<Bytes>) {
        let instant = self.clock.instant(now);
        while let Some(transmit) = self.association.poll_transmit(instant) {
            if let Payload::RawEncode(datagrams) = transmit.payload {
                outgoing.extend(datagrams);
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Time {
        self.association.poll_timeout().map_or(Time::NEVER, |instant| self.clock.time(instant))
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.association.handle_timeout(self.clock.instant(now));
    }

    /// Bytes of a stream that wait to be sent or acknowledged.
    pub(crate) fn buffered(&mut self, stream: u16) -> usize {
        self.association.stream(stream).and_then(|stream| stream.buffered_amount()).unwrap_or(0)
    }
}
