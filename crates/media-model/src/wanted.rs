//! Which layers of a source anybody wants, so that its publisher need not send the others. Must not know how a publisher is told.

use crate::arena::Key;
use crate::consumer::Consumer;
use crate::source::{Mirror, Source};
use crate::timers::{Armed, Timer, Timers};
use smallvec::SmallVec;
use std::time::Duration;
use tureen_forwarding::Selector;
use tureen_rtp_dictionaries::{MediaLayers, RtpParameters};
use tureen_rtp_wire::Time;

/// Layers that nobody wants any more are told as unwanted after this time: a publisher that stops and starts an encoding sends key frames,
/// so what viewers do and undo within seconds is not worth it.
pub const UNWANTED_LAYERS_DELAY: Duration = Duration::from_secs(5);

/// The highest layers that a producer with these parameters has: of simulcast the last encoding. Without a temporal layer where the
/// parameters say of none.
pub fn highest_layers(parameters: &RtpParameters) -> MediaLayers {
    let encodings = &parameters.encodings;
    let mode = encodings.first().map(|encoding| encoding.layers());
    let (spatial, temporal) = mode.map_or((1, 1), |mode| (mode.spatial_layers, mode.temporal_layers));
    let count = if encodings.len() > 1 { encodings.len() } else { usize::from(spatial) };
    MediaLayers {
        spatial_layer: u8::try_from(count.saturating_sub(1)).unwrap_or(u8::MAX),
        temporal_layer: temporal.checked_sub(1).filter(|top| *top > 0),
    }
}

/// What is wanted of a source: in simulcast, a spatial layer is an encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing at all.
    #[default]
    Nothing,
    /// Layers up to these, [`u8::MAX`] for all there are.
    UpTo { spatial: u8, temporal: u8 },
}

impl Wish {
    /// All layers.
    pub(crate) const ALL: Self = Self::UpTo { spatial: u8::MAX, temporal: u8::MAX };

    /// What satisfies both.
    pub(crate) fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, wish) | (wish, Self::Nothing) => wish,
            (Self::UpTo { spatial, temporal }, Self::UpTo { spatial: others, temporal: other }) => {
                Self::UpTo { spatial: spatial.max(others), temporal: temporal.max(other) }
            }
        }
    }

    /// In terms of a source whose highest layers are `highest`; `None` for nothing.
    fn describe(self, highest: MediaLayers) -> Option<MediaLayers> {
        let Self::UpTo { spatial, temporal } = self else { return None };
        Some(MediaLayers {
            spatial_layer: spatial.min(highest.spatial_layer),
            temporal_layer: highest.temporal_layer.map(|top| temporal.min(top)),
        })
    }
}

impl Consumer {
    /// What it wants of its source: what it may be sent at most, and what it is sent meanwhile. A consumer that is paused by itself wants
    /// nothing; one whose producer is paused wants what it will get afterwards. One that pipes speaks for viewers that are not known here.
    pub(crate) fn wish(&self) -> Wish {
        if self.pause.own {
            return Wish::Nothing;
        }
        let Selector::Simulcast(selector) = &self.selector else { return Wish::ALL };
        let sent = [selector.target(), selector.current()].into_iter().flatten();
        let sent = sent.map(|selected| self.wish_for(self.media_layers(selected)));
        let most = self.preferred_layers.map_or(Wish::ALL, |layers| self.wish_for(layers));
        sent.fold(most, Wish::join)
    }

    fn wish_for(&self, layers: MediaLayers) -> Wish {
        let (top_spatial, top_temporal) = self.top_layers();
        let below = |layer: Option<u8>, top: u8| layer.filter(|layer| *layer < top).unwrap_or(u8::MAX);
        Wish::UpTo {
            spatial: below(Some(layers.spatial_layer), top_spatial),
            temporal: below(layers.temporal_layer, top_temporal),
        }
    }
}

/// What is wanted of a source, and who was told what of it.
#[derive(Debug)]
pub(crate) struct WantedLayers {
    /// At a producer's home: never less than what is wanted.
    told: Wish,
    /// While less is wanted than was told: since when, and the most since then.
    lowering: Option<(Time, Wish)>,
    /// What the last event said.
    announced: Wish,
    pub(crate) promised: bool,
    /// At a producer's home: what is wanted where it is mirrored, as those last said who are not gone.
    elsewhere: SmallVec<[(Mirror, Wish); 4]>,
    /// At a mirror: what the home was told.
    pub(crate) relayed: Wish,
    /// For changes, which are looked at with the next timeout.
    change: Armed,
    /// For the end of the delay.
    delay: Armed,
}

impl Default for WantedLayers {
    /// A publisher begins with all that it has.
    fn default() -> Self {
        Self {
            told: Wish::ALL,
            lowering: None,
            announced: Wish::ALL,
            promised: false,
            elsewhere: SmallVec::new(),
            relayed: Wish::Nothing,
            change: Armed::default(),
            delay: Armed::default(),
        }
    }
}

impl WantedLayers {
    /// Has what is wanted looked at with the next timeout, which is due at once.
    pub(crate) fn look_soon(&mut self, timers: &mut Timers, key: Key<Source>) {
        self.change.arm(timers, Time::ZERO, Timer::WantedLayers(key));
    }

    /// Whether a deadline of its own was reached.
    pub(crate) fn fired(&mut self, now: Time) -> bool {
        self.change.fired(now) | self.delay.fired(now)
    }

    /// Follows what is wanted, upwards at once. Says whether something else is to be told than before.
    pub(crate) fn follow(&mut self, now: Time, wish: Wish) -> bool {
        let before = self.told;
        self.told = self.told.join(wish);
        if self.told == wish {
            self.lowering = None;
            return self.told != before;
        }
        let (since, most) = self.lowering.map_or((now, wish), |(since, most)| (since, most.join(wish)));
        if now < since + UNWANTED_LAYERS_DELAY {
            self.lowering = Some((since, most));
        } else {
            self.told = most;
            self.lowering = (most != wish).then_some((now, wish));
        }
        self.told != before
    }

    pub(crate) fn arm(&mut self, timers: &mut Timers, key: Key<Source>) {
        if let Some((since, _)) = self.lowering {
            self.delay.arm(timers, since + UNWANTED_LAYERS_DELAY, Timer::WantedLayers(key));
        }
    }
}

impl Source {
    /// Whether anybody wants an encoding, as far as the publisher was told.
    pub(crate) fn wants(&self, encoding: u8) -> bool {
        match self.wanted.told {
            Wish::Nothing => false,
            Wish::UpTo { spatial, .. } => self.streams.len() < 2 || encoding <= spatial,
        }
    }

    /// Takes note of what is wanted at a mirror, if that is still one.
    pub(crate) fn wished_at(&mut self, mirror: Mirror, wish: Wish) {
        if self.mirrors.contains(&mirror) {
            self.wanted.elsewhere.retain(|(other, _)| other.shard != mirror.shard);
            self.wanted.elsewhere.push((mirror, wish));
        }
    }

    /// What is wanted at all mirrors together.
    pub(crate) fn wished_elsewhere(&mut self) -> Wish {
        let mirrors = &self.mirrors;
        self.wanted.elsewhere.retain(|(mirror, _)| mirrors.contains(mirror));
        self.wanted.elsewhere.iter().fold(Wish::Nothing, |all, (_, wish)| all.join(*wish))
    }

    /// What the publisher is to be told, if that is something else than what it was told last.
    pub(crate) fn announce_wanted(&mut self) -> Option<Option<MediaLayers>> {
        self.wanted.promised = false;
        let highest = highest_layers(&self.rtp_parameters);
        let told = self.wanted.told.describe(highest);
        let before = std::mem::replace(&mut self.wanted.announced, self.wanted.told).describe(highest);
        (told != before).then_some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn up_to(spatial: u8, temporal: u8) -> Wish {
        Wish::UpTo { spatial, temporal }
    }

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    #[test]
    fn it_rises_at_once_and_falls_to_the_most_of_the_delay() {
        let mut wanted = WantedLayers::default();
        assert!(!wanted.follow(at(0), up_to(1, 1)));
        assert!(!wanted.follow(at(3), up_to(0, 2)));
        assert!(wanted.follow(at(5), up_to(0, 2)));
        assert_eq!(wanted.told, up_to(1, 2));
        assert!(!wanted.follow(at(9), up_to(0, 2)));
        assert!(wanted.follow(at(10), up_to(0, 2)));
        assert_eq!(wanted.told, up_to(0, 2));
        assert!(wanted.follow(at(11), up_to(2, 0)));
        assert_eq!(wanted.told, up_to(2, 2), "it covers what was wanted until now");
        assert!(!wanted.follow(at(12), Wish::Nothing));
        assert!(!wanted.follow(at(13), up_to(2, 2)), "what comes back in time was never gone");
        assert!(!wanted.follow(at(14), Wish::Nothing));
        assert!(wanted.follow(at(19), Wish::Nothing));
        assert_eq!(wanted.told, Wish::Nothing);
    }

    fn wish() -> impl Strategy<Value = Wish> {
        prop_oneof![Just(Wish::Nothing), (0..3u8, 0..3u8).prop_map(|(s, t)| up_to(s, t)), Just(Wish::ALL)]
    }

    proptest! {
        #[test]
        fn what_is_told_covers_what_is_wanted_and_comes_down_to_it(
            wishes in proptest::collection::vec((0..8000u64, wish()), 1..40),
        ) {
            let (mut wanted, mut now) = (WantedLayers::default(), Time::ZERO);
            for (millis, wish) in &wishes {
                now += Duration::from_millis(*millis);
                let before = wanted.told;
                let changed = wanted.follow(now, *wish);
                prop_assert_eq!(changed, wanted.told != before);
                prop_assert_eq!(wanted.told.join(*wish), wanted.told);
            }
            let last = wishes[wishes.len() - 1].1;
            for _ in 0..2 {
                now += UNWANTED_LAYERS_DELAY;
                wanted.follow(now, last);
            }
            prop_assert_eq!(wanted.told, last);
        }
    }
}
