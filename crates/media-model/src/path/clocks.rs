//! When media was captured: how the clocks of sources lie to each other and to ours, and what sender reports tell of it.
//!
//! A report of ours ties our wall clock to the timestamp of what is captured at that moment, as far as the source's own reports tell: how long
//! packets took, and how that changes, plays no part, so that sound and picture stay together (RFC 3550 section 6.4.1).

use crate::arena::Key;
use crate::consumer::{Consumer, ConsumerStream};
use crate::core::Core;
use crate::relay::RelayNews;
use crate::source::Source;
use crate::transport_state::TransportTag;
use tureen_forwarding::{ClockOffset, Selector, clock_reading};
use tureen_rtp_wire::rtcp::SenderInfo;
use tureen_rtp_wire::{NtpTime, Time};
use tureen_transport::Transport;

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
