//! Retransmission streams (RFC 4588): a packet sent again under an SSRC, payload type and sequence of its own, the original sequence
//! number in front of the payload.

/// The retransmission stream that belongs to a media stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtxConfig {
    /// Its SSRC.
    pub ssrc: u32,
    /// Its payload type.
    pub payload_type: u8,
}

/// Splits a retransmission's payload into the original sequence number and the original payload (RFC 4588 section 4). `None` if
/// it is too short, as padding that probes for bandwidth is.
pub fn decapsulate(payload: &[u8]) -> Option<(u16, &[u8])> {
    let (original, payload) = payload.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*original), payload))
}

/// What replaces the original's header fields in a retransmission, and what goes in front of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtxHeader {
    /// SSRC of the retransmission stream.
    pub ssrc: u32,
    /// Payload type of the retransmission stream.
    pub payload_type: u8,
    /// Sequence number in the retransmission stream.
    pub sequence_number: u16,
    /// The two bytes before the payload: the original sequence number.
    pub prefix: [u8; 2],
}

/// The sending side of a retransmission stream.
#[derive(Clone, Copy, Debug)]
pub struct RtxSender {
    config: RtxConfig,
    next_sequence_number: u16,
}

impl RtxSender {
    /// A stream whose first sequence number is `first`, which should be random (RFC 4588 section 4).
    pub const fn new(config: RtxConfig, first: u16) -> Self {
        Self { config, next_sequence_number: first }
    }

    /// The stream's SSRC and payload type.
    pub const fn config(&self) -> RtxConfig {
        self.config
    }

    /// The sequence number of the next retransmission.
    pub const fn next_sequence_number(&self) -> u16 {
        self.next_sequence_number
    }

    /// The next retransmission, of the packet that was sent as `original`.
    pub const fn encapsulate(&mut self, original: u16) -> RtxHeader {
        let sequence_number = self.next_sequence_number;
        self.next_sequence_number = sequence_number.wrapping_add(1);
        let RtxConfig { ssrc, payload_type } = self.config;
        RtxHeader { ssrc, payload_type, sequence_number, prefix: original.to_be_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encapsulation_and_back() {
        let mut sender = RtxSender::new(RtxConfig { ssrc: 7, payload_type: 97 }, u16::MAX);
        let header = sender.encapsulate(0x1234);
        assert_eq!(
            header,
            RtxHeader { ssrc: 7, payload_type: 97, sequence_number: u16::MAX, prefix: [0x12, 0x34] }
        );
        assert_eq!(sender.encapsulate(1).sequence_number, 0);
        assert_eq!(decapsulate(&[0x12, 0x34, 9]), Some((0x1234, &[9][..])));
        assert_eq!(decapsulate(&[0x12, 0x34]), Some((0x1234, &[][..])));
        assert_eq!(decapsulate(&[0x12]), None);
    }
}
