//! Links: rooms of this server that are kept like rooms of other servers, in both directions. Must not know HTTP requests to this server.
//!
//! A link looks at both rooms twice a second, compares, and mends what differs ([`mirror`]); what it does at this server it does itself, and at the
//! other one over its operators' API ([`side`]). Each peer that sends is carried by a pipe of its own, and is a peer in the other room.

mod configured;
mod mirror;
mod side;

pub use configured::{ConfiguredLink, ConfiguredLinkError};

use crate::access::Secret;
use crate::random::draw;
use crate::refusal::Refusal;
use crate::rooms::{RoomState, Rooms, check_name};
use mirror::{Make, Mirror};
use serde::{Deserialize, Serialize};
use side::{Local, Remote, Side, SideError, own_address};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Time between two comparisons.
const PERIOD: Duration = Duration::from_millis(500);

/// A link that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewLink {
    /// The other server, as `http://host:port` or `https://host:port`.
    url: String,
    /// Its token for operators. Default: none, for a server on this machine.
    #[serde(default)]
    token: Secret,
    /// The other server's room. Default: of the same name.
    room: Option<String>,
    /// The address of this server that the other one is told to send media to. Default: that of the settings, and without one there the
    /// address that leads to the other server.
    announced_address: Option<String>,
    /// Whether media between the servers is SRTP. Default `true`.
    #[serde(default = "yes")]
    enable_srtp: bool,
    /// Whether packets lost between the servers are sent again. Default `true`.
    #[serde(default = "yes")]
    enable_rtx: bool,
    /// Whether messages of data producers cross too. They are not protected on their way. Default `false`.
    #[serde(default)]
    enable_data: bool,
}

impl NewLink {
    /// To this server, with defaults.
    fn to(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            token: Secret::default(),
            room: None,
            announced_address: None,
            enable_srtp: true,
            enable_rtx: true,
            enable_data: false,
        }
    }

    /// The other server's room, for a room of this one.
    fn remote_room<'a>(&'a self, room: &'a str) -> &'a str {
        self.room.as_deref().unwrap_or(room)
    }
}

/// # Errors
/// It is not where a server could be.
fn check_url(url: &str) -> Result<(), Refusal> {
    let uri: ureq::http::Uri = url.parse().map_err(|error| Refusal::Argument(format!("url: {error}")))?;
    if matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() {
        return Ok(());
    }
    Err(Refusal::Argument("url: must be http:// or https:// and a host".into()))
}

fn yes() -> bool {
    true
}

/// How a link fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// Whether the last comparison found the other server.
    connected: bool,
    /// Peers of this room that are in the other.
    sent_peers: usize,
    /// Peers of the other room that are in this one.
    received_peers: usize,
    /// What was refused or could not be reached last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A link as operators are told of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkJson {
    id: String,
    url: String,
    remote_room: String,
    /// Whether it is one of the settings.
    configured: bool,
    #[serde(flatten)]
    report: Report,
}

struct Link {
    room: String,
    url: String,
    remote_room: String,
    configured: bool,
    report: Arc<Mutex<Report>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The links of a server, by id.
#[derive(Default)]
pub(crate) struct Links {
    links: Mutex<BTreeMap<String, Link>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Links {
    /// Links a room, which need not be there yet, with one of another server; its id.
    ///
    /// # Errors
    /// The name of a room or the URL is no such, or the two are linked already.
    pub(crate) fn add(&self, rooms: &Arc<Rooms>, room: &str, new: NewLink) -> Result<String, Refusal> {
        self.insert(rooms, room, new, false)
    }

    /// Makes a link of the settings.
    ///
    /// # Errors
    /// As [`Links::add`].
    pub(crate) fn add_configured(&self, rooms: &Arc<Rooms>, link: &ConfiguredLink) -> Result<(), Refusal> {
        self.insert(rooms, link.room(), link.link().clone(), true).map(drop)
    }

    fn insert(
        &self,
        rooms: &Arc<Rooms>,
        room: &str,
        new: NewLink,
        configured: bool,
    ) -> Result<String, Refusal> {
        check_name("room", room)?;
        let remote_room = new.remote_room(room).to_owned();
        check_name("room", &remote_room)?;
        check_url(&new.url)?;
        let mut links = lock(&self.links);
        let same = |link: &Link| link.room == room && link.url == new.url && link.remote_room == remote_room;
        if links.values().any(same) {
            return Err(Refusal::Argument("url: the room is linked with that one already".into()));
        }
        let id = draw::<6>()?;
        let report = Arc::new(Mutex::new(Report::default()));
        let (stop, stopped) = watch::channel(false);
        let (url, room) = (new.url.clone(), room.to_owned());
        let work = Work {
            rooms: Arc::clone(rooms),
            room: room.clone(),
            remote: Remote::new(&new.url, &remote_room, new.token.clone()),
            make: Make::of(&id, &new),
            new,
            report: Arc::clone(&report),
        };
        let task = tokio::spawn(work.run(stopped));
        links.insert(id.clone(), Link { room, url, remote_room, configured, report, stop, task });
        Ok(id)
    }

    /// The links of a room.
    pub(crate) fn list(&self, room: &str) -> Vec<LinkJson> {
        let links = lock(&self.links);
        let of_room = links.iter().filter(|(_, link)| link.room == room);
        let json = of_room.map(|(id, link)| LinkJson {
            id: id.clone(),
            url: link.url.clone(),
            remote_room: link.remote_room.clone(),
            configured: link.configured,
            report: lock(&link.report).clone(),
        });
        json.collect()
    }

    /// Ends a link: each room keeps its own.
    ///
    /// # Errors
    /// There is no such link of the room.
    pub(crate) async fn remove(&self, room: &str, id: &str) -> Result<(), Refusal> {
        let removed = {
            let mut links = lock(&self.links);
            let found = links.get(id).is_some_and(|link| link.room == room);
            if found { links.remove(id) } else { None }
        };
        let link = removed.ok_or_else(|| Refusal::unknown("link", id))?;
        link.end().await;
        Ok(())
    }

    /// Ends all.
    pub(crate) async fn close(&self) {
        let links = std::mem::take(&mut *lock(&self.links));
        for link in links.into_values() {
            link.end().await;
        }
    }

    /// Ends all at once; what is at other servers ends there by itself.
    pub(crate) fn abort(&self) {
        lock(&self.links).values().for_each(|link| link.task.abort());
    }
}

impl Link {
    async fn end(self) {
        self.stop.send_replace(true);
        // One that panicked has ended as well.
        let _ = self.task.await;
    }
}

struct Work {
    rooms: Arc<Rooms>,
    room: String,
    remote: Remote,
    make: Make,
    new: NewLink,
    report: Arc<Mutex<Report>>,
}

impl Work {
    /// Compares and mends until it is told to stop.
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut local = Local {
            rooms: Arc::clone(&self.rooms),
            room: self.room.clone(),
            reached_on: None,
            announced_address: self.new.announced_address.clone(),
        };
        let (mut outward, mut inward) = (Mirror::default(), Mirror::default());
        while !*stopped.borrow() {
            // A link of the settings may start before the network does.
            if local.reached_on.is_none() {
                local.reached_on = own_address(&self.new.url).await;
            }
            let turned = self.turn(&local, &mut outward, &mut inward).await;
            self.tell(turned, outward.len(), inward.len());
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                _ = stopped.changed() => {}
            }
        }
        outward.end_all(&local, &self.remote).await;
        inward.end_all(&self.remote, &local).await;
    }

    async fn turn(&self, local: &Local, outward: &mut Mirror, inward: &mut Mirror) -> Result<(), SideError> {
        let (remote, make) = (&self.remote, &self.make);
        // First the other one: who came from there is to go if it stays away, and being asked for keeps them.
        let there = remote.state(&make.link).await?;
        let here = local.state(&make.link).await?;
        let known = |pipe: &str| outward.has(pipe) || inward.has(pipe);
        let orphans = |state: &RoomState| -> Vec<String> {
            let own = state.pipes.iter().filter(|pipe| pipe.link == make.link);
            own.filter(|pipe| !known(&pipe.id)).map(|pipe| pipe.id.clone()).collect()
        };
        let (lost_here, lost_there) = (orphans(&here), orphans(&there));
        close_all(local, lost_here).await?;
        close_all(remote, lost_there).await?;
        let sent = outward.turn((local, &here), (remote, &there), make).await;
        let received = inward.turn((remote, &there), (local, &here), make).await;
        sent.and(received)
    }

    fn tell(&self, turned: Result<(), SideError>, sent_peers: usize, received_peers: usize) {
        let connected = !matches!(turned, Err(SideError::Unreachable(_)));
        let error = turned.err().map(|error| error.to_string());
        let report = Report { connected, sent_peers, received_peers, error };
        let before = std::mem::replace(&mut *lock(&self.report), report.clone());
        if report.error != before.error {
            let (room, url) = (&self.room, &self.new.url);
            match &report.error {
                Some(error) => tracing::warn!(room, url, error, "link"),
                None => tracing::info!(room, url, "link: well again"),
            }
        }
    }
}

/// Closes pipes that were opened and never used, or whose answer was lost.
async fn close_all(side: &impl Side, pipes: Vec<String>) -> Result<(), SideError> {
    for pipe in pipes {
        if let Err(error @ SideError::Unreachable(_)) = side.close(&pipe).await {
            return Err(error);
        }
    }
    Ok(())
}
