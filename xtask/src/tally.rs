//! How many tests passed and failed, read from the closing lines of the test runners.

use std::fmt;
use std::ops::AddAssign;

/// Which program's closing lines to read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// cargo-nextest: one `Summary [...]` line for all binaries.
    Nextest,
    /// The harness of `cargo test`: one `test result:` line for each binary.
    Libtest,
}

/// Tests that passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// One check, passed or failed.
    pub(crate) fn one(passed: bool) -> Self {
        Self { passed: passed.into(), failed: (!passed).into() }
    }

    /// Adds what a line of a runner's output says, if it is a closing line.
    pub(crate) fn read(&mut self, runner: Runner, line: &str) {
        let counts = match runner {
            Runner::Nextest => {
                line.trim_start().strip_prefix("Summary [").and_then(|rest| rest.split_once(':'))
            }
            Runner::Libtest => line.strip_prefix("test result: ").and_then(|rest| rest.split_once('.')),
        };
        let Some((_, counts)) = counts else { return };
        for part in counts.split([',', ';']) {
            // `1 failed`, `2 timed out`, `1 exec failed`, `12 passed (1 slow)`
            let Some((number, what)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what.split('(').next().unwrap_or_default().trim() {
                "passed" => self.passed += number,
                "failed" | "timed out" | "exec failed" => self.failed += number,
                _ => {}
            }
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(runner: Runner, lines: &[&str]) -> (u64, u64) {
        let mut tally = Tally::default();
        for line in lines {
            tally.read(runner, line);
        }
        (tally.passed, tally.failed)
    }

    #[test]
    fn nextest_summary() {
        let line = "     Summary [   4.052s] 31 tests run: 27 passed (2 slow, 1 leaky), 2 failed, 1 timed out, \
                    1 exec failed, 5 skipped";
        assert_eq!(read(Runner::Nextest, &["    Starting 31 tests", line]), (27, 4));
    }

    #[test]
    fn nextest_summary_of_a_cancelled_run() {
        let line = "     Summary [   0.052s] 3/30 tests run: 2 passed, 1 failed, 0 skipped";
        assert_eq!(read(Runner::Nextest, &[line]), (2, 1));
    }

    #[test]
    fn libtest_results_add_up_over_binaries() {
        let one =
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.02s";
        let two = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.02s";
        assert_eq!(read(Runner::Libtest, &["running 12 tests", one, two]), (13, 2));
    }

    #[test]
    fn other_lines_count_for_nothing() {
        assert_eq!(
            read(Runner::Nextest, &["12 passed, 1 failed", "test result: ok. 1 passed; 0 failed"]),
            (0, 0)
        );
        assert_eq!(read(Runner::Libtest, &["Summary [1s] 3 tests run: 3 passed"]), (0, 0));
    }
}
