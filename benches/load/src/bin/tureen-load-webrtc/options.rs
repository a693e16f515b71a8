//! The command line.

use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;

/// What WebRTC receivers cost a whole server: CPU time a packet, memory, and how long they take to join.
#[derive(Clone, Debug, Parser)]
#[command(name = "tureen-load-webrtc")]
pub(crate) struct Options {
    /// The server's binary
    #[arg(long, value_name = "FILE")]
    pub(crate) server: PathBuf,
    /// Receivers built on the package `str0m`
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(crate) str0m: u16,
    /// Receivers built on the package `webrtc`
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(0..=100))]
    pub(crate) webrtc: u16,
    /// Seconds of load once all have joined, 1 to 600
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(crate) seconds: u16,
    /// Packets a second that the publisher sends, 10 to 20000
    #[arg(long, default_value_t = 800, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    pub(crate) rate: u32,
    /// Packets of a frame, sent back to back, 1 to 32
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=32))]
    pub(crate) burst: u16,
    /// Bytes of an RTP packet as it is published, header and all, 40 to 1150
    #[arg(long, default_value_t = 1100, value_parser = clap::value_parser!(u16).range(40..=1150))]
    pub(crate) packet_size: u16,
    /// Fails where more than this share of the packets does not arrive
    #[arg(long, value_name = "SHARE")]
    pub(crate) max_loss: Option<f64>,
    /// Writes every figure there
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Folder of the plot
    #[arg(long, value_name = "FOLDER", default_value = "target/load")]
    pub(crate) plots: PathBuf,
}

impl Options {
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
        let options = Options::parse_from(["load", "--server", "x", "--seconds", "3"]);
        assert_eq!((options.str0m, options.webrtc, options.duration()), (20, 4, Duration::from_secs(3)));
        assert!(Options::try_parse_from(["load", "--server", "x", "--burst", "33"]).is_err());
    }
}
