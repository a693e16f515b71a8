//! Sessions without WebSockets, for fuzzers: what a client says goes in as text, and what it is told comes out.

use super::outbox::Outbox;
use super::seat;
use super::session::Session;
use crate::config::Settings;
use crate::http::{App, Client};
use crate::server::{StartError, start_rooms};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc};
use tureen_room::Subscription;

/// Rooms that nobody reaches over HTTP.
#[derive(Debug)]
pub struct LoneSessions {
    runtime: Runtime,
    app: Arc<App>,
}

/// One client's session.
pub struct LoneSession {
    session: Session,
    queue: mpsc::Receiver<String>,
}

impl LoneSessions {
    /// Starts the threads and sockets of media, and nothing else.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        settings.check()?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
        let settings = Arc::new(settings);
        let rooms = runtime.block_on(start_rooms(&settings))?;
        Ok(Self { app: Arc::new(App::new(settings, rooms)), runtime })
    }

    /// Opens a session; `None` where the settings do not let anybody in.
    pub fn open(&self, room: &str, peer: &str) -> Option<LoneSession> {
        self.runtime.block_on(async {
            let grant = self.app.access.to_room(None, room).ok()?;
            let ticket =
                seat::take(&self.app, room, peer, grant, Subscription::All { replicas: 0 }).await.ok()?;
            let (outbox, queue) = Outbox::new();
            let place = Arc::new(Arc::new(Semaphore::new(1)).acquire_owned().await.ok()?);
            let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
            let client = Client { remote, local: None, secure: false, place };
            Some(LoneSession { session: Session::new(Arc::clone(&self.app), client, ticket, outbox), queue })
        })
    }

    /// The session hears a text; whether it goes on.
    pub fn hear(&self, session: &mut LoneSession, text: &str) -> bool {
        self.runtime.block_on(async {
            let goes_on = session.session.hear(text).await.is_ok();
            // What follows from it is told by a task.
            tokio::task::yield_now().await;
            goes_on
        })
    }

    /// The client goes, with a goodbye.
    pub fn close(&self, session: LoneSession) {
        self.runtime.block_on(async { session.session.end_by_goodbye() });
    }

    /// Rooms that there are.
    pub fn rooms(&self) -> usize {
        self.app.rooms.census().rooms
    }
}

impl LoneSession {
    /// The next message to the client.
    pub fn told(&mut self) -> Option<String> {
        self.queue.try_recv().ok()
    }
}

impl std::fmt::Debug for LoneSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoneSession").finish_non_exhaustive()
    }
}
