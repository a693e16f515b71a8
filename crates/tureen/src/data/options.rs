//! What data producers and data consumers are made with, defaults filled in.

use crate::app_data::AppData;
use tureen_media_model::{AnnouncedDataChannel, DataProducerId};
use tureen_rtp_dictionaries::SctpStreamParameters;

/// How a data producer is made.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DataProducerOptions {
    /// Its id. Default: a random one.
    pub id: Option<DataProducerId>,
    /// The stream that its messages come in on; required on a transport with SCTP, of no use on a direct one.
    pub sctp_stream_parameters: Option<SctpStreamParameters>,
    /// What its endpoint calls it. Default empty.
    pub label: String,
    /// The protocol of its messages (RFC 8831 section 6.4). Default empty.
    pub protocol: String,
    /// Whether it starts paused. Default `false`.
    pub paused: bool,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl DataProducerOptions {
    /// A data producer on a stream of an association, with defaults.
    pub fn on_stream(sctp_stream_parameters: SctpStreamParameters) -> Self {
        Self { sctp_stream_parameters: Some(sctp_stream_parameters), ..Self::default() }
    }
}

impl From<&AnnouncedDataChannel> for DataProducerOptions {
    /// A data producer of a channel that its endpoint opened.
    fn from(channel: &AnnouncedDataChannel) -> Self {
        let mut options = Self::on_stream(channel.sctp_stream_parameters);
        options.label.clone_from(&channel.label);
        options.protocol.clone_from(&channel.protocol);
        options
    }
}

/// How a data consumer is made. Where none of the three about reliability is given they are the data producer's, or those of
/// an ordered reliable stream if that is on a direct transport.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DataConsumerOptions {
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
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl DataConsumerOptions {
    /// Consumes `data_producer_id`, with defaults.
    pub fn new(data_producer_id: DataProducerId) -> Self {
        Self {
            data_producer_id,
            ordered: None,
            max_packet_life_time: None,
            max_retransmits: None,
            paused: false,
            subchannels: Vec::new(),
            app_data: AppData::default(),
        }
    }
}
