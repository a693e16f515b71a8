//! How many requests a client address may make: a bucket of tokens for each, two seconds' worth at most.
//!
//! The table is bounded: addresses whose bucket is full again are forgotten, and where that leaves no room a new address
//! shares the bucket of all that found no room.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const BURST_SECONDS: f64 = 2.0;
const MAX_CLIENTS: usize = 10_000;

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

pub(crate) struct RateLimiter {
    per_second: f64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

impl RateLimiter {
    /// So many requests a second for each address; 0 for no limit.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), buckets: Mutex::default() }
    }

    /// Takes a token, or tells how long until there is one.
    pub(crate) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let capacity = self.per_second * BURST_SECONDS;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = client(address);
        if buckets.len() >= MAX_CLIENTS && !buckets.contains_key(&key) {
            let per_second = self.per_second;
            buckets.retain(|_, bucket| level(*bucket, per_second, now) < capacity);
            if buckets.len() >= MAX_CLIENTS {
                key = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket { tokens: capacity, filled: now });
        bucket.tokens = level(*bucket, self.per_second, now);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.per_second));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

fn level(bucket: Bucket, per_second: f64, now: Instant) -> f64 {
    let gained = now.saturating_duration_since(bucket.filled).as_secs_f64() * per_second;
    (bucket.tokens + gained).min(per_second * BURST_SECONDS)
}

/// One client has all addresses of an IPv6 network of 64 bits (RFC 4291 section 2.5.4).
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn a_burst_is_two_seconds_worth_and_refills() {
        let limiter = RateLimiter::new(5);
        let start = Instant::now();
        assert!((0..10).all(|_| limiter.take(ONE, start).is_ok()));
        assert_eq!(limiter.take(ONE, start), Err(Duration::from_millis(200)));
        assert_eq!(limiter.take(OTHER, start), Ok(()), "others have buckets of their own");
        let later = start + Duration::from_millis(400);
        assert!((0..2).all(|_| limiter.take(ONE, later).is_ok()));
        assert!(limiter.take(ONE, later).is_err());
    }

    #[test]
    fn zero_is_no_limit() {
        let limiter = RateLimiter::new(0);
        assert!((0..1000).all(|_| limiter.take(ONE, Instant::now()).is_ok()));
    }

    #[test]
    fn the_table_is_bounded() {
        let limiter = RateLimiter::new(1);
        let start = Instant::now();
        for host in 0..20_000u32 {
            let _ = limiter.take(IpAddr::V4(host.into()), start);
        }
        assert!(limiter.buckets.lock().unwrap().len() <= MAX_CLIENTS + 1);
        assert!(limiter.take(OTHER, start).is_err(), "what finds no room shares a bucket");
        assert!(limiter.take(OTHER, start + Duration::from_secs(3)).is_ok(), "full buckets make room");
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let ip = |text: &str| client(text.parse().unwrap());
        assert_eq!(ip("2001:db8::1"), ip("2001:db8::ffff:0:0:2"));
        assert_ne!(ip("2001:db8::1"), ip("2001:db8:0:1::1"));
        assert_eq!(ip("::ffff:192.0.2.1"), ONE);
    }
}
