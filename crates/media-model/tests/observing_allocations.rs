//! In steady state reading levels, reporting them and deciding who speaks allocates nothing.

mod support;

use support::microphone::opus_parameters;
use support::{Bench, address, packet_with};
use tureen_media_model::{
    ActiveSpeakerObserverOptions, CreateActiveSpeakerObserver, Event, ObserveProducer, RtpObserverEvent,
    RtpObserverId, ShardId,
};
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::rtp::RtpHeader;
use tureen_rtp_wire::{Ecn, Time};
use tureen_transport::{Arrival, Datagram, Destination, Egress, Ingress, Lane, SocketId};

const WARM_UP: u16 = 500;
const PACKETS: u16 = 5000;

/// One slot for all.
struct Slot(Vec<u8>);

impl Egress for Slot {
    fn reserve(&mut self, _: Lane, _: &Destination, capacity: usize) -> Option<&mut [u8]> {
        self.0.get_mut(..capacity)
    }

    fn commit(&mut self, _: usize) {}
}

struct One<'a>(Option<(Arrival, &'a mut [u8])>);

impl Ingress for One<'_> {
    fn next(&mut self) -> Option<Datagram<'_>> {
        let (arrival, bytes) = self.0.take()?;
        Some(Datagram { arrival, bytes, ecn: Ecn::NotCapable })
    }
}

#[test]
fn levels_allocate_nothing() {
    let mut bench = Bench::new();
    let id = RtpObserverId(1);
    let (router, options) = (bench.router, ActiveSpeakerObserverOptions::new(id));
    bench.ask(CreateActiveSpeakerObserver { router, options }).unwrap();
    for socket in 1..=2 {
        let transport = bench.transport(socket);
        let producer = bench.produce(transport, MediaKind::Audio, opus_parameters(socket)).id;
        bench.ask(ObserveProducer { observer: id, producer, home: ShardId(0) }).unwrap();
        let viewer = bench.transport(10 + socket);
        bench.consume(viewer, producer);
    }
    let mut out = Slot(vec![0; 1600]);
    let (mut allocated, mut takeovers) = (0, 0);
    for number in 1..=WARM_UP + PACKETS {
        bench.now = Time::from_millis(bench.now.as_millis() + 20);
        for socket in 1..=2_u32 {
            // They take turns of 2 s.
            let speaks = u32::from(number / 100) % 2 == socket - 1;
            let level = [if speaks { 30 } else { 90 }];
            let timestamp = 960 * u32::from(number);
            let header = RtpHeader {
                marker: false,
                payload_type: 111,
                sequence_number: number,
                timestamp,
                ssrc: socket,
            };
            let mut bytes = packet_with(&header, &[(10, &level)], b"sound");
            let arrival = Arrival { socket: SocketId(socket), source: address(10_000 + socket as u16) };
            let mut batch = One(Some((arrival, &mut bytes)));
            let (core, now) = (&mut bench.core, bench.now);
            let measured = allocation_counter::measure(|| core.handle_batch(now, &mut batch, &mut out));
            allocated += if number > WARM_UP { measured.count_total } else { 0 };
        }
        for event in bench.events() {
            let takes_over = matches!(event, Event::RtpObserver(_, RtpObserverEvent::DominantSpeaker(_)));
            takeovers += usize::from(takes_over);
        }
    }
    assert_eq!(allocated, 0);
    assert_eq!(takeovers, usize::from((WARM_UP + PACKETS) / 100), "each turn is a take-over");
}
