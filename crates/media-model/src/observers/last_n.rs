//! The loudest N of several, with patience for pauses between words. Must not know producers, clocks, or what becomes of the others.

use super::levels::FRAMES;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// So many windows somebody counts as loud as the loudest of them was: 2 s.
const HELD: usize = 20;
/// By so many dB a newcomer has to be louder than who is in, that one's last 2 s considered.
const MARGIN: u8 = 6;
/// What is quieter than -50 dBov is silence.
const QUIETEST: u8 = 127 - 50;

#[derive(Clone, Debug)]
struct Voice {
    /// The newest window.
    window: u64,
    /// The loudest frame of each window, the newest first; 0 is silence.
    loudness: [u8; HELD],
    is_in: bool,
}

impl Voice {
    fn hear(&mut self, window: u64, frames: &[Option<u8>; FRAMES]) {
        let passed = window.saturating_sub(self.window);
        if passed == 0 && self.window != 0 {
            return;
        }
        let passed = usize::try_from(passed).unwrap_or(HELD).min(HELD);
        self.loudness.rotate_right(passed % HELD);
        self.loudness.iter_mut().take(passed).for_each(|loudness| *loudness = 0);
        self.window = window;
        let loudest = frames.iter().flatten().map(|level| 127_u8.saturating_sub(*level)).max();
        if let Some(newest) = self.loudness.first_mut() {
            *newest = loudest.filter(|loudness| *loudness >= QUIETEST).unwrap_or(0);
        }
    }

    /// How loud it was in the last 2 s, and by how much more it counts since it is in.
    fn rank(&self, window: u64) -> u8 {
        let missing = usize::try_from(window.saturating_sub(self.window)).unwrap_or(HELD);
        let held = self.loudness.iter().take(HELD.saturating_sub(missing)).max().copied().unwrap_or(0);
        held + if self.is_in { MARGIN } else { 0 }
    }
}

/// Several voices, of whom N at most are in.
#[derive(Debug)]
pub(crate) struct LastN<Id> {
    n: u8,
    voices: BTreeMap<Id, Voice>,
}

impl<Id: Copy + Ord> LastN<Id> {
    pub(crate) fn new(n: u8) -> Self {
        Self { n, voices: BTreeMap::new() }
    }

    pub(crate) fn n(&self) -> u8 {
        self.n
    }

    /// Adds somebody, who is in until the next decision. Returns whether that is new.
    pub(crate) fn add(&mut self, id: Id) -> bool {
        let is_new = !self.voices.contains_key(&id);
        self.voices.entry(id).or_insert(Voice { window: 0, loudness: [0; HELD], is_in: true });
        is_new
    }

    /// Removes somebody. Returns whether there was such a one.
    pub(crate) fn remove(&mut self, id: &Id) -> bool {
        self.voices.remove(id).is_some()
    }

    /// All of them, by id.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> {
        self.voices.keys().copied()
    }

    /// Those who are not in, by id.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = Id> {
        self.voices.iter().filter(|(_, voice)| !voice.is_in).map(|(id, _)| *id)
    }

    /// Takes in the frames of a window, levels in -dBov; what is not newer than the last is left out.
    pub(crate) fn hear(&mut self, id: &Id, window: u64, frames: &[Option<u8>; FRAMES]) {
        if let Some(voice) = self.voices.get_mut(id) {
            voice.hear(window, frames);
        }
    }

    /// Decides by what was heard up to a window. Returns who comes in (`true`) and who is left out from now on.
    pub(crate) fn decide(&mut self, window: u64) -> Vec<(Id, bool)> {
        let mut ranked: Vec<_> = self.voices.iter_mut().collect();
        ranked.sort_by_key(|(_, voice)| (Reverse(voice.rank(window)), !voice.is_in));
        let places = (0_usize..).map(|place| place < usize::from(self.n));
        let moved = ranked.into_iter().zip(places).filter_map(|((id, voice), is_in)| {
            (std::mem::replace(&mut voice.is_in, is_in) != is_in).then_some((*id, is_in))
        });
        moved.collect()
    }

    /// Lets everybody in. Returns who was left out.
    pub(crate) fn let_all_in(&mut self) -> Vec<Id> {
        let left_out = self.left_out().collect();
        self.voices.values_mut().for_each(|voice| voice.is_in = true);
        left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SILENCE: u8 = 90;

    /// Four voices, two of whom are in at most.
    struct Call {
        last_n: LastN<u8>,
        window: u64,
    }

    impl Call {
        fn new() -> Self {
            let mut last_n = LastN::new(2);
            (0..4).for_each(|id| assert!(last_n.add(id)));
            Self { last_n, window: 0 }
        }

        /// Lets everybody sound for a tenth of a second, each at a level; returns who is in.
        fn sound(&mut self, levels: [u8; 4]) -> Vec<u8> {
            self.window += 1;
            for (id, level) in (0..).zip(levels) {
                self.last_n.hear(&id, self.window, &[Some(level); FRAMES]);
            }
            self.last_n.decide(self.window);
            let left_out: Vec<_> = self.last_n.left_out().collect();
            self.last_n.ids().filter(|id| !left_out.contains(id)).collect()
        }
    }

    #[test]
    fn the_loudest_come_in_with_their_first_window() {
        let mut call = Call::new();
        assert_eq!(call.sound([SILENCE; 4]), [0, 1], "in silence the first have the places");
        assert_eq!(call.sound([SILENCE, SILENCE, SILENCE, 30]), [0, 3]);
        assert_eq!(call.sound([SILENCE, SILENCE, 40, 30]), [2, 3]);
        assert_eq!(call.sound([20, SILENCE, 40, 30]), [0, 3]);
    }

    #[test]
    fn a_talker_keeps_the_place_for_two_seconds() {
        let mut call = Call::new();
        call.sound([SILENCE, SILENCE, 30, 30]);
        for _ in 0..19 {
            assert_eq!(call.sound([31, 29, SILENCE, SILENCE]), [2, 3], "about as loud is not louder");
        }
        assert_eq!(call.sound([31, 29, SILENCE, SILENCE]), [0, 1]);
    }

    #[test]
    fn noise_moves_nobody() {
        let mut call = Call::new();
        assert_eq!(call.sound([SILENCE, SILENCE, 52, 55]), [0, 1]);
    }

    #[test]
    fn who_sends_nothing_is_silent() {
        let mut call = Call::new();
        call.sound([SILENCE, SILENCE, 30, 30]);
        call.window += 20;
        assert_eq!(call.sound([45, 45, SILENCE, SILENCE]), [0, 1]);
    }

    #[test]
    fn nobody_is_left_out_while_there_is_room() {
        let mut last_n = LastN::new(2);
        last_n.add(1);
        last_n.add(2);
        assert_eq!(last_n.decide(1), []);
        last_n.add(3);
        assert_eq!(last_n.decide(2), [(3, false)]);
        last_n.remove(&1);
        assert_eq!(last_n.decide(3), [(3, true)]);
        last_n.add(4);
        last_n.decide(4);
        assert_eq!(last_n.let_all_in(), [4]);
        assert_eq!(last_n.left_out().count(), 0);
    }

    proptest! {
        #[test]
        fn any_levels_leave_n_in_and_a_decision_stands(
            script in prop::collection::vec((0_u8..6, 0_u64..3, prop::array::uniform5(prop::option::of(0_u8..=255))), 1..200),
        ) {
            let mut last_n = LastN::new(2);
            let mut window = 0;
            for (id, step, frames) in script {
                last_n.add(id);
                window += step;
                last_n.hear(&id, window, &frames);
                last_n.decide(window);
                let all = last_n.ids().count();
                prop_assert_eq!(all - last_n.left_out().count(), all.min(2));
                prop_assert_eq!(last_n.decide(window), []);
            }
        }
    }
}
