//! Other systems are driven in the same world: a pair of `str0m`'s endpoints connects in virtual time, and follows the link.

use std::time::Duration;
use tureen_quality::metrics::{Metrics, Sample};
use tureen_quality::scenario::Scenario;
use tureen_quality::system::System;
use tureen_quality::world;

fn run(scenario: &Scenario) -> Metrics {
    world::run_with(System::Str0m, scenario, 1).expect("endpoints that connect and stay")
}

fn find(name: &str) -> Scenario {
    Scenario::find(name).expect("a scenario")
}

/// The highest estimate between two seconds.
fn highest(samples: &[Sample], from: u64, to: u64) -> u64 {
    let within = |sample: &&Sample| (from * 1000..to * 1000).contains(&sample.at.as_millis());
    samples.iter().filter(within).map(|sample| sample.target).max().expect("samples")
}

#[test]
fn the_estimate_of_a_pair_of_endpoints_follows_the_link() {
    let scenario = Scenario {
        duration: Duration::from_secs(30),
        capacity: vec![(0, 3_000_000), (15, 500_000)],
        ..find("step")
    };
    let run = run(&scenario);
    let start = run.samples.first().expect("samples").target;
    assert!((250_000..350_000).contains(&start), "{start}");
    let (before, after) = (highest(&run.samples, 5, 15), highest(&run.samples, 25, 30));
    assert!(before > 2_000_000, "{before}");
    assert!(after < 750_000, "{after}");
    // Pictures come at once, and on to the end.
    assert!(run.get("first").is_some_and(|seconds| seconds < 1.0));
    assert!(run.get("freeze").is_some_and(|part| part < 15.0));
}

#[test]
fn endpoints_outlive_an_outage() {
    let scenario = Scenario { duration: Duration::from_secs(20), outage: Some((8, 13)), ..find("outage") };
    assert!(run(&scenario).get("again").is_some_and(|seconds| seconds < 5.0));
}

#[test]
fn endpoints_share_a_link() {
    let scenario = Scenario { duration: Duration::from_secs(10), viewers: 2, ..find("fair") };
    let run = run(&scenario);
    assert!(run.get("jain").is_some_and(|index| index > 0.6));
    assert!(run.get("util").is_some_and(|part| part > 20.0));
}
