//! The last changes of what layers a consumer gets: when, from what to what, and why. Must not know how layers are chosen.

use serde::Serialize;
use tureen_rtp_dictionaries::MediaLayers;
use tureen_rtp_wire::Time;

/// How many changes are remembered.
pub const SWITCHES_REMEMBERED: usize = 8;

macro_rules! switch_causes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// Why a consumer gets other layers than before.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "camelCase")]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum SwitchCause {
            $($(#[$doc])* $variant,)+
        }

        impl SwitchCause {
            /// All causes, in the order of [`index`](Self::index).
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// How many causes there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The cause's name in statistics: lower case, underscores.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// A dense index, less than [`COUNT`](Self::COUNT).
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

switch_causes! {
    /// It was made.
    Started = "started",
    /// Its preferred layers changed.
    Preferred = "preferred",
    /// An encoding of its source came, or came back.
    EncodingCame = "encoding_came",
    /// An encoding of its source fell silent.
    EncodingEnded = "encoding_ended",
    /// Its publisher said that it has other layers now than before.
    PublisherLayers = "publisher_layers",
    /// An encoding of its source goes on as another stream: the publisher started anew.
    SourceReplaced = "source_replaced",
    /// It was paused.
    Paused = "paused",
    /// It was resumed.
    Resumed = "resumed",
    /// Its producer was paused.
    ProducerPaused = "producer_paused",
    /// Its producer was resumed.
    ProducerResumed = "producer_resumed",
    /// Its path was found to carry less than before, or more.
    Bandwidth = "bandwidth",
}

/// A change of the layers that a consumer gets. Times are milliseconds of the driver's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerSwitch {
    /// When it was decided.
    pub decided_at: u64,
    /// When the first packet went out that it concerns, or the flow ended.
    pub at: u64,
    /// What flowed before; `None` for nothing.
    pub from: Option<MediaLayers>,
    /// What flows since; `None` for nothing.
    pub to: Option<MediaLayers>,
    /// Why.
    pub cause: SwitchCause,
}

/// The last changes of one consumer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SwitchLog {
    /// A ring; `count` says where it begins.
    entries: [Option<LayerSwitch>; SWITCHES_REMEMBERED],
    count: u64,
    current: Option<MediaLayers>,
    cause: SwitchCause,
    decided_at: Time,
    /// Nothing has changed yet that the cause brought about.
    is_new: bool,
}

impl SwitchLog {
    pub(crate) const fn new(now: Time) -> Self {
        Self {
            entries: [None; SWITCHES_REMEMBERED],
            count: 0,
            current: None,
            cause: SwitchCause::Started,
            decided_at: now,
            is_new: true,
        }
    }

    /// What will change is for this cause.
    pub(crate) const fn decide(&mut self, now: Time, cause: SwitchCause) {
        self.cause = cause;
        self.decided_at = now;
        self.is_new = true;
    }

    /// Takes note of what flows now. Several steps for one cause are one change. Says the cause where a change begins.
    pub(crate) fn note(&mut self, now: Time, layers: Option<MediaLayers>) -> Option<SwitchCause> {
        let from = std::mem::replace(&mut self.current, layers);
        if from == layers {
            return None;
        }
        let begins = std::mem::take(&mut self.is_new);
        if !begins && let Some(last) = self.newest_mut() {
            (last.at, last.to) = (now.as_millis(), layers);
            return None;
        }
        self.count += 1;
        let (decided_at, at) = (self.decided_at.as_millis(), now.as_millis());
        let switch = LayerSwitch { decided_at, at, from, to: layers, cause: self.cause };
        let place = place(self.count);
        if let Some(entry) = self.entries.get_mut(place) {
            *entry = Some(switch);
        }
        Some(self.cause)
    }

    /// The newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = LayerSwitch> {
        let kept = self.count.min(SWITCHES_REMEMBERED as u64);
        (0..kept).filter_map(|back| *self.entries.get(place(self.count - back))?)
    }

    /// How many there were, forgotten ones included.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    fn newest_mut(&mut self) -> Option<&mut LayerSwitch> {
        self.entries.get_mut(place(self.count))?.as_mut()
    }
}

/// Where the change of this number is kept.
const fn place(number: u64) -> usize {
    (number % SWITCHES_REMEMBERED as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn layers(spatial_layer: u8, temporal_layer: u8) -> Option<MediaLayers> {
        Some(MediaLayers { spatial_layer, temporal_layer: Some(temporal_layer) })
    }

    #[test]
    fn steps_for_one_cause_are_one_change() {
        let mut log = SwitchLog::new(at(5));
        assert_eq!(log.note(at(40), layers(0, 0)), Some(SwitchCause::Started));
        log.decide(at(100), SwitchCause::Preferred);
        assert_eq!(log.note(at(110), layers(0, 0)), None, "nothing has changed");
        assert_eq!(log.note(at(120), layers(1, 0)), Some(SwitchCause::Preferred));
        assert_eq!(log.note(at(150), layers(1, 2)), None);
        let expected = LayerSwitch {
            decided_at: 100,
            at: 150,
            from: layers(0, 0),
            to: layers(1, 2),
            cause: SwitchCause::Preferred,
        };
        assert_eq!(log.iter().next(), Some(expected));
        assert_eq!((log.iter().count(), log.count()), (2, 2));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut log = SwitchLog::new(at(0));
        for step in 1..=20 {
            log.decide(at(step), SwitchCause::Preferred);
            assert!(log.note(at(step), layers((step % 3) as u8, 0)).is_some());
        }
        let kept: Vec<_> = log.iter().map(|switch| switch.at).collect();
        assert_eq!(kept, [20, 19, 18, 17, 16, 15, 14, 13]);
        assert_eq!(log.count(), 20);
    }

    #[test]
    fn causes_are_dense_and_named_apart() {
        let names: std::collections::HashSet<_> = SwitchCause::ALL.iter().map(|cause| cause.name()).collect();
        assert_eq!(names.len(), SwitchCause::COUNT);
        for (index, cause) in SwitchCause::ALL.iter().enumerate() {
            assert_eq!(cause.index(), index);
        }
    }
}
