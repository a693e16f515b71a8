//! The UDP datagram in a captured frame: link, IP and UDP headers. Must not know what a datagram carries.

use super::capture::Frame;
use pcap_file::DataLink;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) payload: &'a [u8],
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: [u16; 2] = [0x8100, 0x88a8];
const UDP: u8 = 17;

/// The datagram in a frame; `None` for fragments, other protocols and what is broken.
pub(super) fn datagram(frame: &Frame) -> Option<Datagram<'_>> {
    let bytes = frame.bytes.as_slice();
    match frame.link {
        DataLink::ETHERNET => ethernet(bytes),
        DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => ip(bytes),
        // Four bytes of address family, in the byte order of the machine that captured.
        DataLink::NULL | DataLink::LOOP => ip(bytes.get(4..)?),
        DataLink::LINUX_SLL => of_type(u16_at(bytes, 14)?, bytes.get(16..)?),
        DataLink::LINUX_SLL2 => of_type(u16_at(bytes, 0)?, bytes.get(20..)?),
        // The number that some systems write for raw IP.
        DataLink::Unknown(12) => ip(bytes),
        _ => None,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn ethernet(bytes: &[u8]) -> Option<Datagram<'_>> {
    let mut at = 12;
    let mut kind = u16_at(bytes, at)?;
    while VLAN.contains(&kind) {
        at += 4;
        kind = u16_at(bytes, at)?;
    }
    of_type(kind, bytes.get(at + 2..)?)
}

fn of_type(kind: u16, bytes: &[u8]) -> Option<Datagram<'_>> {
    if [IPV4, IPV6].contains(&kind) { ip(bytes) } else { None }
}

fn ip(bytes: &[u8]) -> Option<Datagram<'_>> {
    match bytes.first()? >> 4 {
        4 => ipv4(bytes),
        6 => ipv6(bytes),
        _ => None,
    }
}

fn ipv4(bytes: &[u8]) -> Option<Datagram<'_>> {
    let header = usize::from(bytes.first()? & 0x0f) * 4;
    let total = usize::from(u16_at(bytes, 2)?);
    // More fragments, or an offset: not a whole datagram.
    let fragment = u16_at(bytes, 6)? & 0x3fff != 0;
    if fragment || *bytes.get(9)? != UDP || header < 20 {
        return None;
    }
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?).into());
    // A length of 0 stands in captures where the network card segments.
    let end = if total == 0 { bytes.len() } else { total.min(bytes.len()) };
    udp(bytes.get(header..end)?, address(12)?, address(16)?)
}

fn ipv6(bytes: &[u8]) -> Option<Datagram<'_>> {
    if *bytes.get(6)? != UDP {
        return None;
    }
    let address =
        |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok()?).into());
    udp(bytes.get(40..)?, address(8)?, address(24)?)
}

fn udp(bytes: &[u8], source: IpAddr, destination: IpAddr) -> Option<Datagram<'_>> {
    let (source_port, destination_port, len) =
        (u16_at(bytes, 0)?, u16_at(bytes, 2)?, usize::from(u16_at(bytes, 4)?));
    let end = if len == 0 { bytes.len() } else { len.min(bytes.len()) };
    let payload = bytes.get(8..end)?;
    Some(Datagram {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
        payload,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(link: DataLink, bytes: Vec<u8>) -> Frame {
        Frame { at: 0, link, bytes, cut: false }
    }

    fn ipv4_udp() -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        bytes.extend([0x12, 0x34, 0x56, 0x78, 0, 11, 0, 0, 1, 2, 3]);
        bytes
    }

    #[test]
    fn a_datagram_is_found_behind_every_link_header() {
        let behind = |link, header: &[u8]| frame(link, [header, &ipv4_udp(), &[0xff; 9]].concat());
        let frames = [
            behind(DataLink::ETHERNET, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0]),
            behind(DataLink::ETHERNET, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 7, 8, 0]),
            behind(DataLink::RAW, &[]),
            behind(DataLink::NULL, &[2, 0, 0, 0]),
            behind(DataLink::LINUX_SLL, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0]),
            behind(DataLink::LINUX_SLL2, &[8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for frame in &frames {
            let found = datagram(frame).unwrap_or_else(|| panic!("{:?}", frame.link));
            assert_eq!((found.source, found.payload), ("192.0.2.1:4660".parse().unwrap(), &[1u8, 2, 3][..]));
            assert_eq!(found.destination, "192.0.2.2:22136".parse().unwrap());
        }
    }

    #[test]
    fn fragments_and_other_protocols_are_none() {
        for (at, value) in [(6, 0x20), (7, 1), (9, 6), (0, 0x55), (0, 0x41)] {
            let mut bytes = ipv4_udp();
            bytes[at] = value;
            assert_eq!(datagram(&frame(DataLink::RAW, bytes)), None, "{at}");
        }
    }

    proptest! {
        #[test]
        fn no_frame_panics(link in 0u32..300, bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = datagram(&frame(DataLink::from(link), bytes));
        }
    }
}
