//! In steady state RED allocates nothing, neither whole nor unpacked, nor sent again.

mod support;

use support::{Bench, address, audio, capabilities, red_capabilities, red_parameters, red_payload};
use tureen_media_model::{Consume, ConsumerOptions};
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::rtcp::RtcpWriter;
use tureen_rtp_wire::{Ecn, Time};
use tureen_transport::{Arrival, Datagram, Destination, Egress, Ingress, Lane, SocketId};

const CONSUMERS: usize = 6;
const WARM_UP: u16 = 1000;
const PACKETS: u16 = 5000;

/// One slot for all; notes the newest media packet of each socket.
struct Slot {
    bytes: Vec<u8>,
    socket: usize,
    /// By socket: SSRC, sequence number, payload type.
    newest: [(u32, u16, u8); CONSUMERS + 2],
}

impl Egress for Slot {
    fn reserve(&mut self, _: Lane, to: &Destination, capacity: usize) -> Option<&mut [u8]> {
        let Destination::Socket { socket, .. } = to else { return None };
        self.socket = socket.0 as usize;
        self.bytes.get_mut(..capacity)
    }

    fn commit(&mut self, _: usize) {
        let bytes = &self.bytes;
        if !(192..=223).contains(&bytes[1]) {
            let ssrc = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
            let number = u16::from_be_bytes([bytes[2], bytes[3]]);
            self.newest[self.socket] = (ssrc, number, bytes[1] & 0x7f);
        }
    }
}

struct One<'a>(Option<(Arrival, &'a mut [u8])>);

impl Ingress for One<'_> {
    fn next(&mut self) -> Option<Datagram<'_>> {
        let (arrival, bytes) = self.0.take()?;
        Some(Datagram { arrival, bytes, ecn: Ecn::NotCapable })
    }
}

fn allocations(bench: &mut Bench, out: &mut Slot, socket: u32, bytes: &mut [u8]) -> u64 {
    let arrival = Arrival { socket: SocketId(socket), source: address(10_000 + socket as u16) };
    let (core, now) = (&mut bench.core, bench.now);
    let mut batch = One(Some((arrival, bytes)));
    let measured = allocation_counter::measure(|| core.handle_batch(now, &mut batch, out));
    while bench.core.poll_event().is_some() {}
    measured.count_total
}

#[test]
fn red_allocates_nothing() {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    let producer = bench.produce(source, MediaKind::Audio, red_parameters(1000)).id;
    let sockets = 2..2 + CONSUMERS as u32;
    for socket in sockets.clone() {
        let transport = bench.transport(socket);
        let rtp_capabilities = if socket % 2 == 0 { capabilities() } else { red_capabilities() };
        let options = bench.consumer_options(producer);
        let options = ConsumerOptions { rtp_capabilities, enable_rtx: Some(true), ..options };
        bench.ask(Consume { transport, options }).unwrap();
    }
    let mut out = Slot { bytes: vec![0; 1600], socket: 0, newest: [(0, 0, 0); CONSUMERS + 2] };
    let mut allocated = 0;
    for number in 1..=WARM_UP + PACKETS {
        bench.now = Time::from_millis(bench.now.as_millis() + 20);
        // Every tenth is plain Opus, as a source sends it that changes its mind.
        let mut media = match number % 10 {
            0 => audio(1000, 111, number, &[0x78; 80]),
            _ => audio(1000, 63, number, &red_payload(111, &[0x78; 80], &[0x78; 80])),
        };
        let mut count = allocations(&mut bench, &mut out, 1, &mut media);
        for socket in sockets.clone().filter(|socket| (u32::from(number) + socket).is_multiple_of(50)) {
            let (ssrc, newest, _) = out.newest[socket as usize];
            let mut nack = vec![0; 100];
            let mut writer = RtcpWriter::new(&mut nack);
            writer.receiver_report(5, &[]).unwrap();
            writer.nack(5, ssrc, [newest, newest.wrapping_sub(2)]).unwrap();
            let len = writer.finish();
            count += allocations(&mut bench, &mut out, socket, &mut nack[..len]);
        }
        allocated += if number > WARM_UP { count } else { 0 };
    }
    assert_eq!(allocated, 0);
    let counters = bench.core.counters();
    let all = (CONSUMERS * usize::from(WARM_UP + PACKETS)) as u64;
    assert_eq!(counters.packets_sent - counters.retransmissions, all);
    assert!(counters.retransmissions > all / 50, "{}", counters.retransmissions);
    assert_eq!((counters.bad_payload, counters.dropped), (0, 0));
}
