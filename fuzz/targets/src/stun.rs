//! STUN messages: any bytes are walked within their bounds, and what is written reads back.
//!
//! Planted: a reader that takes the padding of an attribute for a part of its value.

use crate::Fault;
use crate::bytes::Bytes;
use crate::ice::{arrival, credentials, listens};
use std::net::SocketAddr;
use std::time::Duration;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::stun::{
    HEADER_LEN, MESSAGE_INTEGRITY_LEN, StunClass, StunMessage, StunWriter, TransactionId, attribute,
    local_username_fragment, split_username, xor_mapped_address,
};
use tureen_transport::{MAX_TRANSMIT, Path};
use tureen_transport_webrtc::IceServer;

const MAX_ATTRIBUTES: usize = 40;

pub(crate) fn run(data: &[u8], fault: Fault) {
    read(data);
    hear(data);
    write(&mut Bytes::new(data), fault);
}

fn read(data: &[u8]) {
    let fragment = local_username_fragment(data);
    let Ok(message) = StunMessage::parse(data) else {
        assert_eq!(fragment, None, "whom does a message ask for that does not parse?");
        return;
    };
    assert_eq!(message.as_bytes(), data);
    assert!(data.len() >= HEADER_LEN && data.len().is_multiple_of(4));
    let mut end = HEADER_LEN;
    for attribute in message.attributes() {
        assert_eq!(attribute.offset, end, "attributes lie behind one another");
        let start = attribute.offset + 4;
        assert_eq!(data.get(start..start + attribute.value.len()), Some(attribute.value));
        end = start + attribute.value.len().next_multiple_of(4);
        let (header, body) =
            message.covered(attribute.offset, MESSAGE_INTEGRITY_LEN).expect("what lies before");
        assert_eq!(HEADER_LEN + body.len(), attribute.offset);
        assert_eq!(header.len(), HEADER_LEN);
        if attribute.kind == attribute::XOR_MAPPED_ADDRESS {
            let _ = xor_mapped_address(attribute.value, &message.transaction_id());
        }
    }
    assert!(end <= data.len());
    if let Some(fragment) = fragment {
        let username = message.attribute(attribute::USERNAME).expect("it names somebody").value;
        assert_eq!(split_username(username).map(|(local, _)| local), Some(fragment));
    }
}

/// An agent whose password the bytes do not know believes none of them, and answers no more than it heard.
fn hear(data: &[u8]) {
    let mut ice = IceServer::new(listens(), credentials(1), Duration::from_secs(30));
    let heard = ice.handle(Time::ZERO, arrival(0), data);
    assert!(heard.is_err(), "a request without the password is believed");
    let mut buffer = [0; MAX_TRANSMIT];
    while let Some((to, len)) = ice.poll_transmit(&mut buffer) {
        assert_eq!(to, arrival(0).into());
        assert!(len <= data.len(), "{} bytes are answered with {len}", data.len());
        read(&buffer[..len]);
    }
    assert_eq!(ice.destination(tureen_transport::Component::Rtp), None);
}

fn write(input: &mut Bytes<'_>, fault: Fault) {
    let room = usize::from(input.u8()) * 8;
    let class = match input.u8() & 3 {
        0 => StunClass::Request,
        1 => StunClass::Indication,
        2 => StunClass::Success,
        _ => StunClass::Error,
    };
    let mut transaction = TransactionId::default();
    for (octet, byte) in transaction.iter_mut().zip(input.take(12)) {
        *octet = *byte;
    }
    let mut buffer = vec![0xaa; room];
    let Ok(mut writer) = StunWriter::new(&mut buffer, class, transaction) else {
        assert!(room < HEADER_LEN);
        return;
    };
    let mut written: Vec<(u16, Vec<u8>)> = Vec::new();
    let mut mapped = None;
    while !input.is_empty() && written.len() < MAX_ATTRIBUTES {
        let (kind, len) = (input.u16(), usize::from(input.u8() & 63));
        let value = input.take(len);
        // After an error a message is to be thrown away.
        if kind % 16 == 0 {
            let address = address(value);
            let Ok(()) = writer.xor_mapped_address(address) else { return };
            written.push((attribute::XOR_MAPPED_ADDRESS, vec![]));
            mapped = Some(address);
        } else {
            let Ok(()) = writer.attribute(kind, value) else { return };
            written.push((kind, value.to_vec()));
        }
    }
    let len = writer.finish();
    let message = StunMessage::parse(&buffer[..len]).expect("what was written reads back");
    assert_eq!((message.class(), message.transaction_id()), (class, transaction));
    let mut read = Vec::new();
    for found in message.attributes() {
        let mut value = found.value.to_vec();
        if fault == Fault::Planted {
            value.resize(value.len().next_multiple_of(4), 0);
        }
        read.push((found.kind, value));
    }
    let own: Vec<_> = read.iter().filter(|(kind, _)| *kind != attribute::XOR_MAPPED_ADDRESS).collect();
    let told: Vec<_> = written.iter().filter(|(kind, _)| *kind != attribute::XOR_MAPPED_ADDRESS).collect();
    assert_eq!(own, told, "attributes survive");
    assert_eq!(read.len(), written.len());
    if let Some(mapped) = mapped {
        let values = message.attributes().filter(|found| found.kind == attribute::XOR_MAPPED_ADDRESS);
        let seen = values.filter_map(|found| xor_mapped_address(found.value, &transaction));
        assert!(seen.into_iter().any(|seen| seen == mapped), "{mapped} survives");
    }
}

fn address(octets: &[u8]) -> SocketAddr {
    let mut input = Bytes::new(octets);
    let port = input.u16();
    if input.u8() & 1 == 0 {
        return SocketAddr::from((input.u32().to_be_bytes(), port));
    }
    let mut ip = [0; 16];
    for (octet, byte) in ip.iter_mut().zip(input.take(16)) {
        *octet = *byte;
    }
    SocketAddr::from((ip, port))
}
