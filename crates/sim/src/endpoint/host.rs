//! A host: one address with any number of model senders and receivers behind it.

use super::{Receiver, RtcpBox, Sender};
use std::net::SocketAddr;
use tureen_rtp_wire::rtp::{DatagramKind, classify};
use tureen_rtp_wire::{Time, validate};

/// What a [`Host`] could not use. On a path without attackers all of it stays zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostStats {
    /// Datagrams received.
    pub datagrams: u64,
    /// Those that are neither RTP nor RTCP, or do not parse.
    pub malformed: u64,
    /// Those from another address than the host's peer.
    pub foreign: u64,
    /// RTP packets of no stream that the host knows.
    pub unknown_stream: u64,
}

/// An endpoint with one socket.
#[derive(Debug)]
pub struct Host {
    /// Its own address.
    pub address: SocketAddr,
    /// Where it sends to, and the only place that it takes packets from.
    pub peer: SocketAddr,
    /// Its model senders.
    pub senders: Vec<Sender>,
    /// Its model receivers.
    pub receivers: Vec<Receiver>,
    stats: HostStats,
}

impl Host {
    /// A host that sends and receives nothing yet.
    pub fn new(address: SocketAddr, peer: SocketAddr) -> Self {
        Self { address, peer, senders: Vec::new(), receivers: Vec::new(), stats: HostStats::default() }
    }

    /// What it could not use.
    pub fn stats(&self) -> HostStats {
        self.stats
    }

    /// When [`Host::on_deadline`] is due.
    pub fn next_deadline(&self) -> Time {
        let senders = self.senders.iter().map(Sender::next_deadline);
        let receivers = self.receivers.iter().map(Receiver::next_deadline);
        senders.chain(receivers).min().unwrap_or(Time::NEVER)
    }

    /// Lets senders and receivers send what is due.
    pub fn on_deadline(&mut self, now: Time, out: &mut Vec<Vec<u8>>) {
        self.senders.iter_mut().for_each(|sender| sender.on_deadline(now, out));
        self.receivers.iter_mut().for_each(|receiver| receiver.on_deadline(now, out));
    }

    /// Takes a datagram.
    pub fn on_datagram(&mut self, now: Time, from: SocketAddr, bytes: &[u8], out: &mut Vec<Vec<u8>>) {
        self.stats.datagrams += 1;
        if from != self.peer {
            self.stats.foreign += 1;
            return;
        }
        let read = match classify(bytes) {
            DatagramKind::Rtp => self.on_rtp(now, bytes),
            DatagramKind::Rtcp => self.on_rtcp(now, bytes, out),
            _ => None,
        };
        self.stats.malformed += u64::from(read.is_none());
    }

    fn on_rtp(&mut self, now: Time, mut bytes: &[u8]) -> Option<()> {
        use webrtc_util::marshal::Unmarshal as _;
        validate::rtp(bytes).ok()?;
        let packet = rtp::packet::Packet::unmarshal(&mut bytes).ok()?;
        let taken = self.receivers.iter_mut().any(|receiver| receiver.on_rtp(now, &packet));
        self.stats.unknown_stream += u64::from(!taken);
        Some(())
    }

    fn on_rtcp(&mut self, now: Time, mut bytes: &[u8], out: &mut Vec<Vec<u8>>) -> Option<()> {
        validate::rtcp(bytes).ok()?;
        let packets: Vec<RtcpBox> = rtcp::packet::unmarshal(&mut bytes).ok()?;
        for packet in &packets {
            self.senders.iter_mut().for_each(|sender| sender.on_rtcp(now, packet, out));
            self.receivers.iter_mut().for_each(|receiver| receiver.on_rtcp(now, packet));
        }
        Some(())
    }
}
