//! Key frames: who waits for one, and when to ask the source.
//!
//! [`KeyFrameGate`] belongs to a consumer, [`KeyFrameRequests`] to a source stream. Neither knows the other, nor a codec.

use std::time::Duration;
use tureen_rtp_wire::Time;

/// At most one request leaves in this time, and a request that brought no key frame is repeated after it.
pub const KEY_FRAME_REQUEST_INTERVAL: Duration = Duration::from_millis(1000);

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
    /// [`KEY_FRAME_REQUEST_INTERVAL`] changes nothing.
    pub delay: Duration,
}

/// Merges the requests of all who wait for a key frame of one source stream.
#[derive(Clone, Copy, Debug)]
pub struct KeyFrameRequests {
    config: KeyFrameRequestsConfig,
    /// How many requests may still leave before a key frame must be asked for anew.
    remaining: u8,
    forced: bool,
    last_sent: Option<Time>,
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
            remaining: 0,
            forced: false,
            last_sent: None,
            unanswered: false,
            fir_sequence: 0,
            pli_count: 0,
            fir_count: 0,
        }
    }

    /// Someone needs a key frame: a request leaves as soon as the interval allows, and once more if no key frame comes.
    /// Does nothing if the source understands no request.
    pub fn request(&mut self) {
        if self.config.use_pli || self.config.use_fir {
            let needed = if self.unanswered { 1 } else { 2 };
            self.remaining = self.remaining.max(needed);
        }
    }

    /// As [`request`](Self::request), but the next request does not wait for the interval: for a stream that has just appeared.
    pub fn force(&mut self) {
        self.request();
        self.forced = self.remaining > 0;
    }

    /// A key frame came: all who waited have it.
    pub fn on_key_frame(&mut self) {
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
        self.last_sent = Some(now);
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

    /// When to poll next: [`Time::ZERO`] for at once, [`Time::NEVER`] for not at all.
    pub fn next_deadline(&self) -> Time {
        match self.last_sent {
            _ if self.remaining == 0 => Time::NEVER,
            Some(last_sent) if !self.forced => last_sent + KEY_FRAME_REQUEST_INTERVAL.max(self.config.delay),
            _ => Time::ZERO,
        }
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
    fn a_key_frame_ends_it_but_not_the_interval() {
        let mut requests = requests(true, 0);
        requests.request();
        assert!(requests.poll(at(0)).is_some());
        requests.on_key_frame();
        assert_eq!(requests.next_deadline(), Time::NEVER);
        requests.request();
        assert_eq!(requests.next_deadline(), at(1000));
        requests.on_key_frame();
        assert_eq!(requests.poll(at(1000)), None);
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
        fn never_more_than_one_a_second(steps in prop::collection::vec((0u64..700, 0u8..4), 1..300)) {
            let mut requests = requests(true, 0);
            let (mut now, mut last) = (0, None::<u64>);
            for (step, action) in steps {
                now += step;
                match action {
                    0 => requests.on_key_frame(),
                    _ => requests.request(),
                }
                if requests.poll(at(now)).is_some() {
                    prop_assert!(last.is_none_or(|last| now - last >= 1000));
                    last = Some(now);
                }
            }
        }
    }
}
