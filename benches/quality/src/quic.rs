//! A QUIC connection of `quinn-proto` that always has something to send, as a rival for the bottleneck: its CUBIC, its pacer and its
//! loss recovery, with both ends in virtual time.
//!
//! The handshake is over before the run begins. Must not know who else is on the link.

use bytes::{Bytes, BytesMut};
use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn_proto::{
    ClientConfig, Connection, ConnectionEvent, ConnectionHandle, DatagramEvent, Dir, Endpoint,
    EndpointConfig, Event, ServerConfig, StreamId, TransportConfig, VarInt,
};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tureen_rtp_wire::Time;

const NAME: &str = "rival.example";
const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1);
const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 2);
/// Round trips within which a handshake without losses is over.
const HANDSHAKE: u32 = 10;
/// Bytes of a datagram, those of the other rival.
const DATAGRAM: u16 = 1200;
/// Bytes that are given to the connection ahead of what was acknowledged.
const AHEAD: u64 = 4 << 20;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// One end.
struct End {
    endpoint: Endpoint,
    connection: Option<(ConnectionHandle, Connection)>,
}

impl End {
    /// Takes a datagram. An answer that is no connection's is left out: none is needed here.
    fn receive(&mut self, now: Instant, from: SocketAddr, datagram: Vec<u8>) -> Outcome<()> {
        let mut answer = Vec::new();
        let data = BytesMut::from(Bytes::from(datagram));
        match self.endpoint.handle(now, from, None, None, data, &mut answer) {
            Some(DatagramEvent::ConnectionEvent(_, event)) => self.tell(event),
            Some(DatagramEvent::NewConnection(incoming)) => {
                let accepted = self.endpoint.accept(incoming, now, &mut answer, None);
                self.connection = Some(accepted.map_err(|error| error.cause)?);
            }
            Some(DatagramEvent::Response(_)) | None => {}
        }
        self.settle();
        Ok(())
    }

    fn tell(&mut self, event: ConnectionEvent) {
        if let Some((_, connection)) = &mut self.connection {
            connection.handle_event(event);
        }
    }

    /// Lets endpoint and connection tell each other what there is to tell.
    fn settle(&mut self) {
        while let Some((handle, connection)) = &mut self.connection
            && let Some(event) = connection.poll_endpoint_events()
        {
            if let Some(event) = self.endpoint.handle_event(*handle, event) {
                self.tell(event);
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        if let Some((_, connection)) = &mut self.connection
            && connection.poll_timeout().is_some_and(|due| due <= now)
        {
            connection.handle_timeout(now);
        }
        self.settle();
    }

    fn transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        let mut datagram = Vec::new();
        let (_, connection) = self.connection.as_mut()?;
        connection.poll_transmit(now, 1, &mut datagram).map(|_| datagram)
    }

    fn deadline(&mut self) -> Option<Instant> {
        self.connection.as_mut()?.1.poll_timeout()
    }

    fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|(_, connection)| !connection.is_handshaking())
    }
}

/// The flow, from the client to the server.
pub struct QuicFlow {
    client: End,
    server: End,
    stream: StreamId,
    epoch: Instant,
    datagrams: BTreeMap<u64, Vec<u8>>,
    number: u64,
    delivered: u64,
}

impl fmt::Debug for QuicFlow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("QuicFlow").field("delivered", &self.delivered).finish_non_exhaustive()
    }
}

impl QuicFlow {
    /// A connection over a way of `delay` each way, with its handshake done.
    ///
    /// # Errors
    /// If certificates or the handshake fail.
    pub fn connect(delay: Duration, seed: u64) -> Outcome<Self> {
        let (client_config, server_config) = configs()?;
        let end = |config: Option<ServerConfig>, side: u8| {
            let mut bytes = [side; 32];
            for (byte, of) in bytes.iter_mut().zip(seed.to_le_bytes()) {
                *byte = of;
            }
            Endpoint::new(Arc::new(EndpointConfig::default()), config.map(Arc::new), false, Some(bytes))
        };
        let mut now = Instant::now();
        let mut client = End { endpoint: end(None, 1), connection: None };
        client.connection = Some(client.endpoint.connect(now, client_config, SERVER, NAME)?);
        let mut server = End { endpoint: end(Some(server_config), 2), connection: None };
        for _ in 0..HANDSHAKE {
            carry(&mut client, &mut server, CLIENT, now, delay)?;
            now += delay;
            carry(&mut server, &mut client, SERVER, now, delay)?;
            now += delay;
        }
        if !client.is_connected() || !server.is_connected() {
            return Err("the handshake does not end".into());
        }
        let (_, connection) = client.connection.as_mut().ok_or("no connection")?;
        let stream = connection.streams().open(Dir::Uni).ok_or("no stream")?;
        let mut flow =
            Self { client, server, stream, epoch: now, datagrams: BTreeMap::new(), number: 0, delivered: 0 };
        flow.fill();
        Ok(flow)
    }

    /// The datagram to send now, if the connection has one: its number and size.
    pub fn next_packet(&mut self, now: Time) -> Option<(u64, usize)> {
        let now = self.instant(now);
        self.client.wake(now);
        self.fill();
        let datagram = self.client.transmit(now)?;
        let size = datagram.len();
        Some((self.keep(datagram), size))
    }

    /// A datagram arrived at the server, or its time has come: the numbers of what it answers.
    pub fn on_arrival(&mut self, now: Time, number: Option<u64>) -> Vec<u64> {
        let now = self.instant(now);
        if let Some(datagram) = number.and_then(|number| self.datagrams.remove(&number)) {
            self.delivered += datagram.len() as u64;
            // What is no datagram of the connection is lost.
            let _ = self.server.receive(now, CLIENT, datagram);
        }
        self.server.wake(now);
        self.read();
        let mut answers = Vec::new();
        while let Some(datagram) = self.server.transmit(now) {
            answers.push(self.keep(datagram));
        }
        answers
    }

    /// An answer arrived at the client.
    pub fn on_answer(&mut self, now: Time, number: u64) {
        let now = self.instant(now);
        if let Some(datagram) = self.datagrams.remove(&number) {
            // As above.
            let _ = self.client.receive(now, SERVER, datagram);
        }
    }

    /// When either end has something to do.
    pub fn next_deadline(&mut self) -> Time {
        let ends = [self.client.deadline(), self.server.deadline()];
        let due = ends.into_iter().flatten().min();
        due.map_or(Time::NEVER, |due| Time::ZERO + due.saturating_duration_since(self.epoch))
    }

    /// Bytes that arrived.
    pub const fn delivered(&self) -> u64 {
        self.delivered
    }

    fn instant(&self, time: Time) -> Instant {
        self.epoch + Duration::from_nanos(time.as_nanos())
    }

    fn keep(&mut self, datagram: Vec<u8>) -> u64 {
        self.number += 1;
        self.datagrams.insert(self.number, datagram);
        self.number
    }

    /// Gives the connection as much as it takes.
    fn fill(&mut self) {
        let Some((_, connection)) = &mut self.client.connection else { return };
        while connection.poll().is_some() {}
        let mut stream = connection.send_stream(self.stream);
        while stream.write(&[0; 8192]).is_ok_and(|taken| taken > 0) {}
    }

    /// Takes what has come out of the connection, so that there is room for more.
    fn read(&mut self) {
        let Some((_, connection)) = &mut self.server.connection else { return };
        while let Some(event) = connection.poll() {
            if matches!(event, Event::ConnectionLost { .. }) {
                return;
            }
        }
        let mut stream = connection.recv_stream(self.stream);
        let Ok(mut chunks) = stream.read(true) else { return };
        while let Ok(Some(_)) = chunks.next(usize::MAX) {}
        // There is room for more, which the next answer tells.
        let _ = chunks.finalize();
    }
}

/// Lets what `from` has to send arrive at `to`.
fn carry(from: &mut End, to: &mut End, source: SocketAddr, now: Instant, delay: Duration) -> Outcome<()> {
    from.wake(now);
    while let Some(datagram) = from.transmit(now) {
        to.receive(now + delay, source, datagram)?;
    }
    Ok(())
}

fn configs() -> Outcome<(ClientConfig, ServerConfig)> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let certificate = CertificateParams::new([NAME.to_owned()])?.self_signed(&key)?;
    let certificate = CertificateDer::from(certificate);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone())?;
    let client = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
    let mut transport = TransportConfig::default();
    transport.initial_mtu(DATAGRAM).mtu_discovery_config(None).send_window(AHEAD);
    transport.receive_window(VarInt::MAX).stream_receive_window(VarInt::MAX);
    let transport = Arc::new(transport);
    let mut client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(client)?));
    client.transport_config(Arc::clone(&transport));
    let mut server = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server)?));
    server.transport_config(transport);
    Ok((client, server))
}
