//! SRTP: the receiver opens what was sealed and unaltered, once, and nothing else.
//!
//! The first byte chooses the profile; then packets are sealed, altered as the bytes say, and offered. Planted: a receiver that
//! looks at the first 16 octets alone.

use crate::Fault;
use crate::bytes::Bytes;
use std::collections::BTreeSet;
use tureen_rtp_wire::rtp::RtpLayout;
use tureen_srtp::{DEFAULT_PROVIDER, Profile, SrtpReceiver, SrtpSender, UnprotectError};

const PROFILES: [Profile; 4] = [
    Profile::AesCm128HmacSha1_80,
    Profile::AesCm128HmacSha1_32,
    Profile::AeadAes128Gcm,
    Profile::AeadAes256Gcm,
];
const KEY: [u8; 46] = *b"a fixed key and salt for a fuzzer, 46 octets..";
const MAX_PACKETS: usize = 64;

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut input = Bytes::new(data);
    let profile = PROFILES[usize::from(input.u8() & 3)];
    let key = &KEY[..profile.keying_material_len()];
    let mut sender = SrtpSender::new(profile, key, DEFAULT_PROVIDER).expect("the key has its length");
    let mut receiver = SrtpReceiver::new(profile, key, DEFAULT_PROVIDER).expect("the key has its length");
    let mut sequence_numbers = [input.u16(), input.u16()];
    let mut opened: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut last: Option<(Vec<u8>, Vec<u8>, bool)> = None;
    for _ in 0..MAX_PACKETS {
        if input.is_empty() {
            return;
        }
        let choice = input.u8();
        let is_rtcp = choice & 1 == 1;
        let (plain, sealed, is_rtcp) = match (choice & 2, last.take()) {
            (2, Some(again)) => again,
            _ => {
                let plain = plain_packet(&mut input, is_rtcp, &mut sequence_numbers);
                let sealed = seal(&mut sender, &plain, is_rtcp);
                (plain, sealed, is_rtcp)
            }
        };
        let mut offered = sealed.clone();
        alter(&mut input, choice, &mut offered);
        let genuine = offered == sealed;
        let fresh = !opened.contains(&sealed);
        let lost_count = !is_rtcp && wrapped_unheard(&sender, &receiver, &plain);
        match open(&mut receiver, &mut offered, is_rtcp, &plain, fault) {
            Some(len) => {
                assert!(genuine, "an altered packet was opened");
                assert!(fresh, "a packet was opened twice");
                assert_eq!(&offered[..len], &plain[..], "something else came out than went in");
                opened.insert(sealed.clone());
            }
            None => assert!(!(genuine && fresh) || lost_count, "a genuine packet was refused"),
        }
        last = Some((plain, sealed, is_rtcp));
    }
}

/// Whether the roll-over counter has grown before the receiver heard anything of the stream: it begins at zero then, and the
/// packets are lost (RFC 3711 section 3.3.1).
fn wrapped_unheard(sender: &SrtpSender, receiver: &SrtpReceiver, plain: &[u8]) -> bool {
    let ssrc = plain.get(8..12).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_be_bytes);
    receiver.highest_index(ssrc).is_none() && sender.highest_index(ssrc).is_some_and(|index| index > 0xffff)
}

fn plain_packet(input: &mut Bytes<'_>, is_rtcp: bool, sequence_numbers: &mut [u16; 2]) -> Vec<u8> {
    let stream = usize::from(input.u8() & 1);
    let ssrc = 100 + stream as u32;
    let len = usize::from(input.u8());
    let content = input.take(len).to_vec();
    if is_rtcp {
        let words = content.len() / 4;
        let mut packet = vec![0x80, 204];
        packet.extend(((1 + words) as u16).to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        packet.extend(&content[..words * 4]);
        return packet;
    }
    let step = 1 + u16::from(input.u8());
    sequence_numbers[stream] = sequence_numbers[stream].wrapping_add(step);
    let mut packet = vec![0x80, 96];
    packet.extend(sequence_numbers[stream].to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(content);
    packet
}

fn seal(sender: &mut SrtpSender, plain: &[u8], is_rtcp: bool) -> Vec<u8> {
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + 64, 0);
    let len = match is_rtcp {
        true => sender.protect_rtcp(&mut buffer, plain.len()),
        false => sender.protect_rtp(&mut buffer, 12, plain.len()),
    };
    buffer.truncate(len.expect("what was built can be sealed"));
    buffer
}

fn alter(input: &mut Bytes<'_>, choice: u8, packet: &mut Vec<u8>) {
    let at = usize::from(input.u16()) % packet.len().max(1);
    match choice >> 2 & 7 {
        0 => packet[at] ^= 1 << (choice >> 5),
        1 => packet.truncate(at),
        2 => packet.push(choice),
        3 => packet[at] = choice,
        _ => {}
    }
}

fn open(
    receiver: &mut SrtpReceiver,
    packet: &mut [u8],
    is_rtcp: bool,
    plain: &[u8],
    fault: Fault,
) -> Option<usize> {
    let start = packet.get(..16).map(<[u8]>::to_vec);
    let result: Result<usize, UnprotectError> = match is_rtcp {
        true => receiver.unprotect_rtcp(packet),
        false => receiver.unprotect_rtp(packet, RtpLayout::header_len_of(packet).ok()?),
    };
    let forged = result == Err(UnprotectError::AuthenticationFailed) && packet.len() >= plain.len();
    if fault == Fault::Planted && forged && start.is_some_and(|start| plain.get(..12) == start.get(..12)) {
        return Some(plain.len());
    }
    result.ok()
}
