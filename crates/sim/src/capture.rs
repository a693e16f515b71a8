//! What a host's network interface saw, as a pcap file for Wireshark and tshark: raw IPv4 and UDP around each datagram.

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, TsResolution};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tureen_rtp_wire::Time;

const IPV4_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const UDP: u8 = 17;

/// A growing pcap file. Timestamps are virtual time.
pub(crate) struct Capture {
    writer: PcapWriter<Vec<u8>>,
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture").finish_non_exhaustive()
    }
}

impl Capture {
    pub(crate) fn new() -> Self {
        let header = PcapHeader {
            datalink: DataLink::RAW,
            ts_resolution: TsResolution::NanoSecond,
            ..PcapHeader::default()
        };
        let writer = PcapWriter::with_header(Vec::new(), header).expect("memory takes what is written");
        Self { writer }
    }

    pub(crate) fn add(&mut self, at: Time, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        let frame = frame(from, to, datagram);
        let len = u32::try_from(frame.len()).expect("a datagram is below 64 KiB");
        let packet = PcapPacket::new_owned(at.since(Time::ZERO), len, frame);
        self.writer.write_packet(&packet).expect("memory takes what is written");
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.writer.into_writer()
    }
}

fn v4(address: SocketAddr) -> Ipv4Addr {
    match address.ip() {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(ip) => ip.to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED),
    }
}

/// IPv4 header (RFC 791 section 3.1) and UDP header (RFC 768, checksum left out) in front of a datagram.
fn frame(from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> Vec<u8> {
    let short = |len: usize| u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
    let mut frame = vec![0x45, 0];
    frame.extend(short(IPV4_HEADER + UDP_HEADER + datagram.len()));
    frame.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
    frame.extend(v4(from).octets());
    frame.extend(v4(to).octets());
    let checksum = checksum(&frame).to_be_bytes();
    frame[10..12].copy_from_slice(&checksum);
    frame.extend(from.port().to_be_bytes());
    frame.extend(to.port().to_be_bytes());
    frame.extend(short(UDP_HEADER + datagram.len()));
    frame.extend([0, 0]);
    frame.extend(datagram);
    frame
}

/// The Internet checksum (RFC 1071).
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_back_with_a_right_checksum() {
        let (from, to) = (SocketAddr::from(([10, 1, 0, 1], 5004)), SocketAddr::from(([10, 0, 0, 1], 40_000)));
        let mut capture = Capture::new();
        capture.add(Time::from_micros(1_500_001), from, to, b"payload");
        let bytes = capture.into_bytes();
        let mut reader = pcap_file::pcap::PcapReader::new(&bytes[..]).expect("a pcap file");
        let packet = reader.next_packet().expect("one packet").expect("that is whole");
        assert_eq!(packet.timestamp, std::time::Duration::from_micros(1_500_001));
        assert_eq!(packet.data.len(), IPV4_HEADER + UDP_HEADER + 7);
        assert_eq!(checksum(&packet.data[..IPV4_HEADER]), 0, "a header with its checksum sums up to nothing");
        assert_eq!(&packet.data[IPV4_HEADER..IPV4_HEADER + 4], [0x13, 0x8c, 0x9c, 0x40]);
        assert_eq!(&packet.data[IPV4_HEADER + UDP_HEADER..], b"payload");
    }
}
