//! Time as an argument: a monotonic reading, an NTP timestamp, and the tie between the two.
//!
//! Nothing here reads a clock; whoever drives the code does, and hands the reading down.

use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A reading of a monotonic clock: nanoseconds since an origin that the driver chose.
///
/// Two readings compare only if they come from one driver. Subtraction saturates at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The driver's origin.
    pub const ZERO: Self = Self(0);
    /// Later than every reading: "no deadline".
    pub const NEVER: Self = Self(u64::MAX);

    /// The reading `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The reading `micros` microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }

    /// The reading `millis` milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole milliseconds since the origin.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Time passed since `earlier`, zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Time {
    type Output = Duration;

    fn sub(self, rhs: Self) -> Duration {
        self.since(rhs)
    }
}

/// A 64-bit NTP timestamp: seconds since 1900 in 32.32 fixed point (RFC 3550 section 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// From whole seconds and a fraction of 2^32.
    pub const fn new(seconds: u32, fraction: u32) -> Self {
        Self(((seconds as u64) << 32) | fraction as u64)
    }

    /// Whole seconds since 1900.
    pub const fn seconds(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Fraction of a second, in units of 2^-32 s.
    pub const fn fraction(self) -> u32 {
        self.0 as u32
    }

    /// The middle 32 bits, as LSR and LRR carry them (RFC 3550 section 6.4.1, RFC 3611 section 4.5).
    pub const fn compact(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

impl Add<Duration> for NtpTime {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        let fraction = (u64::from(rhs.subsec_nanos()) << 32) / 1_000_000_000;
        Self(self.0.wrapping_add(rhs.as_secs() << 32).wrapping_add(fraction))
    }
}

/// Ties a driver's monotonic clock to NTP time: the NTP timestamp at [`Time::ZERO`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallClock {
    origin: NtpTime,
}

impl WallClock {
    /// A tie that reads `origin` at [`Time::ZERO`].
    pub const fn new(origin: NtpTime) -> Self {
        Self { origin }
    }

    /// The NTP timestamp at `now`.
    pub fn ntp(self, now: Time) -> NtpTime {
        self.origin + Duration::from_nanos(now.as_nanos())
    }

    /// Seconds of abs-send-time: 6.18 fixed point, 24 bits (the abs-send-time header extension).
    pub fn abs_send_time(self, now: Time) -> u32 {
        ((self.ntp(now).0 >> 14) & 0x00ff_ffff) as u32
    }
}
