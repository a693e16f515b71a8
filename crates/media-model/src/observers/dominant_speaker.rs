//! Who of several speaks: dominant-speaker identification by speech activity over three intervals (I. Volfin, I. Cohen,
//! "Dominant speaker identification for multipoint videoconferencing", Computer Speech and Language 27, 2013).
//!
//! The intervals are the newest window of 100 ms, the frames of that window, and the last second. Each window since the last judgement is judged, so
//! that a pause for breath at the moment of it costs nothing; and where several speak at once, whoever does first stays until giving way. Must not
//! know producers, clocks or where levels come from: it is given numbered windows, and asked after one of them.

use super::levels::FRAMES;
use std::collections::BTreeMap;

/// By how much, as a logarithm, the activity of a newcomer has to exceed that of the dominant speaker: at the moment, over a window and
/// over a second.
const LEADS: [f64; 3] = [3.0, 2.0, 0.0];
/// Steps of loudness, each of so many dB, in the moment.
const N1: u8 = 13;
/// Frames in a window.
const N2: u8 = FRAMES as u8;
/// Windows in a second.
const N3: u8 = 10;
/// How fast the likelihood of a count falls where nobody speaks, for each of the three.
const DECAYS: [f64; 3] = [0.78, 24.0, 47.0];
/// The activity of those who do not speak.
const NO_ACTIVITY: f64 = 1e-10;

/// A window belongs to speech if more frames than these have a voice.
const MINORITY: u8 = 2;
/// So many frames of a second a newcomer has to speak in: 360 ms, and a cough is shorter.
const ENOUGH: u8 = 18;
/// Who dominates gives way by so many windows without speech: pauses between words are shorter.
const PAUSE: usize = 4;
/// Or else a newcomer has to speak in so many more windows of the last second.
const AHEAD: u8 = 4;
/// Windows that are judged, the newest and those before it, where they have not been before.
const LOOK_BACK: usize = 3;
/// Windows that are remembered.
const HISTORY: usize = N3 as usize + LOOK_BACK - 1;
/// Nothing that is quieter is a voice: -50 dBov.
const QUIETEST: u8 = 127 - 50;
/// Noise is not taken to be louder than this: -40 dBov.
const LOUDEST_NOISE: u8 = 127 - 40;
/// The noise may rise by one dB in so many frames: one second.
const NOISE_RISE: u8 = 50;
/// So many frames a level holds where no packet comes: those of the longest packets, 60 ms, are three frames apart.
const HOLD: u8 = 2;

/// What is known of one speaker's last second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Speech {
    /// The newest window.
    window: u64,
    /// The loudest step of each window, the newest first.
    loudest: [u8; LOOK_BACK],
    /// Frames with a voice in each window, the newest first.
    voiced: [u8; HISTORY],
    /// The loudness that lasts, and for how many more frames.
    held: (u8, u8),
    noise: u8,
    /// Frames since the noise rose.
    steady: u8,
}

impl Speech {
    /// Takes in the frames of a window, levels in -dBov.
    fn hear(&mut self, window: u64, frames: &[Option<u8>; FRAMES]) {
        let passed = window.saturating_sub(self.window);
        if passed == 0 && self.window != 0 {
            return;
        }
        if passed > 1 {
            self.held = (0, 0);
        }
        let passed = usize::try_from(passed).unwrap_or(HISTORY);
        shift(&mut self.voiced, passed);
        shift(&mut self.loudest, passed);
        self.window = window;
        let (mut loudest, mut voiced) = (0, 0);
        for level in frames {
            let step = self.voice(*level);
            loudest = loudest.max(step);
            voiced += u8::from(step > 0);
        }
        if let (Some(newest), Some(step)) = (self.voiced.first_mut(), self.loudest.first_mut()) {
            (*newest, *step) = (voiced, loudest);
        }
    }

    /// The steps of loudness of a frame, 0 if it has no voice.
    fn voice(&mut self, level: Option<u8>) -> u8 {
        let loudness = match level {
            Some(level) => {
                self.held = (127_u8.saturating_sub(level), HOLD);
                self.held.0
            }
            None if self.held.1 > 0 => {
                self.held.1 -= 1;
                self.held.0
            }
            None => 0,
        };
        self.follow_noise(loudness);
        let is_voice = loudness >= QUIETEST && loudness >= self.noise.saturating_add(N1);
        if is_voice { loudness / N1 } else { 0 }
    }

    /// Noise is what remains in pauses: it falls at once and rises slowly.
    fn follow_noise(&mut self, loudness: u8) {
        if loudness <= self.noise {
            (self.noise, self.steady) = (loudness, 0);
            return;
        }
        self.steady += 1;
        if self.steady >= NOISE_RISE {
            (self.noise, self.steady) = ((self.noise + 1).min(LOUDEST_NOISE), 0);
        }
    }

    /// How much was spoken up to a window.
    fn activity(&self, window: u64) -> Activity {
        let age = self.window.checked_sub(window).and_then(|age| usize::try_from(age).ok());
        let loudest = age.and_then(|age| self.loudest.get(age)).copied().unwrap_or(0);
        let second =
            (0..u64::from(N3)).map(|before| window.checked_sub(before).map_or(0, |at| self.voiced_in(at)));
        let (mut frames, mut windows, mut pause) = (0, 0, None);
        for (before, voiced) in second.enumerate() {
            frames += voiced;
            if voiced > MINORITY {
                windows += 1;
                pause = pause.or(Some(before));
            }
        }
        Activity {
            scores: [
                score(N1, loudest, DECAYS[0]),
                score(N2, self.voiced_in(window), DECAYS[1]),
                score(N3, windows, DECAYS[2]),
            ],
            windows,
            frames,
            gives_way: pause.is_none_or(|pause| pause >= PAUSE),
        }
    }

    /// Frames with a voice in a window; those that are not remembered, or not heard of, have none.
    fn voiced_in(&self, window: u64) -> u8 {
        let age = self.window.checked_sub(window).and_then(|age| usize::try_from(age).ok());
        age.and_then(|age| self.voiced.get(age)).copied().unwrap_or(0)
    }
}

/// Makes room for newer ones at the front.
fn shift<const N: usize>(windows: &mut [u8; N], passed: usize) {
    let passed = passed.min(N);
    windows.rotate_right(passed % N);
    windows.iter_mut().take(passed).for_each(|window| *window = 0);
}

/// How much somebody spoke: at the moment, in the newest window, in the last second.
#[derive(Clone, Copy, Debug)]
struct Activity {
    scores: [f64; 3],
    /// Windows of speech in the last second, and frames with a voice.
    windows: u8,
    frames: u8,
    /// Whether there was no speech for a while.
    gives_way: bool,
}

impl Activity {
    const NONE: Self = Self { scores: [NO_ACTIVITY; 3], windows: 0, frames: 0, gives_way: true };

    /// How far it is ahead of another one, over a window and over a second, if that is enough to take over.
    fn lead(&self, over: &Self) -> Option<[f64; 2]> {
        let mut leads = [0.0; 3];
        for (lead, (own, other)) in leads.iter_mut().zip(self.scores.iter().zip(&over.scores)) {
            *lead = (own / other).ln();
        }
        let leads_all = leads.iter().zip(&LEADS).all(|(lead, least)| lead > least);
        let [_, medium, long] = leads;
        let may = over.gives_way || self.windows >= over.windows.saturating_add(AHEAD);
        (leads_all && may && self.frames >= ENOUGH).then_some([medium, long])
    }
}

/// How much likelier it is that somebody speaks than that nobody does, given `count` of `n`, as a logarithm.
fn score(n: u8, count: u8, decay: f64) -> f64 {
    let count = count.min(n);
    let ways: f64 = (1..=count).map(|k| (f64::from(n - count + k) / f64::from(k)).ln()).sum();
    let speech = ways + f64::from(n) * 0.5_f64.ln();
    let silence = decay.ln() - decay * f64::from(count);
    (speech - silence).max(NO_ACTIVITY)
}

/// Several speakers, of whom one at most is dominant.
#[derive(Debug)]
pub(crate) struct DominantSpeaker<Id> {
    speakers: BTreeMap<Id, Speech>,
    dominant: Option<Id>,
    /// The first window that was not judged.
    next: u64,
}

impl<Id> Default for DominantSpeaker<Id> {
    fn default() -> Self {
        Self { speakers: BTreeMap::new(), dominant: None, next: 0 }
    }
}

impl<Id: Copy + Ord> DominantSpeaker<Id> {
    /// Adds somebody. Returns whether that is new.
    pub(crate) fn add(&mut self, id: Id) -> bool {
        let is_new = !self.speakers.contains_key(&id);
        self.speakers.entry(id).or_default();
        is_new
    }

    /// Removes somebody. Returns whether there was such a one.
    pub(crate) fn remove(&mut self, id: &Id) -> bool {
        self.dominant = self.dominant.filter(|dominant| dominant != id);
        self.speakers.remove(id).is_some()
    }

    /// All of them, by id.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> {
        self.speakers.keys().copied()
    }

    /// Who is dominant; whoever it was last stays so when nobody speaks.
    pub(crate) fn dominant(&self) -> Option<Id> {
        self.dominant
    }

    /// Takes in the frames of a window, levels in -dBov; what is not newer than the last is left out.
    pub(crate) fn hear(&mut self, id: &Id, window: u64, frames: &[Option<u8>; FRAMES]) {
        if let Some(speech) = self.speakers.get_mut(id) {
            speech.hear(window, frames);
        }
    }

    /// Decides by what was heard up to a window. Returns who is dominant now, if that is somebody else.
    pub(crate) fn decide(&mut self, window: u64) -> Option<Id> {
        let before = self.dominant;
        let oldest = window.saturating_sub(LOOK_BACK as u64 - 1);
        for window in self.next.max(oldest)..=window {
            self.judge(window);
        }
        self.next = self.next.max(window.saturating_add(1));
        self.dominant.filter(|_| self.dominant != before)
    }

    fn judge(&mut self, window: u64) {
        let dominant = self.dominant.and_then(|id| self.speakers.get(&id));
        let dominant = dominant.map_or(Activity::NONE, |speech| speech.activity(window));
        let others = self.speakers.iter().filter(|(id, _)| Some(**id) != self.dominant);
        let ahead = others
            .filter_map(|(id, speech)| Some((speech.activity(window).lead(&dominant)?, *id)))
            .reduce(|best, other| if other.0 > best.0 { other } else { best });
        if let Some((_, id)) = ahead {
            self.dominant = Some(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Loud, in -dBov.
    const VOICE: u8 = 30;
    const NOISE: u8 = 75;
    /// Windows between decisions.
    const INTERVAL: u64 = 3;

    /// Lets each of several follow a script, a level for each 20 ms; returns who became dominant, and at which millisecond.
    fn play(millis: u64, level: impl Fn(u8, u64) -> Option<u8>) -> Vec<(u64, u8)> {
        play_from(0, millis, level)
    }

    /// The same, with the first decision so many windows later.
    fn play_from(first: u64, millis: u64, level: impl Fn(u8, u64) -> Option<u8>) -> Vec<(u64, u8)> {
        let mut speakers = DominantSpeaker::default();
        (0..3).for_each(|id| assert!(speakers.add(id)));
        let mut changes = Vec::new();
        for window in 0..millis / 100 {
            for id in 0..3 {
                let frames = std::array::from_fn(|frame| level(id, window * 100 + frame as u64 * 20));
                speakers.hear(&id, window + 1, &frames);
            }
            if window % INTERVAL == first {
                changes.extend(speakers.decide(window + 1).map(|id| ((window + 1) * 100, id)));
            }
        }
        changes
    }

    fn when(speaks: bool) -> Option<u8> {
        Some(if speaks { VOICE } else { NOISE })
    }

    #[test]
    fn a_take_over_is_seen_within_a_second() {
        for handover in (3000..3300).step_by(20) {
            let changes = play(8000, |id, at| when(id == u8::from(at >= handover)));
            let [(start, 0), (seen, 1)] = changes[..] else { panic!("{changes:?}") };
            assert!(start <= 1000, "{start}");
            assert!((handover..=handover + 900).contains(&seen), "{handover} {seen}");
        }
    }

    #[test]
    fn a_cough_does_not_take_over() {
        for (cough, long) in (3000..3300).step_by(20).flat_map(|at| [(at, 200), (at, 340)]) {
            let is_cough = |at| (cough..cough + long).contains(&at);
            let while_speaking = play(6000, |id, at| when(id == 0 || id == 1 && is_cough(at)));
            assert_eq!(while_speaking.len(), 1, "{while_speaking:?}");
            let in_silence = play(6000, |id, at| when(id == 0 && at < 1500 || id == 1 && is_cough(at)));
            assert_eq!(in_silence.len(), 1, "{in_silence:?}");
        }
    }

    #[test]
    fn silence_keeps_the_last_speaker() {
        let changes = play(20_000, |id, at| when(id == 2 && at < 2000));
        assert!(matches!(changes[..], [(_, 2)]), "{changes:?}");
        let without_packets = play(20_000, |id, at| (id == 2 && at < 2000).then_some(VOICE));
        assert_eq!(without_packets, changes);
    }

    #[test]
    fn two_at_once_do_not_take_turns() {
        let both = play(20_000, |id, _| when(id < 2));
        assert_eq!(both.len(), 1, "{both:?}");
        // Words with pauses between them, each in a rhythm of its own.
        let words = |id: u8, at: u64| match id {
            0 => at % 900 < 700,
            1 => (at + 350) % 800 < 600,
            _ => false,
        };
        let slower = |id: u8, at: u64| match id {
            0 => at % 1300 < 900,
            1 => (at + 350) % 1100 < 700,
            _ => false,
        };
        for first in 0..INTERVAL {
            let both = play_from(first, 60_000, |id, at| when(words(id, at)));
            assert!(both.len() <= 2, "{both:?}");
            let both = play_from(first, 60_000, |id, at| when(slower(id, at)));
            assert!(both.len() <= 3, "{both:?}");
        }
    }

    #[test]
    fn who_breaks_in_takes_over_once_the_other_gives_way() {
        // Both speak for 2 s, then one alone.
        let changes = play(9000, |id, at| when(id == 0 && at < 5000 || id == 1 && at >= 3000));
        let [(_, 0), (seen, 1)] = changes[..] else { panic!("{changes:?}") };
        assert!((5000..=5900).contains(&seen), "{seen}");
        // Somebody whose noise counts as a voice now and then is in the way of others for little more than a second.
        let changes =
            play(9000, |id, at| when(id == 0 && (at < 3000 || at % 400 < 100) || id == 1 && at >= 3000));
        assert!(matches!(changes[..], [(_, 0), (3000..=4200, 1)]), "{changes:?}");
    }

    #[test]
    fn a_steady_noise_is_no_voice_in_the_long_run() {
        // A fan that starts at 1 s, and somebody who speaks now and then.
        let fan = |at| if at < 1000 { Some(NOISE) } else { Some(48) };
        let changes = play(180_000, |id, at| match id {
            0 => when(at < 3000 || at > 120_000 && at % 8000 < 3000),
            1 => fan(at),
            _ => None,
        });
        let late = changes.iter().filter(|(at, _)| *at > 122_000).count();
        assert_eq!(late, 0, "{changes:?}");
    }

    #[test]
    fn packets_of_60_ms_are_speech_without_gaps() {
        let changes = play(3000, |id, at| if id == 0 && at % 60 == 0 { Some(VOICE) } else { None });
        assert!(matches!(changes[..], [(_, 0)]), "{changes:?}");
    }

    #[test]
    fn whoever_was_removed_is_not_dominant() {
        let mut speakers = DominantSpeaker::default();
        assert!(speakers.add(1) && !speakers.add(1));
        for window in 1..=10 {
            speakers.hear(&1, window, &[Some(VOICE); FRAMES]);
        }
        assert_eq!(speakers.decide(10), Some(1));
        assert_eq!(speakers.decide(10), None, "no change");
        assert!(speakers.remove(&1) && !speakers.remove(&1));
        assert_eq!((speakers.dominant(), speakers.decide(11)), (None, None));
    }

    proptest! {
        #[test]
        fn any_levels_give_one_switch_a_decision_to_somebody_who_is_there(
            script in prop::collection::vec((0_u8..5, 0_u64..40, prop::array::uniform5(prop::option::of(0_u8..=255))), 1..400),
        ) {
            let mut speakers = DominantSpeaker::default();
            let mut window = 0;
            for (id, step, frames) in script {
                if id == 4 {
                    speakers.remove(&(step as u8 % 4));
                    continue;
                }
                speakers.add(id);
                window += step / 20;
                speakers.hear(&id, window.saturating_sub(step % 3), &frames);
                let before = speakers.dominant();
                match speakers.decide(window) {
                    Some(now) => prop_assert!(Some(now) != before && speakers.ids().any(|id| id == now)),
                    None => prop_assert_eq!(speakers.dominant(), before),
                }
                prop_assert_eq!(speakers.decide(window), None, "nothing new, no change");
            }
        }
    }
}
