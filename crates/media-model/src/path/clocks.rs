//! When media was captured: how the clocks of sources lie to each other and to ours, and what sender reports tell of it.
//!
//! A report of ours ties our wall clock to the timestamp of what is captured at that moment, as far as the source's own reports tell: how long
//! packets took, and how that changes, plays no part, so that sound and picture stay together (RFC 3550 section 6.4.1).

use crate::arena::Key;
use crate::consumer::{Consumer, ConsumerStream};
use crate::core::Core;
use crate::listener::StreamRef;
use crate::relay::RelayNews;
use crate::source::Source;
use crate::transport_state::TransportTag;
use std::time::Duration;
use tureen_forwarding::{ClockOffset, Selector, clock_alignment, clock_reading};
use tureen_rtp_wire::rtcp::SenderInfo;
use tureen_rtp_wire::rtp::extension::AbsCaptureTime;
use tureen_rtp_wire::rtp::{RtpLayout, RtpPacket};
use tureen_rtp_wire::{NtpTime, Time};
use tureen_transport::Transport;

/// For how long a stream's sender report keeps capture times of packets from counting. Senders report at least every 5 s (RFC 3550
/// section 6.2), and lose some.
const REPORTS_STAY_FRESH: Duration = Duration::from_secs(12);

impl<T: Transport> Core<T> {
    /// Takes note of how the clock of a stream lies to that of the source's other streams.
    pub(crate) fn set_alignment(&mut self, key: Key<Source>, encoding: u8, alignment: u32) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let Some(stream) = source.streams.get_mut(usize::from(encoding)) else { return };
        stream.alignment = Some(alignment);
        for mirror in &source.mirrors {
            let news = RelayNews::Alignment(source.producer_id, encoding, alignment);
            self.relay.to(mirror.shard).push_news(news);
        }
        for &consumer in &source.consumers {
            if let Some(Selector::Simulcast(selector)) =
                self.consumers.get_mut(consumer).map(|consumer| &mut consumer.selector)
            {
                selector.set_alignment(encoding, alignment);
            }
        }
    }

    /// Lets a packet that says when it was captured say it in terms of our clock, not its sender's, as our reports do. While no report of
    /// the stream came lately, the packet is taken as one. Without a clock offset nobody says whose clock is
    /// meant, and it stays as it is.
    pub(crate) fn follow_capture_time(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        stream: StreamRef,
        bytes: &mut [u8],
        layout: RtpLayout,
    ) {
        let Some(producer) = self.producers.get(stream.producer) else { return };
        let place = producer.extensions.abs_capture_time.and_then(|id| layout.find_extension(bytes, id));
        let Some(place) = place else { return };
        let timestamp = RtpPacket::from_parts(bytes, layout).map(|packet| packet.timestamp());
        let Some(value) = bytes.get_mut(place) else { return };
        let Some(AbsCaptureTime { capture, clock_offset: Some(offset) }) = AbsCaptureTime::parse(value)
        else {
            return;
        };
        if let Some(timestamp) = timestamp.filter(|_| !stream.rtx) {
            let by_sender = NtpTime(capture.0.wrapping_add_signed(offset.wrapping_neg()));
            self.align_by_capture(now, key, stream, by_sender, timestamp);
        }
        let clock = self.transports.get(key).and_then(|transport| transport.clock.offset());
        if let Some(ClockOffset(theirs)) = clock {
            let clock_offset = Some(offset.wrapping_add(theirs));
            // It is as long as it was.
            let _ = AbsCaptureTime { capture, clock_offset }.write(value);
        }
    }

    /// Takes the capture of what has a `timestamp`, in its sender's clock, for a report of the stream, if it has none that is fresh.
    fn align_by_capture(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        stream: StreamRef,
        captured: NtpTime,
        timestamp: u32,
    ) {
        let Some(producer) = self.producers.get_mut(stream.producer) else { return };
        let Some(state) = producer.stream_mut(stream.encoding) else { return };
        if state.aligned_at.is_none_or(|at| now.since(at) >= REPORTS_STAY_FRESH) {
            let info =
                SenderInfo { ntp: captured, rtp_timestamp: timestamp, packet_count: 0, octet_count: 0 };
            self.align(now, stream, &info);
            self.follow_clock(now, key, captured);
        }
    }

    /// Takes what a report says of how a stream's timestamps lie to its sender's wall clock, if the sender has one.
    pub(crate) fn align(&mut self, now: Time, stream: StreamRef, info: &SenderInfo) {
        let Some(producer) = self.producers.get_mut(stream.producer) else { return };
        let source = producer.source;
        let Some(state) = producer.stream_mut(stream.encoding) else { return };
        if let Some(alignment) = clock_alignment(info, state.recv.config().clock_rate) {
            state.aligned_at = Some(now);
            self.set_alignment(source, stream.encoding, alignment);
        }
    }

    /// Follows the wall clock of a transport's remote, for all that it sends alike.
    pub(crate) fn follow_clock(&mut self, now: Time, key: Key<TransportTag>, theirs: NtpTime) {
        let ours = self.config.wall_clock.ntp(now);
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(offset) = transport.clock.on_report(now, ours, theirs) else { return };
        let mut index = 0;
        while let Some(&producer) = self.transports.get(key).and_then(|state| state.producers.get(index)) {
            index += 1;
            if let Some(source) = self.producers.get(producer).map(|producer| producer.source) {
                self.set_clock(source, offset);
            }
        }
    }

    /// Takes note of how the wall clock of a source lies to ours.
    pub(crate) fn set_clock(&mut self, key: Key<Source>, offset: ClockOffset) {
        let Some(source) = self.sources.get_mut(key) else { return };
        source.clock = Some(offset);
        for mirror in &source.mirrors {
            self.relay.to(mirror.shard).push_news(RelayNews::Clock(source.producer_id, offset));
        }
    }

    /// What a sender report of a consumer's stream says, `ntp` being our wall clock at `now`.
    pub(crate) fn sender_info(
        &self,
        now: Time,
        ntp: NtpTime,
        consumer: &Consumer,
        stream: &ConsumerStream,
    ) -> Option<SenderInfo> {
        let source = self.sources.get(consumer.source);
        stream.send.sender_info(
            now,
            ntp,
            source.and_then(|source| captured_at(ntp, source, consumer, stream)),
        )
    }
}

/// The timestamp, as a consumer sends it, of what its source captures when our wall clock reads `ntp`.
fn captured_at(ntp: NtpTime, source: &Source, consumer: &Consumer, stream: &ConsumerStream) -> Option<u32> {
    let encoding = stream.encoding?;
    let alignment = source.streams.get(usize::from(encoding))?.alignment?;
    let reading = clock_reading(source.clock?.apply(ntp), stream.send.config().clock_rate);
    let offset = consumer.selector.timestamp_offset(encoding)?;
    Some(reading.wrapping_sub(alignment).wrapping_add(offset))
}
