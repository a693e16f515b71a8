//! Sends every datagram back to where it came from, in batches.
//!
//! `cargo run --release -p tureen-udp --example echo -- [address, default 127.0.0.1:7007]`
#![allow(clippy::print_stdout)]

use tureen_udp::{Poller, RecvBatch, SendBatch, Socket, SocketConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7007".to_owned()).parse()?;
    let socket = Socket::bind(&SocketConfig { recv_buffer: Some(2 << 20), ..SocketConfig::new(addr) })?;
    println!(
        "echo on {}, {} segments a message, receive offload {}",
        socket.local_addr(),
        socket.max_segments(),
        if socket.has_gro() { "on" } else { "off" }
    );

    let mut poller = Poller::new()?;
    poller.add(&socket, 0)?;
    let (mut incoming, mut outgoing) = (RecvBatch::new(32), SendBatch::new(256));
    let (mut ready, mut total, mut lost) = (Vec::new(), 0, 0);
    loop {
        poller.wait(None, &mut ready)?;
        while socket.recv(&mut incoming)? > 0 {
            for datagram in incoming.datagrams_mut() {
                if outgoing.free() == 0 {
                    lost += outgoing.flush(|_| Some(&socket)).dropped_would_block;
                }
                // One lane does for all: a change of destination only ends the run.
                if let Some(slot) = outgoing.reserve(0, 0, datagram.source, datagram.bytes.len()) {
                    slot.copy_from_slice(datagram.bytes);
                    outgoing.commit(datagram.bytes.len());
                }
            }
            let stats = outgoing.flush(|_| Some(&socket));
            lost += stats.dropped_would_block;
            if (total + stats.packets) / 100_000 != total / 100_000 {
                println!("{} datagrams echoed, {lost} dropped", total + stats.packets);
            }
            total += stats.packets;
        }
    }
}
