//! What the system grants: buffers, files, cores, and the right time.

use super::finding::Report;
use super::ports::{cores, shards};
use crate::config::Settings;
use crate::net::SOCKET_BUFFER;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Bytes of a UDP socket's buffer that hold a burst of a hundred streams' key frames.
const ENOUGH: u64 = 1024 * 1024;
/// Descriptors beside those of connections: media sockets, files, the runtime's own.
const OTHER_FILES: u64 = 1024;

pub(super) fn examine(settings: &Settings, report: &mut Report) {
    buffers(report);
    files(settings, report);
    processors(settings, report);
    clock(report);
}

/// The server asks for more than the default, and gets no more than the maximum.
fn buffers(report: &mut Report) {
    for (check, kind, direction) in
        [("udp_recv_buffer", "rmem", "received"), ("udp_send_buffer", "wmem", "sent")]
    {
        let name = format!("net.core.{kind}_max");
        let max = fs::read_to_string(format!("/proc/sys/net/core/{kind}_max"));
        match max.ok().and_then(|text| text.trim().parse::<u64>().ok()) {
            Some(bytes) if bytes >= ENOUGH => report.ok(check, format!("{name} is {bytes} bytes")),
            Some(bytes) => {
                let found = format!("{name} is {bytes} bytes, and bursts {direction} are lost");
                report.warn(check, found, format!("sysctl -w {name}={SOCKET_BUFFER}"));
            }
            None => report.warn(check, "not known", format!("look at {name} of the host")),
        }
    }
}

/// Of this process: what the unit or the container grants the server may differ.
fn files(settings: &Settings, report: &mut Report) {
    const CHECK: &str = "open_files";
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let Some(soft) = open_files(&limits) else {
        return report.warn(CHECK, "not known", "see that `ulimit -n` is some thousands");
    };
    let needed = u64::try_from(settings.max_connections).unwrap_or(u64::MAX).saturating_add(OTHER_FILES);
    if soft >= needed {
        report.ok(CHECK, format!("{soft} may be open"));
    } else {
        let found = format!("{soft} may be open, and max_connections alone is {}", settings.max_connections);
        report.warn(CHECK, found, format!("`ulimit -n {needed}`, or LimitNOFILE={needed} in the unit"));
    }
}

/// The soft limit of open files in the text of `/proc/self/limits`; `unlimited` is the highest number.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    if soft == "unlimited" { Some(u64::MAX) } else { soft.parse().ok() }
}

fn processors(settings: &Settings, report: &mut Report) {
    const CHECK: &str = "shards";
    let (cores, shards) = (cores(), usize::from(shards(settings)));
    if shards > cores {
        let found = format!("{shards} shards on {cores} cores");
        report.warn(CHECK, found, "they take turns: set shards to 0, for one a core");
    } else {
        report.ok(CHECK, format!("{shards} on {cores} cores"));
    }
}

/// Sender reports and tokens need the time of day. The kernel's own word would need a system call that Rust has no safe
/// name for, so that the service that sets the clock is asked.
fn clock(report: &mut Report) {
    const CHECK: &str = "clock";
    const ADVICE: &str =
        "tokens and statistics of several machines need the same time: run chrony or systemd-timesyncd";
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return report.ok(CHECK, "synchronized by systemd-timesyncd");
    }
    let answer = Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output();
    let answer = answer.ok().filter(|output| output.status.success());
    match answer.as_ref().map(|output| String::from_utf8_lossy(&output.stdout)).as_deref().map(str::trim) {
        Some("yes") => report.ok(CHECK, "synchronized"),
        Some("no") => report.warn(CHECK, "not synchronized", ADVICE),
        _ => report.warn(CHECK, "not known whether it is synchronized", ADVICE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(
            open_files("Max open files            unlimited            unlimited            files"),
            Some(u64::MAX)
        );
        assert_eq!(open_files("Max processes 5 5"), None);
    }
}
