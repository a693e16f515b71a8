//! A running server: sockets and tasks, from start to graceful end. Must not know what requests mean.

use crate::config::{AUTO, ConfigError, Settings};
use crate::http::{self, App};
use crate::listener::Listener;
use crate::load::tell_load;
use crate::net;
use crate::rooms::{Rooms, WebRtc};
use crate::tls::{self, TlsError};
use crate::webhooks::Webhooks;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tureen::{LogLevel, LogTag, WorkerManager, WorkerSettings};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address of HTTP or HTTPS cannot be listened on.
    #[error("{setting}: cannot listen on {address}: {source}")]
    Listen {
        /// The setting that names it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The codecs of the settings are refused.
    #[error("media_codecs: {0}")]
    MediaCodecs(#[from] tureen::dictionaries::RouterCapabilitiesError),
    /// HTTPS has no certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The ports of WebRTC cannot be listened on.
    #[error("webrtc_port: {0}")]
    WebRtc(#[from] tureen::CreateWebRtcServerError),
    /// The threads that forward media cannot be started.
    #[error("shards: {0}")]
    Worker(#[from] tureen::CreateWorkerError),
    /// A link of the settings cannot be made.
    #[error("links: {0}")]
    Link(String),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
}

/// A running server. Dropping it stops it at once; [`Server::shutdown`] is the gentle way.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    https_address: Option<SocketAddr>,
    grace: Duration,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    chores: [JoinHandle<()>; 3],
    webhooks: Option<JoinHandle<()>>,
    app: Arc<App>,
}

impl Server {
    /// Starts to listen and to forward.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        settings.check()?;
        let settings = Arc::new(settings);
        let (socket, address) = bind("http_listen", settings.http_listen).await?;
        let secure =
            if settings.tls { Some(bind("https_listen", settings.https_listen).await?) } else { None };
        let acceptor = match secure {
            Some(_) => Some(TlsAcceptor::from(tls::server_config(&settings, certificate_names(&settings))?)),
            None => None,
        };
        let app = Arc::new(App::new(Arc::clone(&settings), start_rooms(&settings).await?));
        start_links(&app)?;
        let idle = Duration::from_secs(settings.idle_timeout.into());
        let silent = Duration::from_secs(settings.peer_grace.into());
        let chores = [
            tokio::spawn(remove_idle(Arc::clone(&app), idle)),
            tokio::spawn(remove_silent_pipes(Arc::clone(&app), silent)),
            tokio::spawn(tell_load(Arc::clone(&app))),
        ];
        let webhooks = Webhooks::new(&settings).map(|hooks| tokio::spawn(hooks.run(app.rooms.events())));
        let (stop, stopped) = watch::channel(false);
        let places = Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS)));
        let router = http::router(Arc::clone(&app));
        let serve = |socket, tls| {
            let listener = Listener { socket, tls, places: Arc::clone(&places), router: router.clone() };
            tokio::spawn(listener.serve(stopped.clone()))
        };
        let mut listeners = vec![serve(socket, None)];
        let mut https_address = None;
        if let Some((socket, address)) = secure {
            https_address = Some(address);
            listeners.push(serve(socket, acceptor));
        }
        let grace = Duration::from_secs(settings.shutdown_grace.into());
        Ok(Self { address, https_address, grace, stop, listeners, chores, webhooks, app })
    }

    /// Where HTTP listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where HTTPS listens, if it does.
    pub fn https_addr(&self) -> Option<SocketAddr> {
        self.https_address
    }

    /// Takes no more connections, lets requests under way end within the grace time, closes all rooms, and lets events be
    /// posted within as much time again.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let all = async {
            for listener in &mut self.listeners {
                // One that panicked has ended as well.
                let _ = listener.await;
            }
        };
        if timeout(self.grace, all).await.is_err() {
            tracing::warn!("requests under way were cut off");
        }
        if timeout(self.grace, self.app.links.close()).await.is_err() {
            tracing::warn!("other servers were not told of the end of links");
        }
        self.app.rooms.close();
        if let Some(webhooks) = &mut self.webhooks
            && timeout(self.grace, webhooks).await.is_err()
        {
            tracing::warn!("events were not posted");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listeners.iter().chain(&self.chores).chain(&self.webhooks).for_each(JoinHandle::abort);
        self.app.links.abort();
        self.app.rooms.worker().close();
    }
}

async fn bind(setting: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |source| StartError::Listen { setting, address, source };
    let socket = TcpListener::bind(address).await.map_err(refused)?;
    let bound = socket.local_addr().map_err(refused)?;
    Ok((socket, bound))
}

/// What a self-signed certificate is for.
fn certificate_names(settings: &Settings) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    names.extend(net::addresses().iter().map(ToString::to_string));
    if settings.announced_address != AUTO && !names.contains(&settings.announced_address) {
        names.push(settings.announced_address.clone());
    }
    names
}

/// Starts the threads and sockets of media.
pub(crate) async fn start_rooms(settings: &Arc<Settings>) -> Result<Rooms, StartError> {
    let mut options = WorkerSettings::default();
    options.rtc_port_range = settings.rtc_min_port..=settings.rtc_max_port;
    options.runtime.shards = Some(settings.shards).filter(|&shards| shards != 0);
    options.log_tags = asked_tags(&settings.log);
    if !options.log_tags.is_empty() {
        options.log_level = LogLevel::Debug;
    }
    let manager = WorkerManager::new().map_err(StartError::Thread)?;
    let worker = manager.create_worker(options).await?;
    worker.on_died(|reason| tracing::error!(reason, "the worker died")).detach();
    let webrtc = WebRtc::start(&worker, settings).await?;
    Ok(Rooms::new(worker, webrtc, Arc::clone(settings))?)
}

/// The tags whose details a filter of log lines lets through. The settings were checked, so that it parses.
fn asked_tags(log: &str) -> Vec<LogTag> {
    let filter = log.parse::<Targets>().unwrap_or_default();
    let asked = |tag: &LogTag| filter.would_enable(&format!("tureen::{}", tag.name()), &Level::DEBUG);
    LogTag::ALL.iter().copied().filter(asked).collect()
}

/// Starts the links of the settings.
fn start_links(app: &App) -> Result<(), StartError> {
    for link in &app.settings.links {
        if let Err(refusal) = app.links.add_configured(&app.rooms, link) {
            app.links.abort();
            return Err(StartError::Link(refusal.to_string()));
        }
    }
    Ok(())
}

/// Looks for idle broadcasters, four times in the time that they have, but at most once a second.
async fn remove_idle(app: Arc<App>, limit: Duration) {
    if limit.is_zero() {
        return;
    }
    let mut turns = interval((limit / 4).max(Duration::from_secs(1)));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        app.rooms.remove_idle(limit).await;
    }
}

/// Looks for pipes that nothing comes over, four times in the time that they have, but at most once a second.
async fn remove_silent_pipes(app: Arc<App>, limit: Duration) {
    let mut turns = interval((limit / 4).max(Duration::from_secs(1)));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        app.rooms.remove_silent_pipes(limit.max(Duration::from_secs(1))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_asked_for_by_the_filter_of_the_log() {
        assert_eq!(asked_tags("info"), []);
        assert_eq!(asked_tags("info,tureen::rtx=debug,tureen::bwe=trace"), [LogTag::Rtx, LogTag::Bwe]);
        assert_eq!(asked_tags("debug,tureen::srtp=warn").len(), LogTag::ALL.len() - 1);
        assert_eq!(asked_tags("off,tureen=debug"), LogTag::ALL);
    }
}
