//! The last packets of one producer stream, one copy of each, for sending them again to whoever missed them.
//!
//! Knows no consumer. Whatever a consumer changed is written anew when a packet is sent again.

use crate::key_frame_run::{KeyFrameRun, RunLimits, RunTracker};
use crate::meta::PacketMeta;
use std::fmt;
use std::time::Duration;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::RtpLayout;

/// Packets that a video stream keeps, unless chosen otherwise.
pub const STORE_CAPACITY_VIDEO: usize = 2500;
/// Packets that an audio stream keeps, unless chosen otherwise.
pub const STORE_CAPACITY_AUDIO: usize = 256;
/// A video packet older than this is not sent again.
pub const STORE_MAX_AGE_VIDEO: Duration = Duration::from_millis(2000);
/// An audio packet older than this is not sent again.
pub const STORE_MAX_AGE_AUDIO: Duration = Duration::from_millis(1000);
/// Bytes of a slot, unless chosen otherwise: what fits into an Ethernet frame over IPv4 and UDP.
pub const STORE_STRIDE: usize = 1472;

/// Slots are allocated in blocks of this many.
const BLOCK: usize = 32;
const CACHE_LINE: usize = 64;
/// Marks the absence of a slot.
const NONE: u16 = u16::MAX;

/// What a store is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketStoreConfig {
    /// Most packets kept, 1 to 32768.
    pub capacity: usize,
    /// Bytes of a slot; larger packets are not kept. A power of two is raised by a cache line, so that slots do not crowd into the same
    /// cache sets.
    pub stride: usize,
    /// Age at which a packet is not handed out any more, and its slot is free; see also [`PacketStore::keeping_runs`].
    pub max_age: Duration,
}

impl PacketStoreConfig {
    /// For a video stream.
    pub const VIDEO: Self =
        Self { capacity: STORE_CAPACITY_VIDEO, stride: STORE_STRIDE, max_age: STORE_MAX_AGE_VIDEO };
    /// For an audio stream.
    pub const AUDIO: Self =
        Self { capacity: STORE_CAPACITY_AUDIO, stride: STORE_STRIDE, max_age: STORE_MAX_AGE_AUDIO };
}

/// A packet from the store.
#[derive(Clone, Copy, Debug)]
pub struct StoredPacket<'a> {
    /// The whole packet, as it came in.
    pub bytes: &'a [u8],
    /// Where its parts are.
    pub layout: RtpLayout,
    /// What ingest knew about it.
    pub meta: &'a PacketMeta,
}

/// Whether a packet was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It was.
    Kept,
    /// It is larger than a slot.
    TooLarge,
    /// It was there already.
    Duplicate,
}

struct Slot {
    meta: PacketMeta,
    layout: RtpLayout,
    len: u16,
    /// The slot that was filled after this one.
    newer: u16,
}

/// Keeps packets by extended sequence number. Takes memory in blocks as the stream needs it, up to its capacity, and none once it has
/// seen its busiest stretch of `max_age`.
pub struct PacketStore {
    capacity: usize,
    stride: usize,
    max_age: Duration,
    /// From extended sequence number, modulo its length, to slot. Its length is a power of two.
    index: Box<[u16]>,
    slots: Vec<Slot>,
    blocks: Vec<Box<[u8]>>,
    oldest: u16,
    newest: u16,
    /// The highest number kept so far.
    highest: u64,
    /// What came since the newest key frame, where that is kept for newcomers.
    run: Option<RunTracker>,
}

impl PacketStore {
    /// An empty store.
    pub fn new(config: PacketStoreConfig) -> Self {
        let capacity = config.capacity.clamp(1, 1 << 15);
        let stride = config.stride.clamp(1, usize::from(u16::MAX));
        let stride = if stride.is_power_of_two() { stride + CACHE_LINE } else { stride };
        Self {
            capacity,
            stride,
            max_age: config.max_age,
            index: vec![NONE; (2 * capacity).next_power_of_two()].into_boxed_slice(),
            slots: Vec::new(),
            blocks: Vec::with_capacity(capacity.div_ceil(BLOCK)),
            oldest: NONE,
            newest: NONE,
            highest: 0,
            run: None,
        }
    }

    /// The same, and the packets since the newest key frame stay in it beyond their age, as long as they are within `limits`.
    #[must_use]
    pub fn keeping_runs(mut self, limits: RunLimits) -> Self {
        self.run = Some(RunTracker::new(limits));
        self
    }

    /// Copies a packet in; its age counts from `meta.received_at`, its key is `meta.extended_sequence`.
    pub fn insert(&mut self, bytes: &[u8], layout: RtpLayout, meta: &PacketMeta) -> Stored {
        let Some(len) = u16::try_from(bytes.len()).ok().filter(|&len| usize::from(len) <= self.stride) else {
            return Stored::TooLarge;
        };
        let place = self.place(meta.extended_sequence);
        if self.find(meta.extended_sequence).is_some() {
            return Stored::Duplicate;
        }
        let slot = Slot { meta: *meta, layout, len, newer: NONE };
        let number = self.take_slot(slot);
        if let Some(target) = self.bytes_mut(number).and_then(|block| block.get_mut(..bytes.len())) {
            target.copy_from_slice(bytes);
        }
        if let Some(entry) = self.index.get_mut(place) {
            *entry = number;
        }
        self.highest = self.highest.max(meta.extended_sequence);
        if let Some(run) = &mut self.run {
            run.on_kept(meta, bytes.len());
        }
        Stored::Kept
    }

    /// The packets since the newest key frame, if each of them is there and all are within the limits at `now`.
    pub fn run(&self, now: Time) -> Option<KeyFrameRun> {
        let run = self.run.as_ref()?;
        let (first, newest) = (run.first(now)?, self.highest);
        if newest.saturating_sub(first) >= self.capacity as u64 {
            return None;
        }
        let mut bytes = 0usize;
        for number in first..=newest {
            bytes = bytes.saturating_add(self.get(number, now)?.bytes.len());
        }
        let meta = |number| self.get(number, now).map(|stored| *stored.meta);
        (bytes <= run.max_bytes()).then_some(KeyFrameRun { first: meta(first)?, newest: meta(newest)? })
    }

    /// The packets of the [`run`](Self::run); none if there is no run.
    pub fn since_key_frame(&self, now: Time) -> impl Iterator<Item = StoredPacket<'_>> {
        let numbers = self.run(now).map(|run| run.first.extended_sequence..=run.newest.extended_sequence);
        numbers.into_iter().flatten().filter_map(move |number| self.get(number, now))
    }

    /// What came so far is no start for newcomers: the stream goes on elsewhere.
    pub fn forget_run(&mut self) {
        if let Some(run) = &mut self.run {
            run.forget();
        }
    }

    /// The highest extended sequence number kept so far, 0 if there was none.
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// The packet, unless it is unknown or too old at `now`.
    pub fn get(&self, extended_sequence: u64, now: Time) -> Option<StoredPacket<'_>> {
        self.read(self.find(extended_sequence)?, now)
    }

    /// As [`get`](Self::get), by the low 32 bits of the extended sequence number: what a
    /// [`SentLog`](crate::SentLog) remembers.
    pub fn get_low(&self, extended_sequence: u32, now: Time) -> Option<StoredPacket<'_>> {
        let number = self.entry(u64::from(extended_sequence))?;
        let slot = self.slots.get(usize::from(number))?;
        if slot.meta.extended_sequence as u32 != extended_sequence {
            return None;
        }
        self.read(number, now)
    }

    /// The packets kept, those among them that are too old by now included.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing was ever kept.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes of memory taken for packets and their places.
    pub fn allocated_bytes(&self) -> usize {
        self.blocks.len() * BLOCK * self.stride
            + self.slots.capacity() * size_of::<Slot>()
            + self.index.len() * size_of::<u16>()
    }

    fn read(&self, number: u16, now: Time) -> Option<StoredPacket<'_>> {
        let slot = self.slots.get(usize::from(number))?;
        if self.is_expired(slot, now) {
            return None;
        }
        let (block, offset) = self.bytes_at(number);
        let bytes = self.blocks.get(block)?.get(offset..offset + usize::from(slot.len))?;
        Some(StoredPacket { bytes, layout: slot.layout, meta: &slot.meta })
    }

    fn is_expired(&self, slot: &Slot, now: Time) -> bool {
        now.since(slot.meta.received_at) >= self.max_age
            && !self.run.as_ref().is_some_and(|run| run.contains(slot.meta.extended_sequence))
    }

    /// Puts `slot` into the oldest place if that is free or the capacity is reached, and into a new one otherwise.
    fn take_slot(&mut self, slot: Slot) -> u16 {
        let now = slot.meta.received_at;
        let reusable = self.slots.len() >= self.capacity
            || self.slots.get(usize::from(self.oldest)).is_some_and(|oldest| self.is_expired(oldest, now));
        let number = if reusable { self.evict_oldest() } else { self.grow() };
        match self.slots.get_mut(usize::from(number)) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        match self.slots.get_mut(usize::from(self.newest)) {
            Some(newest) => newest.newer = number,
            None => self.oldest = number,
        }
        self.newest = number;
        number
    }

    fn evict_oldest(&mut self) -> u16 {
        let number = self.oldest;
        let Some(slot) = self.slots.get(usize::from(number)) else {
            return number;
        };
        let (evicted, newer) = (slot.meta.extended_sequence, slot.newer);
        let place = self.place(evicted);
        if let Some(run) = &mut self.run {
            run.on_evicted(evicted);
        }
        self.oldest = newer;
        if self.oldest == NONE {
            self.newest = NONE;
        }
        if let Some(entry) = self.index.get_mut(place).filter(|entry| **entry == number) {
            *entry = NONE;
        }
        number
    }

    /// The number of a new slot; its bytes exist when this returns.
    fn grow(&mut self) -> u16 {
        let number = self.slots.len();
        if number / BLOCK == self.blocks.len() {
            self.blocks.push(vec![0; BLOCK * self.stride].into_boxed_slice());
            self.slots.reserve(BLOCK);
        }
        number as u16
    }

    fn find(&self, extended_sequence: u64) -> Option<u16> {
        let number = self.entry(extended_sequence)?;
        let slot = self.slots.get(usize::from(number))?;
        (slot.meta.extended_sequence == extended_sequence).then_some(number)
    }

    fn entry(&self, extended_sequence: u64) -> Option<u16> {
        self.index.get(self.place(extended_sequence)).copied().filter(|&number| number != NONE)
    }

    fn place(&self, extended_sequence: u64) -> usize {
        extended_sequence as usize & (self.index.len() - 1)
    }

    fn bytes_at(&self, number: u16) -> (usize, usize) {
        let number = usize::from(number);
        (number / BLOCK, number % BLOCK * self.stride)
    }

    fn bytes_mut(&mut self, number: u16) -> Option<&mut [u8]> {
        let (block, offset) = self.bytes_at(number);
        self.blocks.get_mut(block)?.get_mut(offset..offset + self.stride)
    }
}

impl fmt::Debug for PacketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketStore")
            .field("capacity", &self.capacity)
            .field("stride", &self.stride)
            .field("max_age", &self.max_age)
            .field("len", &self.slots.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tureen_rtp_wire::payload::PayloadDescriptor;
    use tureen_rtp_wire::rtp::RtpPacket;

    const CONFIG: PacketStoreConfig =
        PacketStoreConfig { capacity: 100, stride: 128, max_age: Duration::from_millis(1000) };

    fn packet(sequence: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![sequence as u8; len.max(12)];
        bytes[0] = 0x80;
        bytes[2..4].copy_from_slice(&(sequence as u16).to_be_bytes());
        bytes[4..12].copy_from_slice(&sequence.to_be_bytes());
        bytes
    }

    fn insert(store: &mut PacketStore, sequence: u64, millis: u64, len: usize) -> Stored {
        let bytes = packet(sequence, len);
        let layout = RtpLayout::parse(&bytes).expect("an RTP packet");
        let packet = RtpPacket::from_parts(&bytes, layout).expect("the layout's bytes");
        let meta =
            PacketMeta::new(Time::from_millis(millis), sequence, 0, &packet, PayloadDescriptor::Opaque);
        store.insert(&bytes, layout, &meta)
    }

    #[test]
    fn packets_come_back_until_they_are_too_old() {
        let mut store = PacketStore::new(CONFIG);
        assert_eq!(insert(&mut store, 70_000, 0, 60), Stored::Kept);
        assert_eq!(insert(&mut store, 70_000, 5, 60), Stored::Duplicate);
        let stored = store.get(70_000, Time::from_millis(999)).unwrap();
        assert_eq!(stored.bytes, packet(70_000, 60));
        assert_eq!(stored.layout.payload_range(), 12..60);
        assert_eq!(stored.meta.extended_sequence, 70_000);
        assert!(store.get(70_000, Time::from_millis(1000)).is_none());
        assert!(store.get(69_999, Time::ZERO).is_none());
        assert!(store.get_low(70_000, Time::ZERO).is_some());
        assert!(store.get_low(70_001, Time::ZERO).is_none());
    }

    #[test]
    fn what_does_not_fit_is_not_kept() {
        let mut store = PacketStore::new(PacketStoreConfig { stride: 100, ..CONFIG });
        assert_eq!(insert(&mut store, 1, 0, 100), Stored::Kept);
        assert_eq!(insert(&mut store, 2, 0, 101), Stored::TooLarge);
        assert!(store.get(2, Time::ZERO).is_none());
    }

    #[test]
    fn the_stride_is_never_a_power_of_two() {
        let mut store = PacketStore::new(PacketStoreConfig { stride: 2048, ..CONFIG });
        insert(&mut store, 1, 0, 100);
        assert_eq!(store.blocks[0].len(), BLOCK * 2112);
    }

    #[test]
    fn an_idle_stream_stays_small_and_a_busy_one_stays_bounded() {
        let mut store = PacketStore::new(PacketStoreConfig::AUDIO);
        for sequence in 0..10_000 {
            insert(&mut store, 65_536 + sequence, sequence * 20, 100);
        }
        // 50 packets a second, kept for one second.
        assert_eq!(store.len(), 50);
        assert_eq!(store.blocks.len(), 2);
        for sequence in 10_000..20_000 {
            insert(&mut store, 65_536 + sequence, 200_000, 100);
        }
        assert_eq!(store.len(), STORE_CAPACITY_AUDIO);
        assert!(store.get(65_536 + 19_744, Time::from_millis(200_000)).is_some());
        assert!(store.get(65_536 + 19_743, Time::from_millis(200_000)).is_none());
    }

    proptest! {
        /// Against a list: whatever comes back is what went in under that number; and of the last `capacity` packets all that are
        /// young enough come back, unless one that shares the place in the index came after.
        #[test]
        fn never_another_packets_bytes(steps in prop::collection::vec((0u64..400, 0u64..60, 12usize..140), 1..400)) {
            let mut store = PacketStore::new(PacketStoreConfig { capacity: 16, ..CONFIG });
            let mut list: Vec<(u64, u64, usize)> = Vec::new();
            let mut now = 0;
            for (sequence, step, len) in steps {
                now += step;
                if insert(&mut store, sequence, now, len) == Stored::Kept {
                    list.push((sequence, now, len));
                }
            }
            let now = Time::from_millis(now);
            for sequence in 0..400u64 {
                if let Some(stored) = store.get(sequence, now) {
                    let &(_, at, len) = list.iter().rfind(|&&(other, _, _)| other == sequence).unwrap();
                    prop_assert_eq!(stored.bytes, packet(sequence, len));
                    prop_assert!(now.since(Time::from_millis(at)) < CONFIG.max_age);
                }
            }
            let recent = &list[list.len().saturating_sub(16)..];
            for (position, &(sequence, at, _)) in recent.iter().enumerate() {
                let shadowed = recent[position + 1..].iter().any(|&(other, _, _)| other % 32 == sequence % 32);
                if !shadowed && now.since(Time::from_millis(at)) < CONFIG.max_age {
                    prop_assert!(store.get(sequence, now).is_some());
                }
            }
        }
    }
}
