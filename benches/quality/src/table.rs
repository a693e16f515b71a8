//! The table of results: for each scenario the median over the seeds, and the worst of them below it.
//!
//! Must not know what a number means, but for which way is better.

use crate::metrics::{COLUMNS, Column, Metrics};
use std::fmt::Write;

/// A number over all seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// In the middle; of an even number of seeds the worse of the two.
    pub median: f64,
    /// Of the worst seed.
    pub worst: f64,
}

/// The number of this column over these runs, if the scenario has it.
pub fn spread(column: &Column, runs: &[Metrics]) -> Option<Spread> {
    let mut values: Vec<f64> = runs.iter().filter_map(|run| run.get(column.name)).collect();
    values.sort_by(f64::total_cmp);
    if column.more_is_better {
        values.reverse();
    }
    Some(Spread { median: *values.get(values.len() / 2)?, worst: *values.last()? })
}

/// The column of this name.
pub fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

/// The heads of the columns.
pub fn head() -> String {
    let mut line = format!("{:<12} {:<6}", "scenario", "");
    for column in COLUMNS {
        let _ = write!(line, " {:>6}", column.name);
    }
    line
}

/// The two lines of a scenario.
pub fn rows(scenario: &str, runs: &[Metrics]) -> String {
    let mut lines = String::new();
    for (label, of) in
        [("median", (|spread| spread.median) as fn(Spread) -> f64), ("worst", |spread| spread.worst)]
    {
        let name = if label == "median" { scenario } else { "" };
        let _ = write!(lines, "{name:<12} {label:<6}");
        for column in COLUMNS {
            let cell = spread(column, runs).map_or("-".to_owned(), |spread| number(of(spread)));
            let _ = write!(lines, " {cell:>6}");
        }
        lines.push('\n');
    }
    lines
}

/// Numbers that lie apart by no more than this part, or this much, are level.
const LEVEL: (f64, f64) = (0.05, 0.1);

/// The columns in which `other` is ahead of `own` in the median, a line each.
pub fn behind(scenario: &str, own: &[Metrics], other: &[Metrics]) -> String {
    let mut lines = String::new();
    for known in COLUMNS {
        let (Some(own), Some(other)) = (spread(known, own), spread(known, other)) else { continue };
        let sign = if known.more_is_better { 1.0 } else { -1.0 };
        let (own, other) = (own.median, other.median);
        let ahead = if own == other { 0.0 } else { sign * (other - own) };
        if ahead > (LEVEL.0 * own.abs()).max(LEVEL.1) {
            let _ =
                writeln!(lines, "  {scenario:<12} {:<7} {:>7} {:>7}", known.name, number(own), number(other));
        }
    }
    lines
}

/// What the columns say, a line each.
pub fn legend() -> String {
    COLUMNS.iter().fold(String::new(), |mut text, column| {
        let _ = writeln!(text, "  {:<7} {}", column.name, column.about);
        text
    })
}

fn number(value: f64) -> String {
    if value.is_infinite() {
        "never".to_owned()
    } else if value.abs() >= 99.95 {
        format!("{value:.0}")
    } else if value.abs() >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
