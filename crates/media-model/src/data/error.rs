//! Errors about messages: one enum per operation, each naming the field or object at fault.

use crate::error::NotFoundError;
use crate::id::{DataConsumerId, DataProducerId};
use tureen_rtp_dictionaries::SctpStreamParametersError;

/// Why a data producer could not be made. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceDataError {
    /// There is no such transport.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// The id is taken.
    #[error("a data producer with id {0} exists already")]
    AlreadyExists(DataProducerId),
    /// The transport has no SCTP and is not direct.
    #[error("SCTP is not enabled on the transport")]
    SctpNotEnabled,
    /// `sctpStreamParameters` is missing.
    #[error("sctpStreamParameters is required on a transport with SCTP")]
    SctpStreamParametersRequired,
    /// `sctpStreamParameters` is refused.
    #[error("sctpStreamParameters.{0}")]
    SctpStreamParameters(#[from] SctpStreamParametersError),
    /// `sctpStreamParameters.streamId` is beyond what the transport was made for.
    #[error("sctpStreamParameters.streamId: {0} is not below numSctpStreams.MIS")]
    StreamId(u16),
    /// `sctpStreamParameters.streamId` belongs to another data producer of the transport.
    #[error("sctpStreamParameters.streamId: {0} is already in use on this transport")]
    DuplicateStreamId(u16),
}

/// Why a data consumer could not be made. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeDataError {
    /// There is no such transport or data producer.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// The id is taken.
    #[error("a data consumer with id {0} exists already")]
    AlreadyExists(DataConsumerId),
    /// The transport has no SCTP and is not direct.
    #[error("SCTP is not enabled on the transport")]
    SctpNotEnabled,
    /// `ordered`, `maxPacketLifeTime` and `maxRetransmits` contradict each other.
    #[error(transparent)]
    Reliability(#[from] SctpStreamParametersError),
    /// All streams of the transport are in use.
    #[error("no free stream id")]
    NoStreamId,
    /// The data producer belongs to another router than the transport.
    #[error("data producer {0} belongs to another router")]
    OtherRouter(DataProducerId),
}

/// Why a message of the program was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendDataError {
    /// There is no such data producer or data consumer.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// The data producer is not on a direct transport.
    #[error("only data producers of a direct transport take messages of the program")]
    NotDirect,
    /// The data consumer is on a direct transport, whose endpoint is the program itself.
    #[error("a data consumer of a direct transport has nowhere to send to")]
    Direct,
    /// The identifier is that of the establishment protocol.
    #[error("ppid: messages of the data channel establishment protocol are not for programs")]
    Ppid,
    /// There are more subchannels than 65535.
    #[error("subchannels: there are more than 65535")]
    Subchannels,
    /// There is no association, it has no such stream, the message is too large, or the buffer is full.
    #[error(transparent)]
    Refused(#[from] tureen_data::SendError),
}
