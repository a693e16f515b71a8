//! Video orientation out of the header extension (RFC 7742 section 4): told when it changes.

mod support;

use support::{Bench, vp8, vp8_parameters};
use tureen_media_model::{Event, ProducerEvent, VideoOrientation};
use tureen_rtp_dictionaries::MediaKind;

/// A VP8 packet with the orientation octet in extension 5, as [`vp8_parameters`] negotiates it.
fn turned(sequence_number: u16, octet: u8) -> Vec<u8> {
    let mut packet = vp8(1000, sequence_number, 3000 * u32::from(sequence_number), true);
    packet[0] |= 0x10;
    packet.splice(12..12, [0xbe, 0xde, 0, 1, 0x50, octet, 0, 0]);
    packet
}

#[test]
fn a_turned_camera_is_told_once() {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    // Camera, flip and the four rotations (3GPP TS 26.114 section 7.4.5): bits C F R1 R0.
    let octets = [0b0000, 0b0000, 0b0001, 0b0010, 0b0011, 0b1100, 0b1100];
    let mut told = Vec::new();
    for (sequence_number, octet) in (1..).zip(octets) {
        bench.receive(1, &turned(sequence_number, octet));
        told.extend(bench.events().into_iter().filter_map(|event| match event {
            Event::Producer(id, ProducerEvent::VideoOrientation(orientation)) if id == producer.id => {
                Some(orientation)
            }
            _ => None,
        }));
    }
    let of = |camera, flip, rotation| VideoOrientation { camera, flip, rotation };
    assert_eq!(
        told,
        [
            of(false, false, 0),
            of(false, false, 90),
            of(false, false, 180),
            of(false, false, 270),
            of(true, true, 0)
        ]
    );
}
