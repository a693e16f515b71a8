//! `tureen inspect`.

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct InspectArgs {}

/// Runs it.
pub(crate) fn run(_: &InspectArgs, _: &mut dyn std::io::Write) -> Result<(), std::io::Error> {
    Ok(())
}
