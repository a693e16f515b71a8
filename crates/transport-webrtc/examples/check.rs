//! A browser's connectivity check, and the answer of the transport. Not a whole ICE agent: the check is made by hand.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tureen_rtp_dictionaries::TransportProtocol;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::stun::{MESSAGE_INTEGRITY_LEN, StunClass, StunMessage, StunWriter, attribute};
use tureen_transport::{Arrival, MAX_TRANSMIT, SocketId, Transport};
use tureen_transport_webrtc::{
    DtlsCertificate, DtlsClock, IceCredentials, IceListen, WebRtcOptions, WebRtcTransport,
};

#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "an example has a terminal and a clock")]
fn main() -> Result<(), Box<dyn Error>> {
    let listen = IceListen {
        socket: SocketId(0),
        local: SocketAddr::from(([192, 0, 2, 1], 44_444)),
        protocol: TransportProtocol::Udp,
        shared: false,
        announced: vec![],
    };
    // A server draws these from a cryptographic generator.
    let credentials = IceCredentials::from_entropy(&std::array::from_fn(|index| index as u8));
    let certificate = DtlsCertificate::generate()?;
    let clock = DtlsClock(Instant::now());
    let options = WebRtcOptions::default();
    let mut transport = WebRtcTransport::new(&options, vec![listen], credentials, &certificate, clock);
    let details = transport.details();
    for candidate in &details.ice_candidates {
        println!("candidate {}:{} with priority {}", candidate.address, candidate.port, candidate.priority);
    }

    let mut buffer = [0; 256];
    let mut writer = StunWriter::new(&mut buffer, StunClass::Request, *b"connectivity")?;
    let username = format!("{}:browser", details.ice_parameters.username_fragment);
    writer.attribute(attribute::USERNAME, username.as_bytes())?;
    writer.attribute(attribute::PRIORITY, &[0x6e, 0x7f, 0, 0xff])?;
    writer.attribute(attribute::USE_CANDIDATE, &[])?;
    let mac = Hmac::<Sha1>::new_from_slice(details.ice_parameters.password.as_bytes())?;
    let mac = mac.chain_update(writer.covered(MESSAGE_INTEGRITY_LEN)?).finalize().into_bytes();
    writer.attribute(attribute::MESSAGE_INTEGRITY, &mac)?;
    let len = writer.finish();

    let arrival = Arrival { socket: SocketId(0), source: SocketAddr::from(([198, 51, 100, 7], 5000)) };
    let opened = transport.open(Time::ZERO, arrival, &mut buffer[..len]);
    println!("the check is {opened:?}");
    let mut answer = [0; MAX_TRANSMIT];
    if let Some((to, len)) = transport.poll_transmit(&mut answer) {
        println!("{:?} to {to:?}", StunMessage::parse(&answer[..len])?.class());
    }
    while let Some(event) = transport.poll_event() {
        println!("{event:?}");
    }
    let consent = transport.poll_timeout().since(Time::ZERO);
    println!("without another check it is disconnected after {consent:?}");
    assert_eq!(consent, Duration::from_secs(30));
    Ok(())
}
