//! The ingest half of a producer: its streams as they come in. Must not know who consumes it; that is its [`Source`].

use crate::arena::Key;
use crate::codec::CodecTable;
use crate::describe::Describer;
use crate::event::VideoOrientation;
use crate::extensions::SourceExtensions;
use crate::id::ProducerId;
use crate::observers::LevelMeter;
use crate::options::{ContentHint, KeyFrameCache};
use crate::source::Source;
use crate::timers::Armed;
use crate::trace::ProducerTraceFlags;
use crate::transport_state::TransportTag;
use smallvec::SmallVec;
use std::time::Duration;
use tureen_forwarding::RecvStream;
use tureen_rtp_dictionaries::{MediaKind, ProducerType, RtpMapping, RtpParameters};
use tureen_rtp_wire::Time;

/// What a producer was made with.
#[derive(Debug)]
pub struct ProducerDefinition {
    /// Its id.
    pub id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What kind of layers it has.
    pub producer_type: ProducerType,
    /// What the endpoint sends.
    pub rtp_parameters: RtpParameters,
    /// How its payload types and SSRCs map to the router's.
    pub mapping: RtpMapping,
    /// The least time between two key-frame requests.
    pub key_frame_request_delay: Duration,
    /// What is kept since the last key frame, for consumers to start from.
    pub key_frame_cache: Option<KeyFrameCache>,
    /// What its pictures show.
    pub content_hint: Option<ContentHint>,
}

/// One stream of a producer, once its first packet was seen.
#[derive(Debug)]
pub struct ProducerStream {
    /// Order, loss, repair, key-frame requests and statistics.
    pub recv: RecvStream,
    pub(crate) describer: Describer,
    pub(crate) timer: Armed,
    /// When something last told how its timestamps lie to its sender's wall clock.
    pub(crate) aligned_at: Option<Time>,
    /// Frames that came on other streams of the producer since this one's last.
    pub(crate) frames_beside: u8,
    /// The score told last.
    pub(crate) told_score: u8,
}

/// A producer.
#[derive(Debug)]
pub struct Producer {
    /// What it was made with.
    pub definition: ProducerDefinition,
    /// The transport that it comes in on.
    pub transport: Key<TransportTag>,
    /// Its fan-out half.
    pub source: Key<Source>,
    /// Payload types and what they mean.
    pub codecs: CodecTable,
    /// Header extensions that are read.
    pub extensions: SourceExtensions,
    /// By index of the encoding.
    pub streams: SmallVec<[Option<Box<ProducerStream>>; 3]>,
    /// Whether it is paused.
    pub paused: bool,
    /// Which traces are asked for.
    pub trace: ProducerTraceFlags,
    /// How the source is held, once told.
    pub orientation: Option<VideoOrientation>,
    /// For observers; none where nobody listens.
    pub(crate) meter: Option<Box<LevelMeter>>,
    pub(crate) score_promised: bool,
    pub(crate) orientation_promised: bool,
}

impl Producer {
    /// The stream of an encoding, if it was seen.
    pub fn stream(&self, encoding: u8) -> Option<&ProducerStream> {
        self.streams.get(usize::from(encoding))?.as_deref()
    }

    /// The stream of an encoding, if it was seen.
    pub fn stream_mut(&mut self, encoding: u8) -> Option<&mut ProducerStream> {
        self.streams.get_mut(usize::from(encoding))?.as_deref_mut()
    }
}
