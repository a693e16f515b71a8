//! What transports with SCTP, data producers, data consumers and messages are made with.

use crate::id::{DataConsumerId, DataProducerId};
use bytes::Bytes;
use tureen_data::{AssociationOptions, Ppid, dcep};
use tureen_rtp_dictionaries::SctpStreamParameters;

/// SCTP on a transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SctpOptions {
    /// The association.
    pub association: AssociationOptions,
    /// Whether the remote's streams are data channels (RFC 8831), which are closed by resetting them. Default `false`.
    pub is_data_channel: bool,
    /// Messages of all data producers that go further in a second, after two seconds' worth at once; 0 for no limit. Default 0.
    pub max_messages_per_second: u32,
}

/// How a data producer is made.
#[derive(Clone, Debug)]
pub struct DataProducerOptions {
    /// Its id.
    pub id: DataProducerId,
    /// The stream that its messages come in on; required on a transport with SCTP, of no use on a direct one.
    pub sctp_stream_parameters: Option<SctpStreamParameters>,
    /// What its endpoint calls it. Default empty.
    pub label: String,
    /// The protocol of its messages (RFC 8831 section 6.4). Default empty.
    pub protocol: String,
    /// Whether it starts paused. Default `false`.
    pub paused: bool,
}

/// How a data consumer is made. Where none of the three about reliability is given they are the data producer's, or those of
/// an ordered reliable stream if that is on a direct transport.
#[derive(Clone, Debug)]
pub struct DataConsumerOptions {
    /// Its id.
    pub id: DataConsumerId,
    /// What it consumes.
    pub data_producer_id: DataProducerId,
    /// Whether messages arrive in order. Default: unless there is a limit.
    pub ordered: Option<bool>,
    /// After how many milliseconds an unsent message is given up. Excludes `max_retransmits`.
    pub max_packet_life_time: Option<u16>,
    /// After how many retransmissions a message is given up.
    pub max_retransmits: Option<u16>,
    /// Whether it starts paused. Default `false`.
    pub paused: bool,
    /// Its subchannels. Default none.
    pub subchannels: Vec<u16>,
}

/// A message of the program, or one on its way to consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataMessage {
    /// What it is.
    pub ppid: Ppid,
    /// Its bytes.
    pub payload: Bytes,
    /// If there are any, it is for data consumers that have one of them.
    pub subchannels: Vec<u16>,
    /// It is for data consumers that have this one.
    pub required_subchannel: Option<u16>,
    /// It is not for data consumers that have this one.
    pub ignored_subchannel: Option<u16>,
}

impl DataMessage {
    /// A message for every data consumer. Without bytes it gets the identifier of empty messages.
    pub fn new(ppid: Ppid, payload: impl Into<Bytes>) -> Self {
        let payload = payload.into();
        let ppid = match ppid {
            Ppid::String if payload.is_empty() => Ppid::StringEmpty,
            Ppid::Binary if payload.is_empty() => Ppid::BinaryEmpty,
            other => other,
        };
        Self { ppid, payload, subchannels: Vec::new(), required_subchannel: None, ignored_subchannel: None }
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Ppid::String, text.into())
    }

    /// Bytes.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::new(Ppid::Binary, bytes)
    }
}

/// A data channel that a remote opened in the band (RFC 8832) and that was acknowledged. Its messages reach nobody until a
/// data producer is made of it, with these parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncedDataChannel {
    /// Its stream, and how reliable the remote wants it.
    pub sctp_stream_parameters: SctpStreamParameters,
    /// Its label.
    pub label: String,
    /// Its protocol.
    pub protocol: String,
}

impl AnnouncedDataChannel {
    pub(crate) fn new(stream: u16, open: dcep::DataChannelOpen) -> Self {
        let mut sctp_stream_parameters = open.reliability.on_stream(stream);
        if sctp_stream_parameters.ordered == Some(true) && open.reliability.limit.is_some() {
            // The object model has no ordered streams with a limit.
            sctp_stream_parameters.ordered = Some(false);
        }
        Self { sctp_stream_parameters, label: open.label, protocol: open.protocol }
    }
}
