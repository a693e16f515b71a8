//! The operators' API below `/api/v1`: what there is, and what an operator does about it. Must not know who may ask.

use super::bearer::operators_only;
use super::body::Json;
use super::{ApiError, App};
use crate::refusal::Refusal;
use crate::rooms::{PeerJson, explanation_json};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tureen::dictionaries::MediaKind;
use tureen::{ConsumerId, ProducerId, Transport};
use tureen_room::{CloseReason, Peer, Role, Room};

type Answer = Result<Response, ApiError>;

pub(super) fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    let api = Router::new()
        .route("/rooms", get(rooms))
        .route("/rooms/{room}", get(room).delete(close_room))
        .route("/rooms/{room}/lock", post(lock))
        .route("/rooms/{room}/unlock", post(unlock))
        .route("/rooms/{room}/peers", get(peers))
        .route("/rooms/{room}/peers/{peer}", get(peer).delete(remove_peer))
        .route("/rooms/{room}/peers/{peer}/mute", post(mute))
        .route("/rooms/{room}/peers/{peer}/producers/{producer}", delete(stop_producer))
        .route("/rooms/{room}/peers/{peer}/consumers/{consumer}", get(explain_consumer))
        .route("/drain", get(drain_state).post(drain).delete(end_drain))
        .route("/load", get(load))
        .merge(super::pipes::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "the operators' API has no such call") })
        .layer(from_fn_with_state(Arc::clone(app), operators_only));
    Router::new().nest("/api/v1", api)
}

fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

fn brief(room: &Room) -> Value {
    let peers = room.peers();
    json!({
        "id": room.id(),
        "routerId": room.router().id(),
        "locked": room.locked(),
        "peers": peers.len(),
        "producers": peers.iter().map(|peer| peer.producers().len()).sum::<usize>(),
        "consumers": peers.iter().map(|peer| peer.consumers().len()).sum::<usize>(),
    })
}

fn describe(peer: &Peer) -> Option<Value> {
    let info = PeerJson::without_producers(peer.info()?);
    let mut value = json!(info);
    let role = match peer.role() {
        Role::Publish => "publish",
        Role::Subscribe => "subscribe",
        Role::Admin => "admin",
    };
    let kinds = [MediaKind::Audio, MediaKind::Video];
    value["joined"] = peer.joined().into();
    value["role"] = role.into();
    value["muted"] = json!(kinds.into_iter().filter(|kind| peer.muted(*kind)).collect::<Vec<_>>());
    let transports = peer.transports();
    let transports = transports.iter().map(|t| json!({ "id": t.id(), "type": t.transport_type() }));
    value["transports"] = transports.collect();
    let producers = peer.producers();
    let producers = producers.iter().map(|producer| {
        json!({ "id": producer.id(), "kind": producer.kind(), "type": producer.producer_type(),
            "paused": producer.paused(), "score": producer.score() })
    });
    value["producers"] = producers.collect();
    let consumers = peer.consumers();
    let consumers = consumers.iter().map(|consumer| {
        json!({ "id": consumer.id(), "producerId": consumer.producer_id(), "kind": consumer.kind(),
            "paused": consumer.paused(), "producerPaused": consumer.producer_paused() })
    });
    value["consumers"] = consumers.collect();
    Some(value)
}

fn find(app: &App, room: &str, peer: &str) -> Result<Peer, Refusal> {
    app.rooms.room(room)?.peer(peer).ok_or_else(|| Refusal::unknown("peer", peer))
}

async fn rooms(State(app): State<Arc<App>>) -> Response {
    let rooms: Vec<_> = app.rooms.list().iter().map(brief).collect();
    axum::Json(json!({ "rooms": rooms })).into_response()
}

async fn room(State(app): State<Arc<App>>, Path(room): Path<String>) -> Answer {
    let room = app.rooms.room(&room)?;
    let mut value = brief(&room);
    value["peers"] = room.peers().iter().filter_map(describe).collect();
    Ok(axum::Json(value).into_response())
}

async fn close_room(State(app): State<Arc<App>>, Path(room): Path<String>) -> Answer {
    app.rooms.room(&room)?.close();
    Ok(done())
}

async fn lock(State(app): State<Arc<App>>, Path(room): Path<String>) -> Answer {
    app.rooms.room(&room)?.set_locked(true);
    Ok(done())
}

async fn unlock(State(app): State<Arc<App>>, Path(room): Path<String>) -> Answer {
    app.rooms.room(&room)?.set_locked(false);
    Ok(done())
}

async fn peers(State(app): State<Arc<App>>, Path(room): Path<String>) -> Answer {
    let peers: Vec<_> = app.rooms.room(&room)?.peers().iter().filter_map(describe).collect();
    Ok(axum::Json(json!({ "peers": peers })).into_response())
}

async fn peer(State(app): State<Arc<App>>, Path((room, id)): Path<(String, String)>) -> Answer {
    let value = describe(&find(&app, &room, &id)?).ok_or_else(|| Refusal::unknown("peer", id))?;
    Ok(axum::Json(value).into_response())
}

async fn remove_peer(State(app): State<Arc<App>>, Path((room, peer)): Path<(String, String)>) -> Answer {
    find(&app, &room, &peer)?.close_because(CloseReason::Removed);
    Ok(done())
}

#[derive(Deserialize)]
struct Mute {
    kind: MediaKind,
    muted: bool,
}

async fn mute(
    State(app): State<Arc<App>>,
    Path((room, id)): Path<(String, String)>,
    Json(mute): Json<Mute>,
) -> Answer {
    let muted = find(&app, &room, &id)?.set_muted(mute.kind, mute.muted).await;
    muted.map_err(|error| Refusal::request(error, "peer", id))?;
    Ok(done())
}

async fn stop_producer(
    State(app): State<Arc<App>>,
    Path((room, peer, producer)): Path<(String, String, String)>,
) -> Answer {
    let unknown = || Refusal::unknown("producer", &producer);
    let id: ProducerId = producer.parse().map_err(|_| unknown())?;
    if find(&app, &room, &peer)?.close_producer(&id) { Ok(done()) } else { Err(unknown().into()) }
}

async fn explain_consumer(
    State(app): State<Arc<App>>,
    Path((room, peer, consumer)): Path<(String, String, String)>,
) -> Answer {
    let unknown = || Refusal::unknown("consumer", &consumer);
    let id: ConsumerId = consumer.parse().map_err(|_| unknown())?;
    let found = find(&app, &room, &peer)?.consumer(&id).ok_or_else(unknown)?;
    let explanation = found.explain().await;
    let explanation = explanation.map_err(|error| Refusal::request(error, "consumer", &consumer))?;
    Ok(axum::Json(explanation_json(&explanation)).into_response())
}

async fn drain(State(app): State<Arc<App>>) -> Response {
    app.rooms.set_draining(true);
    drain_state(State(app)).await
}

async fn end_drain(State(app): State<Arc<App>>) -> Response {
    app.rooms.set_draining(false);
    drain_state(State(app)).await
}

/// Whether no new rooms are opened, and whether the last is gone.
async fn drain_state(State(app): State<Arc<App>>) -> Response {
    let (draining, rooms) = (app.rooms.draining(), app.rooms.list().len());
    axum::Json(json!({ "draining": draining, "rooms": rooms, "done": draining && rooms == 0 }))
        .into_response()
}

async fn load(State(app): State<Arc<App>>) -> Answer {
    let census = app.rooms.census();
    let snapshot = app.rooms.worker().snapshot().await;
    let snapshot = snapshot.map_err(|error| Refusal::Unavailable(error.to_string()))?;
    let shards = snapshot.iter().map(|shard| {
        json!({
            "shard": shard.shard.0,
            "cpuSeconds": shard.cpu_time.as_secs_f64(),
            "transports": shard.population.transports,
            "producers": shard.population.producers,
            "consumers": shard.population.consumers,
            "bytesReceived": shard.core.bytes_received,
            "bytesSent": shard.core.bytes_sent,
            "packetsSent": shard.core.packets_sent,
        })
    });
    let body = json!({
        "rooms": census.rooms,
        "peers": census.peers,
        "broadcasters": census.broadcasters,
        "draining": app.rooms.draining(),
        "shards": shards.collect::<Vec<_>>(),
    });
    Ok(axum::Json(body).into_response())
}
