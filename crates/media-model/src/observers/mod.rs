//! RTP observers: what they tell of the audio producers of a router, whom they let through, and what a Core keeps for them.
//!
//! An observer lives on one shard. The shard of each producer that it listens to reports levels once a window ([`levels`]), to itself or
//! through the relay. Must not know packets.

mod audio_levels;
mod dominant_speaker;
mod last_n;
mod levels;

pub(crate) use audio_levels::{AudioLevels, Levels, Limits};
pub(crate) use dominant_speaker::DominantSpeaker;
pub(crate) use last_n::LastN;
pub(crate) use levels::{LevelListener, LevelMeter, LevelReport, judgement_after, window_end, window_of};

use crate::arena::{Arena, Key};
use crate::event::{AudioLevelVolume, RtpObserverEvent};
use crate::id::{ProducerId, RtpObserverId, ShardId};
use crate::producer::Producer;
use crate::router::Router;
use crate::timers::Armed;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// What an observer listens for.
#[derive(Debug)]
pub(crate) enum Ear {
    /// How loud each is.
    AudioLevels(AudioLevels<ProducerId>),
    /// Who speaks.
    DominantSpeaker(DominantSpeaker<ProducerId>),
    /// Who is to be forwarded.
    LastN(LastN<ProducerId>),
}

/// An observer of some audio producers of a router.
#[derive(Debug)]
pub struct RtpObserver {
    pub(crate) id: RtpObserverId,
    pub(crate) router: Key<Router>,
    pub(crate) interval: Duration,
    pub(crate) paused: bool,
    pub(crate) ear: Ear,
    pub(crate) timer: Armed,
    /// What it found and has not told yet; a newer finding takes the place of an older one.
    pub(crate) finding: Option<RtpObserverEvent>,
}

impl RtpObserver {
    /// Listens to a producer. Returns whether that is new.
    pub(crate) fn add(&mut self, producer: ProducerId) -> bool {
        match &mut self.ear {
            Ear::AudioLevels(levels) => levels.add(producer),
            Ear::DominantSpeaker(speakers) => speakers.add(producer),
            Ear::LastN(last_n) => last_n.add(producer),
        }
    }

    /// Listens to a producer no more. Returns whether it did.
    pub(crate) fn remove(&mut self, producer: &ProducerId) -> bool {
        match &mut self.ear {
            Ear::AudioLevels(levels) => levels.remove(producer),
            Ear::DominantSpeaker(speakers) => speakers.remove(producer),
            Ear::LastN(last_n) => last_n.remove(producer),
        }
    }

    /// Whom it listens to, by id.
    pub(crate) fn producers(&self) -> Vec<ProducerId> {
        match &self.ear {
            Ear::AudioLevels(levels) => levels.ids().collect(),
            Ear::DominantSpeaker(speakers) => speakers.ids().collect(),
            Ear::LastN(last_n) => last_n.ids().collect(),
        }
    }

    pub(crate) fn hear(&mut self, producer: &ProducerId, report: &LevelReport) {
        if self.paused {
            return;
        }
        match &mut self.ear {
            Ear::AudioLevels(levels) => levels.hear(producer, report),
            Ear::DominantSpeaker(speakers) => speakers.hear(producer, report.window, &report.frames),
            Ear::LastN(last_n) => last_n.hear(producer, report.window, &report.frames),
        }
    }

    /// When it has to judge next, from `now` on.
    pub(crate) fn next_judgement(&self, now: Time) -> Time {
        match &self.ear {
            _ if self.paused => Time::NEVER,
            Ear::AudioLevels(levels) if levels.is_over() => Time::NEVER,
            Ear::AudioLevels(_) => now + self.interval,
            Ear::DominantSpeaker(speakers) if speakers.ids().next().is_none() => Time::NEVER,
            Ear::LastN(last_n) if last_n.ids().next().is_none() => Time::NEVER,
            Ear::DominantSpeaker(_) | Ear::LastN(_) => judgement_after(now, self.interval),
        }
    }

    /// Judges what it has heard.
    pub(crate) fn judge(&mut self, now: Time) -> Judgement {
        let heard = window_of(now).saturating_sub(1);
        match &mut self.ear {
            Ear::AudioLevels(levels) => levels.conclude().map(RtpObserverEvent::from).into(),
            Ear::DominantSpeaker(speakers) => {
                speakers.decide(heard).map(RtpObserverEvent::DominantSpeaker).into()
            }
            Ear::LastN(last_n) => Judgement { finding: None, let_in: last_n.decide(heard) },
        }
    }

    /// Pauses or resumes; what was heard before does not count.
    pub(crate) fn set_paused(&mut self, paused: bool) -> Judgement {
        self.paused = paused;
        match &mut self.ear {
            Ear::AudioLevels(levels) => levels.fall_silent().map(RtpObserverEvent::from).into(),
            Ear::DominantSpeaker(_) => Judgement::default(),
            Ear::LastN(_) => Judgement { finding: None, let_in: self.let_all_in() },
        }
    }

    /// Leaves nobody out any more.
    pub(crate) fn let_all_in(&mut self) -> Vec<(ProducerId, bool)> {
        match &mut self.ear {
            Ear::LastN(last_n) => last_n.let_all_in().into_iter().map(|id| (id, true)).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it leaves a producer out.
    pub(crate) fn leaves_out(&self, producer: &ProducerId) -> bool {
        matches!(&self.ear, Ear::LastN(last_n) if last_n.left_out().any(|id| id == *producer))
    }
}

/// What follows from what an observer heard.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// What is told.
    pub(crate) finding: Option<RtpObserverEvent>,
    /// Who is forwarded from now on, and who not.
    pub(crate) let_in: Vec<(ProducerId, bool)>,
}

impl From<Option<RtpObserverEvent>> for Judgement {
    fn from(finding: Option<RtpObserverEvent>) -> Self {
        Self { finding, let_in: Vec::new() }
    }
}

impl From<Levels<ProducerId>> for RtpObserverEvent {
    fn from(levels: Levels<ProducerId>) -> Self {
        match levels {
            Levels::Volumes(volumes) => {
                let volumes = volumes.into_iter();
                Self::Volumes(
                    volumes.map(|(producer_id, volume)| AudioLevelVolume { producer_id, volume }).collect(),
                )
            }
            Levels::Silence => Self::Silence,
        }
    }
}

/// A producer that observers of this shard listen to.
#[derive(Debug)]
pub(crate) struct Listened {
    /// The shard that it lives on.
    pub(crate) home: ShardId,
    /// The number of the newest request to that.
    pub(crate) subscription: u64,
    pub(crate) observers: SmallVec<[Key<RtpObserver>; 2]>,
}

/// A Core's observers, and the reports that it gives and takes.
#[derive(Debug, Default)]
pub(crate) struct Observing {
    pub(crate) observers: Arena<RtpObserver>,
    /// Whom they listen to, here and on other shards.
    pub(crate) listened: FxHashMap<ProducerId, Listened>,
    /// Producers of this shard with levels that wait for the end of the window.
    pub(crate) metered: Vec<Key<Producer>>,
    /// Fires at the end of the window.
    pub(crate) timer: Armed,
}
