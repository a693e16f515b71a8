//! Child processes: started on a core, watched from outside, and ended when they are dropped. Knows nothing of what they do.

use crate::error::{Error, while_doing};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// How long a child has to say something, or to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running child whose standard input and output are ours.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    /// Starts a child on the cores that the calling thread may use.
    pub fn start(name: &'static str, command: &mut Command) -> Result<Self, Error> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(while_doing(format!("cannot start {name}")))?;
        let (sender, lines) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(Result::ok);
                lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
            });
        }
        Ok(Self { name, input: child.stdin.take(), child, lines })
    }

    /// The next line that the child says.
    pub fn line(&self) -> Result<String, Error> {
        self.lines.recv_timeout(PATIENCE).map_err(|_| Error::Child(format!("{} says nothing", self.name)))
    }

    /// Tells the child a line.
    pub fn tell(&mut self, line: &str) -> Result<(), Error> {
        let Some(input) = &mut self.input else { return Ok(()) };
        writeln!(input, "{line}").map_err(while_doing(format!("cannot talk to {}", self.name)))
    }

    /// CPU time that its threads have used, in the system too, and how long they were ready to run while others ran.
    pub fn cpu_time(&self) -> Result<(Duration, Duration), Error> {
        let path = format!("/proc/{}/task", self.child.id());
        let (mut sum, mut waited) = (0, 0);
        for task in fs::read_dir(&path).map_err(while_doing(path.clone()))?.flatten() {
            // A thread that ends meanwhile takes a few microseconds along.
            let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
            let (ran, ready) = schedstat(&text).unwrap_or_default();
            sum += ran;
            waited += ready;
        }
        match sum {
            0 => Err(Error::Child(format!("{path} has no schedstat: CPU time cannot be read"))),
            sum => Ok((Duration::from_nanos(sum), Duration::from_nanos(waited))),
        }
    }

    /// Memory resident now, in KiB.
    pub fn resident(&self) -> Result<u64, Error> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).map_err(while_doing(path))?;
        resident(&text).ok_or_else(|| Error::Child(format!("{}: no VmRSS", self.name)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.input = None;
        // Children of this tool have nothing to put in order.
        let _ = self.child.kill();
        let started = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && started.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Nanoseconds on a core, and ready to run without one: the first two numbers of `schedstat`.
fn schedstat(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split_whitespace().map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_the_kernel_are_read() {
        assert_eq!(schedstat("1234567890 555 42\n"), Some((1_234_567_890, 555)));
        assert_eq!(schedstat("12"), None);
        assert_eq!(resident("VmHWM:\t  9 kB\nVmRSS:\t   10324 kB\n"), Some(10_324));
        assert_eq!(resident("Name: x\n"), None);
    }

    #[test]
    fn a_child_talks_and_has_used_time_and_memory() {
        let mut child = Process::start("cat", &mut Command::new("cat")).unwrap();
        child.tell("hello").unwrap();
        assert_eq!(child.line().unwrap(), "hello");
        assert!(child.cpu_time().unwrap().0 > Duration::ZERO);
        assert!(child.resident().unwrap() > 0);
    }
}
