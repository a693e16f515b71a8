//! In steady state a context allocates nothing.
#![cfg(any(feature = "aws-lc", feature = "rust-crypto"))]

mod common;

use common::{keying_material, providers, rtp, with_room};
use tureen_srtp::{Profile, SrtpReceiver, SrtpSender};

#[test]
fn nothing_is_allocated_for_a_known_stream() {
    for provider in providers() {
        for profile in Profile::ALL {
            let material = keying_material(profile, &[1; 44]);
            let sender = SrtpSender::new(profile, &material, provider).unwrap();
            let mut sender = sender.with_retransmission(64);
            let mut receiver = SrtpReceiver::new(profile, &material, provider).unwrap();
            let packet = rtp(0, 1, 1, Some(1), &[5; 900]);
            let mut buf = with_room(&packet.bytes, profile.rtp_overhead());
            let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
            let mut rtcp = with_room(&report, profile.rtcp_overhead());
            let mut run = |sequence: u16| {
                for retransmission in [false, true] {
                    buf[..packet.bytes.len()].copy_from_slice(&packet.bytes);
                    buf[2..4].copy_from_slice(&sequence.to_be_bytes());
                    let (header_len, len) = (packet.header_len, packet.bytes.len());
                    if retransmission {
                        sender.retransmit_rtp(&mut buf, header_len, len).unwrap();
                    } else {
                        sender.protect_rtp(&mut buf, header_len, len).unwrap();
                        receiver.unprotect_rtp(&mut buf, header_len).unwrap();
                    }
                }
                rtcp[..8].copy_from_slice(&report);
                sender.protect_rtcp(&mut rtcp, 8).unwrap();
                receiver.unprotect_rtcp(&mut rtcp).unwrap();
            };
            run(0);
            let measured = allocation_counter::measure(|| (1..3000).for_each(run));
            assert_eq!(measured.count_total, 0, "{} {profile:?}", provider.name());
        }
    }
}
