//! Finding the stream of a packet, and taking note of streams that show themselves for the first time.

use crate::arena::Key;
use crate::core::Core;
use crate::listener::StreamRef;
use crate::producer::{Producer, ProducerStream};
use crate::relay::RelayNews;
use crate::source::{Source, new_store};
use crate::switches::SwitchCause;
use crate::transport_state::TransportTag;
use std::time::Duration;
use tureen_forwarding::score::MAX_SCORE;
use tureen_forwarding::{RecvStream, RecvStreamConfig, RtxConfig};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::RtpPacket;
use tureen_transport::Transport;

/// A stream without packets for this long gives its place to another SSRC of the same MID and RID: the remote has started its
/// encoder anew.
const TAKE_OVER: Duration = Duration::from_secs(2);

impl<T: Transport> Core<T> {
    /// The stream of a packet: by SSRC, else by MID, else by RID. The stream is ready for packets then.
    pub(crate) fn find_stream(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        packet: &RtpPacket<'_>,
    ) -> Option<StreamRef> {
        let transport = self.transports.get_mut(key)?;
        let known = transport.listener.by_ssrc(packet.ssrc());
        let stream = match known {
            Some(stream) => stream,
            None => self.learn_stream(now, key, packet)?,
        };
        let producer = self.producers.get(stream.producer)?;
        if producer.stream(stream.encoding).is_none() {
            // A retransmission cannot be the first that is seen of a stream.
            if stream.rtx {
                return None;
            }
            self.start_stream(now, stream, packet)?;
        }
        Some(stream)
    }

    fn learn_stream(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        packet: &RtpPacket<'_>,
    ) -> Option<StreamRef> {
        let transport = self.transports.get(key)?;
        let read = |id: Option<u8>| id.and_then(|id| packet.extension(id));
        let ids = transport.extensions;
        let (mid, rid, repaired) = (read(ids.mid), read(ids.rid), read(ids.repaired_rid));
        let producer_key = transport.listener.by_name(mid, rid.or(repaired))?;
        let producer = self.producers.get(producer_key)?;
        let (encoding, rtx) = match_encoding(now, producer, packet.payload_type(), rid, repaired)?;
        if !rtx && let Some(stream) = producer.stream(encoding) {
            if !is_over(now, stream) {
                // The encoding has its SSRC; another one with the same name is not taken.
                return None;
            }
            self.end_stream(now, producer_key, encoding);
        }
        let stream = StreamRef { producer: producer_key, encoding, rtx };
        self.transports.get_mut(key)?.listener.learn(packet.ssrc(), stream).then_some(stream)
    }

    /// Makes room for another stream of an encoding.
    fn end_stream(&mut self, now: Time, key: Key<Producer>, encoding: u8) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        if let Some(stream) = producer.streams.get_mut(usize::from(encoding)) {
            *stream = None;
        }
        let source = producer.source;
        if let Some(transport) = self.transports.get_mut(producer.transport) {
            transport.listener.forget(key, encoding);
        }
        self.exchange_stream(now, source, encoding);
    }

    /// The stream of an encoding was exchanged: consumers go on at its next key frame, without a gap. What was stored and sent
    /// is forgotten, as its numbers come again.
    pub(crate) fn exchange_stream(&mut self, now: Time, key: Key<Source>, encoding: u8) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let (kind, cache, producer_id) = (source.kind, source.key_frame_cache, source.producer_id);
        if let Some(stream) = source.streams.get_mut(usize::from(encoding)) {
            stream.store = stream.store.take().map(|_| new_store(kind, cache));
            stream.alignment = None;
            stream.targets = None;
        }
        for mirror in &source.mirrors {
            self.relay.to(mirror.shard).push_news(RelayNews::Exchanged(producer_id, encoding));
        }
        let mut index = 0;
        while let Some(&consumer_key) = self.sources.get(key).and_then(|source| source.consumers.get(index)) {
            index += 1;
            let Some(consumer) = self.consumers.get_mut(consumer_key) else { continue };
            let stream = consumer.stream_of(encoding).and_then(|at| consumer.streams.get_mut(at));
            let Some(stream) = stream else { continue };
            stream.send.forget_sent();
            consumer.replay = None;
            let before = consumer.selected();
            consumer.selector.source_changed(encoding);
            if consumer.selected() != before {
                consumer.switches.decide(now, SwitchCause::SourceReplaced);
            }
            self.request_key_frames_for(consumer_key);
            self.note_layers(now, consumer_key);
        }
    }

    fn start_stream(&mut self, now: Time, stream: StreamRef, packet: &RtpPacket<'_>) -> Option<()> {
        let producer = self.producers.get_mut(stream.producer)?;
        let config = stream_config(producer, stream.encoding, packet)?;
        let slot = producer.streams.get_mut(usize::from(stream.encoding))?;
        let mut recv = RecvStream::new(config);
        recv.force_key_frame();
        if producer.paused {
            recv.pause();
        }
        *slot = Some(Box::new(ProducerStream {
            recv,
            describer: Default::default(),
            timer: Default::default(),
            frames_beside: 0,
            aligned_at: None,
            told_score: 0,
        }));
        let source = producer.source;
        self.set_score(now, source, stream.encoding, MAX_SCORE);
        self.promise_producer_score(stream.producer);
        self.tend_stream(now, stream.producer, stream.encoding);
        Some(())
    }
}

/// Whether a stream has been silent for so long that another SSRC of the same name may take its place.
fn is_over(now: Time, stream: &ProducerStream) -> bool {
    stream.recv.last_packet().is_none_or(|last| now.since(last) >= TAKE_OVER)
}

/// Which encoding a packet of unknown SSRC belongs to, and whether it is a retransmission.
fn match_encoding(
    now: Time,
    producer: &Producer,
    payload_type: u8,
    rid: Option<&[u8]>,
    repaired: Option<&[u8]>,
) -> Option<(u8, bool)> {
    let is_rtx = producer.codecs.by_rtx(payload_type).is_some();
    if !is_rtx && producer.codecs.get(payload_type).is_none() {
        return None;
    }
    let encodings = &producer.definition.rtp_parameters.encodings;
    let name = if is_rtx { repaired.or(rid) } else { rid };
    let index = match name {
        Some(name) => {
            encodings.iter().position(|encoding| encoding.rid.as_deref().map(str::as_bytes) == Some(name))
        }
        None => None,
    };
    // Without names, a single encoding takes what comes if it gave no SSRC, or if that one is no longer in use.
    let alone = || {
        let [encoding] = encodings.as_slice() else { return None };
        let free = producer.stream(0).is_some_and(|stream| {
            Some(stream.recv.config().ssrc) != encoding.ssrc || !is_rtx && is_over(now, stream)
        });
        (encoding.ssrc.is_none() || free).then_some(0)
    };
    Some((u8::try_from(index.or_else(alone)?).ok()?, is_rtx))
}

fn stream_config(producer: &Producer, encoding: u8, packet: &RtpPacket<'_>) -> Option<RecvStreamConfig> {
    let codec = producer.codecs.media(packet.payload_type())?;
    let parameters = producer.definition.rtp_parameters.encodings.get(usize::from(encoding))?;
    let layers = parameters.layers();
    let rtx = codec.rtx_payload_type.map(|payload_type| RtxConfig {
        ssrc: parameters.rtx.as_ref().map_or(0, |rtx| rtx.ssrc),
        payload_type,
    });
    Some(RecvStreamConfig {
        ssrc: packet.ssrc(),
        payload_type: codec.payload_type,
        clock_rate: codec.clock_rate,
        rtx,
        use_nack: codec.feedback.nack,
        use_pli: codec.feedback.pli,
        use_fir: codec.feedback.fir,
        use_dtx: codec.dtx,
        check_inactivity: producer.definition.rtp_parameters.encodings.len() > 1,
        key_frame_request_delay: producer.definition.key_frame_request_delay,
        spatial_layers: layers.spatial_layers,
        temporal_layers: layers.temporal_layers,
    })
}
