//! `cargo xtask test`: every test of the repository, with its own set-up. It knows the runners and their order; the
//! tests stand beside the code they test.

use crate::report::{self, Row};
use crate::step::{Failure, Outcome, Step, elapsed};
use crate::tally::{Runner, Tally};
use crate::tree::Tree;
use crate::{drivers, examples, packages, python};
use cargo_metadata::TargetKind;
use clap::ValueEnum;
use std::fs;
use std::process::Command;
use std::time::Instant;

/// The package that replays the fuzz corpora on the stable toolchain.
pub(crate) const REPLAY: &str = "tureen-fuzz-targets";

/// Tests whose file or function has a name that starts so move real media, one at a time.
const REAL_MEDIA: &str = "real_media";

/// Run every test, and set up what they need first.
///
/// The steps run in the order of the list below, also after one has failed; each can run alone with --only. The last
/// line is the sum over all runners: N passed, N failed. A step that breaks before it counts is one failure.
///
/// Missing Debian packages are installed when run as root; otherwise the command for it is printed. With cargo-nextest
/// installed the tests run under it, else under cargo test.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Also the long variants (TUREEN_TEST_FULL=1), and write docs/reports/test-full.md
    #[arg(long)]
    full: bool,
    /// Only this step, without the others' set-up
    #[arg(long, value_enum, value_name = "STEP")]
    only: Option<Part>,
}

impl Options {
    /// All steps, in their ordinary length.
    pub(crate) fn everything() -> Self {
        Self { full: false, only: None }
    }
}

/// The steps, in their order.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// System packages, drivers of browsers and Python clients that the real-media tests need
    Setup,
    /// Unit, integration and property tests of the workspace
    Unit,
    /// The fuzz corpora, on the stable toolchain
    Replay,
    /// Examples in the documentation
    Doc,
    /// The standalone projects under examples/
    Examples,
    /// Tests with FFmpeg, GStreamer and browsers; with --full at release speed
    RealMedia,
}

impl Part {
    const ALL: [Self; 6] =
        [Self::Setup, Self::Unit, Self::Replay, Self::Doc, Self::Examples, Self::RealMedia];

    fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Unit => "unit",
            Self::Replay => "replay",
            Self::Doc => "doc",
            Self::Examples => "examples",
            Self::RealMedia => "real-media",
        }
    }
}

/// How real-media tests begin that run with --full alone: those of the clients and the impaired path without a server, which the others are
/// judged by, and second ways of what runs always. Each client and each codec is among the rest.
const LONG: [&str; 7] = [
    "real_media_direct",
    "real_media_browsers_layers_of_av1",
    "real_media_browsers_layers_of_h264_simulcast",
    "real_media_browsers_layers_of_vp9_with_own_references",
    "real_media_browsers_parity_beside_retransmissions",
    "real_media_loss_publisher_plain",
    "real_media_loss_viewer_plain",
];

/// Of the packages that the real-media tests at release speed are built with, so that little is built twice.
const EXAMPLES_THAT_RUN: [&str; 7] =
    ["build", "--release", "--package", "tureen-server", "--package", "tureen", "--examples"];

/// What a step hands back: its counts, and a remark where it had nothing to do.
pub(crate) struct Done {
    pub(crate) tally: Tally,
    pub(crate) result: Outcome,
    pub(crate) remark: String,
}

impl Done {
    fn nothing(remark: &str) -> Self {
        println!("    {remark}");
        Self { tally: Tally::default(), result: Ok(()), remark: remark.to_owned() }
    }
}

pub(crate) fn run(tree: &Tree, options: &Options) -> Outcome {
    let started = Instant::now();
    if options.full {
        // Those of an earlier run, if there was one.
        let _ = fs::remove_file(report::figures(tree));
    }
    let chosen = Part::ALL.into_iter().filter(|part| options.only.is_none_or(|only| only == *part));
    let rows: Vec<(Row, Outcome)> = chosen.map(|part| run_part(tree, part, options.full)).collect();
    let mut total = Tally::default();
    let mut first_failure = Ok(());
    let mut written = Vec::new();
    println!();
    for (row, result) in rows {
        let mark = if result.is_ok() { "ok    " } else { "FAILED" };
        println!("{mark} {:<10} {:>20}  {}", row.step, row.tally.to_string(), row.remark);
        total += row.tally;
        first_failure = first_failure.and(result);
        written.push(row);
    }
    if options.full && options.only.is_none() {
        println!("report: {}", report::write(tree, "test-full", &written)?.display());
    }
    println!("in {}", elapsed(started));
    println!("{total}");
    first_failure
}

/// `cargo xtask test --only replay`, for the verb `fuzz`.
pub(crate) fn run_replay(tree: &Tree) -> Outcome {
    if tree.package(REPLAY).is_none() {
        return Err(Failure::new(format!("there is no package {REPLAY}: nothing to replay")));
    }
    run(tree, &Options { full: false, only: Some(Part::Replay) })
}

fn run_part(tree: &Tree, part: Part, full: bool) -> (Row, Outcome) {
    let started = Instant::now();
    let rerun = format!("cargo xtask test{} --only {}", if full { " --full" } else { "" }, part.name());
    let step = Step::begin(part.name(), &rerun);
    let mut done = match part {
        Part::Setup => {
            let clients = || drivers::set_up(tree, &step).and_then(|()| python::set_up(tree, &step));
            let result = packages::set_up(&step).and_then(|()| clients());
            Done { tally: Tally::default(), result, remark: String::new() }
        }
        Part::Unit => tests(&step, &mut unit(tree, full), runner(tree)),
        Part::Replay => replay(tree, &step, full),
        Part::Doc => {
            let mut command = with_length(tree, full);
            tests(&step, command.args(["test", "--doc", "--workspace", "--no-fail-fast"]), Runner::Libtest)
        }
        Part::Examples => examples::run(tree, &step),
        Part::RealMedia => real_media(tree, &step, full),
    };
    if let Err(failure) = &done.result {
        println!("\n{failure}");
        done.remark = "failed".to_owned();
        // A step that broke before it could count is a failure all the same.
        done.tally.failed = done.tally.failed.max(1);
    }
    step.end();
    (
        Row { step: part.name(), tally: done.tally, took: started.elapsed(), rerun, remark: done.remark },
        done.result,
    )
}

fn tests(step: &Step, command: &mut Command, runner: Runner) -> Done {
    let mut tally = Tally::default();
    let result = step.run_watched(command, |line| tally.read(runner, line));
    Done { tally, result, remark: String::new() }
}

fn runner(tree: &Tree) -> Runner {
    if tree.has_cargo_verb("nextest") { Runner::Nextest } else { Runner::Libtest }
}

/// With --full tests have their long variants, and write down what they measure.
fn with_length(tree: &Tree, full: bool) -> Command {
    let mut command = tree.cargo();
    if full {
        command.env("TUREEN_TEST_FULL", "1").env("TUREEN_TEST_FIGURES", report::figures(tree));
    }
    command
}

/// Everything but what has a step of its own. The same package selection for all steps keeps the same features, and
/// with them the same built dependencies.
fn unit(tree: &Tree, full: bool) -> Command {
    let mut command = with_length(tree, full);
    match runner(tree) {
        Runner::Nextest => {
            command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests=fail"]);
            command.args([
                "-E",
                &format!("not ({}{})", real_media_filter(&real_media_files(tree)), replay_filter(tree)),
            ]);
        }
        Runner::Libtest => {
            command.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins"]);
            for name in test_targets(tree).filter(|name| !name.starts_with(REAL_MEDIA)) {
                command.args(["--test", name]);
            }
            if tree.package(REPLAY).is_some() {
                command.args(["--exclude", REPLAY]);
            }
            command.args(["--", "--skip", REAL_MEDIA]);
        }
    }
    command
}

fn replay(tree: &Tree, step: &Step, full: bool) -> Done {
    if tree.package(REPLAY).is_none() {
        return Done::nothing("there is no package with fuzz targets");
    }
    let runner = runner(tree);
    let mut command = with_length(tree, full);
    match runner {
        Runner::Nextest => {
            command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests=fail"]);
            command.args(["-E", &format!("package({REPLAY})")]);
        }
        Runner::Libtest => {
            command.args(["test", "--package", REPLAY, "--no-fail-fast"]);
        }
    }
    tests(step, &mut command, runner)
}

fn real_media(tree: &Tree, step: &Step, full: bool) -> Done {
    let files = real_media_files(tree);
    if files.is_empty() {
        return Done::nothing("no integration test of tureen-server is named real_media");
    }
    // Some of these tests run the examples of another package, which cargo does not build with them.
    if full && let Err(failure) = step.run(tree.cargo().args(EXAMPLES_THAT_RUN)) {
        return Done { tally: Tally::default(), result: Err(failure), remark: String::new() };
    }
    let runner = runner(tree);
    let mut command = with_length(tree, full);
    match runner {
        Runner::Nextest => {
            let filter = real_media_filter(&files);
            let short = format!("({filter}) & not test(/(^|::)({})/)", LONG.join("|"));
            command.args(["nextest", "run", "--no-tests=fail", "-E", if full { &filter } else { &short }])
        }
        Runner::Libtest => command.arg("test"),
    };
    if full {
        command.args(["--release", "--package", "tureen-server"]);
    } else {
        // The same selection as before: another one would build everything anew.
        command.arg("--workspace");
    }
    command.arg("--no-fail-fast");
    for file in &files {
        command.args(["--test", file]);
    }
    if runner == Runner::Libtest {
        command.arg("--");
        if files.iter().any(|file| !file.starts_with(REAL_MEDIA)) {
            command.arg(REAL_MEDIA);
        }
        if !full {
            LONG.iter().for_each(|name| {
                command.args(["--skip", name]);
            });
        }
    }
    tests(step, &mut command, runner)
}

/// A nextest filter. nextest refuses one that names a binary or package which is not there.
fn real_media_filter(files: &[String]) -> String {
    let is_binary = files.iter().any(|file| file.starts_with(REAL_MEDIA));
    let binary = if is_binary { format!(" | binary(/^{REAL_MEDIA}/)") } else { String::new() };
    format!("test(/(^|::){REAL_MEDIA}/){binary}")
}

fn replay_filter(tree: &Tree) -> String {
    tree.package(REPLAY).map_or_else(String::new, |_| format!(" | package({REPLAY})"))
}

fn test_targets(tree: &Tree) -> impl Iterator<Item = &str> {
    let targets = tree.metadata().workspace_packages().into_iter().flat_map(|package| &package.targets);
    targets.filter(|target| target.kind.contains(&TargetKind::Test)).map(|target| target.name.as_str())
}

/// The integration tests of the server that are, or hold, real-media tests.
fn real_media_files(tree: &Tree) -> Vec<String> {
    let Some(server) = tree.package("tureen-server") else { return Vec::new() };
    let is_test = server.targets.iter().filter(|target| target.kind.contains(&TargetKind::Test));
    is_test
        .filter(|target| {
            let source = fs::read_to_string(&target.src_path).unwrap_or_default();
            target.name.starts_with(REAL_MEDIA) || source.contains(&format!("fn {REAL_MEDIA}"))
        })
        .map(|target| target.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_names_only_binaries_that_are_there() {
        assert_eq!(real_media_filter(&["api".to_owned()]), "test(/(^|::)real_media/)");
        let both = real_media_filter(&["real_media_ffmpeg".to_owned()]);
        assert_eq!(both, "test(/(^|::)real_media/) | binary(/^real_media/)");
    }
}
