//! What was found: data, as JSON, and a line each. Must not know how it was found.

use serde::Serialize;
use std::io::Write;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It runs, and some will not get through or not be served well.
    Warn,
    /// It does not run, or nobody gets through.
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at: a setting by its name, or a word such as `clock`.
    pub check: &'static str,
    /// How bad it is.
    pub verdict: Verdict,
    /// What is the case.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// All that was found, in the order in which it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// Whether a server was running with these settings.
    pub running: bool,
    /// A finding for each thing.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.findings.push(Finding { check, verdict: Verdict::Ok, found: found.into(), advice: None });
    }

    pub(super) fn warn(&mut self, check: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.add(check, Verdict::Warn, found, advice);
    }

    pub(super) fn fail(&mut self, check: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.add(check, Verdict::Fail, found, advice);
    }

    pub(super) fn add(
        &mut self,
        check: &'static str,
        verdict: Verdict,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.findings.push(Finding { check, verdict, found: found.into(), advice: Some(advice.into()) });
    }

    /// How many findings are this bad.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// A line for each finding, and a last one that counts them.
    pub(super) fn write_lines(&self, out: &mut dyn Write) -> std::io::Result<()> {
        for Finding { check, verdict, found, advice } in &self.findings {
            write!(out, "{:<4}  {check:<17} {found}", verdict.word())?;
            match advice {
                Some(advice) => writeln!(out, ": {advice}")?,
                None => writeln!(out)?,
            }
        }
        let count = |verdict| self.count(verdict);
        writeln!(
            out,
            "{} ok, {} to look at, {} broken",
            count(Verdict::Ok),
            count(Verdict::Warn),
            count(Verdict::Fail)
        )
    }
}
