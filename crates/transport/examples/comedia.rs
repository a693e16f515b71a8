//! A comedia transport that learns its remote from the first RTP packet and refuses everyone else.

use std::net::SocketAddr;
use tureen_rtp_wire::Time;
use tureen_transport::{
    Arrival, BoundSocket, Component, Opened, PlainTransport, PlainTransportOptions, SocketId, Transport,
};

#[allow(clippy::print_stdout, reason = "an example shows what it does")]
fn main() {
    let socket = BoundSocket { id: SocketId(0), local: SocketAddr::from(([127, 0, 0, 1], 40_000)) };
    let options = PlainTransportOptions { comedia: true, ..Default::default() };
    let mut transport = PlainTransport::new(&options, socket, None, &[0; 46]);
    for port in [5000, 5000, 6000] {
        let arrival = Arrival { socket: SocketId(0), source: SocketAddr::from(([127, 0, 0, 1], port)) };
        let mut packet = *b"\x80\x64\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01media";
        match transport.open(Time::ZERO, arrival, &mut packet) {
            Opened::Rtp { len, .. } => println!("{}: RTP of {len} bytes", arrival.source),
            other => println!("{}: {other:?}", arrival.source),
        }
    }
    println!("packets go to {:?}", transport.destination(Component::Rtp));
}
