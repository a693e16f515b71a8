//! Connectivity checks for the targets that have an ICE agent inside: requests that are genuine until they are changed.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::net::{Ipv4Addr, SocketAddr};
use tureen_rtp_dictionaries::TransportProtocol;
use tureen_rtp_wire::stun::{
    FINGERPRINT_LEN, FINGERPRINT_XOR, MESSAGE_INTEGRITY_LEN, StunClass, StunWriter, attribute,
};
use tureen_transport::{Arrival, SocketId};
use tureen_transport_webrtc::{IceCredentials, IceListen};

pub(crate) const UDP: SocketId = SocketId(1);
pub(crate) const TCP: SocketId = SocketId(2);

/// Credentials that differ for each seed below 4096: each octet spells one of 64 characters.
pub(crate) fn credentials(seed: u16) -> IceCredentials {
    let digits = [(seed % 64) as u8, (seed / 64 % 64) as u8];
    IceCredentials::from_entropy(&std::array::from_fn(|index| {
        digits[index % 2].wrapping_add(index as u8 / 2 * 7)
    }))
}

/// A UDP socket and a TCP listener that all transports share.
pub(crate) fn listens() -> Vec<IceListen> {
    let listen = |socket, protocol| IceListen {
        socket,
        local: SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 40_000)),
        protocol,
        shared: true,
        announced: vec![],
    };
    vec![listen(UDP, TransportProtocol::Udp), listen(TCP, TransportProtocol::Tcp)]
}

/// Somebody's address.
pub(crate) fn arrival(which: u8) -> Arrival {
    Arrival {
        socket: UDP,
        source: SocketAddr::from((Ipv4Addr::new(198, 51, 100, 9), 5000 + u16::from(which))),
    }
}

/// A binding request as a controlling agent makes it (RFC 8445 section 7.2.2).
pub(crate) fn request(credentials: &IceCredentials, nominating: bool) -> Vec<u8> {
    let parameters = credentials.parameters();
    let mut buffer = vec![0; 256];
    let mut writer = StunWriter::new(&mut buffer, StunClass::Request, *b"transaction!").expect("room");
    let mut put = |kind, value: &[u8]| writer.attribute(kind, value).expect("room");
    put(attribute::USERNAME, format!("{}:peer", parameters.username_fragment).as_bytes());
    put(attribute::PRIORITY, &[0x6e, 0, 1, 0xff]);
    put(attribute::ICE_CONTROLLING, &[7; 8]);
    if nominating {
        put(attribute::USE_CANDIDATE, &[]);
    }
    let mac = Hmac::<Sha1>::new_from_slice(parameters.password.as_bytes()).expect("a key of any length");
    let mac = mac.chain_update(writer.covered(MESSAGE_INTEGRITY_LEN).expect("room")).finalize().into_bytes();
    writer.attribute(attribute::MESSAGE_INTEGRITY, &mac).expect("room");
    let crc = crc32fast::hash(writer.covered(FINGERPRINT_LEN).expect("room")) ^ FINGERPRINT_XOR;
    writer.attribute(attribute::FINGERPRINT, &crc.to_be_bytes()).expect("room");
    let len = writer.finish();
    buffer.truncate(len);
    buffer
}
