//! Who gets which layers: bounds, order, and patience.

use proptest::prelude::*;
use std::time::Duration;
use tureen_congestion::allocator::{Allocator, Content, Grant, GrantReason, Ladder, Step};
use tureen_rtp_wire::Time;

const LADDER: [u64; 4] = [150_000, 500_000, 1_500_000, 2_800_000];

fn ladder(rates: &[u64]) -> Ladder {
    let steps: Vec<Step> =
        (0..).zip(rates).map(|(spatial, &bitrate)| Step { spatial, temporal: 0, bitrate }).collect();
    Ladder::new(&steps, Content::Camera, None)
}

fn seconds(seconds: u64) -> Time {
    Time::from_millis(seconds * 1000)
}

/// Updates each 100 ms; gives the rate of the first consumer at the end.
fn hold(allocator: &mut Allocator, from: u64, to: u64, budget: u64) -> u64 {
    for millis in (from * 1000..to * 1000).step_by(100) {
        allocator.update(Time::from_millis(millis), budget, Duration::ZERO);
    }
    rate(allocator.grants().next())
}

fn rate(grant: Option<Grant>) -> u64 {
    grant.and_then(|grant| grant.step).map_or(0, |step| step.bitrate)
}

#[test]
fn sound_comes_first_and_pictures_pause_with_a_reason() {
    let mut allocator = Allocator::new();
    allocator.set_reserved(60_000);
    allocator.set(1, ladder(&LADDER), 1);
    assert_eq!(hold(&mut allocator, 0, 5, 205_000), 0);
    let grant = allocator.grants().next().expect("a consumer");
    assert_eq!((grant.reason, grant.missing), (GrantReason::Paused, Some(150_000)));
    assert_eq!(allocator.granted(), 60_000);
    assert_eq!(hold(&mut allocator, 5, 7, 220_000), 150_000, "it resumes");
    assert_eq!(allocator.grants().next().map(|grant| grant.reason), Some(GrantReason::Budget));
}

#[test]
fn it_falls_at_once_and_rises_after_a_hold() {
    let mut allocator = Allocator::new();
    allocator.set(1, ladder(&LADDER), 1);
    assert_eq!(hold(&mut allocator, 0, 2, 3_000_000), 2_800_000);
    allocator.update(seconds(20), 700_000, Duration::ZERO);
    assert_eq!(rate(allocator.grants().next()), 500_000);
    allocator.update(seconds(30), 3_000_000, Duration::ZERO);
    assert_eq!(rate(allocator.grants().next()), 500_000);
    assert_eq!(allocator.grants().next().map(|grant| grant.reason), Some(GrantReason::Hold));
    allocator.update(seconds(31), 3_000_000, Duration::ZERO);
    assert_eq!(rate(allocator.grants().next()), 2_800_000);
    assert_eq!(allocator.grants().next().map(|grant| grant.reason), Some(GrantReason::Preferred));
}

#[test]
fn a_budget_that_sways_around_a_step_gives_no_ping_pong() {
    let mut allocator = Allocator::new();
    allocator.set(1, ladder(&LADDER), 1);
    let mut falls = 0;
    let mut last = 0;
    for millis in (0..120_000).step_by(100) {
        let budget = if millis % 4000 < 2000 { 1_700_000 } else { 1_400_000 };
        allocator.update(Time::from_millis(millis), budget, Duration::ZERO);
        let now = rate(allocator.grants().next());
        falls += u32::from(now < last);
        last = now;
    }
    assert!((1..=2).contains(&falls), "{falls} falls in two minutes");
}

#[test]
fn a_much_larger_budget_ends_the_wait() {
    let mut allocator = Allocator::new();
    allocator.set(1, ladder(&LADDER), 1);
    hold(&mut allocator, 0, 3, 600_000);
    hold(&mut allocator, 3, 5, 1_700_000);
    hold(&mut allocator, 5, 7, 600_000);
    assert_eq!(hold(&mut allocator, 7, 9, 1_800_000), 500_000, "it rose too early at such a budget");
    assert_eq!(allocator.grants().next().map(|grant| grant.reason), Some(GrantReason::Wait));
    assert_eq!(hold(&mut allocator, 9, 11, 2_500_000), 1_500_000);
}

/// An estimate does not grow far above what is wanted, and so not to much more than there was at the rise.
#[test]
fn plenty_for_everybody_that_lasts_ends_the_wait() {
    let mut allocator = Allocator::new();
    allocator.set(1, ladder(&[150_000, 500_000, 1_500_000]), 1);
    let rise_and_fall = |allocator: &mut Allocator, at: u64| {
        assert_eq!(hold(allocator, at, at + 2, 1_720_000), 1_500_000);
        hold(allocator, at + 2, at + 3, 1_000_000);
    };
    hold(&mut allocator, 0, 3, 600_000);
    rise_and_fall(&mut allocator, 3);
    assert_eq!(hold(&mut allocator, 6, 16, 1_600_000), 500_000, "that is not plenty");
    assert_eq!(hold(&mut allocator, 16, 27, 1_720_000), 500_000, "it has to last");
    assert_eq!(hold(&mut allocator, 27, 30, 1_720_000), 1_500_000);
    hold(&mut allocator, 30, 31, 1_000_000);
    assert_eq!(hold(&mut allocator, 31, 59, 1_720_000), 500_000, "not twice in a row");
    assert_eq!(hold(&mut allocator, 59, 62, 1_720_000), 1_500_000);
}

/// A consumer whose path carried 1.2 Mbit/s until the twelfth second, and 600 kbit/s then.
fn broken_in(ladder: Ladder) -> Allocator {
    let mut allocator = Allocator::new();
    allocator.set(1, ladder, 1);
    assert_eq!(hold(&mut allocator, 0, 12, 1_200_000), 950_000);
    assert_eq!(hold(&mut allocator, 12, 14, 600_000), 350_000);
    allocator
}

#[test]
fn who_fell_with_the_path_spends_no_key_frame_on_what_hardly_fits() {
    let rates = [150_000, 350_000, 640_000, 800_000, 950_000];
    let mut allocator = broken_in(ladder(&rates));
    assert_eq!(hold(&mut allocator, 14, 20, 680_000), 350_000, "640 kbit/s would fit, but hardly");
    assert_eq!(hold(&mut allocator, 20, 24, 830_000), 640_000, "and now well");
    assert_eq!(hold(&mut allocator, 24, 26, 845_000), 800_000, "the path is another one again");
    let mut allocator = broken_in(ladder(&rates));
    assert_eq!(hold(&mut allocator, 14, 45, 680_000), 640_000, "nobody is careful for ever");
}

#[test]
fn who_fell_with_the_path_takes_what_needs_no_key_frame() {
    let layers = [(0, 0, 150_000), (1, 0, 350_000), (1, 1, 630_000), (2, 1, 950_000)];
    let layers = layers.map(|(spatial, temporal, bitrate)| Step { spatial, temporal, bitrate });
    let mut allocator = broken_in(Ladder::new(&layers, Content::Camera, None));
    assert_eq!(hold(&mut allocator, 14, 16, 650_000), 630_000);
}

#[test]
fn who_fell_little_by_little_rises_as_before() {
    let mut allocator = Allocator::new();
    allocator.set(1, ladder(&LADDER), 1);
    assert_eq!(hold(&mut allocator, 0, 12, 3_000_000), 2_800_000);
    assert_eq!(hold(&mut allocator, 12, 14, 2_700_000), 1_500_000);
    assert_eq!(hold(&mut allocator, 14, 16, 2_900_000), 2_800_000);
}

#[test]
fn a_consumer_that_goes_leaves_its_part() {
    let mut allocator = Allocator::new();
    allocator.set(1, ladder(&LADDER), 1);
    allocator.set(2, ladder(&LADDER), 1);
    hold(&mut allocator, 0, 3, 1_100_000);
    let rates: Vec<u64> = allocator.grants().map(|grant| rate(Some(grant))).collect();
    assert_eq!(rates, [500_000, 500_000]);
    let (next, all) = allocator.wanted();
    assert!((2_000_000..2_100_000).contains(&next) && all > 5_600_000, "{next} {all}");
    allocator.remove(2);
    assert_eq!(hold(&mut allocator, 3, 5, 1_600_000), 1_500_000);
}

#[test]
fn a_backlog_that_stays_takes_a_step_from_somebody() {
    let mut allocator = Allocator::new();
    allocator.set(1, ladder(&LADDER), 1);
    hold(&mut allocator, 0, 2, 3_000_000);
    let long = Duration::from_millis(400);
    allocator.update(seconds(20), 3_000_000, long);
    allocator.update(Time::from_millis(20_500), 3_000_000, Duration::ZERO);
    allocator.update(seconds(21), 3_000_000, long);
    assert_eq!(rate(allocator.grants().next()), 2_800_000, "it went away in between");
    allocator.update(seconds(22), 3_000_000, long);
    assert_eq!(rate(allocator.grants().next()), 1_500_000);
}

#[test]
fn the_key_frame_of_a_rise_is_no_layer_that_takes_too_much() {
    let mut allocator = Allocator::new();
    allocator.set(1, ladder(&LADDER), 1);
    hold(&mut allocator, 0, 2, 600_000);
    let mut rates = Vec::new();
    for millis in (10_000..13_000).step_by(100) {
        let backlog = if millis > 10_400 { Duration::from_millis(400) } else { Duration::ZERO };
        allocator.update(Time::from_millis(millis), 1_700_000, backlog);
        rates.push(rate(allocator.grants().next()));
    }
    assert_eq!(rates[4], 1_500_000);
    assert_eq!(rates[18], 1_500_000, "the key frame is still on its way");
    assert_eq!(rates[24], 500_000, "what stays for so long is the layer");
}

#[test]
fn nobody_waits_for_the_least_layer() {
    let mut allocator = Allocator::new();
    allocator.set(1, ladder(&LADDER), 1);
    hold(&mut allocator, 0, 2, 200_000);
    assert_eq!(hold(&mut allocator, 2, 3, 100_000), 0);
    assert_eq!(hold(&mut allocator, 3, 5, 160_000), 150_000);
}

fn claims() -> impl Strategy<Value = Vec<(Vec<u64>, u8)>> {
    let rates = prop::collection::vec(10_000_u64..3_000_000, 0..6);
    prop::collection::vec((rates, 1_u8..4), 1..8)
}

fn filled(claims: &[(Vec<u64>, u8)], budget: u64) -> Allocator {
    let mut allocator = Allocator::new();
    for (id, (rates, priority)) in (0..).zip(claims) {
        let mut rates = rates.clone();
        rates.sort_unstable();
        allocator.set(id, ladder(&rates), *priority);
    }
    allocator.update(Time::ZERO, budget, Duration::ZERO);
    allocator.update(seconds(1), budget, Duration::ZERO);
    allocator
}

proptest! {
    #[test]
    fn no_more_is_granted_than_there_is(
        claims in claims(),
        budgets in prop::collection::vec((0_u64..10_000_000, 0_u64..3000), 1..60),
        reserved in 0_u64..200_000,
    ) {
        let mut allocator = filled(&claims, 1_000_000);
        allocator.set_reserved(reserved);
        let mut now = seconds(2);
        for (budget, passed) in budgets {
            now += Duration::from_millis(passed);
            let changed = allocator.update(now, budget, Duration::ZERO);
            prop_assert!(allocator.granted() <= budget.max(reserved));
            prop_assert!(changed || !allocator.update(now, budget, Duration::ZERO), "an update twice is one");
            let (next, all) = allocator.wanted();
            prop_assert!(next <= all && allocator.granted() <= all);
        }
    }

    #[test]
    fn a_larger_budget_takes_nothing_from_anyone(claims in claims(), budget in 0_u64..9_000_000, more in 0_u64..3_000_000) {
        let (small, large) = (filled(&claims, budget), filled(&claims, budget + more));
        for (before, after) in small.grants().zip(large.grants()) {
            prop_assert!(rate(Some(before)) <= rate(Some(after)), "{:?} {:?}", before, after);
        }
    }

    #[test]
    fn of_two_that_want_the_same_the_higher_priority_has_no_less(
        rates in prop::collection::vec(10_000_u64..3_000_000, 1..6),
        others in claims(),
        budget in 0_u64..12_000_000,
    ) {
        let mut claims = others;
        claims.push((rates.clone(), 1));
        claims.push((rates, 3));
        let grants: Vec<Grant> = filled(&claims, budget).grants().collect();
        let (low, high) = (grants[grants.len() - 2], grants[grants.len() - 1]);
        prop_assert!(rate(Some(low)) <= rate(Some(high)), "{:?} {:?}", low, high);
    }
}
