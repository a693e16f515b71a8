//! Accepting connections, plain and TLS: how many at a time, and how long each may take to say what it wants. Must not know
//! routes.

use crate::http::Client;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

/// A client has so long for the head of each request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A client has so long for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Out of file descriptors: others may end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A place among the connections that there may be; whoever holds it is counted.
pub(crate) type Place = Arc<OwnedSemaphorePermit>;

/// Held by a connection until it has ended.
struct UnderWay {
    stopped: watch::Receiver<bool>,
    _busy: mpsc::Sender<()>,
}

pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) router: Router,
}

impl Listener {
    /// Serves until `stopped`, and then until the requests under way have ended.
    pub(crate) async fn serve(self, mut stopped: watch::Receiver<bool>) {
        // Every connection has a sender; when the last is gone, nothing is received.
        let (busy, mut idle) = mpsc::channel::<()>(1);
        loop {
            // Without a place nobody is accepted: who waits does so in the backlog.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { break };
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = until(&mut stopped) => break,
            };
            match accepted {
                Ok((stream, remote)) => {
                    let under_way = UnderWay { stopped: stopped.clone(), _busy: busy.clone() };
                    self.start(stream, remote, Arc::new(place), under_way);
                }
                Err(error) => {
                    tracing::debug!(%error, "accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.socket);
        drop(busy);
        idle.recv().await;
    }

    fn start(&self, stream: TcpStream, remote: SocketAddr, place: Place, under_way: UnderWay) {
        let local = stream.local_addr().ok();
        if let Err(error) = stream.set_nodelay(true) {
            tracing::trace!(%error, "TCP_NODELAY");
        }
        let client = Client { remote, local, secure: self.tls.is_some(), place };
        let (router, tls) = (self.router.clone(), self.tls.clone());
        tokio::spawn(async move {
            let Some(tls) = tls else { return converse(stream, router, client, under_way).await };
            match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                Ok(Ok(stream)) => converse(stream, router, client, under_way).await,
                Ok(Err(error)) => tracing::debug!(%remote, %error, "TLS handshake"),
                Err(_) => tracing::debug!(%remote, "TLS handshake took too long"),
            }
        });
    }
}

async fn converse<S>(stream: S, router: Router, client: Client, mut under_way: UnderWay)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let remote = client.remote;
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(client.clone()));
        // A router is always ready.
        router.clone().call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = until(&mut under_way.stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%remote, %error, "connection");
    }
}

/// Resolves when the server is asked to stop, or is gone.
async fn until(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
