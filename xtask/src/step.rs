//! Named steps: they announce themselves, pass their output through line by line, show that they are alive when they
//! are silent, and say on failure how to run them alone. It knows nothing of what the steps do.

use std::fmt;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// A child that says nothing for this long gets a line that tells how long it has been running.
const SILENCE: Duration = Duration::from_secs(30);

/// What went wrong, and the command that tries it again alone.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    rerun: Option<String>,
}

/// The result of a step or verb.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), rerun: None }
    }

    pub(crate) fn with_rerun(mut self, rerun: &str) -> Self {
        self.rerun = Some(rerun.to_owned());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.rerun {
            Some(rerun) => write!(f, "\nrun it alone with: {rerun}"),
            None => Ok(()),
        }
    }
}

/// Turns an I/O error into a [`Failure`] that says what was being done.
pub(crate) fn while_doing<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Failure {
    move |error| Failure::new(format!("{what}: {error}"))
}

/// A piece of work with a name, the command that repeats it, and the time it began.
pub(crate) struct Step {
    name: String,
    rerun: String,
    started: Instant,
}

impl Step {
    /// Announces the step.
    pub(crate) fn begin(name: &str, rerun: &str) -> Self {
        println!("\n==> {name}");
        Self { name: name.to_owned(), rerun: rerun.to_owned(), started: Instant::now() }
    }

    /// Runs a child process to its end; a status other than success is the step's failure.
    pub(crate) fn run(&self, command: &mut Command) -> Outcome {
        self.run_watched(command, |_| ())
    }

    /// As [`Step::run`], and shows each line of output, without colours, to `watch`.
    pub(crate) fn run_watched(&self, command: &mut Command, mut watch: impl FnMut(&str)) -> Outcome {
        let shown = show(command);
        println!("    $ {shown}");
        if io::stderr().is_terminal() {
            command.env("CARGO_TERM_COLOR", "always");
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| self.failure(&format!("cannot start `{shown}`: {error}")))?;
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            forward(stdout, io::stdout(), sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            forward(stderr, io::stderr(), sender.clone());
        }
        drop(sender);
        loop {
            match lines.recv_timeout(SILENCE) {
                Ok(line) => watch(&without_colours(&line)),
                Err(RecvTimeoutError::Timeout) => {
                    println!("    ... {} is still running, {}", self.name, elapsed(self.started));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = child.wait().map_err(|error| self.failure(&format!("lost `{shown}`: {error}")))?;
        if status.success() { Ok(()) } else { Err(self.failure(&format!("`{shown}` ended with {status}"))) }
    }

    /// Tells that the step is done and how long it took.
    pub(crate) fn end(self) -> Duration {
        println!("    {} done in {}", self.name, elapsed(self.started));
        self.started.elapsed()
    }

    /// The failure of this step, with its name and the command that repeats it.
    pub(crate) fn failure(&self, what: &str) -> Failure {
        Failure::new(format!("{}: {what}", self.name)).with_rerun(&self.rerun)
    }
}

/// The time since `started`, for people: `0.4s`, `12s`, `3m05s`.
pub(crate) fn elapsed(started: Instant) -> String {
    for_people(started.elapsed())
}

/// A duration for people: `0.4s`, `12s`, `3m05s`.
pub(crate) fn for_people(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", duration.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        _ => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}

fn show(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or_default();
    let mut shown = name.to_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        shown.push(' ');
        if argument.contains(|c: char| c.is_whitespace() || "()|&;*".contains(c)) {
            shown.push_str(&format!("'{argument}'"));
        } else {
            shown.push_str(&argument);
        }
    }
    shown
}

/// Copies `from` to `to` line by line on a thread of its own, and hands each line on.
fn forward(from: impl Read + Send + 'static, mut to: impl Write + Send + 'static, lines: Sender<String>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(from);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            // A terminal that went away must not end the work.
            let _ = to.write_all(&line).and_then(|()| to.flush());
            let _ = lines.send(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    });
}

/// Drops the terminal's control sequences (ECMA-48 section 5.4: CSI, parameters, final byte).
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            plain.push(c);
        } else if chars.next() == Some('[') {
            chars.find(|c| ('\u{40}'..='\u{7e}').contains(c));
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_and_exact_enough() {
        assert_eq!(for_people(Duration::from_millis(420)), "0.4s");
        assert_eq!(for_people(Duration::from_secs(59)), "59s");
        assert_eq!(for_people(Duration::from_secs(185)), "3m05s");
    }

    #[test]
    fn colours_are_removed_before_a_line_is_read() {
        assert_eq!(without_colours("\u{1b}[32;1m     Summary\u{1b}[0m [ 1s]"), "     Summary [ 1s]");
    }

    #[test]
    fn output_of_a_child_reaches_the_watcher() {
        let step = Step::begin("echo", "true");
        let mut seen = Vec::new();
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo one; echo two >&2"]);
        step.run_watched(&mut shell, |line| seen.push(line.to_owned())).unwrap();
        seen.sort();
        assert_eq!(seen, ["one", "two"]);
    }

    #[test]
    fn a_failure_names_the_step_and_how_to_repeat_it() {
        let step = Step::begin("broken", "cargo xtask test --only broken");
        let mut shell = Command::new("sh");
        shell.args(["-c", "exit 3"]);
        let text = step.run(&mut shell).unwrap_err().to_string();
        assert!(text.starts_with("broken: "), "{text}");
        assert!(text.ends_with("run it alone with: cargo xtask test --only broken"), "{text}");
    }

    #[test]
    fn arguments_with_shell_characters_are_shown_quoted() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["nextest", "-E", "not binary(x)"]);
        assert_eq!(show(&command), "cargo nextest -E 'not binary(x)'");
    }
}
