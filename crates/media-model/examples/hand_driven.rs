//! A Core turned by hand: one producer, one consumer, three packets, no sockets.

use std::net::SocketAddr;
use tureen_media_model::{
    AddTransport, ConnectTransport, Consume, ConsumerId, ConsumerOptions, Core, CoreConfig, CreateRouter,
    Produce, ProducerId, ProducerOptions, Request, RouterId, RouterOptions, ShardId, TransportId,
    TransportOptions,
};
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::{Ecn, NtpTime, Time, WallClock};
use tureen_transport::{
    Arrival, BoundSocket, Datagram, Destination, Egress, Ingress, Lane, PlainConnectOptions, PlainTransport,
    PlainTransportOptions, SocketId,
};

type Error = Box<dyn std::error::Error>;

/// Prints what leaves.
#[derive(Default)]
struct Printer {
    slot: Vec<u8>,
    to: Option<Destination>,
}

impl Egress for Printer {
    fn reserve(&mut self, _lane: Lane, to: &Destination, capacity: usize) -> Option<&mut [u8]> {
        self.to = Some(*to);
        self.slot.resize(capacity, 0);
        Some(&mut self.slot)
    }

    #[allow(clippy::print_stdout, reason = "an example shows what it does")]
    fn commit(&mut self, len: usize) {
        println!("{len} bytes to {:?}", self.to);
    }
}

/// One datagram.
struct Single<'a>(Option<(Arrival, &'a mut [u8])>);

impl Ingress for Single<'_> {
    fn next(&mut self) -> Option<Datagram<'_>> {
        let (arrival, bytes) = self.0.take()?;
        Some(Datagram { arrival, bytes, ecn: Ecn::NotCapable })
    }
}

fn ask<R: Request<PlainTransport>>(
    core: &mut Core<PlainTransport>,
    now: Time,
    request: R,
) -> Result<R::Reply, Error> {
    R::reply(core.handle_command(now, request.into())).ok_or_else(|| "a reply of another type".into())
}

fn add_transport(
    core: &mut Core<PlainTransport>,
    now: Time,
    id: u128,
    socket: u32,
) -> Result<TransportId, Error> {
    let local = SocketAddr::from(([127, 0, 0, 1], 40_000 + socket as u16));
    let bound = BoundSocket { id: SocketId(socket), local };
    let transport = PlainTransport::new(&PlainTransportOptions::default(), bound, None, &[0; 46]);
    let id = TransportId(id);
    ask(
        core,
        now,
        AddTransport { router: RouterId(1), id, transport, options: TransportOptions::default() },
    )??;
    let options =
        PlainConnectOptions { ip: Some(local.ip()), port: Some(5000 + socket as u16), ..Default::default() };
    ask(core, now, ConnectTransport { id, options })???;
    Ok(id)
}

fn main() -> Result<(), Error> {
    let wall_clock = WallClock::new(NtpTime::new(3_900_000_000, 0));
    let mut core = Core::new(CoreConfig { shard: ShardId(0), seed: 1, wall_clock });
    let now = Time::from_millis(1);
    let opus =
        serde_json::json!([{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]);
    let options = RouterOptions { media_codecs: serde_json::from_value(opus)? };
    let rtp_capabilities = ask(&mut core, now, CreateRouter { id: RouterId(1), options })??;
    let (source, target) = (add_transport(&mut core, now, 2, 0)?, add_transport(&mut core, now, 3, 1)?);

    let rtp_parameters = serde_json::from_value(serde_json::json!({
        "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}],
        "encodings": [{"ssrc": 1}]
    }))?;
    let producer = ProducerOptions {
        id: ProducerId(4),
        kind: MediaKind::Audio,
        rtp_parameters,
        paused: false,
        key_frame_request_delay: Default::default(),
        key_frame_cache: None,
        content_hint: None,
    };
    ask(&mut core, now, Produce { transport: source, options: producer })??;
    let consumer = ConsumerOptions {
        id: ConsumerId(5),
        producer_id: ProducerId(4),
        rtp_capabilities,
        paused: false,
        mid: None,
        preferred_layers: None,
        enable_rtx: None,
        ignore_dtx: false,
        pipe: false,
        numbering: Default::default(),
        identity: Default::default(),
    };
    ask(&mut core, now, Consume { transport: target, options: consumer })??;

    let mut out = Printer::default();
    let arrival = Arrival { socket: SocketId(0), source: SocketAddr::from(([127, 0, 0, 1], 5000)) };
    for sequence_number in 1..=3 {
        let mut packet = *b"\x80\x6f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01opus";
        packet[3] = sequence_number;
        core.handle_batch(now, &mut Single(Some((arrival, &mut packet))), &mut out);
    }
    Ok(())
}
