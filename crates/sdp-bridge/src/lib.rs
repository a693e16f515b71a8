//! SDP offers and answers, between WebRTC endpoints and the dictionaries of a router: what WHIP (RFC 9725) and WHEP need
//! of JSEP (RFC 8829), for the side that answers.
//!
//! 1. [`Offer::parse`] reads an offer: ICE and DTLS, and media sections with their codecs and streams.
//! 2. A section that sends gives the parameters of a producer:
//!    [`OfferedMedia::producer_rtp_parameters`]. A section that receives gives the capabilities of a consumer's endpoint:
//!    [`OfferedMedia::rtp_capabilities`].
//! 3. [`Answer`] says of each section what becomes of it, and writes the text.
//! 4. [`TrickleFragment`] is what arrives later: candidates, and ICE restarts.
//!
//! All functions are pure. Text of strangers is bounded by [`MAX_LEN`] and [`MAX_MEDIA_SECTIONS`], and errors name its
//! line. Nothing here opens a transport, draws a credential or chooses what to consume.
//!
//! ```
//! use tureen_rtp_dictionaries::*;
//! use tureen_sdp_bridge::{Answer, LocalTransport, Offer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
//!     m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\n\
//!     a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\na=ssrc:7 cname:c\r\n\
//!     a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\n\
//!     a=fingerprint:sha-1 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13\r\n";
//! let offer = Offer::parse(text)?;
//!
//! let codecs: Vec<RouterRtpCodecCapability> =
//!     from_json(r#"[{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]"#)?;
//! let router = generate_router_rtp_capabilities(&codecs)?;
//! let producer = offer.media[0].producer_rtp_parameters(&router, None)?;
//! assert_eq!((producer.codecs[0].payload_type, producer.encodings[0].ssrc), (111, Some(7)));
//!
//! let ice = IceParameters {
//!     username_fragment: "wxyz".into(),
//!     password: "0123456789012345678901".into(),
//!     ice_lite: true,
//! };
//! let fingerprint = DtlsFingerprint::new(FingerprintAlgorithm::Sha256, &[0; 32]);
//! let dtls = DtlsParameters { role: DtlsRole::Auto, fingerprints: vec![fingerprint] };
//! let mut answer = Answer::new(&offer, LocalTransport { ice: &ice, candidates: &[], dtls: &dtls })?;
//! answer.receive("0", &producer)?;
//! let text = answer.to_sdp()?;
//! assert!(text.contains("a=recvonly\r\n") && text.contains("a=setup:passive\r\n"));
//! # Ok(())
//! # }
//! ```

mod answer;
mod error;
mod lines;
mod media;
mod offer;
mod receiving;
mod rtp;
mod section;
mod sending;
mod streams;
mod transport;
mod trickle;

pub use answer::{Answer, AnswerError, LocalTransport};
pub use error::{AttributeFault, SdpError};
pub use lines::{MAX_LEN, MAX_MEDIA_SECTIONS};
pub use media::{Direction, OfferedData, OfferedMedia, SectionKind};
pub use offer::Offer;
pub use rtp::OfferedExtension;
pub use sending::UnsupportedMediaError;
pub use streams::{
    OfferedRid, OfferedSsrc, OfferedStreams, Simulcast, SimulcastRid, SsrcGroup, StreamDirection,
};
pub use transport::{MAX_CANDIDATES, candidate_value, parse_candidate};
pub use trickle::{TRICKLE_MEDIA_TYPE, TrickleFragment};
