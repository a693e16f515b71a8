//! What is promised of bad networks holds, for some seeds each. All that is measured, and what is missed, stands in
//! `docs/CONGESTION.md`.

use tureen_quality::metrics::Metrics;
use tureen_quality::scenario::Scenario;
use tureen_quality::system::System;
use tureen_quality::world;

const SEEDS: u64 = 3;

/// The values of some columns over the seeds, each in ascending order.
fn run(name: &str) -> Vec<Metrics> {
    let scenario = Scenario::find(name).expect("a scenario");
    (1..=SEEDS).map(|seed| world::run(&scenario, seed)).collect()
}

fn sorted(runs: &[Metrics], column: &str) -> Vec<f64> {
    let mut values: Vec<f64> =
        runs.iter().map(|run| run.get(column).unwrap_or_else(|| panic!("no column {column}"))).collect();
    values.sort_by(f64::total_cmp);
    values
}

#[track_caller]
fn at_most(runs: &[Metrics], column: &str, bar: f64) {
    let values = sorted(runs, column);
    assert!(values[values.len() - 1] <= bar, "{column}: {values:?}, at most {bar}");
}

#[track_caller]
fn at_least(runs: &[Metrics], column: &str, bar: f64) {
    let values = sorted(runs, column);
    assert!(values[0] >= bar, "{column}: {values:?}, at least {bar}");
}

/// For bars that single seeds may miss.
fn median(runs: &[Metrics], column: &str) -> f64 {
    let values = sorted(runs, column);
    values[values.len() / 2]
}

#[test]
fn a_steady_link_is_used_and_its_queue_is_short() {
    for (name, column) in [("steady-3", "util"), ("steady-1", "best"), ("steady-0.4", "best")] {
        let runs = run(name);
        at_least(&runs, column, 92.0);
        at_most(&runs, "q95", 80.0);
        at_most(&runs, "draw", 1.0);
        at_most(&runs, "pp", 1.0);
        at_most(&runs, "freeze", 0.5);
        at_most(&runs, "t90", 4.0);
    }
}

#[test]
fn a_start_is_at_ninety_percent_within_four_seconds() {
    let runs = run("start");
    at_most(&runs, "t90", 4.0);
    at_most(&runs, "freeze", 0.5);
}

#[test]
fn a_fall_to_a_sixth_drains_within_a_second_and_a_rise_is_used_within_five() {
    let runs = run("step");
    at_most(&runs, "tsafe", 1.0);
    at_most(&runs, "t90", 5.0);
    at_most(&runs, "audio", 500.0);
    at_most(&runs, "pp", 1.0);
}

#[test]
fn losses_without_a_queue_cost_little() {
    for name in ["loss-random", "loss-bursts"] {
        assert!(median(&run(name), "util") >= 93.0 * 0.9);
    }
}

#[test]
fn a_long_way_and_a_lossy_uplink_change_nothing() {
    for name in ["far", "uplink"] {
        let runs = run(name);
        at_least(&runs, "util", 90.0);
        at_most(&runs, "q95", 80.0);
        at_most(&runs, "freeze", 0.5);
    }
}

#[test]
fn after_an_outage_pictures_come_within_a_second() {
    at_most(&run("outage"), "again", 1.0);
}

#[test]
fn packets_that_are_held_back_are_no_queue() {
    let runs = run("jitter");
    assert!(median(&runs, "util") >= 85.0);
    at_most(&runs, "q95", 80.0);
}

#[test]
fn beside_a_flow_that_goes_by_losses_a_part_is_kept_and_a_part_left() {
    for name in ["rival-100", "rival-300", "quic-100", "quic-300"] {
        let runs = run(name);
        at_least(&runs, "share", 30.0);
        at_most(&runs, "share", 70.0);
    }
}

#[test]
fn another_estimator_in_the_same_world_starts_slower() {
    let scenario = Scenario::find("start").expect("a scenario");
    let t90 = |system| world::run_with(system, &scenario, 1).expect("no endpoints").get("t90");
    let [own, gcc] = [System::Tureen, System::Gcc].map(t90);
    assert!(own.zip(gcc).is_some_and(|(own, gcc)| own < 4.0 && gcc > 10.0), "{own:?} {gcc:?}");
}

#[test]
fn equal_seeds_give_equal_runs() {
    let scenario = Scenario::find("cycle").expect("a scenario");
    let columns = |metrics: &Metrics| ["util", "q99", "sw"].map(|column| metrics.get(column));
    assert_eq!(columns(&world::run(&scenario, 7)), columns(&world::run(&scenario, 7)));
}
