//! What the fuzzers run: one function a target, from bytes to assertions.
//!
//! `fuzz/fuzz_targets/` wraps each for libFuzzer; `tests/replay.rs` runs each over `fuzz/corpus/` on the stable toolchain;
//! `tests/planted.rs` shows that each finds a planted bug. The functions panic when an invariant does not hold, and
//! never otherwise.
//!
//! ```
//! // Two bytes are no packet, which is no bug.
//! tureen_fuzz_targets::rtp_packet(&[0x80, 0x60]);
//! ```

mod bytes;
mod congestion_send;
mod core_datagrams;
mod core_operations;
mod dd_rewrite;
mod dtls_peer;
mod dtls_records;
mod ice;
mod ice_server;
mod layer_selector;
mod payload_descriptors;
mod red;
mod rtcp_compound;
mod rtp_packet;
mod rtp_parameters;
mod scene;
mod sdp_offer;
mod srtp_open;
mod stun;
mod vp8_rewrite;
mod vp9;
mod webrtc_transport;
mod whip_request;
mod ws_message;

/// A bug planted on purpose, to see whether a target would find one of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None: what the fuzzers run.
    None,
    /// The one of the target; its module says what it is.
    Planted,
}

/// A target by name.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the binary and of the corpus folder.
    pub name: &'static str,
    /// Runs it over some bytes, with or without its planted bug.
    pub run: fn(&[u8], Fault),
}

macro_rules! targets {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $(
            $(#[$doc])*
            ///
            /// # Panics
            /// If an invariant does not hold: then a bug was found.
            pub fn $name(data: &[u8]) {
                $name::run(data, Fault::None);
            }
        )*

        /// All targets.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), run: $name::run }),*];
    };
}

targets! {
    /// RTP views, patches and the writer over any bytes.
    rtp_packet,
    /// RTCP compounds over any bytes, and back through the writer.
    rtcp_compound,
    /// Wishes, packets, pauses and exchanged streams against a selector of layers.
    layer_selector,
    /// Codec payload descriptors and their patches, and the dependency descriptor.
    payload_descriptors,
    /// The blocks of RED payloads, and other payload types for them.
    red,
    /// VP8's ids through their map, and into the payload.
    vp8_rewrite,
    /// VP9's payload descriptor beside a second reader, and its ids written back.
    vp9,
    /// Frame numbers and masks of decode targets written into dependency descriptors.
    dd_rewrite,
    /// SRTP: opens what was sealed and unaltered, once, and nothing else.
    srtp_open,
    /// JSON to dictionaries, validation and negotiation.
    rtp_parameters,
    /// Time steps, datagrams and commands against a whole Core.
    core_datagrams,
    /// Control commands against a Core and a small model of it.
    core_operations,
    /// Time, packets, reports and wishes against estimator, pacer and allocator.
    congestion_send,
    /// Session descriptions, fragments and candidates, and answers to them.
    sdp_offer,
    /// A publisher's and a viewer's offers, through negotiation to both answers.
    whip_request,
    /// STUN messages over any bytes, and back through the writer.
    stun,
    /// ICE agents behind shared sockets, and what they claim.
    ice_server,
    /// DTLS datagrams, disturbed and invented, through a WebRTC transport.
    dtls_records,
    /// A whole Core of WebRTC transports, behind the keys.
    webrtc_transport,
    /// A client's messages against its session, without a network.
    ws_message,
}
