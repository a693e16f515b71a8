//! Packets of the `rtp` and `rtcp` crates for the direct transport's convenience. Those crates index into what they parse
//! without looking, so nothing reaches them that the length validator has not passed.

use crate::error::SendError;
use bytes::Bytes;
use tureen_rtp_wire::validate;
use webrtc_util::marshal::{Marshal as _, Unmarshal as _};

/// RTCP packets of any kind.
pub(crate) type RtcpPackets = Vec<Box<dyn rtcp::packet::Packet + Send + Sync>>;

pub(crate) fn rtp_bytes(packet: &rtp::packet::Packet) -> Result<Bytes, SendError> {
    packet.marshal().map_err(|_| SendError::Malformed)
}

pub(crate) fn rtp_packet(packet: &Bytes) -> Option<rtp::packet::Packet> {
    validate::rtp(packet).ok()?;
    rtp::packet::Packet::unmarshal(&mut packet.clone()).ok()
}

pub(crate) fn rtcp_bytes(
    packets: &[Box<dyn rtcp::packet::Packet + Send + Sync>],
) -> Result<Bytes, SendError> {
    rtcp::packet::marshal(packets).map_err(|_| SendError::Malformed)
}

pub(crate) fn rtcp_packets(compound: &Bytes) -> Option<RtcpPackets> {
    validate::rtcp(compound).ok()?;
    rtcp::packet::unmarshal(&mut compound.clone()).ok()
}
