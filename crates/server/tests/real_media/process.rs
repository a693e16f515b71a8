//! A client or server in a process of its own: its output kept in files, its time limited, its end certain.
//!
//! It must not know what the program does.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);

/// A running program. It is killed, by its id, when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts `command`, with its output in `directory` in files named after `name`.
    pub(crate) fn start(directory: &Path, name: &str, command: &mut Command) -> Self {
        let stdout = directory.join(format!("{name}.out"));
        let stderr = directory.join(format!("{name}.err"));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(File::create(&stdout).expect("a file for standard output"))
            .stderr(File::create(&stderr).expect("a file for standard error"))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let stdin = child.stdin.take();
        Self { name: name.to_owned(), child, stdin, stdout, stderr }
    }

    /// What it wrote to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stdout).unwrap_or_default()).into_owned()
    }

    /// What it wrote to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// Waits until it ends by itself; panics where it fails or takes longer than `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait().expect("a child to wait for") {
                Some(status) if status.success() => return,
                Some(status) => panic!("{} ended with {status}:\n{}", self.name, self.stderr()),
                None if Instant::now() > deadline => {
                    panic!("{} did not end in {limit:?}:\n{}", self.name, self.stderr())
                }
                None => thread::sleep(POLL),
            }
        }
    }

    /// Asks it to end, as FFmpeg and our own clients understand it, and waits.
    pub(crate) fn finish(&mut self, limit: Duration) {
        if let Some(mut stdin) = self.stdin.take() {
            // It may have ended by itself; `wait` tells whether that was well.
            let _ = stdin.write_all(b"q\n");
        }
        self.wait(limit);
    }

    /// Interrupts it, as a person at a terminal would, and waits: FFmpeg listens to nothing else while no packet comes.
    pub(crate) fn interrupt(&mut self, limit: Duration) {
        // The first asks FFmpeg to end after the packet that it waits for, the second ends the waiting.
        for _ in 0..2 {
            let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
            thread::sleep(Duration::from_millis(300));
        }
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait().expect("a child to wait for") {
                // FFmpeg says 255 where a signal made it end well.
                Some(status) if status.success() || status.code() == Some(255) => return,
                Some(status) => panic!("{} ended with {status}:\n{}", self.name, self.stderr()),
                None if Instant::now() > deadline => {
                    panic!("{} did not end in {limit:?}:\n{}", self.name, self.stderr())
                }
                None => thread::sleep(POLL),
            }
        }
    }

    /// Waits until `ready` gives something; panics where the program ends before, or it takes longer than `limit`.
    pub(crate) fn until<T>(&mut self, limit: Duration, mut ready: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(value) = ready(self) {
                return value;
            }
            if let Some(status) = self.child.try_wait().expect("a child to wait for") {
                panic!("{} ended with {status}:\n{}", self.name, self.stderr());
            }
            assert!(
                Instant::now() < deadline,
                "{} was not ready in {limit:?}:\n{}",
                self.name,
                self.stderr()
            );
            thread::sleep(POLL);
        }
    }

    fn tail(&self) -> String {
        let log = self.stderr();
        let lines: Vec<&str> = log.lines().rev().take(30).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// An example of the crate `tureen`, which cargo builds with the tests of the workspace.
pub(crate) fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a path to this test");
    let built = tests.parent().and_then(Path::parent).expect("a folder of what is built");
    let program = built.join("examples").join(name);
    assert!(program.is_file(), "cargo build -p tureen --examples");
    program
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            crate::report(&format!("--- {}, standard error:\n{}", self.name, self.tail()));
        }
        // Both fail only where it has ended and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (tempfile::TempDir, Process) {
        let directory = tempfile::tempdir().unwrap();
        let process = Process::start(directory.path(), "shell", Command::new("sh").args(["-c", script]));
        (directory, process)
    }

    #[test]
    fn output_is_kept() {
        let (_directory, mut process) = shell("echo out; echo err >&2");
        process.wait(Duration::from_secs(5));
        assert_eq!((process.stdout().as_str(), process.stderr().as_str()), ("out\n", "err\n"));
    }

    #[test]
    #[should_panic(expected = "ended with exit status: 3:\nwhy")]
    fn failure_is_told_with_the_log() {
        shell("echo why >&2; exit 3").1.wait(Duration::from_secs(5));
    }

    #[test]
    #[should_panic(expected = "did not end in")]
    fn time_is_limited() {
        shell("sleep 60").1.wait(Duration::from_millis(100));
    }

    #[test]
    fn a_line_on_standard_input_asks_for_the_end() {
        let (_directory, mut process) = shell("read line; echo $line");
        process.finish(Duration::from_secs(5));
        assert_eq!(process.stdout(), "q\n");
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let (_directory, mut process) = shell("echo $$; exec sleep 60");
        let id = process.until(Duration::from_secs(5), |process| process.stdout().trim().parse::<u32>().ok());
        assert!(Path::new(&format!("/proc/{id}")).exists());
        drop(process);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }
}
