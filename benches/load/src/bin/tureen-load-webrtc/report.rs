//! The figures of a run, and the table for people.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tureen_load::child::Process;
use tureen_load::error::Error;

/// The longest time to join that is told apart, in microseconds.
const LONGEST: u64 = 60_000_000;

/// What was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) seconds: f64,
    pub(crate) packets_published: u64,
    /// Datagrams that the server sent: media, and what DTLS, ICE and RTCP say.
    pub(crate) packets_sent: u64,
    /// CPU time of the server, in the system too.
    pub(crate) cpu_seconds: f64,
    /// Time that its threads were ready to run while others ran.
    pub(crate) waited_seconds: f64,
    pub(crate) groups: Vec<Group>,
}

/// Viewers built on one stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) stack: String,
    pub(crate) viewers: u16,
    /// From the request to the first packet of media, in milliseconds.
    pub(crate) join_p50_ms: f64,
    pub(crate) join_p99_ms: f64,
    /// By how much the resident memory of the server grew, over the viewers.
    pub(crate) kib_per_viewer: f64,
    /// RTP packets that they received under load.
    pub(crate) packets_received: u64,
}

impl Group {
    /// Lets viewers join, one after the other.
    pub(crate) fn join(
        stack: &str,
        viewers: u16,
        server: &Process,
        mut next: impl FnMut() -> Result<Duration, Error>,
    ) -> Result<Self, Error> {
        let before = server.resident()?;
        let mut joins = Histogram::<u64>::new_with_bounds(1, LONGEST, 3)
            .map_err(|error| Error::Options(format!("times to join: {error}")))?;
        for number in 1..=viewers {
            let took = next()?;
            eprintln!("    {stack} {number} of {viewers} joined after {} ms", took.as_millis());
            joins.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
        }
        let grown = server.resident()?.saturating_sub(before);
        let milliseconds = |quantile| joins.value_at_quantile(quantile) as f64 / 1000.0;
        Ok(Self {
            stack: stack.to_owned(),
            viewers,
            join_p50_ms: milliseconds(0.5),
            join_p99_ms: milliseconds(0.99),
            kib_per_viewer: grown as f64 / f64::from(viewers.max(1)),
            packets_received: 0,
        })
    }
}

impl Report {
    pub(crate) fn cpu_ns_per_packet(&self) -> f64 {
        self.cpu_seconds * 1e9 / self.packets_sent.max(1) as f64
    }

    /// Datagrams a second that one core would send at this cost.
    pub(crate) fn packets_per_core_second(&self) -> f64 {
        self.packets_sent as f64 / self.cpu_seconds.max(f64::MIN_POSITIVE)
    }

    /// The share of media that did not arrive.
    pub(crate) fn loss(&self) -> f64 {
        let (expected, received) = self.groups.iter().fold((0, 0), |(expected, received), group| {
            (expected + self.expected(group), received + group.packets_received)
        });
        share_missing(expected, received)
    }

    fn expected(&self, group: &Group) -> u64 {
        self.packets_published * u64::from(group.viewers)
    }
}

fn share_missing(expected: u64, received: u64) -> f64 {
    expected.saturating_sub(received) as f64 / expected.max(1) as f64
}

/// Markdown: the server, then a line for each stack.
pub(crate) fn table(report: &Report) -> String {
    let seconds = report.seconds.max(f64::MIN_POSITIVE);
    let mut text = format!(
        "| in/s | out/s | CPU ns a packet | packets/s a core | busy | waited |\n|---:|---:|---:|---:|---:|---:|\n\
         | {:.0} | {:.0} | {:.0} | {:.0} | {:.1}% | {:.1}% |\n\n\
         | stack | viewers | join p50 ms | join p99 ms | KiB a viewer | loss |\n|---|---:|---:|---:|---:|---:|\n",
        report.packets_published as f64 / seconds,
        report.packets_sent as f64 / seconds,
        report.cpu_ns_per_packet(),
        report.packets_per_core_second(),
        report.cpu_seconds / seconds * 100.0,
        report.waited_seconds / seconds * 100.0,
    );
    for group in report.groups.iter().filter(|group| group.viewers > 0) {
        text += &format!(
            "| {} | {} | {:.1} | {:.1} | {:.0} | {:.3}% |\n",
            group.stack,
            group.viewers,
            group.join_p50_ms,
            group.join_p99_ms,
            group.kib_per_viewer,
            share_missing(report.expected(group), group.packets_received) * 100.0
        );
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn report() -> Report {
        let group = |stack: &str, viewers, packets_received| Group {
            stack: stack.to_owned(),
            viewers,
            join_p50_ms: 12.0,
            join_p99_ms: 34.5,
            kib_per_viewer: 56.0,
            packets_received,
        };
        Report {
            seconds: 2.0,
            packets_published: 1000,
            packets_sent: 3000,
            cpu_seconds: 0.006,
            waited_seconds: 0.0,
            groups: vec![group("str0m", 2, 1990), group("webrtc", 1, 1000)],
        }
    }

    #[test]
    fn figures_follow_from_counts() {
        let report = report();
        assert_eq!(report.cpu_ns_per_packet().round(), 2000.0);
        assert_eq!(report.packets_per_core_second().round(), 500_000.0);
        assert!((report.loss() - 10.0 / 3000.0).abs() < 1e-9);
    }

    #[test]
    fn the_table_has_a_line_a_stack() {
        let text = table(&report());
        assert!(text.contains("| 500 | 1500 | 2000 | 500000 | 0.3% | 0.0% |"), "{text}");
        assert!(text.contains("| str0m | 2 | 12.0 | 34.5 | 56 | 0.500% |"), "{text}");
        assert!(text.contains("| webrtc | 1 | 12.0 | 34.5 | 56 | 0.000% |"), "{text}");
    }
}
