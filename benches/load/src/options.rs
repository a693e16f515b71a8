//! The command line of a run, and the cases that it spans.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// What packets to receivers are protected with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protection {
    /// Plain RTP
    None,
    /// SRTP with AEAD_AES_128_GCM (RFC 7714)
    Gcm,
}

/// Where packets to receivers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Device {
    /// To sockets of the load generator, which checks them and measures their delay
    Loopback,
    /// To a device in a network namespace that discards them: what they cost where a network card takes them. Needs root
    Ifb,
}

/// How fast the sender sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// So that the server's core is about 60% busy: for delays
    Half,
    /// So that the server's core is about 90% busy: for throughput
    High,
    /// At the rate of the command line
    Given,
}

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// The server's binary
    #[arg(long, value_name = "FILE")]
    pub(crate) server: PathBuf,
    /// Receivers, each with a transport and a consumer of its own
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=5000))]
    pub(crate) receivers: u16,
    /// Bytes of an RTP packet as it is sent, header and all, 40 to 1400
    #[arg(long, value_delimiter = ',', default_values_t = [1200, 160], value_parser = clap::value_parser!(u16).range(40..=1400))]
    pub(crate) packet_size: Vec<u16>,
    /// Packets of a frame, sent back to back, 1 to 32
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8], value_parser = clap::value_parser!(u16).range(1..=32))]
    pub(crate) burst: Vec<u16>,
    /// Packets a second that the sender sends; otherwise found out: one at which the server's core is about 60% busy, and one
    /// for 90%
    #[arg(long, value_name = "PACKETS", conflicts_with = "bitrate", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: Option<u32>,
    /// The same in bits of RTP a second
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u64).range(1..=10_000_000_000))]
    pub(crate) bitrate: Option<u64>,
    /// Seconds of a round, 1 to 60
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=60))]
    pub(crate) seconds: u8,
    /// Rounds of each, bare loop and server in turns; medians count
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
    pub(crate) rounds: u8,
    /// Protection of what receivers get
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Protection::None, Protection::Gcm])]
    pub(crate) srtp: Vec<Protection>,
    /// Where packets go
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Device::Loopback, Device::Ifb])]
    pub(crate) device: Vec<Device>,
    /// Threads of the server that forward; one has core 0 for itself, more have the generator on one of theirs where there
    /// are no more cores
    #[arg(long, value_delimiter = ',', default_values_t = [1], value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) shards: Vec<u8>,
    /// Fails where a packet costs the server more than this times what it costs the bare loop, at high load and on one
    /// shard
    #[arg(long, value_name = "RATIO")]
    pub(crate) max_ratio: Option<f64>,
    /// Writes every figure there
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Folder of the plots
    #[arg(long, value_name = "FOLDER", default_value = "target/load")]
    pub(crate) plots: PathBuf,
}

/// One thing to measure, at one or two levels of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) device: Device,
    pub(crate) srtp: Protection,
    pub(crate) packet_size: u16,
    pub(crate) burst: u16,
    pub(crate) shards: u8,
    pub(crate) receivers: u16,
}

impl Options {
    /// Every combination, slow axes first.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for &shards in &self.shards {
            for &device in &self.device {
                for &packet_size in &self.packet_size {
                    for &srtp in &self.srtp {
                        for &burst in &self.burst {
                            let receivers = self.receivers;
                            cases.push(Case { device, srtp, packet_size, burst, shards, receivers });
                        }
                    }
                }
            }
        }
        cases
    }

    /// Packets a second that the command line asks for.
    pub(crate) fn given_rate(&self, packet_size: u16) -> Option<f64> {
        let of_bits = |bits: u64| bits as f64 / (f64::from(packet_size) * 8.0);
        self.rate.map(f64::from).or(self.bitrate.map(of_bits)).map(|rate| rate.max(1.0))
    }

    pub(crate) fn round(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// The command line of the process that measures one device.
    pub(crate) fn for_device(&self, device: Device) -> Vec<String> {
        let mut line = vec!["measure".to_owned(), "--server".to_owned(), self.server.display().to_string()];
        let mut add = |name: &str, value: String| line.extend([format!("--{name}"), value]);
        add("receivers", self.receivers.to_string());
        add("packet-size", list(&self.packet_size));
        add("burst", list(&self.burst));
        add("seconds", self.seconds.to_string());
        add("rounds", self.rounds.to_string());
        add("shards", list(&self.shards));
        add("srtp", names(&self.srtp));
        add("device", names(&[device]));
        if let Some(rate) = self.rate {
            add("rate", rate.to_string());
        }
        if let Some(bitrate) = self.bitrate {
            add("bitrate", bitrate.to_string());
        }
        line
    }
}

/// The name of a value on the command line.
pub(crate) fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn names<T: ValueEnum + Clone>(values: &[T]) -> String {
    values.iter().cloned().map(name).collect::<Vec<_>>().join(",")
}

fn list(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};

    fn parse(line: &[&str]) -> Result<Options, clap::Error> {
        let matches = Options::augment_args(clap::Command::new("load")).try_get_matches_from(line)?;
        Options::from_arg_matches(&matches)
    }

    #[test]
    fn cases_are_all_combinations() {
        let options = parse(&["load", "--server", "x", "--shards", "1,2", "--device", "ifb"]).unwrap();
        let cases = options.cases();
        assert_eq!(cases.len(), 16);
        assert!(cases.iter().all(|case| case.device == Device::Ifb && case.receivers == 100));
        let distinct = cases.iter().enumerate().all(|(at, case)| !cases[..at].contains(case));
        assert!(distinct);
    }

    #[test]
    fn the_line_for_a_device_says_the_same_but_for_the_device() {
        let line = "load --server /bin/x --receivers 7 --packet-size 300 --burst 4 --bitrate 2400000 --seconds 5 \
                    --rounds 1 --srtp gcm --shards 1,3 --device loopback,ifb";
        let options = parse(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
        let child = options.for_device(Device::Ifb);
        let child = parse(&child.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert_eq!(child.device, [Device::Ifb]);
        assert_eq!(child.given_rate(300), Some(1000.0));
        let mut same = options.clone();
        same.device = vec![Device::Ifb];
        assert_eq!(format!("{same:?}"), format!("{child:?}"));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for bad in [
            ["--receivers", "0"],
            ["--packet-size", "39"],
            ["--burst", "33"],
            ["--srtp", "sha1"],
            ["--device", "eth0"],
            ["--shards", "0"],
        ] {
            assert!(parse(&[&["load", "--server", "x"], &bad[..]].concat()).is_err(), "{bad:?}");
        }
        assert!(parse(&["load", "--server", "x", "--rate", "5", "--bitrate", "5"]).is_err());
    }
}
