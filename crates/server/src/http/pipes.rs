//! Pipes to other servers, and the links that keep two rooms alike over them: a part of the operators' API. Must not know who may ask.

use super::body::{Json, OptionalJson};
use super::{ApiError, App, Client};
use crate::links::NewLink;
use crate::refusal::Refusal;
use crate::rooms::{NewPipe, PipedDataProducer, PipedProducer};
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use tureen::{ConsumerId, DataConsumerId, DataProducerId, PipeConnectOptions, ProducerId};

type Answer = Result<Response, ApiError>;
/// Room, pipe or link.
type InRoom = Path<(String, String)>;
/// Room, pipe, producer or consumer.
type OnPipe = Path<(String, String, String)>;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/rooms/{room}/pipes", get(state).post(open))
        .route("/rooms/{room}/pipes/{pipe}", get(describe).delete(close))
        .route("/rooms/{room}/pipes/{pipe}/connect", post(connect))
        .route("/rooms/{room}/pipes/{pipe}/rename", post(rename))
        .route("/rooms/{room}/pipes/{pipe}/data-consumers", post(consume_data))
        .route("/rooms/{room}/pipes/{pipe}/data-consumers/{object}", delete(close_data_consumer))
        .route("/rooms/{room}/pipes/{pipe}/data-producers", post(produce_data))
        .route("/rooms/{room}/pipes/{pipe}/data-producers/{object}", delete(close_data_producer))
        .route("/rooms/{room}/pipes/{pipe}/consumers", post(consume))
        .route("/rooms/{room}/pipes/{pipe}/consumers/{object}", delete(close_consumer))
        .route("/rooms/{room}/pipes/{pipe}/producers", post(produce))
        .route("/rooms/{room}/pipes/{pipe}/producers/{object}", delete(close_producer))
        .route("/rooms/{room}/pipes/{pipe}/producers/{object}/pause", post(pause))
        .route("/rooms/{room}/pipes/{pipe}/producers/{object}/resume", post(resume))
        .route("/rooms/{room}/pipe-to", get(links).post(link))
        .route("/rooms/{room}/pipe-to/{link}", delete(unlink))
}

fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
struct StateQuery {
    link: Option<String>,
}

async fn state(
    State(app): State<Arc<App>>,
    Path(room): Path<String>,
    query: Result<Query<StateQuery>, QueryRejection>,
) -> Answer {
    let link = query?.0.link;
    Ok(axum::Json(app.rooms.room_state(&room, link.as_deref())?).into_response())
}

async fn open(
    State(app): State<Arc<App>>,
    ConnectInfo(client): ConnectInfo<Client>,
    Path(room): Path<String>,
    OptionalJson(new): OptionalJson<NewPipe>,
) -> Answer {
    let reached_on = client.local.map(|local| local.ip());
    Ok(axum::Json(app.rooms.open_pipe(&room, new, reached_on).await?).into_response())
}

async fn describe(State(app): State<Arc<App>>, Path((room, pipe)): InRoom) -> Answer {
    Ok(axum::Json(app.rooms.pipe(&room, &pipe)?.state()).into_response())
}

async fn close(State(app): State<Arc<App>>, Path((room, pipe)): InRoom) -> Answer {
    app.rooms.pipe(&room, &pipe)?.close();
    Ok(done())
}

async fn connect(
    State(app): State<Arc<App>>,
    Path((room, pipe)): InRoom,
    Json(remote): Json<PipeConnectOptions>,
) -> Answer {
    app.rooms.pipe(&room, &pipe)?.connect(remote).await?;
    Ok(done())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RenameRequest {
    display_name: String,
}

async fn rename(
    State(app): State<Arc<App>>,
    Path((room, pipe)): InRoom,
    Json(request): Json<RenameRequest>,
) -> Answer {
    app.rooms.pipe(&room, &pipe)?.rename(request.display_name)?;
    Ok(done())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConsumeRequest {
    producer_id: ProducerId,
}

async fn consume(
    State(app): State<Arc<App>>,
    Path((room, pipe)): InRoom,
    Json(request): Json<ConsumeRequest>,
) -> Answer {
    let consumer = app.rooms.pipe(&room, &pipe)?.consume(request.producer_id).await?;
    Ok(axum::Json(consumer).into_response())
}

async fn produce(
    State(app): State<Arc<App>>,
    Path((room, pipe)): InRoom,
    Json(piped): Json<PipedProducer>,
) -> Answer {
    let id = app.rooms.pipe(&room, &pipe)?.produce(piped).await?;
    Ok(axum::Json(json!({ "id": id })).into_response())
}

fn producer_id(id: &str) -> Result<ProducerId, Refusal> {
    id.parse().map_err(|_| Refusal::unknown("producer", id))
}

async fn close_producer(State(app): State<Arc<App>>, Path((room, pipe, producer)): OnPipe) -> Answer {
    app.rooms.pipe(&room, &pipe)?.close_producer(&producer_id(&producer)?)?;
    Ok(done())
}

async fn close_consumer(State(app): State<Arc<App>>, Path((room, pipe, consumer)): OnPipe) -> Answer {
    let id: ConsumerId = consumer.parse().map_err(|_| Refusal::unknown("consumer", &consumer))?;
    app.rooms.pipe(&room, &pipe)?.close_consumer(&id)?;
    Ok(done())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConsumeDataRequest {
    data_producer_id: DataProducerId,
}

async fn consume_data(
    State(app): State<Arc<App>>,
    Path((room, pipe)): InRoom,
    Json(request): Json<ConsumeDataRequest>,
) -> Answer {
    let consumer = app.rooms.pipe(&room, &pipe)?.consume_data(request.data_producer_id).await?;
    Ok(axum::Json(consumer).into_response())
}

async fn produce_data(
    State(app): State<Arc<App>>,
    Path((room, pipe)): InRoom,
    Json(piped): Json<PipedDataProducer>,
) -> Answer {
    let id = app.rooms.pipe(&room, &pipe)?.produce_data(piped).await?;
    Ok(axum::Json(json!({ "id": id })).into_response())
}

async fn close_data_producer(State(app): State<Arc<App>>, Path((room, pipe, producer)): OnPipe) -> Answer {
    let id: DataProducerId = producer.parse().map_err(|_| Refusal::unknown("data producer", &producer))?;
    app.rooms.pipe(&room, &pipe)?.close_data_producer(&id)?;
    Ok(done())
}

async fn close_data_consumer(State(app): State<Arc<App>>, Path((room, pipe, consumer)): OnPipe) -> Answer {
    let id: DataConsumerId = consumer.parse().map_err(|_| Refusal::unknown("data consumer", &consumer))?;
    app.rooms.pipe(&room, &pipe)?.close_data_consumer(&id)?;
    Ok(done())
}

async fn pause(State(app): State<Arc<App>>, Path((room, pipe, producer)): OnPipe) -> Answer {
    app.rooms.pipe(&room, &pipe)?.set_paused(&producer_id(&producer)?, true).await?;
    Ok(done())
}

async fn resume(State(app): State<Arc<App>>, Path((room, pipe, producer)): OnPipe) -> Answer {
    app.rooms.pipe(&room, &pipe)?.set_paused(&producer_id(&producer)?, false).await?;
    Ok(done())
}

async fn links(State(app): State<Arc<App>>, Path(room): Path<String>) -> Response {
    axum::Json(json!({ "links": app.links.list(&room) })).into_response()
}

async fn link(State(app): State<Arc<App>>, Path(room): Path<String>, Json(new): Json<NewLink>) -> Answer {
    let id = app.links.add(&app.rooms, &room, new)?;
    Ok(axum::Json(json!({ "id": id })).into_response())
}

async fn unlink(State(app): State<Arc<App>>, Path((room, link)): InRoom) -> Answer {
    app.links.remove(&room, &link).await?;
    Ok(done())
}
