//! The API for FFmpeg, GStreamer and their like: broadcasters, their transports, and what is on them.

use super::bearer::grant;
use super::body::{Json, OptionalJson};
use super::error::ApiError;
use super::{App, Client};
use crate::refusal::Refusal;
use crate::rooms::{Broadcaster, NewBroadcaster, NewDataProducer, NewTransport, Remote};
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use tureen::dictionaries::{CryptoSuite, MediaKind, RtpCapabilities, RtpParameters, SrtpParameters};
use tureen::{
    ContentHint, DataProducerId, KeyFrameCache, PlainTransport, ProducerId, ProducerOptions, Transport,
    TransportId,
};

type Answer = Result<Response, ApiError>;
/// Room, broadcaster.
type InRoom = Path<(String, String)>;
/// Room, broadcaster, transport.
type OnBroadcaster = Path<(String, String, String)>;
/// Room, broadcaster, transport, producer or consumer.
type OnTransport = Path<(String, String, String, String)>;

pub(super) fn routes() -> Router<Arc<App>> {
    let transport = Router::new()
        .route("/", delete(remove_transport))
        .route("/connect", post(connect))
        .route("/stats", get(transport_stats))
        .route("/producers", post(produce))
        .route("/producers/{object}", delete(close_producer))
        .route("/producers/{object}/pause", post(pause_producer))
        .route("/producers/{object}/resume", post(resume_producer))
        .route("/producers/{object}/stats", get(producer_stats))
        .route("/consume", post(consume))
        .route("/consumers/{object}", delete(close_consumer))
        .route("/consumers/{object}/pause", post(pause_consumer))
        .route("/consumers/{object}/resume", post(resume_consumer))
        .route("/consumers/{object}/stats", get(consumer_stats))
        .route("/produce/data", post(produce_data))
        .route("/consume/data", post(consume_data));
    Router::new()
        .route("/rooms/{room}", get(room))
        .route("/rooms/{room}/broadcasters", post(join))
        .route("/rooms/{room}/broadcasters/{broadcaster}", delete(leave))
        .route("/rooms/{room}/broadcasters/{broadcaster}/transports", post(add_transport))
        .nest("/rooms/{room}/broadcasters/{broadcaster}/transports/{transport}", transport)
}

/// The broadcaster of a path, for those whose token is for its room and lets them send.
fn broadcaster(app: &App, headers: &HeaderMap, room: &str, id: &str) -> Result<Broadcaster, ApiError> {
    let grant = grant(app, headers, room)?;
    grant.check_publish().and_then(|()| grant.check_peer(id)).map_err(Refusal::from)?;
    Ok(app.rooms.broadcaster(room, id)?)
}

async fn room(State(app): State<Arc<App>>, headers: HeaderMap, Path(room): Path<String>) -> Answer {
    grant(&app, &headers, &room)?;
    Ok(axum::Json(app.rooms.rtp_capabilities(&room)?).into_response())
}

async fn join(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(room): Path<String>,
    Json(broadcaster): Json<NewBroadcaster>,
) -> Answer {
    let grant = grant(&app, &headers, &room)?;
    grant.check_publish().map_err(Refusal::from)?;
    let peers = app.rooms.join(&room, broadcaster, &grant).await?;
    Ok(axum::Json(json!({ "peers": peers })).into_response())
}

async fn leave(State(app): State<Arc<App>>, headers: HeaderMap, Path((room, id)): InRoom) -> Answer {
    broadcaster(&app, &headers, &room, &id)?.peer().close();
    Ok(done())
}

/// Success without anything to say.
fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum TransportKind {
    Plain,
    WebRtc,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TransportRequest {
    #[serde(rename = "type")]
    kind: TransportKind,
    #[serde(default)]
    comedia: bool,
    #[serde(default = "yes")]
    rtcp_mux: bool,
    #[serde(default)]
    enable_srtp: bool,
    #[serde(default)]
    srtp_crypto_suite: CryptoSuite,
}

fn yes() -> bool {
    true
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TransportReply {
    id: TransportId,
    ip: String,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtcp_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    srtp_parameters: Option<SrtpParameters>,
}

impl TransportReply {
    fn of(transport: &PlainTransport) -> Self {
        let tuple = transport.tuple();
        Self {
            id: transport.id(),
            ip: tuple.local_address,
            port: tuple.local_port,
            rtcp_port: transport.rtcp_tuple().map(|tuple| tuple.local_port),
            srtp_parameters: transport.srtp_parameters(),
        }
    }
}

async fn add_transport(
    State(app): State<Arc<App>>,
    ConnectInfo(client): ConnectInfo<Client>,
    headers: HeaderMap,
    Path((room, id)): InRoom,
    Json(request): Json<TransportRequest>,
) -> Answer {
    let broadcaster = broadcaster(&app, &headers, &room, &id)?;
    if let TransportKind::WebRtc = request.kind {
        return Ok(axum::Json(broadcaster.add_webrtc().await?).into_response());
    }
    let new = NewTransport {
        comedia: request.comedia,
        rtcp_mux: request.rtcp_mux,
        enable_srtp: request.enable_srtp,
        srtp_crypto_suite: request.srtp_crypto_suite,
        reached_on: client.local.map(|local| local.ip()),
    };
    let transport = broadcaster.add_plain(new).await?;
    Ok(axum::Json(TransportReply::of(&transport)).into_response())
}

async fn remove_transport(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path((room, id, transport)): OnBroadcaster,
) -> Answer {
    broadcaster(&app, &headers, &room, &id)?.remove_transport(&transport)?;
    Ok(done())
}

async fn connect(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path((room, id, transport)): OnBroadcaster,
    Json(remote): Json<Remote>,
) -> Answer {
    broadcaster(&app, &headers, &room, &id)?.connect(&transport, remote).await?;
    Ok(done())
}

async fn transport_stats(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path((room, id, transport)): OnBroadcaster,
) -> Answer {
    let found = broadcaster(&app, &headers, &room, &id)?.transport(&transport)?;
    let stats = found.get_stats().await.map_err(|error| Refusal::request(error, "transport", transport))?;
    Ok(axum::Json([stats]).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProduceRequest {
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    #[serde(default)]
    key_frame_cache: Option<KeyFrameCache>,
    #[serde(default)]
    content_hint: Option<ContentHint>,
    #[serde(default)]
    paused: bool,
}

async fn produce(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path((room, id, transport)): OnBroadcaster,
    Json(request): Json<ProduceRequest>,
) -> Answer {
    let mut options = ProducerOptions::new(request.kind, request.rtp_parameters);
    options.paused = request.paused;
    options.key_frame_cache = request.key_frame_cache;
    options.content_hint = request.content_hint;
    let producer = broadcaster(&app, &headers, &room, &id)?.produce(&transport, options).await?;
    Ok(axum::Json(json!({ "id": producer.id() })).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConsumeQuery {
    producer_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ConsumeRequest {
    rtp_capabilities: Option<RtpCapabilities>,
    paused: bool,
}

async fn consume(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path((room, id, transport)): OnBroadcaster,
    query: Result<Query<ConsumeQuery>, QueryRejection>,
    OptionalJson(request): OptionalJson<ConsumeRequest>,
) -> Answer {
    let producer =
        query?.0.producer_id.ok_or_else(|| ApiError::argument("producerId: missing in the query"))?;
    let producer: ProducerId =
        producer.parse().map_err(|error| ApiError::argument(format!("producerId: {error}")))?;
    let broadcaster = broadcaster(&app, &headers, &room, &id)?;
    let consumer =
        broadcaster.consume(&transport, producer, request.rtp_capabilities, request.paused).await?;
    let reply = json!({
        "id": consumer.id(),
        "producerId": consumer.producer_id(),
        "kind": consumer.kind(),
        "rtpParameters": consumer.rtp_parameters(),
        "type": consumer.consumer_type(),
        "paused": consumer.paused(),
    });
    Ok(axum::Json(reply).into_response())
}

async fn produce_data(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path((room, id, transport)): OnBroadcaster,
    Json(request): Json<NewDataProducer>,
) -> Answer {
    let broadcaster = broadcaster(&app, &headers, &room, &id)?;
    let transport = broadcaster.transport(&transport)?.id();
    let producer = app.rooms.produce_data(broadcaster.peer(), &transport, request).await?;
    Ok(axum::Json(json!({ "id": producer.id() })).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConsumeDataRequest {
    data_producer_id: DataProducerId,
}

async fn consume_data(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path((room, id, transport)): OnBroadcaster,
    Json(request): Json<ConsumeDataRequest>,
) -> Answer {
    let broadcaster = broadcaster(&app, &headers, &room, &id)?;
    let consumer = broadcaster.consume_data(&transport, request.data_producer_id).await?;
    let stream_id = consumer.sctp_stream_parameters().map(|stream| stream.stream_id);
    Ok(axum::Json(json!({ "id": consumer.id(), "streamId": stream_id })).into_response())
}

/// Handlers that look up one object, and do one thing with it.
macro_rules! on_object {
    ($($handler:ident: $find:ident $what:literal, $operation:ident -> |$answer:ident| $reply:expr;)*) => {$(
        async fn $handler(
            State(app): State<Arc<App>>,
            headers: HeaderMap,
            Path((room, id, transport, object)): OnTransport,
        ) -> Answer {
            let found = broadcaster(&app, &headers, &room, &id)?.$find(&transport, &object)?;
            let $answer = found.$operation().await.map_err(|error| Refusal::request(error, $what, object))?;
            Ok($reply)
        }
    )*};
}

on_object! {
    pause_producer: producer "producer", pause -> |_nothing| done();
    resume_producer: producer "producer", resume -> |_nothing| done();
    producer_stats: producer "producer", get_stats -> |stats| axum::Json(stats).into_response();
    pause_consumer: consumer "consumer", pause -> |_nothing| done();
    resume_consumer: consumer "consumer", resume -> |_nothing| done();
    consumer_stats: consumer "consumer", get_stats -> |stats| axum::Json(stats).into_response();
}

async fn close_producer(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path((room, id, transport, object)): OnTransport,
) -> Answer {
    broadcaster(&app, &headers, &room, &id)?.close_producer(&transport, &object)?;
    Ok(done())
}

async fn close_consumer(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path((room, id, transport, object)): OnTransport,
) -> Answer {
    broadcaster(&app, &headers, &room, &id)?.close_consumer(&transport, &object)?;
    Ok(done())
}
