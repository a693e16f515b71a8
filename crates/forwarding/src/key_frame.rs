//! Key frames: who waits for one, and when to ask the source.
//!
//! [`KeyFrameGate`] belongs to a consumer, [`KeyFrameRequests`] to a source stream. Neither knows the other, nor a codec.

use crate::key_frame_budget::KeyFrameBudget;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// One request in this time leaves in the long run, and a request that brought no key frame is repeated after it.
pub const KEY_FRAME_REQUEST_INTERVAL: Duration = Duration::from_millis(1000);
/// The least time between two requests. After a quiet second, one may leave that much after the other without waiting for the
/// interval: those who come in a crowd share a key frame with whoever came in the same half second, and wait no longer.
pub const KEY_FRAME_REQUEST_GAP: Duration = Duration::from_millis(500);
/// The longest that the budget ([`KeyFrameBudget`]) holds a request back, from the last one: a viewer without a picture who waits
/// longer is as good as lost.
pub const KEY_FRAME_LONGEST_DELAY: Duration = Duration::from_secs(5);

/// Holds a consumer's video back until a key frame. Open for streams without key frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFrameGate {
    applies: bool,
    waiting: bool,
}

impl KeyFrameGate {
    /// A gate that `applies` to video whose key frames can be told, and to nothing else. It starts out closed.
    pub const fn new(applies: bool) -> Self {
        Self { applies, waiting: applies }
    }

    /// Closes the gate: the stream resumes on a key frame.
    pub const fn close(&mut self) {
        self.waiting = self.applies;
    }

    /// Whether a packet passes; the start of a key frame opens the gate.
    #[inline]
    pub const fn pass(&mut self, starts_key_frame: bool) -> bool {
        if starts_key_frame {
            self.waiting = false;
        }
        !self.waiting
    }

    /// Whether a key frame is needed before anything passes.
    pub const fn is_waiting(&self) -> bool {
        self.waiting
    }
}

/// How to ask a source for a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFrameRequest {
    /// Picture loss indication (RFC 4585 section 6.3.1).
    Pli,
    /// Full intra request (RFC 5104 section 4.3.1).
    Fir {
        /// The command's sequence number; a repetition of an unanswered command keeps it (RFC 5104 section 4.3.1.2).
        sequence_number: u8,
    },
}

/// Which requests a source understands, and how often it wants them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyFrameRequestsConfig {
    /// The codec's feedback has `nack pli`: preferred.
    pub use_pli: bool,
    /// The codec's feedback has `ccm fir`: used without PLI.
    pub use_fir: bool,
    /// Least time between two requests (`keyFrameRequestDelay`), default 0; what is below
    /// [`KEY_FRAME_REQUEST_GAP`] changes nothing.
    pub delay: Duration,
}

/// Merges the requests of all who wait for a key frame of one source stream, and spaces them: by [`KEY_FRAME_REQUEST_GAP`] at least,
/// by [`KEY_FRAME_REQUEST_INTERVAL`] in the long run, and so that key frames stay within their [`KeyFrameBudget`].
#[derive(Clone, Copy, Debug)]
pub struct KeyFrameRequests {
    config: KeyFrameRequestsConfig,
    budget: KeyFrameBudget,
    /// How many requests may still leave before a key frame must be asked for anew.
    remaining: u8,
    forced: bool,
    last_sent: Option<Time>,
    /// When the rate in the long run lets the next one leave.
    next_by_rate: Time,
    /// A request left after the last key frame.
    unanswered: bool,
    fir_sequence: u8,
    pli_count: u64,
    fir_count: u64,
}

impl KeyFrameRequests {
    /// Nothing asked for.
    pub const fn new(config: KeyFrameRequestsConfig) -> Self {
        Self {
            config,
            budget: KeyFrameBudget::new(),
            remaining: 0,
            forced: false,
            last_sent: None,
            next_by_rate: Time::ZERO,
            unanswered: false,
            fir_sequence: 0,
            pli_count: 0,
            fir_count: 0,
        }
    }

    /// Takes a packet of the stream, of `bytes` in all; `starts_key_frame`: a decoder can start there, and all who waited do.
    #[inline]
    pub fn on_packet(&mut self, timestamp: u32, bytes: usize, starts_key_frame: bool) {
        self.budget.on_packet(timestamp, bytes, starts_key_frame);
        if starts_key_frame {
            self.on_key_frame();
        }
    }

    /// Someone needs a key frame: a request leaves as soon as rate and budget allow, and once more if no key frame comes.
    /// Does nothing if the source understands no request.
    pub fn request(&mut self) {
        if self.config.use_pli || self.config.use_fir {
            let needed = if self.unanswered { 1 } else { 2 };
            self.remaining = self.remaining.max(needed);
        }
    }

    /// As [`request`](Self::request), but the next request waits for nothing: for a stream that has just appeared.
    pub fn force(&mut self) {
        self.request();
        self.forced = self.remaining > 0;
    }

    fn on_key_frame(&mut self) {
        self.remaining = 0;
        self.forced = false;
        self.unanswered = false;
    }

    /// The request to send at `now`, if one is due.
    pub fn poll(&mut self, now: Time) -> Option<KeyFrameRequest> {
        if now < self.next_deadline() {
            return None;
        }
        let repeated = self.unanswered;
        self.remaining = self.remaining.checked_sub(1)?;
        self.forced = false;
        self.unanswered = self.remaining > 0;
        self.next_by_rate = match self.last_sent.replace(now) {
            Some(_) => now.max(self.next_by_rate + KEY_FRAME_REQUEST_INTERVAL),
            None => now,
        };
        self.budget.spend();
        if self.config.use_pli {
            self.pli_count += 1;
            return Some(KeyFrameRequest::Pli);
        }
        self.fir_count += 1;
        if !repeated {
            self.fir_sequence = self.fir_sequence.wrapping_add(1);
        }
        Some(KeyFrameRequest::Fir { sequence_number: self.fir_sequence })
    }

    /// When to poll next: [`Time::ZERO`] for at once, [`Time::NEVER`] for not at all. Packets may move it forward.
    pub fn next_deadline(&self) -> Time {
        match self.last_sent {
            _ if self.remaining == 0 => Time::NEVER,
            Some(last_sent) if !self.forced => self.spaced(last_sent),
            _ => Time::ZERO,
        }
    }

    fn spaced(&self, last_sent: Time) -> Time {
        let gap = if self.unanswered { KEY_FRAME_REQUEST_INTERVAL } else { KEY_FRAME_REQUEST_GAP };
        let by_rate = self.next_by_rate.max(last_sent + gap.max(self.config.delay));
        if self.budget.suffices() { by_rate } else { by_rate.max(last_sent + KEY_FRAME_LONGEST_DELAY) }
    }

    /// PLIs sent.
    pub const fn pli_count(&self) -> u64 {
        self.pli_count
    }

    /// FIRs sent.
    pub const fn fir_count(&self) -> u64 {
        self.fir_count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn requests(use_pli: bool, delay: u64) -> KeyFrameRequests {
        let delay = Duration::from_millis(delay);
        KeyFrameRequests::new(KeyFrameRequestsConfig { use_pli, use_fir: true, delay })
    }

    #[test]
    fn the_gate_opens_at_a_key_frame() {
        let mut gate = KeyFrameGate::new(true);
        assert!(!gate.pass(false));
        assert!(gate.is_waiting());
        assert!(gate.pass(true));
        assert!(gate.pass(false));
        gate.close();
        assert!(!gate.pass(false));
    }

    #[test]
    fn audio_has_no_gate() {
        let mut gate = KeyFrameGate::new(false);
        assert!(gate.pass(false));
        gate.close();
        assert!(!gate.is_waiting());
        assert!(gate.pass(false));
    }

    #[test]
    fn requests_merge_and_repeat_once() {
        let mut requests = requests(true, 0);
        requests.request();
        requests.request();
        assert_eq!(requests.next_deadline(), Time::ZERO);
        assert_eq!(requests.poll(at(5)), Some(KeyFrameRequest::Pli));
        assert_eq!(requests.poll(at(5)), None);
        requests.request();
        assert_eq!(requests.next_deadline(), at(1005));
        assert_eq!(requests.poll(at(1004)), None);
        assert_eq!(requests.poll(at(1005)), Some(KeyFrameRequest::Pli));
        assert_eq!(requests.poll(at(9000)), None);
        assert_eq!((requests.pli_count(), requests.fir_count()), (2, 0));
    }

    #[test]
    fn a_key_frame_ends_it_but_not_the_gap() {
        let mut requests = requests(true, 0);
        requests.request();
        assert!(requests.poll(at(0)).is_some());
        requests.on_key_frame();
        assert_eq!(requests.next_deadline(), Time::NEVER);
        requests.request();
        assert_eq!(requests.next_deadline(), at(500));
        requests.on_key_frame();
        assert_eq!(requests.poll(at(1000)), None);
    }

    /// When requests leave if somebody new always waits, and each brings a key frame at once. Between them the stream brings `bytes` a
    /// millisecond.
    fn always_wanted(requests: &mut KeyFrameRequests, from: u64, until: u64, bytes: usize) -> Vec<u64> {
        let mut left = Vec::new();
        for now in from..until {
            requests.request();
            requests.on_packet(2 * now as u32, bytes, false);
            if requests.poll(at(now)).is_some() {
                left.push(now);
                requests.on_packet(2 * now as u32 + 1, 10_000, true);
            }
        }
        left
    }

    #[test]
    fn a_crowd_is_answered_every_half_second_at_first_and_every_second_then() {
        let mut requests = requests(true, 0);
        assert_eq!(always_wanted(&mut requests, 0, 4500, 1000), [0, 500, 1000, 2000, 3000, 4000]);
        // Quiet since 4000: the next crowd finds the same.
        assert_eq!(
            always_wanted(&mut requests, 10_000, 13_500, 1000),
            [10_000, 10_500, 11_000, 12_000, 13_000]
        );
    }

    #[test]
    fn without_a_budget_left_requests_wait_until_it_is_refilled() {
        let mut requests = requests(true, 0);
        // 10 bytes a millisecond and the key frames themselves: a quarter of it is a key frame in three seconds.
        let left = always_wanted(&mut requests, 0, 40_000, 10);
        assert_eq!(left[..3], [0, 500, 1000]);
        let gaps: Vec<u64> = left.windows(2).skip(6).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.len() > 5 && gaps.iter().all(|gap| (2900..=3100).contains(gap)), "{gaps:?}");
    }

    #[test]
    fn a_request_is_never_held_back_for_more_than_five_seconds() {
        let mut requests = requests(true, 0);
        let left = always_wanted(&mut requests, 0, 30_000, 0);
        assert_eq!(left[..3], [0, 500, 1000]);
        let gaps: Vec<u64> = left.windows(2).skip(3).map(|pair| pair[1] - pair[0]).collect();
        assert!(!gaps.is_empty() && gaps.iter().all(|gap| *gap == 5000), "{gaps:?}");
    }

    #[test]
    fn force_passes_the_interval() {
        let mut requests = requests(true, 0);
        requests.request();
        assert!(requests.poll(at(0)).is_some());
        requests.force();
        assert!(requests.poll(at(1)).is_some());
        assert_eq!(requests.poll(at(2)), None);
    }

    #[test]
    fn the_delay_spaces_requests() {
        let mut requests = requests(true, 5000);
        requests.request();
        assert!(requests.poll(at(0)).is_some());
        assert_eq!(requests.next_deadline(), at(5000));
    }

    #[test]
    fn fir_numbers_a_command_and_keeps_it_when_repeating() {
        let mut requests = requests(false, 0);
        requests.request();
        assert_eq!(requests.poll(at(0)), Some(KeyFrameRequest::Fir { sequence_number: 1 }));
        assert_eq!(requests.poll(at(1000)), Some(KeyFrameRequest::Fir { sequence_number: 1 }));
        requests.on_key_frame();
        requests.request();
        assert_eq!(requests.poll(at(3000)), Some(KeyFrameRequest::Fir { sequence_number: 2 }));
    }

    #[test]
    fn without_feedback_nothing_is_asked() {
        let mut requests = KeyFrameRequests::new(KeyFrameRequestsConfig::default());
        requests.force();
        assert_eq!(requests.poll(at(0)), None);
        assert_eq!(requests.next_deadline(), Time::NEVER);
    }

    proptest! {
        #[test]
        fn one_a_second_in_the_long_run_and_half_a_second_apart(
            steps in prop::collection::vec((0u64..700, 0u8..4), 1..300),
        ) {
            let mut requests = requests(true, 0);
            let (mut now, mut left) = (0, Vec::<u64>::new());
            for (step, action) in steps {
                now += step;
                match action {
                    0 => requests.on_packet(now as u32, 100, true),
                    _ => requests.request(),
                }
                if requests.poll(at(now)).is_some() {
                    prop_assert!(left.last().is_none_or(|last| now - last >= 500));
                    left.push(now);
                }
            }
            for (index, from) in left.iter().enumerate() {
                for (count, until) in left.iter().skip(index).enumerate() {
                    // The first of them, one that was saved up, and one for each second since.
                    prop_assert!(count as u64 <= (until - from) / 1000 + 1, "{count} after {from} until {until}");
                }
            }
        }

        /// Requested key frames take their share, what was saved up, and what the longest delay gives them beyond that.
        #[test]
        fn key_frames_stay_within_their_budget(
            frame in 1usize..8000,
            key_frame in 1_000usize..200_000,
            frame_millis in 10u64..100,
        ) {
            let mut requests = requests(true, 0);
            let (mut received, mut asked) = (0u64, 0u64);
            let (mut received_then, mut asked_then, mut beyond) = (0, 0, 0u64);
            let mut wanted = false;
            for number in 0..60_000 / frame_millis {
                let now = number * frame_millis;
                if now >= 30_000 && received_then == 0 {
                    (received_then, asked_then) = (received, asked);
                    beyond = 0;
                }
                requests.request();
                let size = if std::mem::take(&mut wanted) { key_frame } else { frame };
                for packet in 0..size.div_ceil(1200) {
                    let starts_key_frame = size == key_frame && packet == 0;
                    requests.on_packet(number as u32, 1200.min(size - packet * 1200), starts_key_frame);
                }
                received += size as u64;
                requests.request();
                let suffices = requests.budget.suffices();
                if requests.poll(at(now)).is_some() {
                    wanted = true;
                    asked += key_frame as u64;
                    beyond += u64::from(!suffices);
                }
            }
            let (received, asked) = (received - received_then, asked - asked_then);
            let free = 3 * key_frame as u64;
            prop_assert!(beyond <= 7);
            prop_assert!(
                asked * 100 <= received * 25 + (free + beyond * key_frame as u64) * 100,
                "{asked} bytes asked for of {received}, {beyond} beyond the budget"
            );
        }
    }
}
