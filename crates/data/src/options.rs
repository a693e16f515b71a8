//! What an association is made with, how reliable a message is, and why something is refused. Decides nothing else.

use std::time::Duration;
use tureen_rtp_dictionaries::SctpStreamParameters;

/// The SCTP port of data channels (RFC 8831 section 6.1 leaves it to the description; everybody says 5000).
pub const SCTP_PORT: u16 = 5000;

/// The largest message that an [`AssociationOptions`] may ask for, in bytes: 16 MiB.
pub const MAX_MESSAGE_SIZE: u32 = 16_777_216;

/// How an association is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssociationOptions {
    /// How long the remote may begin the handshake before we do: zero begins at once, `None` leaves it to the remote for
    /// good. Default zero. If both begin, the one with the larger initiate tag goes on.
    pub start_after: Option<Duration>,
    /// Streams to send on, 1 to 65535: ids from 0 to one less. Default 1024.
    pub outgoing_streams: u16,
    /// Streams to receive on, 1 to 65535. Default 1024.
    pub incoming_streams: u16,
    /// The largest message in bytes, both ways: 1 to [`MAX_MESSAGE_SIZE`]. Default 262144.
    pub max_message_size: u32,
    /// The most bytes that wait to be sent or acknowledged, at least 1. Default 262144. A message that goes beyond is
    /// refused, unless nothing waits.
    pub send_buffer_size: u32,
}

impl Default for AssociationOptions {
    fn default() -> Self {
        Self {
            start_after: Some(Duration::ZERO),
            outgoing_streams: 1024,
            incoming_streams: 1024,
            max_message_size: 262_144,
            send_buffer_size: 262_144,
        }
    }
}

impl AssociationOptions {
    /// Checks every field.
    ///
    /// # Errors
    /// [`OptionsError`] names the field at fault.
    pub fn check(&self) -> Result<(), OptionsError> {
        if self.outgoing_streams == 0 {
            return Err(OptionsError::OutgoingStreams);
        }
        if self.incoming_streams == 0 {
            return Err(OptionsError::IncomingStreams);
        }
        if !(1..=MAX_MESSAGE_SIZE).contains(&self.max_message_size) {
            return Err(OptionsError::MaxMessageSize);
        }
        if self.send_buffer_size == 0 {
            return Err(OptionsError::SendBufferSize);
        }
        Ok(())
    }

    /// The most bytes that are received and not whole yet: twice the largest message, and no less than 64 KiB.
    pub fn receive_buffer_size(&self) -> u32 {
        self.max_message_size.saturating_mul(2).max(65_536)
    }
}

/// Why options are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// There is nothing to send on.
    #[error("numSctpStreams.OS must be 1 to 65535")]
    OutgoingStreams,
    /// There is nothing to receive on.
    #[error("numSctpStreams.MIS must be 1 to 65535")]
    IncomingStreams,
    /// The largest message is out of range.
    #[error("maxSctpMessageSize must be 1 to {MAX_MESSAGE_SIZE}")]
    MaxMessageSize,
    /// Nothing could be sent.
    #[error("sctpSendBufferSize must not be 0")]
    SendBufferSize,
}

/// After what a message is given up (RFC 3758).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Milliseconds since it was handed over.
    LifeTime(u16),
    /// Retransmissions.
    Retransmits(u16),
}

/// How reliable a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reliability {
    /// Whether it arrives in order with others of its stream. Default `true`.
    pub ordered: bool,
    /// After what it is given up. Default never.
    pub limit: Option<Limit>,
}

impl Default for Reliability {
    fn default() -> Self {
        Self { ordered: true, limit: None }
    }
}

impl From<&SctpStreamParameters> for Reliability {
    /// Of parameters that have been validated: `ordered` is settled, and there is one limit at most.
    fn from(parameters: &SctpStreamParameters) -> Self {
        let life_time = parameters.max_packet_life_time.map(Limit::LifeTime);
        let limit = life_time.or(parameters.max_retransmits.map(Limit::Retransmits));
        Self { ordered: parameters.ordered.unwrap_or(limit.is_none()), limit }
    }
}

impl Reliability {
    /// As parameters of a stream.
    pub fn on_stream(self, stream_id: u16) -> SctpStreamParameters {
        let (mut max_packet_life_time, mut max_retransmits) = (None, None);
        match self.limit {
            Some(Limit::LifeTime(millis)) => max_packet_life_time = Some(millis),
            Some(Limit::Retransmits(count)) => max_retransmits = Some(count),
            None => {}
        }
        SctpStreamParameters { stream_id, ordered: Some(self.ordered), max_packet_life_time, max_retransmits }
    }
}

/// Why a message is not sent. Nothing of it goes out then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no association, or not any more.
    #[error("the association is not connected")]
    NotConnected,
    /// The association has no such stream.
    #[error("stream {0} is beyond the streams of the association")]
    StreamId(u16),
    /// The stream is being reset.
    #[error("stream {0} is being reset")]
    Resetting(u16),
    /// The message is longer than the association allows.
    #[error("the message has {len} bytes, {max} is the most")]
    TooLarge {
        /// Its bytes.
        len: usize,
        /// The most.
        max: u32,
    },
    /// A message without bytes has a protocol identifier of its own (RFC 8831 section 6.6).
    #[error("the message is empty, and its protocol identifier is not one for empty messages")]
    Empty,
    /// It does not fit behind what waits already.
    #[error("the send buffer is full: {buffered} bytes wait")]
    BufferFull {
        /// Bytes that wait to be sent or acknowledged.
        buffered: usize,
    },
}
