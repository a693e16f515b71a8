//! SCTP as dictionaries, and the rules of data channel streams (RFC 8831, RFC 8832).

use serde::{Deserialize, Serialize};

/// Streams that an association asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct NumSctpStreams {
    /// Outgoing streams; 1024 by default.
    #[serde(rename = "OS")]
    pub os: u16,
    /// Most incoming streams; 1024 by default.
    #[serde(rename = "MIS")]
    pub mis: u16,
}

impl Default for NumSctpStreams {
    fn default() -> Self {
        Self { os: 1024, mis: 1024 }
    }
}

/// What the other side must know of an SCTP association. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SctpParameters {
    /// The SCTP port; 5000 by default.
    pub port: u16,
    /// Outgoing streams; 1024 by default.
    #[serde(rename = "OS")]
    pub os: u16,
    /// Most incoming streams; 1024 by default.
    #[serde(rename = "MIS")]
    pub mis: u16,
    /// The largest message, for peers that know a single limit; 262144 by default.
    pub max_message_size: u32,
    /// The largest message that is sent; 262144 by default.
    pub max_send_message_size: u32,
    /// The largest message that is received; 262144 by default.
    pub max_receive_message_size: u32,
    /// The send buffer; 2000000 by default.
    pub send_buffer_size: u32,
    /// The most that one stream may queue; 2000000 by default.
    pub per_stream_send_queue_limit: u32,
    /// The largest receive window that is advertised; 5242880 by default.
    pub max_receiver_window_buffer_size: u32,
    /// Whether the association carries data channels; false by default.
    pub is_data_channel: bool,
}

impl Default for SctpParameters {
    fn default() -> Self {
        let streams = NumSctpStreams::default();
        Self {
            port: 5000,
            os: streams.os,
            mis: streams.mis,
            max_message_size: 262_144,
            max_send_message_size: 262_144,
            max_receive_message_size: 262_144,
            send_buffer_size: 2_000_000,
            per_stream_send_queue_limit: 2_000_000,
            max_receiver_window_buffer_size: 5_242_880,
            is_data_channel: false,
        }
    }
}

/// How far an SCTP association has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SctpState {
    /// There is nothing to carry it yet.
    #[default]
    New,
    /// The handshake is under way.
    Connecting,
    /// Messages can be sent.
    Connected,
    /// The handshake failed.
    Failed,
    /// It is over.
    Closed,
}

/// One stream of an association and how reliable it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SctpStreamParameters {
    /// From 0 to 65534 (RFC 8832 section 6 reserves 65535).
    pub stream_id: u16,
    /// Whether messages arrive in order; by default true, or false when there is a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordered: Option<bool>,
    /// After how many milliseconds an unsent message is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_packet_life_time: Option<u16>,
    /// After how many retransmissions a message is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retransmits: Option<u16>,
}

/// Why [`validate_sctp_stream_parameters`] refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SctpStreamParametersError {
    /// The stream id is reserved.
    #[error("streamId: {0} is above 65534")]
    StreamId(u16),
    /// An ordered stream cannot give up messages.
    #[error("ordered: true excludes maxPacketLifeTime and maxRetransmits")]
    OrderedWithLimit,
    /// There is one limit at most.
    #[error("maxRetransmits: excludes maxPacketLifeTime")]
    BothLimits,
}

/// Checks the parameters of a stream and settles `ordered`.
///
/// # Errors
/// [`SctpStreamParametersError`] names the member at fault.
pub fn validate_sctp_stream_parameters(
    params: &mut SctpStreamParameters,
) -> Result<(), SctpStreamParametersError> {
    if params.stream_id == u16::MAX {
        return Err(SctpStreamParametersError::StreamId(params.stream_id));
    }
    let limited = params.max_packet_life_time.is_some() || params.max_retransmits.is_some();
    if params.ordered == Some(true) && limited {
        return Err(SctpStreamParametersError::OrderedWithLimit);
    }
    if params.max_packet_life_time.is_some() && params.max_retransmits.is_some() {
        return Err(SctpStreamParametersError::BothLimits);
    }
    params.ordered.get_or_insert(!limited);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validated(json: &str) -> Result<SctpStreamParameters, SctpStreamParametersError> {
        let mut params = serde_json::from_str(json).unwrap();
        validate_sctp_stream_parameters(&mut params)?;
        Ok(params)
    }

    #[test]
    fn order_follows_the_limits_unless_given() {
        assert_eq!(validated(r#"{"streamId":0}"#).unwrap().ordered, Some(true));
        assert_eq!(validated(r#"{"streamId":65534,"ordered":false}"#).unwrap().ordered, Some(false));
        assert_eq!(validated(r#"{"streamId":1,"maxRetransmits":0}"#).unwrap().ordered, Some(false));
        assert_eq!(validated(r#"{"streamId":1,"maxPacketLifeTime":9}"#).unwrap().ordered, Some(false));
    }

    #[test]
    fn contradictions_are_refused() {
        use SctpStreamParametersError::{BothLimits, OrderedWithLimit, StreamId};
        let cases = [
            (r#"{"streamId":65535}"#, StreamId(65535)),
            (r#"{"streamId":1,"ordered":true,"maxRetransmits":1}"#, OrderedWithLimit),
            (r#"{"streamId":1,"ordered":true,"maxPacketLifeTime":1}"#, OrderedWithLimit),
            (r#"{"streamId":1,"maxPacketLifeTime":1,"maxRetransmits":1}"#, BothLimits),
        ];
        for (json, error) in cases {
            assert_eq!(validated(json), Err(error), "{json}");
        }
    }

    #[test]
    fn parameters_take_their_defaults() {
        assert_eq!(serde_json::from_str::<SctpParameters>("{}").unwrap(), SctpParameters::default());
        let streams: NumSctpStreams = serde_json::from_str(r#"{"OS":7}"#).unwrap();
        assert_eq!(streams, NumSctpStreams { os: 7, mis: 1024 });
    }
}
