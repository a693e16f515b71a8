//! The transport adapter for browsers: ICE-lite, DTLS and SRTP keys, without I/O.
//!
//! [`WebRtcTransport`] implements [`Transport`](tureen_transport::Transport): datagrams and the time go in, datagrams, events and claims come
//! out. Its path is [`IceServer`], a lite agent (RFC 8445 section 2.5); its cipher is SRTP, keyed by DTLS (RFC 5764)
//! once the certificate's fingerprint has proved the peer. It must not know sockets, clocks or media.
//!
//! - A datagram from an address that no authenticated STUN request came from is dropped and counted, whatever it is.
//! - Nothing allocates for a STUN request or a media packet in steady state; a handshake does.
//! - DTLS 1.2 and, as an option, 1.3 come from `dimpl`, which draws its own randomness; certificates are ECDSA.
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::Instant;
//! use tureen_rtp_dictionaries::TransportProtocol;
//! use tureen_transport::{SocketId, Transport};
//! use tureen_transport_webrtc::{
//!     DtlsCertificate, DtlsClock, IceCredentials, IceListen, WebRtcOptions, WebRtcTransport,
//! };
//!
//! let listen = IceListen {
//!     socket: SocketId(0),
//!     local: SocketAddr::from(([192, 0, 2, 1], 44_444)),
//!     protocol: TransportProtocol::Udp,
//!     shared: false,
//!     announced: vec![],
//! };
//! // A server shares one certificate and draws the entropy from its generator.
//! let certificate = DtlsCertificate::generate()?;
//! let credentials = IceCredentials::from_entropy(&[7; 48]);
//! let clock = DtlsClock(Instant::now());
//! let options = WebRtcOptions::default();
//! let transport = WebRtcTransport::new(&options, vec![listen], credentials, &certificate, clock);
//!
//! let details = transport.details();
//! assert_eq!(details.ice_candidates[0].address, "192.0.2.1");
//! assert_eq!(details.dtls_parameters.fingerprints.len(), 5);
//! # Ok::<(), tureen_transport_webrtc::CertificateError>(())
//! ```

mod certificate;
mod cipher;
mod dtls;
mod ice;
mod integrity;
mod options;
mod transport;

pub use certificate::{CertificateError, DtlsCertificate};
pub use cipher::{KeyedCipher, SrtpKeys};
pub use dtls::DtlsFailure;
pub use ice::{IceCredentials, IceListen, IceServer};
pub use options::{
    DtlsClock, DtlsVersion, MAX_FINGERPRINTS, WebRtcConnectError, WebRtcConnectOptions, WebRtcDetails,
    WebRtcOptions,
};
pub use transport::WebRtcTransport;

/// Keeps the example of the README compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
