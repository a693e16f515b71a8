//! Key-frame requests, from consumers towards the source, on this shard or another. Merged per stream, and spared where a consumer can
//! start from what came since the last key frame.

use crate::arena::Key;
use crate::consumer::Consumer;
use crate::core::Core;
use crate::id::ProducerId;
use crate::relay::RelayNews;
use crate::source::{Origin, Source};
use crate::transport_state::TransportTag;
use smallvec::SmallVec;
use tureen_rtp_dictionaries::MediaKind;
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    /// Sees to the key frames that a consumer waits for, if its transport can carry them: has them replayed, or asks for them.
    pub(crate) fn request_key_frames_for(&mut self, key: Key<Consumer>) {
        let Some(consumer) = self.consumers.get(key) else { return };
        let connected = self.transports.get(consumer.transport).is_some_and(|transport| {
            transport.adapter.destination(tureen_transport::Component::Rtp).is_some()
        });
        if !connected {
            return;
        }
        let (source, encodings): (_, SmallVec<[u8; 8]>) =
            (consumer.source, consumer.awaited_encodings().collect());
        for encoding in encodings {
            if !self.replay(key, encoding) {
                self.request_key_frame_of(source, encoding);
            }
        }
    }

    /// Asks for a key frame of what a consumer receives or is about to, whether it waits for one or not. Where each encoding is a stream
    /// of its own, `ssrc` says of which; without it of all.
    pub(crate) fn request_current_key_frame(&mut self, key: Key<Consumer>, ssrc: Option<u32>) {
        let Some(consumer) = self.consumers.get(key) else { return };
        if !consumer.pause.flows() {
            return;
        }
        let source = consumer.source;
        let encodings: SmallVec<[u8; 8]> = consumer.encodings_behind(ssrc).collect();
        for encoding in encodings {
            self.request_key_frame_of(source, encoding);
        }
    }

    /// Asks for the key frames that consumers of a transport wait for: it has just become able to carry them.
    pub(crate) fn request_awaited_key_frames(&mut self, key: Key<TransportTag>) {
        let mut index = 0;
        while let Some(&consumer) = self.transports.get(key).and_then(|state| state.consumers.get(index)) {
            self.request_key_frames_for(consumer);
            index += 1;
        }
    }

    /// Asks the source for a key frame of an encoding.
    pub(crate) fn request_key_frame_of(&mut self, key: Key<Source>, encoding: u8) {
        let Some(source) = self.sources.get(key).filter(|source| source.kind == MediaKind::Video) else {
            return;
        };
        let producer_id = source.producer_id;
        match source.origin {
            Origin::Here(_) => self.request_key_frame_here(producer_id, encoding),
            Origin::Shard { home, .. } => {
                self.relay.to(home).push_news(RelayNews::KeyFrame(producer_id, encoding))
            }
        }
    }

    /// Asks a producer of this shard for a key frame. It leaves when the stream's timer fires, which is at once if it may.
    pub(crate) fn request_key_frame_here(&mut self, id: ProducerId, encoding: u8) {
        let Ok(key) = self.producer_key(id) else { return };
        let Some(producer) = self.producers.get_mut(key).filter(|producer| !producer.paused) else { return };
        let Some(stream) = producer.stream_mut(encoding) else { return };
        stream.recv.request_key_frame();
        self.arm_stream(key, encoding);
    }
}
