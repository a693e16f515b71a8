//! What the link model promises, packet by packet and over many packets.

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Sends `count` packets of `size` bytes, one each `gap`, and returns what became of each.
fn run(config: LinkConfig, seed: u64, count: u64, size: usize, gap: Duration) -> Vec<Delivery> {
    let mut link = Link::new(config, seed);
    (0..count).map(|i| link.send(Time::ZERO + gap * i as u32, size)).collect()
}

fn arrivals(deliveries: &[Delivery]) -> Vec<Time> {
    deliveries.iter().flat_map(|delivery| delivery.arrivals()).collect()
}

fn lost_share(deliveries: &[Delivery]) -> f64 {
    let lost = deliveries.iter().filter(|&&delivery| delivery == Delivery::Dropped(LinkDrop::Loss)).count();
    lost as f64 / deliveries.len() as f64
}

fn everything() -> LinkConfig {
    LinkConfig {
        rate: Some(2_000_000),
        schedule: vec![RateChange { at: Time::from_millis(300), rate: Some(700_000) }],
        queue: QueueLimit::Delay(80 * MS),
        delay: 20 * MS,
        jitter: 15 * MS,
        jitter_reorders: true,
        loss: Loss::GilbertElliott { to_bad: 0.05, to_good: 0.3, good_loss: 0.01, bad_loss: 0.6 },
        reorder: 0.05,
        reorder_delay: 40 * MS,
        duplicate: 0.05,
    }
}

#[test]
fn the_default_link_is_perfect() {
    let all = run(LinkConfig::default(), 1, 100, 1200, MS);
    assert!(
        all.iter().enumerate().all(|(i, &delivery)| delivery == Delivery::Once(Time::from_millis(i as u64)))
    );
}

#[test]
fn one_seed_gives_one_trace_and_another_seed_another() {
    let trace = run(everything(), 42, 2_000, 900, 3 * MS);
    assert_eq!(trace, run(everything(), 42, 2_000, 900, 3 * MS));
    assert_ne!(trace, run(everything(), 43, 2_000, 900, 3 * MS));
    assert!(trace.contains(&Delivery::Dropped(LinkDrop::Queue)));
    assert!(trace.contains(&Delivery::Dropped(LinkDrop::Loss)));
    assert!(trace.iter().any(|delivery| matches!(delivery, Delivery::Twice(..))));
}

#[test]
fn an_impairment_leaves_the_draws_of_the_others_alone() {
    let lossy = LinkConfig { loss: Loss::Random(0.2), ..LinkConfig::default() };
    let and_jittery = LinkConfig { jitter: 30 * MS, duplicate: 0.1, ..lossy.clone() };
    let which = |config| -> Vec<bool> {
        run(config, 9, 1_000, 100, MS)
            .iter()
            .map(|delivery| matches!(delivery, Delivery::Dropped(_)))
            .collect()
    };
    assert_eq!(which(lossy), which(and_jittery));
}

#[test]
fn a_queue_in_bytes_counts_the_packet_under_way() {
    let config = LinkConfig { rate: Some(8_000), queue: QueueLimit::Bytes(2_000), ..LinkConfig::default() };
    let mut link = Link::new(config, 1);
    assert_eq!(link.send(Time::ZERO, 1000), Delivery::Once(Time::from_millis(1000)));
    assert_eq!(link.send(Time::ZERO, 1000), Delivery::Once(Time::from_millis(2000)));
    assert_eq!(link.send(Time::from_millis(999), 1000), Delivery::Dropped(LinkDrop::Queue));
    assert_eq!(link.send(Time::from_millis(1000), 1000), Delivery::Once(Time::from_millis(3000)));
    assert_eq!(link.stats(), LinkStats { sent: 4, dropped_queue: 1, ..LinkStats::default() });
}

#[test]
fn a_queue_in_time_drops_what_would_wait_longer() {
    let config =
        LinkConfig { rate: Some(80_000), queue: QueueLimit::Delay(150 * MS), ..LinkConfig::default() };
    let mut link = Link::new(config, 1);
    assert_eq!(link.send(Time::ZERO, 1000), Delivery::Once(Time::from_millis(100)));
    assert_eq!(link.send(Time::ZERO, 1000), Delivery::Once(Time::from_millis(200)));
    assert_eq!(link.send(Time::ZERO, 1000), Delivery::Dropped(LinkDrop::Queue));
    assert_eq!(link.send(Time::from_millis(50), 1000), Delivery::Once(Time::from_millis(300)));
}

#[test]
fn the_queue_tells_how_long_a_packet_would_wait() {
    let mut link = Link::new(LinkConfig { rate: Some(80_000), ..LinkConfig::default() }, 1);
    assert_eq!(link.queue_delay(Time::ZERO), Duration::ZERO);
    link.send(Time::ZERO, 1000);
    assert_eq!(link.queue_delay(Time::from_millis(30)), 70 * MS);
    assert_eq!(link.queue_delay(Time::from_millis(200)), Duration::ZERO);
}

#[test]
fn a_rate_change_reaches_the_packet_half_way_through() {
    let schedule = vec![
        RateChange { at: Time::from_millis(500), rate: Some(16_000) },
        RateChange { at: Time::from_millis(2_000), rate: Some(0) },
        RateChange { at: Time::from_millis(3_000), rate: None },
    ];
    let mut link = Link::new(LinkConfig { rate: Some(8_000), schedule, ..LinkConfig::default() }, 1);
    assert_eq!(link.send(Time::ZERO, 1000), Delivery::Once(Time::from_millis(750)));
    // Half of it by 2000 ms, the rest when the outage ends.
    assert_eq!(link.send(Time::from_millis(1_750), 1000), Delivery::Once(Time::from_millis(3_000)));
    assert_eq!(link.send(Time::from_millis(3_001), 1000), Delivery::Once(Time::from_millis(3_001)));
}

#[test]
fn a_rate_of_zero_for_good_drops() {
    let mut link = Link::new(LinkConfig { rate: Some(0), ..LinkConfig::default() }, 1);
    assert_eq!(link.send(Time::ZERO, 1), Delivery::Dropped(LinkDrop::Queue));
    assert_eq!(link.send(Time::from_millis(1), 1), Delivery::Dropped(LinkDrop::Queue));
}

#[test]
fn bursts_have_the_mean_length_and_share_of_the_chain() {
    // Stationary share in the bad state: 0.02 / (0.02 + 0.25); mean burst 4 packets.
    let loss = Loss::GilbertElliott { to_bad: 0.02, to_good: 0.25, good_loss: 0.0, bad_loss: 1.0 };
    let all = run(LinkConfig { loss, ..LinkConfig::default() }, 3, 200_000, 100, MS);
    assert!((lost_share(&all) - 0.02 / 0.27).abs() < 0.004, "{}", lost_share(&all));
    let lost: Vec<bool> = all.iter().map(|delivery| matches!(delivery, Delivery::Dropped(_))).collect();
    let bursts = lost.windows(2).filter(|pair| matches!(pair, [false, true])).count();
    let mean = lost.iter().filter(|&&lost| lost).count() as f64 / bursts as f64;
    assert!((mean - 4.0).abs() < 0.2, "{mean}");
}

#[test]
fn reordering_and_duplication_come_near_their_probability() {
    let config = LinkConfig {
        reorder: 0.1,
        reorder_delay: 5 * MS,
        duplicate: 0.03,
        delay: MS,
        ..LinkConfig::default()
    };
    let mut link = Link::new(config, 5);
    for i in 0..50_000 {
        let sent = Time::from_millis(i);
        let late = link.send(sent, 100).arrivals().all(|at| at == sent + MS || at == sent + 6 * MS);
        assert!(late, "packet {i}");
    }
    let stats = link.stats();
    assert!((stats.reordered as f64 / 50_000.0 - 0.1).abs() < 0.01, "{stats:?}");
    assert!((stats.duplicated as f64 / 50_000.0 - 0.03).abs() < 0.005, "{stats:?}");
}

#[test]
fn the_queue_gives_packets_back_when_they_are_due() {
    let config = LinkConfig { delay: 10 * MS, duplicate: 1.0, ..LinkConfig::default() };
    let mut queue = LinkQueue::new(Link::new(config, 1));
    queue.push(Time::ZERO, 'a', 100);
    queue.push(Time::ZERO, 'b', 100);
    queue.bypass(Time::from_millis(1), 'c');
    assert_eq!(queue.next_deadline(), Some(Time::from_millis(1)));
    assert_eq!(queue.pop(Time::from_millis(9)), Some((Time::from_millis(1), 'c')));
    assert_eq!(queue.pop(Time::from_millis(9)), None);
    let due: Vec<char> =
        std::iter::from_fn(|| queue.pop(Time::from_millis(10)).map(|(_, packet)| packet)).collect();
    assert_eq!(due, ['a', 'a', 'b', 'b']);
    assert_eq!(queue.next_deadline(), None);
}

prop_compose! {
    /// Packets as (gap to the one before in microseconds, size in bytes).
    fn traffic()(packets in prop::collection::vec((0_u64..20_000, 1_usize..1500), 1..300)) -> Vec<(u64, usize)> {
        packets
    }
}

fn send_all(link: &mut Link, packets: &[(u64, usize)]) -> Vec<(Delivery, usize)> {
    let mut now = 0;
    packets
        .iter()
        .map(|&(gap, size)| {
            now += gap;
            (link.send(Time::from_micros(now), size), size)
        })
        .collect()
}

proptest! {
    #[test]
    fn order_is_kept_without_reordering(packets in traffic(), seed: u64, jitter in 0_u32..50, loss in 0.0..0.5) {
        let config = LinkConfig {
            jitter_reorders: false, jitter: MS * jitter, loss: Loss::Random(loss), reorder: 0.0, ..everything()
        };
        let deliveries: Vec<Delivery> =
            send_all(&mut Link::new(config, seed), &packets).into_iter().map(|(delivery, _)| delivery).collect();
        prop_assert!(arrivals(&deliveries).is_sorted());
    }

    #[test]
    fn nothing_arrives_before_it_was_sent_and_passed(packets in traffic(), seed: u64) {
        let mut link = Link::new(everything(), seed);
        let mut now = 0;
        for (gap, size) in packets {
            now += gap;
            let sent = Time::from_micros(now);
            for at in link.send(sent, size).arrivals() {
                prop_assert!(at >= sent + 20 * MS);
            }
        }
    }

    #[test]
    fn the_rate_is_never_exceeded(packets in traffic(), seed: u64, rate in 10_000_u64..5_000_000, queue in 1_u32..500) {
        let config = LinkConfig {
            rate: Some(rate), queue: QueueLimit::Delay(MS * queue), loss: Loss::Random(0.1), ..LinkConfig::default()
        };
        let delivered: Vec<(Time, usize)> = send_all(&mut Link::new(config, seed), &packets)
            .into_iter()
            .flat_map(|(delivery, size)| delivery.arrivals().map(move |at| (at, size)))
            .collect();
        // Between any two arrivals no more bits than the rate allows.
        for (first, &(from, _)) in delivered.iter().enumerate() {
            let mut bits = 0_u128;
            for &(until, size) in delivered.iter().skip(first + 1) {
                bits += size as u128 * 8;
                prop_assert!(until.since(from).as_nanos() * u128::from(rate) >= bits * 1_000_000_000);
            }
        }
    }

    #[test]
    fn a_full_queue_never_holds_more_than_its_bytes(packets in traffic(), seed: u64, limit in 1_usize..20_000) {
        let config =
            LinkConfig { rate: Some(300_000), queue: QueueLimit::Bytes(limit), ..LinkConfig::default() };
        let mut link = Link::new(config, seed);
        let mut under_way: Vec<(Time, usize)> = Vec::new();
        let mut now = 0;
        for (gap, size) in packets {
            now += gap;
            under_way.retain(|&(at, _)| at > Time::from_micros(now));
            let held: usize = under_way.iter().map(|&(_, size)| size).sum();
            match link.send(Time::from_micros(now), size) {
                Delivery::Once(at) => under_way.push((at, size)),
                other => {
                    prop_assert_eq!(other, Delivery::Dropped(LinkDrop::Queue));
                    prop_assert!(held + size > limit);
                }
            }
            prop_assert!(under_way.iter().map(|&(_, size)| size).sum::<usize>() <= limit);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_share_of_loss_is_near_its_parameter(share in 0.0..1.0, seed: u64) {
        let all = run(LinkConfig { loss: Loss::Random(share), ..LinkConfig::default() }, seed, 20_000, 100, MS);
        // Six standard deviations: one wrong alarm in half a billion.
        let tolerance = 6.0 * (share * (1.0 - share) / 20_000.0_f64).sqrt();
        prop_assert!((lost_share(&all) - share).abs() <= tolerance);
    }
}
