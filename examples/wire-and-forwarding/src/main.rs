//! Forwards one Opus stream from whoever sends to LISTEN to DESTINATION, and answers DESTINATION's NACKs.

mod forwarder;

use forwarder::Forwarder;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;
use tureen_rtp_wire::Time;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(destination)) = (arguments.next(), arguments.next()) else {
        return Err("usage: wire-and-forwarding LISTEN DESTINATION".into());
    };
    run(&UdpSocket::bind(listen)?, destination.parse()?)?;
    Ok(())
}

fn run(socket: &UdpSocket, destination: SocketAddr) -> std::io::Result<()> {
    let random = RandomState::new().hash_one(0);
    let mut forwarder = Forwarder::new(random as u32, (random >> 32) as u16);
    let start = Instant::now();
    let mut buffer = [0; 2048];
    loop {
        let (len, from) = socket.recv_from(&mut buffer)?;
        let now = Time::ZERO + start.elapsed();
        let bytes = buffer.get(..len).unwrap_or_default();
        if from != destination {
            if let Some(datagram) = forwarder.on_media(now, bytes) {
                socket.send_to(datagram, destination)?;
            }
        } else {
            let mut result = Ok(0);
            forwarder.on_feedback(now, bytes, |datagram| result = socket.send_to(datagram, destination));
            result?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tureen_rtp_wire::rtp::RtpPacket;

    fn bind() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port on loopback");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a read timeout");
        let address = socket.local_addr().expect("a bound socket has an address");
        (socket, address)
    }

    fn receive(socket: &UdpSocket) -> Vec<u8> {
        let mut buffer = [0; 2048];
        let len = socket.recv(&mut buffer).expect("a packet");
        buffer[..len].to_vec()
    }

    #[test]
    fn packets_arrive_renumbered_and_come_again_when_asked_for() {
        let (socket, address) = bind();
        let (receiver, destination) = bind();
        let (source, _) = bind();
        std::thread::spawn(move || run(&socket, destination));

        let mut arrived = Vec::new();
        for number in 0..5u8 {
            let [high, low] = 0xfffdu16.wrapping_add(number.into()).to_be_bytes();
            let packet = [0x80, 111, high, low, 0, 0, 0, number, 1, 2, 3, 4, 0xf8, number, 9];
            source.send_to(&packet, address).expect("sent");
            arrived.push(receive(&receiver));
        }
        let first = RtpPacket::parse(&arrived[0]).expect("an RTP packet");
        assert_ne!(first.ssrc(), 0x0102_0304);
        for (number, bytes) in arrived.iter().enumerate() {
            let packet = RtpPacket::parse(bytes).expect("an RTP packet");
            assert_eq!(packet.sequence_number(), first.sequence_number().wrapping_add(number as u16));
            assert_eq!(packet.payload(), [0xf8, number as u8, 9]);
        }

        // A NACK for the second, third and fifth.
        let mut nack = vec![0x81, 205, 0, 3, 0, 0, 0, 0];
        nack.extend_from_slice(&first.ssrc().to_be_bytes());
        nack.extend_from_slice(&first.sequence_number().wrapping_add(1).to_be_bytes());
        nack.extend_from_slice(&0b101u16.to_be_bytes());
        receiver.send_to(&nack, address).expect("sent");
        for number in [1, 2, 4] {
            assert_eq!(receive(&receiver), arrived[number]);
        }
    }
}
