//! How loud several are on average. Must not know producers, clocks or where levels come from.

use super::levels::LevelReport;
use std::collections::BTreeMap;

/// How many are told of, and from which level on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_entries: u16,
    /// Average level in dBov, -127 to 0.
    pub(crate) threshold: i8,
    /// So many packets it takes to judge somebody.
    pub(crate) min_packets: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    sum: u32,
    packets: u32,
}

impl Heard {
    /// The average level in dBov.
    fn volume(self) -> i8 {
        let average = (self.sum + self.packets / 2).checked_div(self.packets).unwrap_or(127);
        -i8::try_from(average).unwrap_or(i8::MAX)
    }
}

/// What an interval brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Levels<Id> {
    /// Who was heard, and at which level in dBov, the loudest first.
    Volumes(Vec<(Id, i8)>),
    /// Nobody, while there was somebody before.
    Silence,
}

/// Averages of an interval.
#[derive(Debug)]
pub(crate) struct AudioLevels<Id> {
    pub(crate) limits: Limits,
    heard: BTreeMap<Id, Heard>,
    is_silent: bool,
}

impl<Id: Copy + Ord> AudioLevels<Id> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, heard: BTreeMap::new(), is_silent: true }
    }

    /// Adds somebody. Returns whether that is new.
    pub(crate) fn add(&mut self, id: Id) -> bool {
        let is_new = !self.heard.contains_key(&id);
        self.heard.entry(id).or_default();
        is_new
    }

    /// Removes somebody. Returns whether there was such a one.
    pub(crate) fn remove(&mut self, id: &Id) -> bool {
        self.heard.remove(id).is_some()
    }

    /// All of them, by id.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> {
        self.heard.keys().copied()
    }

    pub(crate) fn hear(&mut self, id: &Id, report: &LevelReport) {
        if let Some(heard) = self.heard.get_mut(id) {
            heard.sum = heard.sum.saturating_add(report.sum);
            heard.packets = heard.packets.saturating_add(report.packets);
        }
    }

    /// Whether there may still be something to tell.
    pub(crate) fn is_over(&self) -> bool {
        self.heard.is_empty() && self.is_silent
    }

    /// Ends an interval.
    pub(crate) fn conclude(&mut self) -> Option<Levels<Id>> {
        let Limits { max_entries, threshold, min_packets } = self.limits;
        let heard = self.heard.iter_mut().map(|(id, heard)| (*id, std::mem::take(heard)));
        let judged = heard.filter(|(_, heard)| heard.packets >= min_packets);
        let mut volumes: Vec<_> = judged.map(|(id, heard)| (id, heard.volume())).collect();
        volumes.retain(|(_, volume)| *volume >= threshold);
        volumes.sort_by_key(|(_, volume)| std::cmp::Reverse(*volume));
        volumes.truncate(usize::from(max_entries));
        if volumes.is_empty() {
            return self.fall_silent();
        }
        self.is_silent = false;
        Some(Levels::Volumes(volumes))
    }

    /// Forgets what was heard.
    pub(crate) fn fall_silent(&mut self) -> Option<Levels<Id>> {
        self.heard.values_mut().for_each(|heard| *heard = Heard::default());
        (!std::mem::replace(&mut self.is_silent, true)).then_some(Levels::Silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(levels: &[u8]) -> LevelReport {
        LevelReport {
            sum: levels.iter().map(|&level| u32::from(level)).sum(),
            packets: levels.len() as u32,
            ..LevelReport::default()
        }
    }

    fn of(max_entries: u16) -> AudioLevels<u8> {
        let mut levels = AudioLevels::new(Limits { max_entries, threshold: -80, min_packets: 10 });
        (0..4).for_each(|id| assert!(levels.add(id)));
        assert!(!levels.add(0));
        levels
    }

    #[test]
    fn the_loudest_come_first_and_no_more_than_wanted() {
        let mut levels = of(2);
        for (id, level) in [(0, 60), (1, 20), (2, 40), (3, 90)] {
            levels.hear(&id, &report(&[level; 10]));
        }
        assert_eq!(levels.conclude(), Some(Levels::Volumes(vec![(1, -20), (2, -40)])));
    }

    #[test]
    fn a_volume_is_the_average_of_ten_packets_or_more() {
        let mut levels = of(9);
        levels.hear(&0, &report(&[30; 5]));
        levels.hear(&0, &report(&[41; 5]));
        levels.hear(&1, &report(&[5; 9]));
        levels.hear(&2, &report(&[81; 50]));
        levels.hear(&3, &report(&[80; 50]));
        levels.hear(&7, &report(&[1; 50]));
        assert_eq!(levels.conclude(), Some(Levels::Volumes(vec![(0, -36), (3, -80)])));
    }

    #[test]
    fn silence_is_told_once() {
        let mut levels = of(9);
        assert_eq!(levels.conclude(), None, "it was silent before");
        levels.hear(&0, &report(&[30; 10]));
        assert!(matches!(levels.conclude(), Some(Levels::Volumes(_))));
        assert_eq!(levels.conclude(), Some(Levels::Silence));
        assert_eq!(levels.conclude(), None);
        levels.hear(&0, &report(&[30; 10]));
        assert!(matches!(levels.conclude(), Some(Levels::Volumes(_))));
        (0..4).for_each(|id| assert!(levels.remove(&id)));
        assert!(!levels.is_over(), "silence is still to be told");
        assert_eq!(levels.fall_silent(), Some(Levels::Silence));
        assert!(levels.is_over());
    }
}
