//! DTLS through a WebRTC transport: a handshake whose datagrams are lost, repeated, cut and changed, and records of anybody.
//!
//! Whatever comes: no panic, no key and no connection without the peer's fingerprint, few datagrams for each that came,
//! timers that do not spin. Planted: the fingerprint of another certificate is good enough.

use crate::Fault;
use crate::bytes::Bytes;
use crate::dtls_peer::{DtlsPeer, certificate, origin};
use crate::ice::{arrival, credentials, listens, request};
use std::collections::VecDeque;
use std::time::Duration;
use tureen_rtp_dictionaries::DtlsState;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::{DatagramKind, classify};
use tureen_transport::{Cipher, Component, MAX_TRANSMIT, Opened, Transport};
use tureen_transport_webrtc::{DtlsClock, WebRtcConnectOptions, WebRtcOptions, WebRtcTransport};

const MAX_STEPS: usize = 120;
/// Rounds without disturbance that a handshake is given in the end.
const QUIET_ROUNDS: usize = 30;
/// The transport keeps so many datagrams to send at most.
const MAX_BURST: usize = 32;

struct Scene {
    transport: WebRtcTransport,
    peer: DtlsPeer,
    now: Time,
    to_transport: VecDeque<Vec<u8>>,
    to_peer: VecDeque<Vec<u8>>,
    /// Whether the transport was told of the peer that it talks to.
    known: bool,
}

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut input = Bytes::new(data);
    let flags = input.u8();
    let mut scene = Scene::new(flags, fault);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        scene.step(&mut input);
        scene.check();
    }
    for _ in 0..QUIET_ROUNDS {
        scene.deliver_all();
        scene.pass(Duration::from_millis(200));
        scene.check();
    }
    scene.transport.close(scene.now);
    scene.collect();
    assert_eq!(scene.transport.destination(Component::Rtp), None, "closed is closed");
}

impl Scene {
    fn new(flags: u8, fault: Fault) -> Self {
        let (is_client, version_13, known, early) =
            (flags & 1 == 0, flags & 2 != 0, flags & 4 == 0, flags & 8 != 0);
        let mut options = WebRtcOptions::default();
        options.dtls_13 = version_13;
        let now = Time::from_millis(1000);
        let own = credentials(1);
        let transport =
            WebRtcTransport::new(&options, listens(), own.clone(), certificate(), DtlsClock(origin()));
        let peer = DtlsPeer::new(now, is_client, version_13);
        let mut scene =
            Self { transport, peer, now, to_transport: VecDeque::new(), to_peer: VecDeque::new(), known };
        let opened = scene.transport.open(now, arrival(0), &mut request(&own, true));
        assert!(matches!(opened, Opened::Consumed));
        if early {
            scene.deliver_all();
        }
        let told = scene.peer.parameters(known || fault == Fault::Planted);
        scene.transport.connect(now, WebRtcConnectOptions::Dtls(told)).expect("good parameters");
        scene.collect();
        scene
    }

    fn step(&mut self, input: &mut Bytes<'_>) {
        let choice = input.u8();
        let to_transport = choice & 0x80 == 0;
        self.collect();
        let queue = if to_transport { &mut self.to_transport } else { &mut self.to_peer };
        let next = queue.pop_front();
        match choice & 15 {
            0..=4 => {}
            5 => return,
            6 | 7 => {
                let Some(mut datagram) = next else { return };
                let at = usize::from(input.u16()) % datagram.len().max(1);
                if let Some(octet) = datagram.get_mut(at) {
                    *octet ^= input.u8() | 1;
                }
                return self.deliver(to_transport, datagram);
            }
            8 => {
                let Some(mut datagram) = next else { return };
                datagram.truncate(usize::from(input.u16()) % (datagram.len() + 1));
                return self.deliver(to_transport, datagram);
            }
            9 => {
                if let Some(datagram) = &next {
                    self.deliver(to_transport, datagram.clone());
                }
            }
            10 => queue.extend(next.clone()),
            11 | 12 => {
                let record = record(input);
                self.deliver(true, record);
            }
            13 => {
                let len = usize::from(input.u8());
                let bytes = input.take(len).to_vec();
                self.deliver(true, bytes);
            }
            _ => self.pass(Duration::from_millis(u64::from(input.u8()) * 8)),
        }
        if let Some(datagram) = next {
            self.deliver(to_transport, datagram);
        }
    }

    fn deliver(&mut self, to_transport: bool, mut datagram: Vec<u8>) {
        if !to_transport {
            return self.peer.handle(self.now, &datagram);
        }
        if classify(&datagram) == DatagramKind::Stun {
            return;
        }
        let before = self.to_peer.len();
        let opened = self.transport.open(self.now, arrival(0), &mut datagram);
        if let Opened::Rtp { .. } | Opened::Rtcp { .. } = opened {
            panic!("nobody has the keys");
        }
        self.collect();
        assert!(
            self.to_peer.len() - before <= MAX_BURST,
            "{} datagrams for one",
            self.to_peer.len() - before
        );
    }

    fn deliver_all(&mut self) {
        for _ in 0..20 {
            self.collect();
            if self.to_peer.is_empty() && self.to_transport.is_empty() {
                return;
            }
            for datagram in std::mem::take(&mut self.to_transport) {
                self.deliver(true, datagram);
            }
            for datagram in std::mem::take(&mut self.to_peer) {
                self.deliver(false, datagram);
            }
        }
    }

    fn collect(&mut self) {
        let mut buffer = [0; MAX_TRANSMIT];
        while let Some((to, len)) = self.transport.poll_transmit(&mut buffer) {
            assert_eq!(to, arrival(0).into(), "nothing goes elsewhere");
            if classify(&buffer[..len]) == DatagramKind::Dtls {
                self.to_peer.push_back(buffer[..len].to_vec());
            }
        }
        self.to_transport.extend(self.peer.outgoing.drain(..));
        while self.transport.poll_event().is_some() {}
        while self.transport.poll_claim().is_some() {}
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut fired = 0;
        while self.transport.poll_timeout() <= end {
            self.now = self.now.max(self.transport.poll_timeout());
            self.transport.handle_timeout(self.now);
            self.collect();
            fired += 1;
            assert!(fired <= 200, "a hot timer");
        }
        self.now = end;
        self.peer.pass(end);
    }

    fn check(&mut self) {
        let details = self.transport.details();
        let connected = details.dtls_state == DtlsState::Connected;
        assert!(self.known || !connected, "connected to somebody else");
        assert!(self.known || details.dtls_remote_cert.is_none(), "somebody else is believed");
        if !connected {
            assert_eq!(self.transport.destination(Component::Rtp), None, "media without keys");
        }
        if details.dtls_remote_cert.is_none() {
            let mut report = [0x80, 201, 0, 1, 0, 0, 0, 7].to_vec();
            report.resize(64, 0);
            assert!(
                self.transport.cipher().protect_rtcp(&mut report, 8).is_err(),
                "keys before the peer is known"
            );
        }
    }
}

/// A record as the input wants it (RFC 6347 section 4.1), whole or not.
fn record(input: &mut Bytes<'_>) -> Vec<u8> {
    let kind = input.u8();
    let len = usize::from(input.u8());
    let body = input.take(len);
    let (content, epoch) = (20 + (kind & 7), kind >> 3 & 1);
    let mut record = vec![content, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, kind >> 4];
    let told = if kind & 0xc0 == 0xc0 { body.len() + usize::from(kind & 7) } else { body.len() };
    record.extend((told as u16).to_be_bytes());
    record.extend(body);
    record
}
