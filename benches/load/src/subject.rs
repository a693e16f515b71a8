//! Who is measured: a server, or the bare loop. Both take one stream and send it to every receiver.

use crate::api::{Api, dropped, http_address, metric};
use crate::bare::{self, Counters, Task};
use crate::child::Process;
use crate::cores::on_measured_core;
use crate::drive::{Driven, Pace, Sender, drive};
use crate::error::{Error, while_doing};
use crate::options::{Case, Device, Protection};
use crate::receivers::{Opener, Receivers, Seen};
use crate::stage::discarded;
use crate::stream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tureen_srtp::{DEFAULT_PROVIDER, Profile, SrtpReceiver};

const SOURCE: &str = "source";
const SINK: &str = "sink";

/// A process under load, with its sender and its receivers.
pub(crate) struct Subject {
    process: Process,
    /// None is the bare loop.
    api: Option<Api>,
    target: SocketAddr,
    sender: Sender,
    /// None where packets are discarded on the way.
    receivers: Option<Receivers>,
}

/// What a subject has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) cpu: Duration,
    /// Ready to run while others ran.
    pub(crate) waited: Duration,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) dropped: u64,
    pub(crate) send_calls: u64,
}

/// One round of load on a subject.
pub(crate) struct Round {
    pub(crate) driven: Driven,
    pub(crate) did: Totals,
    pub(crate) seen: Option<Seen>,
}

impl Subject {
    /// Makes a sender and the case's receivers on a server that was started for it.
    pub(crate) fn server(process: Process, case: &Case) -> Result<Self, Error> {
        let ip = case.device.local_ip();
        let api = Api::new(&http_address(&process)?);
        let sender = Sender::bind(ip)?;
        api.add_broadcaster(SOURCE)?;
        let source = api.add_transport(SOURCE, sender.address(), false)?;
        let producer = api.produce(SOURCE, &source, stream::PAYLOAD_TYPE, stream::SSRC)?;
        let (mut receivers, destinations) = receivers(case)?;
        api.add_broadcaster(SINK)?;
        let mut openers = Vec::new();
        for destination in destinations {
            let transport = api.add_transport(SINK, destination, case.srtp == Protection::Gcm)?;
            api.consume(SINK, &transport, &producer)?;
            openers.push(match &transport.srtp_parameters {
                Some(parameters) => Opener::Srtp(Box::new(context(&parameters.key_base64)?)),
                None => Opener::Plain,
            });
        }
        if let Some(receivers) = &mut receivers {
            receivers.open_with(openers);
        }
        let target = SocketAddr::new(ip, source.port);
        Ok(Self { process, api: Some(api), target, sender, receivers })
    }

    /// Gives the case's receivers to a bare loop.
    pub(crate) fn bare(mut process: Process, case: &Case) -> Result<Self, Error> {
        let ip = case.device.local_ip();
        let (mut receivers, destinations) = receivers(case)?;
        if let (Some(receivers), Protection::Gcm) = (&mut receivers, case.srtp) {
            let keys = (0..case.receivers).map(|number| bare::key(number.into()));
            let openers = keys.map(|key| key.map(|key| Opener::Gcm(Box::new(key))));
            receivers.open_with(openers.collect::<Result<_, _>>()?);
        }
        let task = Task { listen: SocketAddr::new(ip, 0), destinations, srtp: case.srtp };
        process.tell(&serde_json::to_string(&task).map_err(while_doing("the task"))?)?;
        let target = answer(&process)?;
        Ok(Self { process, api: None, target, sender: Sender::bind(ip)?, receivers })
    }

    /// Loads the subject for `duration`.
    pub(crate) fn round(&mut self, pace: &Pace, duration: Duration) -> Result<Round, Error> {
        if let Some(receivers) = &mut self.receivers {
            receivers.start()?;
        }
        let before = self.totals()?;
        let driven = drive(&mut self.sender, self.receivers.as_mut(), self.target, pace, duration)?;
        let did = self.totals()?.since(&before);
        let seen = self.receivers.as_mut().map(Receivers::take).transpose()?;
        Ok(Round { driven, did, seen })
    }

    /// Memory resident now, in KiB.
    pub(crate) fn resident(&self) -> Result<u64, Error> {
        self.process.resident()
    }

    fn totals(&mut self) -> Result<Totals, Error> {
        let Some(api) = &self.api else {
            self.process.tell("")?;
            let Counters { received, sent, dropped, send_calls } = answer(&self.process)?;
            let (cpu, waited) = self.process.cpu_time()?;
            return Ok(Totals { cpu, waited, received, sent, dropped, send_calls });
        };
        let text = api.metrics()?;
        let (cpu, waited) = self.process.cpu_time()?;
        Ok(Totals {
            cpu,
            waited,
            received: metric(&text, "tureen_datagrams_received_total") as u64,
            sent: metric(&text, "tureen_datagrams_sent_total") as u64,
            dropped: dropped(&text, "send") as u64,
            send_calls: metric(&text, "tureen_send_calls_total") as u64,
        })
    }
}

impl Totals {
    fn since(&self, before: &Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            waited: self.waited.saturating_sub(before.waited),
            received: self.received.saturating_sub(before.received),
            sent: self.sent.saturating_sub(before.sent),
            dropped: self.dropped.saturating_sub(before.dropped),
            send_calls: self.send_calls.saturating_sub(before.send_calls),
        }
    }
}

/// Starts a server with room for a case.
pub(crate) fn start_server(binary: &Path, case: &Case) -> Result<Process, Error> {
    let ip = case.device.local_ip();
    let mut command = Command::new(binary);
    let transports = (u32::from(case.receivers) + 1).to_string();
    command
        .args(["serve", "--http-listen", &SocketAddr::new(ip, 0).to_string()])
        .args(["--listen-ips", &ip.to_string(), "--announced-address", &ip.to_string()])
        .args(["--shards", &case.shards.to_string(), "--max-transports", &transports])
        .args(["--max-consumers", &transports, "--max-requests-per-second", "0", "--log", "warn"]);
    on_measured_core(case.shards == 1, || Process::start("the server", &mut command))
}

/// Starts a bare loop.
pub(crate) fn start_bare() -> Result<Process, Error> {
    let myself = std::env::current_exe().map_err(while_doing("cannot find this program"))?;
    let mut command = Command::new(myself);
    command.arg("bare");
    on_measured_core(true, || Process::start("the bare loop", &mut command))
}

fn receivers(case: &Case) -> Result<(Option<Receivers>, Vec<SocketAddr>), Error> {
    Ok(match case.device {
        Device::Ifb => (None, discarded(case.receivers)),
        Device::Loopback => {
            let receivers = Receivers::bind(case.device.local_ip(), case.receivers)?;
            let addresses = receivers.addresses();
            (Some(receivers), addresses)
        }
    })
}

fn answer<T: serde::de::DeserializeOwned>(process: &Process) -> Result<T, Error> {
    let line = process.line()?;
    serde_json::from_str(&line).map_err(|error| Error::Child(format!("{error}: {line}")))
}

fn context(key_base64: &str) -> Result<SrtpReceiver, Error> {
    let refused = |why: String| Error::Api(format!("the server's SRTP key: {why}"));
    let key = STANDARD.decode(key_base64).map_err(|error| refused(error.to_string()))?;
    SrtpReceiver::new(Profile::AeadAes128Gcm, &key, DEFAULT_PROVIDER)
        .map_err(|error| refused(error.to_string()))
}
