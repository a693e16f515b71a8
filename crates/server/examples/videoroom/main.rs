//! A video room: whoever opens the page publishes, and sees all others. Rooms are those of the crate `tureen-room`; everything goes over HTTP.
//!
//! `cargo run -p tureen-server --example videoroom -- 127.0.0.1:3000 MEDIA_ADDRESS` serves a page on the first address, and media on the
//! second, one of this machine's that browsers reach. `/?room=NAME` is a room of that name. Nobody is asked who they are: a program of
//! your own would, and have news come over a WebSocket rather than be asked for.

#![allow(clippy::print_stdout, reason = "it is what an example is for")]

#[path = "../browser_echo/exchange.rs"]
mod exchange;

use axum::extract::{Path, State};
use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use exchange::{Refusal, Section, answer, gone, listen};
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use tureen::dictionaries::from_json;
use tureen::{ConsumerNumbering, ConsumerOptions, ProducerOptions, WorkerManager, WorkerSettings};
use tureen_room::{Device, Direction, Peer, PeerOptions, Profile, Rooms, RoomsOptions, Subscription};
use tureen_sdp_bridge::Offer;

const PAGE: &str = include_str!("page.html");
const CODECS: &str = r#"[
    {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
    {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000}
]"#;

struct Venue {
    rooms: Rooms,
    address: IpAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [http, media] = &arguments[..] else {
        return Err("usage: videoroom HTTP_ADDRESS:PORT MEDIA_ADDRESS".into());
    };
    let worker = WorkerManager::new()?.create_worker(WorkerSettings::default()).await?;
    let rooms = Rooms::new(worker, RoomsOptions::new(from_json(CODECS)?))?;
    let routes = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/rooms/{room}", get(list))
        .route("/rooms/{room}/{peer}", post(publish))
        .route("/rooms/{room}/{peer}/{publisher}", post(watch))
        .with_state(Arc::new(Venue { rooms, address: media.parse()? }));
    let listener = tokio::net::TcpListener::bind(http).await?;
    println!("http://{}/", listener.local_addr()?);
    Ok(axum::serve(listener, routes).await?)
}

/// Who publishes.
async fn list(State(venue): State<Arc<Venue>>, Path(room): Path<String>) -> Json<Vec<String>> {
    let peers = venue.rooms.get(&room).map(|room| room.peers()).unwrap_or_default();
    let publishing = peers.iter().filter(|peer| peer.joined() && !peer.producers().is_empty());
    Json(publishing.map(|peer| peer.id().to_owned()).collect())
}

/// Enters a room with what the offer sends, until the browser is gone.
async fn publish(
    State(venue): State<Arc<Venue>>,
    Path((room, name)): Path<(String, String)>,
    offer: String,
) -> Result<String, Refusal> {
    let offer = Offer::parse(&offer)?;
    let mut options = PeerOptions::new(name.clone());
    options.subscription = Subscription::OnRequest;
    let (peer, _) = venue.rooms.enter(&room, options).await?;
    let published = publish_as(&peer, name, &offer, venue.address).await;
    published.inspect_err(|_| peer.close())
}

async fn publish_as(peer: &Peer, name: String, offer: &Offer, address: IpAddr) -> Result<String, Refusal> {
    let transport = listen(peer.router(), address).await?;
    let id = peer.add_transport(transport.clone(), Direction::Producing)?;
    peer.join(Profile::new(name, Device::default(), None))?;
    let mut sections = Vec::new();
    for media in &offer.media {
        let (Some(kind), Some(mid)) = (media.media_kind(), media.mid.clone()) else { continue };
        let received = media.producer_rtp_parameters(&peer.router().rtp_capabilities(), None)?;
        peer.produce(&id, ProducerOptions::new(kind, received.clone())).await?;
        sections.push(Section { mid, received: Some(received), sent: None });
    }
    let text = answer(offer, &transport, &sections).await?;
    let peer = peer.clone();
    tokio::spawn(async move {
        gone(&transport).await;
        peer.close();
    });
    Ok(text)
}

/// Sends to a peer what another one publishes.
async fn watch(
    State(venue): State<Arc<Venue>>,
    Path((room, name, publisher)): Path<(String, String, String)>,
    offer: String,
) -> Result<String, Refusal> {
    let offer = Offer::parse(&offer)?;
    let room = venue.rooms.get(&room).ok_or("there is no such room")?;
    let peer = room.peer(&name).ok_or("you publish nothing yet")?;
    let mut sources = room.peer(&publisher).ok_or("nobody of that name is there")?.producers();
    let transport = listen(peer.router(), venue.address).await?;
    let id = peer.add_transport(transport.clone(), Direction::Consuming)?;
    let of_transport = (peer.clone(), transport.clone());
    tokio::spawn(async move {
        gone(&of_transport.1).await;
        of_transport.0.close_transport(&id);
    });
    let mut sections = Vec::new();
    for media in &offer.media {
        let found = sources.iter().position(|source| Some(source.kind()) == media.media_kind());
        let (Some(found), Some(mid)) = (found, media.mid.clone()) else { continue };
        let mut options = ConsumerOptions::new(sources.remove(found).id(), media.rtp_capabilities());
        (options.numbering, options.mid) = (ConsumerNumbering::Receiver, Some(mid.clone()));
        let consumer = peer.consume_with(&id, options).await?;
        sections.push(Section { mid, received: None, sent: Some(consumer.rtp_parameters().clone()) });
    }
    Ok(answer(&offer, &transport, &sections).await?)
}
