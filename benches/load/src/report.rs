//! The figures of a run: as rows, as a table for people, and judged against a limit.

use crate::options::{Case, Level, name};
use serde::{Deserialize, Serialize};

/// Bare loop and server at one case and level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) level: Level,
    pub(crate) bare: Side,
    pub(crate) server: Side,
    /// CPU a packet, server over bare loop: the median over pairs of rounds.
    pub(crate) ratio: f64,
}

/// What one of the two did: medians over rounds, or sums where a count is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Side {
    pub(crate) packets_in_per_second: f64,
    pub(crate) packets_out_per_second: f64,
    /// CPU time of the process for a packet that the system took, in nanoseconds, in the system too.
    pub(crate) cpu_ns_per_packet: f64,
    /// CPU time over time: 1 is a whole core.
    pub(crate) busy: f64,
    /// Time that its threads were ready to run while others ran, over time.
    pub(crate) waited: f64,
    pub(crate) packets_per_send_call: f64,
    /// The share of packets that did not arrive.
    pub(crate) loss: f64,
    /// Packets that the system did not take.
    pub(crate) refused_by_system: u64,
    /// Packets that were sent to it and that it did not get.
    pub(crate) lost_before: u64,
    /// Packets that came after a later one.
    pub(crate) disordered: u64,
    /// Sequence numbers that receivers missed.
    pub(crate) gaps: i64,
    /// Packets that receivers could not read.
    pub(crate) broken: u64,
    pub(crate) delays: Option<Delays>,
    pub(crate) resident_kib: u64,
}

/// From the call that sent a packet to the return of the call that received it, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delays {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// The middle of some numbers, the upper one of two; 0 of none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Whether the limit on ratios speaks of a row.
fn counts(row: &Row) -> bool {
    row.level != Level::Half && row.case.shards == 1
}

/// How large a share of the time somebody in these rows waited for a core, at most.
pub(crate) fn most_waited(rows: &[Row]) -> f64 {
    rows.iter().flat_map(|row| [row.bare.waited, row.server.waited]).fold(0.0, f64::max)
}

/// The rows over a limit.
pub(crate) fn over(rows: &[Row], limit: f64) -> impl Iterator<Item = &Row> {
    // A ratio that is no number is over any limit.
    rows.iter().filter(move |row| counts(row) && !row.ratio.le(&limit))
}

/// What a row is about, in a few words.
pub(crate) fn title(row: &Row) -> String {
    let Case { device, srtp, packet_size, burst, shards, receivers } = row.case;
    let shards = if shards == 1 { String::new() } else { format!(", {shards} shards") };
    format!(
        "{}, {} B, srtp {}, burst {burst}, {receivers} receivers{shards}, {} load",
        name(device),
        packet_size,
        name(srtp),
        name(row.level)
    )
}

const COLUMNS: [&str; 16] = [
    "device", "shards", "bytes", "srtp", "burst", "load", "who", "in/s", "out/s", "CPU ns", "ratio", "busy",
    "loss", "p50 us", "p99 us", "p99.9",
];

/// Markdown that reads well on a terminal too: two lines a row, one of each who was measured.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut lines = vec![COLUMNS.map(str::to_owned).to_vec()];
    for header in &mut lines {
        header.extend(["pkts/call".to_owned(), "MiB".to_owned()]);
    }
    for row in rows {
        lines.push(line(row, "bare", &row.bare, String::new()));
        lines.push(line(row, "server", &row.server, format!("{:.2}", row.ratio)));
    }
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.len()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..COLUMNS.len() + 2).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
        text.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
        if number == 0 {
            let rules = widths.iter().map(|width| format!("{}:", "-".repeat(width + 1)));
            text.push_str(&format!("|{}|\n", rules.collect::<Vec<_>>().join("|")));
        }
    }
    text
}

fn line(row: &Row, who: &str, side: &Side, ratio: String) -> Vec<String> {
    let Case { device, srtp, packet_size, burst, shards, .. } = row.case;
    let delay = |value: fn(&Delays) -> f64| {
        side.delays.as_ref().map_or_else(String::new, |delays| format!("{:.0}", value(delays)))
    };
    vec![
        name(device),
        shards.to_string(),
        packet_size.to_string(),
        name(srtp),
        burst.to_string(),
        name(row.level),
        who.to_owned(),
        format!("{:.0}", side.packets_in_per_second),
        format!("{:.0}", side.packets_out_per_second),
        format!("{:.0}", side.cpu_ns_per_packet),
        ratio,
        format!("{:.0}%", side.busy * 100.0),
        format!("{:.3}%", side.loss * 100.0),
        delay(|delays| delays.p50),
        delay(|delays| delays.p99),
        delay(|delays| delays.p999),
        format!("{:.1}", side.packets_per_send_call),
        format!("{:.1}", side.resident_kib as f64 / 1024.0),
    ]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::options::{Device, Protection};

    pub(crate) fn row(level: Level, shards: u8, ratio: f64) -> Row {
        let case = Case {
            device: Device::Loopback,
            srtp: Protection::Gcm,
            packet_size: 1200,
            burst: 8,
            shards,
            receivers: 100,
        };
        let bare = Side { cpu_ns_per_packet: 1000.0, ..Side::default() };
        let delays = Some(Delays { p50: 12.0, p99: 34.0, p999: 56.0 });
        let server = Side { cpu_ns_per_packet: 1000.0 * ratio, loss: 0.0125, delays, ..Side::default() };
        Row { case, level, bare, server, ratio }
    }

    #[test]
    fn medians_are_of_the_values() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([1.0, 4.0].into_iter()), 4.0);
        assert_eq!(median(std::iter::empty()), 0.0);
    }

    #[test]
    fn the_limit_speaks_of_high_load_on_one_shard() {
        let rows = [
            row(Level::Half, 1, 9.0),
            row(Level::High, 2, 9.0),
            row(Level::High, 1, 1.2),
            row(Level::High, 1, 1.5),
            row(Level::Given, 1, f64::NAN),
        ];
        let over: Vec<f64> = over(&rows, 1.35).map(|row| row.ratio).collect();
        assert_eq!(over.len(), 2);
        assert!(over[0] == 1.5 && over[1].is_nan());
    }

    #[test]
    fn the_longest_wait_for_a_core_is_found() {
        let mut rows = [row(Level::High, 1, 1.0), row(Level::High, 1, 1.0)];
        rows[1].bare.waited = 0.25;
        assert_eq!(most_waited(&rows), 0.25);
        assert_eq!(most_waited(&[]), 0.0);
    }

    #[test]
    fn a_table_has_two_lines_a_row_and_cells_of_equal_width() {
        let text = table(&[row(Level::High, 1, 1.254)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{text}");
        let server: Vec<&str> = lines[3].split('|').map(str::trim).collect();
        assert_eq!(server[1..8], ["loopback", "1", "1200", "gcm", "8", "high", "server"]);
        assert!(server.contains(&"1254") && server.contains(&"1.25") && server.contains(&"1.250%"));
        assert!(server.contains(&"34"), "{text}");
    }

    #[test]
    fn rows_survive_json() {
        let row = row(Level::High, 1, 1.5);
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
    }
}
