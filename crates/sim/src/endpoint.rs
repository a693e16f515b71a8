//! Model endpoints: a second, independent implementation of RTP senders and receivers, on the `rtp` and `rtcp` crates.
//!
//! They share nothing with the Core but the length checks of [`tureen_rtp_wire::validate`], which those crates need in
//! front of them. They must not know the Core: what they see are bytes and times.

mod host;
mod media;
mod receiver;
mod sender;

pub use host::{Host, HostStats};
pub use media::{FrameTag, ModelCodec, Piece};
pub use receiver::{Receiver, ReceiverConfig, ReceiverStats, Shown};
pub use sender::{Sender, SenderConfig, SenderStats};

/// SSRC and payload type of a retransmission stream (RFC 4588).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtxIds {
    /// Its SSRC.
    pub ssrc: u32,
    /// Its payload type.
    pub payload_type: u8,
}

type RtcpBox = Box<dyn rtcp::packet::Packet + Send + Sync>;

/// Serialises a compound; model endpoints build nothing that cannot be.
fn compound(packets: &[RtcpBox]) -> Vec<u8> {
    rtcp::packet::marshal(packets).expect("what a model endpoint builds can be written").to_vec()
}
