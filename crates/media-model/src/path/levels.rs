//! Audio levels: read once where a packet comes in, reported once a window to whoever listens, judged once an interval, acted
//! on where judging means leaving somebody out.

use crate::arena::Key;
use crate::core::Core;
use crate::event::{Event, Pending, RtpObserverEvent};
use crate::id::{ProducerId, ShardId};
use crate::observers::{Judgement, LevelListener, LevelReport, RtpObserver, window_end};
use crate::producer::Producer;
use crate::relay::{RelayNews, Subscription};
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
        let judgement = observer.judge(now);
        self.act_on(key, judgement);
        self.arm_observer(now, key);
    }

    pub(crate) fn act_on(&mut self, key: Key<RtpObserver>, judgement: Judgement) {
        let Judgement { finding, let_in } = judgement;
        for (producer, is_in) in let_in {
            self.leave_out(producer, !is_in);
        }
        if let Some(finding) = finding {
            self.promise_finding(key, finding);
        }
    }

    /// Has a producer that an observer listens to not forwarded, or forwarded again, wherever it lives.
    pub(crate) fn leave_out(&mut self, producer: ProducerId, left_out: bool) {
        let Some(listened) = self.observing.listened.get(&producer) else { return };
        let subscription = Subscription { producer, number: listened.subscription };
        let own = self.config.shard;
        if listened.home == own {
            self.leave_out_here(subscription, own, left_out);
        } else {
            self.relay.to(listened.home).push_news(RelayNews::LeaveOut(subscription, own, left_out));
        }
    }

    /// The same for a producer of this shard, as long as the request is about this one and not about an older one of its id.
    pub(crate) fn leave_out_here(&mut self, subscription: Subscription, shard: ShardId, left_out: bool) {
        let Ok(producer) = self.producer_mut(subscription.producer) else { return };
        let listener = LevelListener { shard, subscription: subscription.number };
        let source = producer.source;
        if producer.meter.as_ref().is_some_and(|meter| meter.listeners.contains(&listener)) {
            self.set_left_out(source, left_out);
        }
    }

    /// Has the newest finding of an observer told.
    fn promise_finding(&mut self, key: Key<RtpObserver>, finding: RtpObserverEvent) {
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
