//! Making, filling and closing RTP observers. Reports of levels are asked for where a producer lives.

use crate::arena::Key;
use crate::command::{
    CloseRtpObserver, CreateActiveSpeakerObserver, CreateAudioLevelObserver, CreateLastNAudio,
    DumpRtpObserver, ObserveProducer, PauseRtpObserver, ResumeRtpObserver, UnobserveProducer,
};
use crate::core::Core;
use crate::description::{RtpObserverDump, RtpObserverKind};
use crate::error::{
    CloseError, CreateRtpObserverError, NotFoundError, ObserveProducerError, UnobserveProducerError,
};
use crate::event::{CloseCause, Event, RtpObserverEvent};
use crate::id::{ProducerId, RouterId, RtpObserverId, ShardId};
use crate::observers::{
    AudioLevels, DominantSpeaker, Ear, LastN, LevelListener, LevelMeter, Limits, Listened, RtpObserver,
};
use crate::options::{ActiveSpeakerObserverOptions, AudioLevelObserverOptions, LastNAudioOptions};
use crate::relay::{RelayNews, Subscription};
use crate::timers::{Armed, Timer};
use smallvec::smallvec;
use std::time::Duration;
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

/// The most packets that it takes to judge how loud somebody is.
const MIN_PACKETS: u32 = 10;
/// In a short interval one packet for each of these is enough, so that long packets count too.
const PACKET_SPACING: Duration = Duration::from_millis(60);
/// How often it is decided who is forwarded.
const LAST_N_INTERVAL: Duration = Duration::from_millis(100);

impl<T: Transport> Core<T> {
    pub(crate) fn create_audio_level_observer(
        &mut self,
        _now: Time,
        request: CreateAudioLevelObserver,
    ) -> Result<(), CreateRtpObserverError> {
        let AudioLevelObserverOptions { id, max_entries, threshold, interval } = request.options;
        if max_entries == 0 {
            return Err(CreateRtpObserverError::MaxEntries);
        }
        if !(-127..=0).contains(&threshold) {
            return Err(CreateRtpObserverError::Threshold);
        }
        let range = AudioLevelObserverOptions::INTERVAL;
        let interval = interval.clamp(*range.start(), *range.end());
        let expected = interval.as_millis() / PACKET_SPACING.as_millis();
        let min_packets = u32::try_from(expected).unwrap_or(MIN_PACKETS).min(MIN_PACKETS);
        let ear = Ear::AudioLevels(AudioLevels::new(Limits { max_entries, threshold, min_packets }));
        self.insert_observer(request.router, id, interval, ear)
    }

    pub(crate) fn create_active_speaker_observer(
        &mut self,
        _now: Time,
        request: CreateActiveSpeakerObserver,
    ) -> Result<(), CreateRtpObserverError> {
        let ActiveSpeakerObserverOptions { id, interval } = request.options;
        let range = ActiveSpeakerObserverOptions::INTERVAL;
        let interval = interval.clamp(*range.start(), *range.end());
        self.insert_observer(request.router, id, interval, Ear::DominantSpeaker(DominantSpeaker::default()))
    }

    pub(crate) fn create_last_n_audio(
        &mut self,
        _now: Time,
        request: CreateLastNAudio,
    ) -> Result<(), CreateRtpObserverError> {
        let LastNAudioOptions { id, n } = request.options;
        if n == 0 {
            return Err(CreateRtpObserverError::N);
        }
        self.insert_observer(request.router, id, LAST_N_INTERVAL, Ear::LastN(LastN::new(n)))
    }

    fn insert_observer(
        &mut self,
        router_id: RouterId,
        id: RtpObserverId,
        interval: Duration,
        ear: Ear,
    ) -> Result<(), CreateRtpObserverError> {
        let missing = NotFoundError::Router(router_id);
        let router = self.index.routers.get(&router_id).copied().ok_or(missing)?;
        if self.index.observers.contains_key(&id) {
            return Err(CreateRtpObserverError::AlreadyExists(id));
        }
        let observer =
            RtpObserver { id, router, interval, paused: false, ear, timer: Armed::default(), finding: None };
        let key = self.observing.observers.insert(observer);
        self.index.observers.insert(id, key);
        self.routers.get_mut(router).ok_or(missing)?.observers.push(key);
        Ok(())
    }

    fn observer_key(&self, id: RtpObserverId) -> Result<Key<RtpObserver>, NotFoundError> {
        self.index.observers.get(&id).copied().ok_or(NotFoundError::RtpObserver(id))
    }

    fn observer_mut(&mut self, id: RtpObserverId) -> Result<&mut RtpObserver, NotFoundError> {
        let key = self.observer_key(id)?;
        self.observing.observers.get_mut(key).ok_or(NotFoundError::RtpObserver(id))
    }

    pub(crate) fn close_rtp_observer(
        &mut self,
        _now: Time,
        request: CloseRtpObserver,
    ) -> Result<(), CloseError> {
        let key = self.observer_key(request.id)?;
        self.end_observer(key, CloseCause::Requested);
        Ok(())
    }

    pub(crate) fn end_observer(&mut self, key: Key<RtpObserver>, cause: CloseCause) {
        let Some(mut observer) = self.observing.observers.remove(key) else { return };
        for (producer, _) in observer.let_all_in() {
            self.leave_out(producer, false);
        }
        for producer in observer.producers() {
            self.stop_listening(producer, key);
        }
        self.index.observers.remove(&observer.id);
        if let Some(router) = self.routers.get_mut(observer.router) {
            router.observers.retain(|other| *other != key);
        }
        self.events.push(Event::RtpObserver(observer.id, RtpObserverEvent::Closed(cause)));
    }

    pub(crate) fn pause_rtp_observer(
        &mut self,
        now: Time,
        request: PauseRtpObserver,
    ) -> Result<(), NotFoundError> {
        self.set_observer_paused(now, request.id, true)
    }

    pub(crate) fn resume_rtp_observer(
        &mut self,
        now: Time,
        request: ResumeRtpObserver,
    ) -> Result<(), NotFoundError> {
        self.set_observer_paused(now, request.id, false)
    }

    fn set_observer_paused(
        &mut self,
        now: Time,
        id: RtpObserverId,
        paused: bool,
    ) -> Result<(), NotFoundError> {
        let key = self.observer_key(id)?;
        let observer = self.observer_mut(id)?;
        if observer.paused == paused {
            return Ok(());
        }
        let judgement = observer.set_paused(paused);
        let event = if paused { RtpObserverEvent::Paused } else { RtpObserverEvent::Resumed };
        self.events.push(Event::RtpObserver(id, event));
        self.act_on(key, judgement);
        self.arm_observer(now, key);
        Ok(())
    }

    pub(crate) fn observe_producer(
        &mut self,
        now: Time,
        request: ObserveProducer,
    ) -> Result<(), ObserveProducerError> {
        let ObserveProducer { observer: id, producer, home } = request;
        let key = self.observer_key(id)?;
        let router = self.observer_mut(id)?.router;
        if home == self.config.shard {
            let missing = NotFoundError::Producer(producer);
            let source = self.sources.get(self.source_key(producer)?).ok_or(missing)?;
            self.producer_key(producer)?;
            if source.router != router {
                return Err(missing.into());
            }
            if source.kind != MediaKind::Audio {
                return Err(ObserveProducerError::Kind(producer));
            }
        }
        if !self.observer_mut(id)?.add(producer) {
            return Err(ObserveProducerError::AlreadyObserved(producer));
        }
        self.start_listening(producer, home, key);
        self.events.push(Event::RtpObserver(id, RtpObserverEvent::ProducerAdded(producer)));
        self.arm_observer(now, key);
        Ok(())
    }

    pub(crate) fn unobserve_producer(
        &mut self,
        _now: Time,
        request: UnobserveProducer,
    ) -> Result<(), UnobserveProducerError> {
        let UnobserveProducer { observer: id, producer } = request;
        let key = self.observer_key(id)?;
        let observer = self.observer_mut(id)?;
        let is_left_out = observer.leaves_out(&producer);
        if !observer.remove(&producer) {
            return Err(UnobserveProducerError::NotObserved(producer));
        }
        if is_left_out {
            self.leave_out(producer, false);
        }
        self.stop_listening(producer, key);
        self.events.push(Event::RtpObserver(id, RtpObserverEvent::ProducerRemoved(producer)));
        Ok(())
    }

    /// Asks the home of a producer for reports. Each request has a number of its own, so that news about an older one changes nothing.
    fn start_listening(&mut self, producer: ProducerId, home: ShardId, key: Key<RtpObserver>) {
        let own = self.config.shard;
        let number = self.relay.next_subscription(own);
        let fresh = Listened { home, subscription: number, observers: smallvec![] };
        let listened = self.observing.listened.entry(producer).or_insert(fresh);
        listened.observers.push(key);
        (listened.home, listened.subscription) = (home, number);
        let subscription = Subscription { producer, number };
        if home == own {
            self.start_metering(subscription, own);
        } else {
            self.relay.to(home).push_news(RelayNews::Listen(subscription, own));
        }
    }

    fn stop_listening(&mut self, producer: ProducerId, key: Key<RtpObserver>) {
        let Some(listened) = self.observing.listened.get_mut(&producer) else { return };
        listened.observers.retain(|other| *other != key);
        if !listened.observers.is_empty() {
            return;
        }
        let (home, number) = (listened.home, listened.subscription);
        self.observing.listened.remove(&producer);
        let subscription = Subscription { producer, number };
        if home == self.config.shard {
            self.stop_metering(subscription, home);
        } else {
            self.relay.to(home).push_news(RelayNews::Unlisten(subscription, self.config.shard));
        }
    }

    /// A shard wants reports of a producer of this one.
    pub(crate) fn start_metering(&mut self, subscription: Subscription, shard: ShardId) {
        let Ok(producer) = self.producer_mut(subscription.producer) else {
            self.relay.to(shard).push_news(RelayNews::Unheard(subscription));
            return;
        };
        let listeners = &mut producer.meter.get_or_insert_default().listeners;
        listeners.retain(|listener| listener.shard != shard);
        listeners.push(LevelListener { shard, subscription: subscription.number });
    }

    /// A shard wants no more reports.
    pub(crate) fn stop_metering(&mut self, ended: Subscription, shard: ShardId) {
        let Ok(producer) = self.producer_mut(ended.producer) else { return };
        let Some(meter) = &mut producer.meter else { return };
        let is_ended =
            |listener: &LevelListener| listener.shard == shard && listener.subscription == ended.number;
        meter.listeners.retain(|listener| !is_ended(listener));
        if meter.listeners.is_empty() {
            producer.meter = None;
        }
    }

    /// Tells those who listen to a producer that it is gone.
    pub(crate) fn end_metering(&mut self, producer: ProducerId, meter: &LevelMeter) {
        for listener in &meter.listeners {
            let subscription = Subscription { producer, number: listener.subscription };
            if listener.shard == self.config.shard {
                self.end_listening(subscription);
            } else {
                self.relay.to(listener.shard).push_news(RelayNews::Unheard(subscription));
            }
        }
    }

    /// A producer that observers listen to is gone.
    pub(crate) fn end_listening(&mut self, ended: Subscription) {
        let listened = self.observing.listened.get(&ended.producer);
        if listened.is_none_or(|listened| listened.subscription != ended.number) {
            return;
        }
        let Some(listened) = self.observing.listened.remove(&ended.producer) else { return };
        for key in listened.observers {
            let Some(observer) = self.observing.observers.get_mut(key) else { continue };
            observer.remove(&ended.producer);
            let removed = RtpObserverEvent::ProducerRemoved(ended.producer);
            self.events.push(Event::RtpObserver(observer.id, removed));
        }
    }

    pub(crate) fn arm_observer(&mut self, now: Time, key: Key<RtpObserver>) {
        let Some(observer) = self.observing.observers.get_mut(key) else { return };
        let deadline = observer.next_judgement(now);
        observer.timer.arm(&mut self.timers, deadline, Timer::Observer(key));
    }

    pub(crate) fn dump_rtp_observer(
        &mut self,
        _now: Time,
        request: DumpRtpObserver,
    ) -> Result<RtpObserverDump, NotFoundError> {
        let observer = self.observer_mut(request.id)?;
        let kind = match &observer.ear {
            Ear::AudioLevels(levels) => RtpObserverKind::AudioLevel {
                max_entries: levels.limits.max_entries,
                threshold: levels.limits.threshold,
            },
            Ear::DominantSpeaker(speakers) => {
                RtpObserverKind::ActiveSpeaker { dominant_producer_id: speakers.dominant() }
            }
            Ear::LastN(last_n) => {
                let left_out_producer_ids = last_n.left_out().collect();
                RtpObserverKind::LastN { n: last_n.n(), left_out_producer_ids }
            }
        };
        Ok(RtpObserverDump {
            id: observer.id,
            kind,
            paused: observer.paused,
            interval: u64::try_from(observer.interval.as_millis()).unwrap_or(u64::MAX),
            producer_ids: observer.producers(),
        })
    }
}
