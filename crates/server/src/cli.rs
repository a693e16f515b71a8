//! The command line: what it takes, and what each command does with it.

use crate::access::{MintError, Secret, TokenRole, mint};
use crate::check::{self, CheckArgs};
use crate::config::{ConfigError, LogFormat, Overrides, Settings};
use crate::inspect::{self, InspectArgs};
use crate::net;
use crate::server::{Server, StartError};
use clap::{Args, Parser, Subcommand};
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// A selective forwarding unit: takes RTP in, hands it to any number of receivers, over an HTTP API.
#[derive(Debug, Parser)]
#[command(name = "tureen", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server; the default command.
    Serve(Box<ServeArgs>),
    /// Makes a token for a room, signed with the token_secret of the settings.
    Token(Box<TokenArgs>),
    /// Looks for what keeps a deployment from working, with the settings of the server.
    Check(Box<CheckArgs>),
    /// Explains the RTP and RTCP in a capture, pcap or pcapng.
    Inspect(InspectArgs),
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// TOML file of settings, named as the long flags below with underscores. Default: none.
    #[arg(long, env = "TUREEN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints the settings in effect, as such a file, and ends.
    #[arg(long)]
    print_config: bool,
    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Debug, Args)]
struct TokenArgs {
    /// The room; * for all.
    #[arg(long, value_name = "ROOM")]
    room: String,
    /// What its bearer may do. Default: publish.
    #[arg(long, value_enum, default_value = "publish")]
    role: TokenRole,
    /// The only peer id that may be taken with it. Default: any.
    #[arg(long, value_name = "ID")]
    peer: Option<String>,
    /// Seconds that it is valid. Default: 3600.
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    expires: u32,
    /// TOML file of settings. Default: none.
    #[arg(long, env = "TUREEN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The secret to sign with. Default: that of the file.
    #[arg(long, env = "TUREEN_TOKEN_SECRET", hide_env_values = true, value_name = "SECRET")]
    token_secret: Option<Secret>,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
enum TokenError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Mint(#[from] MintError),
    #[error("cannot print: {0}")]
    Print(#[from] std::io::Error),
}

/// Why the server ended badly.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// Runs the program on this process's arguments.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Some(Command::Inspect(args)) => {
            inspect::run(&args, &mut std::io::stdout()).map_err(|error| error.to_string())
        }
        Some(Command::Check(args)) => {
            check::run(*args, &mut std::io::stdout()).map_err(|error| error.to_string())
        }
        Some(Command::Token(args)) => token(*args).map_err(|error| error.to_string()),
        Some(Command::Serve(args)) => serve(*args).map_err(|error| error.to_string()),
        None => serve(cli.serve).map_err(|error| error.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // Nobody is left to tell if standard error is gone too.
            let _ = writeln!(std::io::stderr(), "tureen: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn token(args: TokenArgs) -> Result<(), TokenError> {
    let overrides = Overrides { token_secret: args.token_secret, ..Overrides::default() };
    let settings = Settings::resolve(overrides, args.config.as_deref())?;
    let valid = Duration::from_secs(args.expires.into());
    let token = mint(&settings.token_secret, &args.room, args.role, args.peer.as_deref(), valid)?;
    Ok(writeln!(std::io::stdout(), "{token}")?)
}

fn serve(args: ServeArgs) -> Result<(), ServeError> {
    let settings = Settings::resolve(args.overrides, args.config.as_deref())?;
    if args.print_config {
        std::io::stdout().write_all(settings.to_toml().as_bytes())?;
        return Ok(());
    }
    start_log(&settings);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve_until_asked_to_stop(settings))
}

async fn serve_until_asked_to_stop(settings: Settings) -> Result<(), ServeError> {
    let mut signals = Signals::new()?;
    let server = Server::start(settings).await?;
    greet(&server);
    signals.next().await;
    tracing::info!("stopping; a second signal stops at once");
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(130);
    });
    server.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

/// SIGINT and SIGTERM, which both ask the server to stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Says where to go. A server whose output nobody reads runs all the same.
fn greet(server: &Server) {
    let listening = server.local_addr();
    let local = SocketAddr::new(net::reached_locally(listening.ip()), listening.port());
    let mut text = format!("tureen {} listens on {listening}\n", env!("CARGO_PKG_VERSION"));
    if let Some(secure) = server.https_addr() {
        // Browsers give cameras to secure pages only, and Firefox no media to 127.0.0.1.
        let url = SocketAddr::new(net::shown(secure.ip()), secure.port());
        text += &format!("  in a browser         https://{url}/\n");
    }
    text += &format!(
        "  status and HTTP API  http://{local}/status\n  \
           health               http://{local}/healthz\n  \
           metrics              http://{local}/metrics\n"
    );
    let mut out = std::io::stdout();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        tracing::debug!(%error, "nobody reads where to go");
    }
}

fn start_log(settings: &Settings) {
    // The settings were checked, so that the filter parses.
    let filter = settings.log.parse::<Targets>().unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_is_documented_with_its_default() {
        let defaults: toml::Table = Settings::default().to_toml().parse().unwrap();
        let command = Cli::command();
        for (name, value) in defaults {
            let argument =
                command.get_arguments().find(|argument| argument.get_id() == name.as_str()).unwrap();
            let help = argument.get_long_help().or(argument.get_help()).unwrap().to_string();
            let (_, told) = help.split_once("Default: ").unwrap_or_else(|| panic!("{name}: {help}"));
            match value {
                toml::Value::String(text) => assert!(told.starts_with(&text), "{name}: {help}"),
                toml::Value::Integer(number) => {
                    let digits: String = told.chars().take_while(char::is_ascii_digit).collect();
                    assert_eq!(digits, number.to_string(), "{name}: {help}");
                }
                _ => assert!(!told.is_empty()),
            }
            assert_eq!(
                argument.get_env().unwrap().to_str().unwrap(),
                format!("TUREEN_{}", name.to_uppercase())
            );
        }
    }

    #[test]
    fn serve_is_the_default_command() {
        let cli = Cli::parse_from(["tureen", "--shards", "3"]);
        assert_eq!(cli.serve.overrides.shards, Some(3));
        let Some(Command::Serve(args)) = Cli::parse_from(["tureen", "serve", "--shards", "3"]).command else {
            panic!("serve");
        };
        assert_eq!(args.overrides.shards, Some(3));
        assert!(Cli::try_parse_from(["tureen", "--shards", "3", "serve"]).is_err(), "nothing is ignored");
    }
}
