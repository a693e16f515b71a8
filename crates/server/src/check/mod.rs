//! `tureen check`: looks for what keeps a deployment from working, with the settings of the server. Must not know how the
//! server does its work: it asks a running one over HTTP and STUN as a client would, and else tries what it would try.

mod addresses;
mod certificate;
mod finding;
mod ports;
mod probe;
mod running;
mod system;

pub use finding::{Finding, Report, Verdict};

use crate::config::{ConfigError, Overrides, Settings};
use std::io::Write;
use std::path::PathBuf;

/// What `tureen check` takes: the settings of the server, and how to tell what was found.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// TOML file of settings, as of `tureen serve`. Default: none.
    #[arg(long, env = "TUREEN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints JSON in place of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    overrides: Overrides,
}

/// Why a check ends badly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// There are no settings to check.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// So many findings are of the worst kind.
    #[error("{0} of the findings keep the server from working")]
    Broken(usize),
    /// The findings cannot be written.
    #[error("cannot write the findings: {0}")]
    Write(#[from] std::io::Error),
}

/// Looks at everything.
///
/// Blocks for up to some ten seconds. Where a server with these settings runs already, it is asked for transports in a
/// room of the check's own, and these are reached over UDP and TCP; otherwise the ports are bound for a moment.
pub fn check(settings: &Settings) -> Report {
    let mut report = Report::default();
    if let Some(server) = running::find(settings) {
        report.running = true;
        server.examine(settings, &mut report);
    } else {
        ports::examine(settings, &mut report);
    }
    addresses::examine(settings, &mut report);
    certificate::examine(settings, &mut report);
    system::examine(settings, &mut report);
    report
}

/// Checks, and fails behind the report if anything is broken.
pub(crate) fn run(args: CheckArgs, out: &mut dyn Write) -> Result<(), CheckError> {
    let settings = Settings::resolve(args.overrides, args.config.as_deref())?;
    let report = check(&settings);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &report).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        report.write_lines(out)?;
    }
    match report.count(Verdict::Fail) {
        0 => Ok(()),
        broken => Err(CheckError::Broken(broken)),
    }
}
