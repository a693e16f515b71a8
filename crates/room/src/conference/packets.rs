//! A receiver's packets for this program: a consumer on a direct transport, for as long as somebody listens. Must not know the receiver's senders.

use super::RtpReceiver;
use super::error::ListenRtpError;
use super::event::{RtpObject, RtpObjectEvent, RtpRawEvent, report};
use crate::queue::lock;
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tureen::dictionaries::{HeaderExtensionUri, RtpCapabilities, RtpParameters};
use tureen::signals::Emitter;
use tureen::{
    ConsumeError, Consumer, ConsumerOptions, DirectTransport, DirectTransportOptions, HandlerId, Producer,
    Transport as _,
};
use tureen_rtp_wire::rtp::RtpPacket;

/// What listeners get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketKind {
    Raw,
    Object,
}

/// The packets of one receiver.
pub(super) struct Packets {
    transport: DirectTransport,
    capabilities: RtpCapabilities,
    consumer: Mutex<Option<Consumer>>,
    raw: Emitter<RtpRawEvent>,
    objects: Emitter<RtpObjectEvent>,
    raw_listeners: AtomicUsize,
    object_listeners: AtomicUsize,
}

/// Keeps a listener of packets registered: dropping it removes the listener, and with the last one the packets are no longer asked for.
#[must_use = "dropping it removes the listener"]
pub struct PacketListener {
    kind: PacketKind,
    packets: Arc<Packets>,
    _handler: HandlerId,
}

impl Drop for PacketListener {
    fn drop(&mut self) {
        self.packets.listeners(self.kind).fetch_sub(1, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for PacketListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PacketListener").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl RtpReceiver {
    /// Its packets, which flow once [`Packets::start`] says so, if they do not yet.
    pub(super) async fn packets(&self) -> Result<Arc<Packets>, ListenRtpError> {
        let _media = self.shared.media.lock().await;
        let known = self.open_state()?.packets.upgrade();
        if let Some(packets) = known {
            return Ok(packets);
        }
        let room = self.peer().room();
        let packets = Arc::new(Packets {
            transport: room.router().create_direct_transport(DirectTransportOptions::default()).await?,
            capabilities: room.capabilities().clone(),
            consumer: Mutex::default(),
            raw: Emitter::default(),
            objects: Emitter::default(),
            raw_listeners: AtomicUsize::new(0),
            object_listeners: AtomicUsize::new(0),
        });
        if let Some(producer) = self.producer().filter(|producer| !producer.closed()) {
            packets.consume(&producer).await?;
        }
        let _register = room.lock();
        self.open_state()?.packets = Arc::downgrade(&packets);
        Ok(packets)
    }
}

impl Packets {
    fn listeners(&self, kind: PacketKind) -> &AtomicUsize {
        match kind {
            PacketKind::Raw => &self.raw_listeners,
            PacketKind::Object => &self.object_listeners,
        }
    }

    /// Whether anybody listens to packets of a kind.
    pub(super) fn is_enabled(&self, kind: PacketKind) -> bool {
        self.listeners(kind).load(Ordering::SeqCst) > 0
    }

    fn listener(self: Arc<Self>, kind: PacketKind, handler: HandlerId) -> PacketListener {
        self.listeners(kind).fetch_add(1, Ordering::SeqCst);
        PacketListener { kind, packets: self, _handler: handler }
    }

    pub(super) fn listen_raw(
        self: Arc<Self>,
        listener: impl Fn(&Bytes) + Send + Sync + 'static,
    ) -> PacketListener {
        let handler = self.raw.listen(move |event| {
            if let RtpRawEvent::Rtp(packet) = event {
                listener(packet);
            }
        });
        self.listener(PacketKind::Raw, handler)
    }

    pub(super) fn listen_objects(
        self: Arc<Self>,
        listener: impl Fn(&RtpObject) + Send + Sync + 'static,
    ) -> PacketListener {
        let handler = self.objects.listen(move |event| {
            if let RtpObjectEvent::Rtp(packet) = event {
                listener(packet);
            }
        });
        self.listener(PacketKind::Object, handler)
    }

    /// Lets packets flow to whoever listens, from a key frame on.
    pub(super) async fn start(&self) {
        let consumer = lock(&self.consumer).clone();
        let Some(consumer) = consumer else { return };
        let started =
            if consumer.paused() { consumer.resume().await } else { consumer.request_key_frame().await };
        if let Err(error) = started {
            tracing::debug!(%error, "no packets for this program");
        }
    }

    /// The receiver's producer may be another one.
    pub(super) async fn settle(&self, producer: Option<Producer>) {
        let producer = producer.filter(|producer| !producer.closed());
        let goes_on = lock(&self.consumer).as_ref().is_some_and(|consumer| {
            !consumer.closed()
                && producer.as_ref().is_some_and(|producer| producer.id() == consumer.producer_id())
        });
        if goes_on {
            return;
        }
        let before = lock(&self.consumer).take();
        drop(before);
        let Some(producer) = producer else { return };
        match self.consume(&producer).await {
            Ok(()) => self.start().await,
            Err(error) => tracing::warn!(%error, "no packets for this program"),
        }
    }

    async fn consume(&self, producer: &Producer) -> Result<(), ConsumeError> {
        // Nothing that the source does not send: neither extensions that only a way to a remote needs, nor another MID.
        let source = producer.rtp_parameters();
        let mut capabilities = self.capabilities.clone();
        let sent =
            |uri: &HeaderExtensionUri| source.header_extensions.iter().any(|extension| extension.uri == *uri);
        capabilities.header_extensions.retain(|extension| sent(&extension.uri));
        let mut options = ConsumerOptions::new(producer.id(), capabilities);
        options.mid.clone_from(&source.mid);
        options.pipe = true;
        options.paused = true;
        let consumer = self.transport.consume(options).await?;
        let sources = sources(source, consumer.rtp_parameters());
        let (raw, objects) = (self.raw.clone(), self.objects.clone());
        let named = move |packet: &Bytes| rename(packet, &sources);
        let forward = move |packet: &Bytes| {
            let packet = named(packet);
            // Who comes while one is told hears of the next packet.
            let audience = objects.audience();
            report(raw.emit(&RtpRawEvent::Rtp(packet.clone())));
            if let Some(object) = take_apart(&packet) {
                report(objects.emit_to(audience, &RtpObjectEvent::Rtp(object)));
            }
        };
        consumer.on_rtp(forward).detach();
        *lock(&self.consumer) = Some(consumer);
        Ok(())
    }

    /// The receiver closed.
    pub(super) fn end(&self) {
        let consumer = lock(&self.consumer).take();
        drop(consumer);
        self.raw.end();
        self.objects.end();
    }
}

/// The source's SSRC of each encoding by the consumer's, where the source said it.
fn sources(source: &RtpParameters, consumer: &RtpParameters) -> HashMap<u32, u32> {
    let pairs = source.encodings.iter().zip(&consumer.encodings);
    pairs.filter_map(|(source, consumer)| Some((consumer.ssrc?, source.ssrc?))).collect()
}

/// A packet under the SSRC that its source sends it with.
fn rename(packet: &Bytes, sources: &HashMap<u32, u32>) -> Bytes {
    let ssrc = packet.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let Some(source) = ssrc.and_then(|ssrc| sources.get(&ssrc)) else { return packet.clone() };
    let mut renamed = BytesMut::from(&packet[..]);
    if let Some(bytes) = renamed.get_mut(8..12) {
        bytes.copy_from_slice(&source.to_be_bytes());
    }
    renamed.freeze()
}

/// The fields of an RTP packet (RFC 3550 section 5.1); `None` if it is none.
fn take_apart(packet: &Bytes) -> Option<RtpObject> {
    let parsed = RtpPacket::parse(packet).ok()?;
    Some(RtpObject {
        payload_type: parsed.payload_type(),
        marker: parsed.marker(),
        sequence_number: parsed.sequence_number(),
        timestamp: parsed.timestamp(),
        ssrc: parsed.ssrc(),
        payload: packet.slice_ref(parsed.payload()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_is_taken_apart() {
        let bytes = [
            0xb1, 0xe4, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 3, 0xe8, 1, 1, 1, 1, 0xbe, 0xde, 0, 1, 0x10, 5, 0, 0,
            7, 8, 0, 2,
        ];
        let object = take_apart(&Bytes::copy_from_slice(&bytes)).unwrap();
        assert_eq!((object.payload_type, object.marker), (100, true));
        assert_eq!((object.sequence_number, object.timestamp, object.ssrc), (0x1234, 9, 1000));
        assert_eq!(&object.payload[..], [7, 8]);
    }

    #[test]
    fn a_packet_goes_under_its_sources_ssrc() {
        let packet = Bytes::from_static(&[0x80, 100, 0, 1, 0, 0, 0, 9, 0, 0, 0, 5, 1]);
        let renamed = rename(&packet, &HashMap::from([(5, 0x01020304)]));
        assert_eq!(&renamed[8..], [1, 2, 3, 4, 1]);
        assert_eq!(rename(&packet, &HashMap::new()), packet);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let packet = Bytes::from(bytes);
            if let Some(object) = take_apart(&packet) {
                prop_assert!(object.payload.len() <= packet.len().saturating_sub(12));
            }
            rename(&packet, &HashMap::from([(0, 1)]));
        }
    }
}
