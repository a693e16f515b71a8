//! The few fields of RTP and RTCP headers that protection needs, read with checks.

/// The fixed header (RFC 3550 section 5.1).
pub(crate) const RTP_HEADER_LEN: usize = 12;
/// The largest datagram; also keeps the counter of AES-CM far from its 2^16 blocks (RFC 3711 section 4.1.1).
pub(crate) const MAX_PACKET_LEN: usize = 65_535;

/// Sequence number and SSRC of an RTP packet.
pub(crate) fn rtp(buf: &[u8]) -> Option<(u16, u32)> {
    let [_, _, s0, s1, _, _, _, _, a, b, c, d] = *buf.first_chunk::<RTP_HEADER_LEN>()?;
    Some((u16::from_be_bytes([s0, s1]), u32::from_be_bytes([a, b, c, d])))
}

/// SSRC of the sender of a compound RTCP packet.
pub(crate) fn rtcp(buf: &[u8]) -> Option<u32> {
    let [_, _, _, _, ssrc @ ..] = *buf.first_chunk::<8>()?;
    Some(u32::from_be_bytes(ssrc))
}
