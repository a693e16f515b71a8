//! A running server: sockets and tasks, from start to graceful end. Must not know what requests mean.

use crate::config::{ConfigError, Settings};
use crate::http::{self, App, Client};
use crate::load::tell_load;
use crate::rooms::Rooms;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tureen::{WorkerManager, WorkerSettings};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP address cannot be listened on.
    #[error("http_listen: cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The codecs of the settings are refused.
    #[error("media_codecs: {0}")]
    MediaCodecs(#[from] tureen::dictionaries::RouterCapabilitiesError),
    /// The threads that forward media cannot be started.
    #[error("shards: {0}")]
    Worker(#[from] tureen::CreateWorkerError),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
}

/// A running server. Dropping it stops it at once; [`Server::shutdown`] is the gentle way.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    grace: Duration,
    stop: watch::Sender<bool>,
    http: JoinHandle<()>,
    chores: [JoinHandle<()>; 2],
    app: Arc<App>,
}

impl Server {
    /// Starts to listen and to forward.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        settings.check()?;
        let refused = |source| StartError::Listen { address: settings.http_listen, source };
        let listener = TcpListener::bind(settings.http_listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let grace = Duration::from_secs(settings.shutdown_grace.into());
        let app = Arc::new(App::new(&settings, start_rooms(&settings).await?));
        let idle = Duration::from_secs(settings.idle_timeout.into());
        let chores =
            [tokio::spawn(remove_idle(Arc::clone(&app), idle)), tokio::spawn(tell_load(Arc::clone(&app)))];
        let (stop, stopped) = watch::channel(false);
        let service = http::router(Arc::clone(&app)).into_make_service_with_connect_info::<Client>();
        let http = tokio::spawn(async move {
            let served = axum::serve(listener, service).with_graceful_shutdown(until(stopped)).await;
            if let Err(error) = served {
                tracing::error!(%error, "HTTP ended");
            }
        });
        Ok(Self { address, grace, stop, http, chores, app })
    }

    /// Where HTTP listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests under way end within the grace time, and closes all rooms.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if timeout(self.grace, &mut self.http).await.is_err() {
            tracing::warn!("requests under way were cut off");
        }
        self.app.rooms.close().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.http.abort();
        self.chores.iter().for_each(JoinHandle::abort);
        self.app.rooms.worker().close();
    }
}

async fn start_rooms(settings: &Settings) -> Result<Rooms, StartError> {
    let mut options = WorkerSettings::default();
    options.rtc_port_range = settings.rtc_min_port..=settings.rtc_max_port;
    options.runtime.shards = Some(settings.shards).filter(|&shards| shards != 0);
    let manager = WorkerManager::new().map_err(StartError::Thread)?;
    let worker = manager.create_worker(options).await?;
    worker.on_died(|reason| tracing::error!(reason, "the worker died")).detach();
    Ok(Rooms::new(worker, Arc::new(settings.clone()))?)
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

/// Resolves when the server is asked to stop, or is gone.
async fn until(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
