//! Audio levels: read once where a packet comes in, reported once a window to whoever listens, judged once an interval.

use crate::arena::Key;
use crate::core::Core;
use crate::event::{Event, Pending, RtpObserverEvent};
use crate::id::ProducerId;
use crate::observers::{LevelReport, RtpObserver, window_end};
use crate::producer::Producer;
use crate::timers::Timer;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::{RtpPacket, extension};
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    /// Reads the level of a packet (RFC 6464), if anybody listens to its producer. A packet without one does not count.
    #[inline]
    pub(crate) fn note_level(&mut self, now: Time, key: Key<Producer>, packet: &RtpPacket<'_>) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        let Some(meter) = producer.meter.as_deref_mut() else { return };
        let value = producer.extensions.audio_level.and_then(|id| packet.extension(id));
        let Some(level) = value.and_then(extension::AudioLevel::parse) else { return };
        if let Some(window) = meter.note(now, level.level) {
            self.observing.metered.push(key);
            self.observing.timer.arm(&mut self.timers, window_end(window), Timer::Levels);
        }
    }

    /// A window is over.
    pub(crate) fn levels_due(&mut self, now: Time) {
        if !self.observing.timer.fired(now) {
            return;
        }
        let mut metered = std::mem::take(&mut self.observing.metered);
        for key in metered.drain(..) {
            self.report_levels(key);
        }
        self.observing.metered = metered;
    }

    fn report_levels(&mut self, key: Key<Producer>) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        let id = producer.definition.id;
        let Some(meter) = producer.meter.as_deref_mut() else { return };
        let Some(report) = meter.take() else { return };
        for listener in meter.listeners.clone() {
            if listener.shard == self.config.shard {
                self.hear(id, &report);
            } else {
                self.relay.to(listener.shard).push_levels(id, report);
            }
        }
    }

    /// Hands a report to the observers that listen to its producer.
    pub(crate) fn hear(&mut self, producer: ProducerId, report: &LevelReport) {
        let Some(listened) = self.observing.listened.get(&producer) else { return };
        for key in &listened.observers {
            if let Some(observer) = self.observing.observers.get_mut(*key) {
                observer.hear(&producer, report);
            }
        }
    }

    /// An observer's interval is over.
    pub(crate) fn observer_due(&mut self, now: Time, key: Key<RtpObserver>) {
        let Some(observer) = self.observing.observers.get_mut(key) else { return };
        if !observer.timer.fired(now) || observer.paused {
            return;
        }
        if let Some(finding) = observer.judge(now) {
            self.promise_finding(key, finding);
        }
        self.arm_observer(now, key);
    }

    /// Has the newest finding of an observer told.
    pub(crate) fn promise_finding(&mut self, key: Key<RtpObserver>, finding: RtpObserverEvent) {
        let Some(observer) = self.observing.observers.get_mut(key) else { return };
        if observer.finding.replace(finding).is_none() {
            self.events.promise(Pending::Finding(key));
        }
    }

    pub(crate) fn describe_finding(&mut self, key: Key<RtpObserver>) -> Option<Event> {
        let observer = self.observing.observers.get_mut(key)?;
        Some(Event::RtpObserver(observer.id, observer.finding.take()?))
    }
}
