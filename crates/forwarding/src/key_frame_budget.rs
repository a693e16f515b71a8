//! How much of a stream may be key frames that were asked for: a token bucket in bytes, filled by what the stream brings.
//!
//! Knows timestamps and sizes, and neither time nor who asks.

/// Share of a stream's bytes, in percent, that key frames asked for may take in the long run. Viewers who come or lose packets all
/// the time then cost the picture a quarter of its bitrate at most, which an encoder absorbs with a little less sharpness.
pub const KEY_FRAME_SHARE_PERCENT: u64 = 25;
/// The most key frames that can be saved up. Three are what a crowd asks for that comes within a second, see
/// [`KEY_FRAME_REQUEST_GAP`](crate::key_frame::KEY_FRAME_REQUEST_GAP).
pub const KEY_FRAME_BUDGET: u64 = 3;
/// What a key frame is taken for before one was seen whole, in bytes: about one of a 360p camera.
pub const KEY_FRAME_ESTIMATE: u64 = 30_000;

/// Tokens are hundredths of a byte, so that a share in percent needs no division.
const TOKENS_PER_BYTE: u64 = 100;

/// A key frame as far as it came.
#[derive(Clone, Copy, Debug)]
struct KeyFrame {
    timestamp: u32,
    bytes: u64,
    /// A packet of another frame has come since.
    is_whole: bool,
}

/// A token bucket that fills with [`KEY_FRAME_SHARE_PERCENT`] of the bytes received, holds [`KEY_FRAME_BUDGET`] key frames of the size
/// of the last one, and starts full.
#[derive(Clone, Copy, Debug)]
pub struct KeyFrameBudget {
    tokens: u64,
    /// Bytes of the last key frame that came whole.
    size: u64,
    measured: bool,
    newest: Option<KeyFrame>,
}

impl Default for KeyFrameBudget {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyFrameBudget {
    /// A full bucket.
    pub const fn new() -> Self {
        Self {
            tokens: KEY_FRAME_BUDGET * KEY_FRAME_ESTIMATE * TOKENS_PER_BYTE,
            size: KEY_FRAME_ESTIMATE,
            measured: false,
            newest: None,
        }
    }

    /// Takes a packet of the stream, of `bytes` in all. `starts_key_frame`: it is the first of a key frame, as far as can be told; the
    /// other packets of that timestamp belong to it.
    #[inline]
    pub fn on_packet(&mut self, timestamp: u32, bytes: usize, starts_key_frame: bool) {
        let bytes = bytes as u64;
        if self.measured || self.newest.is_none() {
            let filled = self.tokens.saturating_add(bytes.saturating_mul(KEY_FRAME_SHARE_PERCENT));
            self.tokens = filled.min(self.capacity());
        }
        match &mut self.newest {
            Some(newest) if newest.timestamp == timestamp => {
                newest.bytes = newest.bytes.saturating_add(bytes);
                if newest.is_whole {
                    self.size = newest.bytes;
                }
            }
            _ if starts_key_frame => {
                self.measure();
                self.newest = Some(KeyFrame { timestamp, bytes, is_whole: false });
            }
            Some(newest) if !newest.is_whole => self.measure(),
            _ => {}
        }
    }

    /// Whether there is enough for a key frame of the size of the last one.
    pub const fn suffices(&self) -> bool {
        self.tokens >= self.size.saturating_mul(TOKENS_PER_BYTE)
    }

    /// A key frame is asked for: takes what the last one cost, or what there is.
    pub const fn spend(&mut self) {
        self.tokens = self.tokens.saturating_sub(self.size.saturating_mul(TOKENS_PER_BYTE));
    }

    /// Bytes that a key frame is taken for.
    pub const fn key_frame_size(&self) -> u64 {
        self.size
    }

    const fn capacity(&self) -> u64 {
        self.size.saturating_mul(KEY_FRAME_BUDGET * TOKENS_PER_BYTE)
    }

    /// The newest key frame has come, as far as it will in order.
    #[cold]
    fn measure(&mut self) {
        let Some(newest) = self.newest.as_mut().filter(|newest| !newest.is_whole && newest.bytes > 0) else {
            return;
        };
        newest.is_whole = true;
        if !self.measured {
            // What was spent so far was spent in key frames, whatever they were taken for.
            self.tokens = (self.tokens / self.size.max(1)).saturating_mul(newest.bytes);
            self.measured = true;
        }
        self.size = newest.bytes;
        self.tokens = self.tokens.min(self.capacity());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key frame of ten packets, and a packet of the next frame that ends it.
    fn key_frame(budget: &mut KeyFrameBudget, timestamp: u32, packet: usize) {
        for index in 0..10 {
            budget.on_packet(timestamp, packet, index == 0);
        }
        budget.on_packet(timestamp + 3000, 0, false);
    }

    fn affordable(mut budget: KeyFrameBudget) -> usize {
        (0..100)
            .take_while(|_| {
                let suffices = budget.suffices();
                budget.spend();
                suffices
            })
            .count()
    }

    #[test]
    fn it_starts_with_three_key_frames() {
        assert_eq!(affordable(KeyFrameBudget::new()), 3);
    }

    #[test]
    fn a_key_frame_is_all_packets_of_its_timestamp() {
        let mut budget = KeyFrameBudget::new();
        key_frame(&mut budget, 3000, 1000);
        assert_eq!(budget.key_frame_size(), 10_000);
        // One of them was lost and comes again.
        budget.on_packet(3000, 500, false);
        assert_eq!(budget.key_frame_size(), 10_500);
        budget.on_packet(9000, 700, false);
        assert_eq!(budget.key_frame_size(), 10_500);
    }

    #[test]
    fn what_the_first_key_frame_turns_out_to_cost_changes_nothing_of_how_many_are_left() {
        for packet in [100, 1000, 20_000] {
            let mut budget = KeyFrameBudget::new();
            budget.spend();
            key_frame(&mut budget, 3000, packet);
            assert_eq!(affordable(budget), 2, "{packet}");
        }
    }

    #[test]
    fn a_quarter_of_what_comes_fills_it_and_no_more_than_three_key_frames_are_saved() {
        let mut budget = KeyFrameBudget::new();
        key_frame(&mut budget, 3000, 1000);
        (0..3).for_each(|_| budget.spend());
        assert!(!budget.suffices());
        for packet in 0..39 {
            budget.on_packet(9000 + packet, 1000, false);
        }
        assert!(!budget.suffices());
        budget.on_packet(90_000, 1000, false);
        assert!(budget.suffices());
        for packet in 0..10_000 {
            budget.on_packet(100_000 + packet, 1000, false);
        }
        assert_eq!(affordable(budget), 3);
    }
}
