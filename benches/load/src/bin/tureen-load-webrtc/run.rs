//! A whole run: server, publisher, viewers one after the other, a stretch of load, and what came of it.

use crate::options::Options;
use crate::plot;
use crate::publisher::{self, Publisher};
use crate::report::{Group, Report, table};
use crate::sans_io::SansIoViewers;
use crate::tokio_based::TokioViewers;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};
use tureen_load::api::{Api, http_address, metric};
use tureen_load::child::Process;
use tureen_load::cores::{generator_core, on_core, on_measured_core};
use tureen_load::error::{Error, while_doing};
use tureen_load::stream::{PAYLOAD_TYPE, SSRC};

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SOURCE: &str = "source";
/// What begins or ends with a join is over after this.
const SETTLE: Duration = Duration::from_secs(1);

/// Measures; `false` where more was lost than may be.
pub(crate) fn run(options: &Options) -> Result<bool, Error> {
    let server = start_server(options)?;
    let (_, core) = generator_core();
    let report = on_core(core, || measure(options, server))?;
    println!("\n{}", table(&report));
    fs::create_dir_all(&options.plots).map_err(while_doing(options.plots.display().to_string()))?;
    println!("plot: {}", plot::draw(&options.plots, &report)?.display());
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report).map_err(while_doing("the figures"))?;
        fs::write(path, text + "\n").map_err(while_doing(path.display().to_string()))?;
        println!("figures: {}", path.display());
    }
    let loss = report.loss();
    match options.max_loss {
        Some(limit) if loss > limit => {
            println!("{:.3}% of the packets did not arrive", loss * 100.0);
            Ok(false)
        }
        _ => Ok(true),
    }
}

fn start_server(options: &Options) -> Result<Process, Error> {
    let mut command = Command::new(&options.server);
    let objects = (u32::from(options.str0m) + u32::from(options.webrtc) + 8).to_string();
    command
        .args(["serve", "--http-listen", &SocketAddr::new(IP, 0).to_string()])
        .args(["--listen-ips", &IP.to_string(), "--announced-address", &IP.to_string()])
        .args(["--shards", "1", "--max-transports", &objects, "--max-consumers", &objects])
        .args(["--max-requests-per-second", "0", "--log", "warn"]);
    on_measured_core(true, || Process::start("the server", &mut command))
}

fn measure(options: &Options, server: Process) -> Result<Report, Error> {
    let api = Api::new(&http_address(&server)?);
    let socket = publisher::bind(IP)?;
    api.add_broadcaster(SOURCE)?;
    let source = api.add_transport(SOURCE, socket.local_addr(), false)?;
    api.produce(SOURCE, &source, PAYLOAD_TYPE, SSRC)?;
    let publisher = Publisher::start(socket, SocketAddr::new(IP, source.port), options);
    std::thread::sleep(SETTLE);

    let mut groups = Vec::new();
    let sans_io = SansIoViewers::start(&api, IP, options.str0m);
    groups.push(Group::join("str0m", options.str0m, &server, || sans_io.next_joined())?);
    let mut tokio = TokioViewers::new()?;
    groups.push(Group::join("webrtc", options.webrtc, &server, || tokio.join(&api))?);
    std::thread::sleep(SETTLE);

    eprintln!("    all have joined; {} s of load", options.seconds);
    let received = || [sans_io.received().total(), tokio.received().total()];
    let totals = || Ok::<_, Error>((api.metrics()?, server.cpu_time()?, publisher.sent(), received()));
    let (text, (cpu, waited), published, before) = totals()?;
    let began = Instant::now();
    std::thread::sleep(options.duration());
    let (later, (cpu_later, waited_later), published_later, after) = totals()?;
    let took = began.elapsed();
    let sent = "tureen_datagrams_sent_total";
    for ((group, before), after) in groups.iter_mut().zip(before).zip(after) {
        group.packets_received = after - before;
    }
    Ok(Report {
        seconds: took.as_secs_f64(),
        packets_published: published_later - published,
        packets_sent: (metric(&later, sent) - metric(&text, sent)) as u64,
        cpu_seconds: cpu_later.saturating_sub(cpu).as_secs_f64(),
        waited_seconds: waited_later.saturating_sub(waited).as_secs_f64(),
        groups,
    })
}
