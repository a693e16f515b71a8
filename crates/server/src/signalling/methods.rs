//! The methods that clients call, one function each. Must not know sockets.

use super::data_methods::{close_data_producer, data_consumer_stats, data_producer_stats, produce_data};
use super::message::arguments;
use super::session::Session;
use crate::refusal::Refusal;
use crate::rooms::{NewDevice, PeerJson, explanation_json, webrtc_transport};
use serde::Deserialize;
use serde_json::{Value, json};
use tureen::dictionaries::{DtlsParameters, MediaKind, MediaLayers, RtpCapabilities, RtpParameters};
use tureen::{
    AppData, Consumer, ConsumerId, ContentHint, KeyFrameCache, Producer, ProducerId, ProducerOptions,
    SetPriorityError, Transport, TransportId,
};
use tureen_room::{Direction, Profile};

/// What a method gives back, and what comes after its answer.
pub(super) struct Answer {
    pub(super) data: Value,
    pub(super) next: Next,
}

/// What is done once a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    /// The client is ready to be told of the room.
    Tell,
}

impl From<Value> for Answer {
    fn from(data: Value) -> Self {
        Self { data, next: Next::Nothing }
    }
}

pub(super) type Answered = Result<Answer, Refusal>;

pub(super) fn done() -> Answered {
    Ok(json!({}).into())
}

/// Carries a request out.
pub(super) async fn answer(session: &mut Session, method: &str, data: Value) -> Answered {
    match method {
        "getRouterRtpCapabilities" => Ok(json!(session.peer().router().rtp_capabilities()).into()),
        "join" => join(session, arguments(data)?).await,
        "createWebRtcTransport" => create_transport(session, arguments(data)?).await,
        "connectWebRtcTransport" => connect_transport(session, arguments(data)?).await,
        "restartIce" => restart_ice(session, arguments(data)?).await,
        "produce" => produce(session, arguments(data)?).await,
        "closeProducer" => close_producer(session, &arguments(data)?),
        "pauseProducer" => pause_producer(session, &arguments(data)?, true).await,
        "resumeProducer" => pause_producer(session, &arguments(data)?, false).await,
        "pauseConsumer" => pause_consumer(session, &arguments(data)?, true).await,
        "resumeConsumer" => pause_consumer(session, &arguments(data)?, false).await,
        "requestConsumerKeyFrame" => request_key_frame(session, &arguments(data)?).await,
        "setConsumerPreferredLayers" => set_preferred_layers(session, arguments(data)?).await,
        "setConsumerPriority" => set_priority(session, arguments(data)?).await,
        "changeDisplayName" => change_display_name(session, arguments(data)?),
        "getTransportStats" => transport_stats(session, &arguments(data)?).await,
        "getProducerStats" => producer_stats(session, &arguments(data)?).await,
        "getConsumerStats" => consumer_stats(session, &arguments(data)?).await,
        "explainConsumer" => explain_consumer(session, &arguments(data)?).await,
        "produceData" => produce_data(session, arguments(data)?).await,
        "closeDataProducer" => close_data_producer(session, &arguments(data)?),
        "getDataProducerStats" => data_producer_stats(session, &arguments(data)?).await,
        "getDataConsumerStats" => data_consumer_stats(session, &arguments(data)?).await,
        "applyNetworkThrottle" | "resetNetworkThrottle" => Err(Refusal::NotSupported("network throttling")),
        _ => Err(Refusal::Argument(format!(
            "method: '{}' is not known",
            method.chars().take(64).collect::<String>()
        ))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Join {
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    device: NewDevice,
    rtp_capabilities: Option<RtpCapabilities>,
}

async fn join(session: &mut Session, join: Join) -> Answered {
    session.start_anew().await?;
    let profile = Profile::new(join.display_name, join.device.into(), join.rtp_capabilities);
    // Its voice is among what is offered to who joins; a room can do without.
    if let Err(refusal) = session.app.rooms.bot(session.peer().room()).await {
        tracing::warn!(room = session.peer().room().id(), %refusal, "no bot");
    }
    let others = session.peer().join(profile)?;
    let peers: Vec<_> = others.into_iter().map(PeerJson::without_producers).collect();
    Ok(Answer { data: json!({ "peers": peers }), next: Next::Tell })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CreateTransport {
    force_tcp: bool,
    consuming: bool,
}

impl Default for CreateTransport {
    /// A transport that nothing is said of carries both.
    fn default() -> Self {
        Self { force_tcp: false, consuming: true }
    }
}

async fn create_transport(session: &mut Session, create: CreateTransport) -> Answered {
    session.start_anew().await?;
    let peer = session.peer();
    if peer.transports_left() == 0 {
        let limit = session.app.settings.max_transports;
        return Err(Refusal::Full { what: "transports of the peer", limit });
    }
    let direction = if create.consuming { Direction::Consuming } else { Direction::Producing };
    let reply = session.app.rooms.webrtc().create(peer, direction, create.force_tcp).await?;
    Ok(json!(reply).into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectTransport {
    transport_id: String,
    dtls_parameters: DtlsParameters,
}

async fn connect_transport(session: &Session, connect: ConnectTransport) -> Answered {
    webrtc_transport(session.peer(), &connect.transport_id)?.connect(connect.dtls_parameters).await?;
    done()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfTransport {
    transport_id: String,
}

async fn restart_ice(session: &mut Session, of: OfTransport) -> Answered {
    let transport = webrtc_transport(session.peer(), &of.transport_id)?;
    let restarted = transport.restart_ice().await;
    let parameters = restarted.map_err(|error| Refusal::request(error, "transport", of.transport_id))?;
    session.resume();
    let next = if session.peer().joined() { Next::Tell } else { Next::Nothing };
    Ok(Answer { data: json!(parameters), next })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Produce {
    transport_id: String,
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    #[serde(default)]
    key_frame_cache: Option<KeyFrameCache>,
    #[serde(default)]
    content_hint: Option<ContentHint>,
    #[serde(default)]
    app_data: serde_json::Map<String, Value>,
    #[serde(default)]
    paused: bool,
}

async fn produce(session: &Session, produce: Produce) -> Answered {
    let peer = session.peer();
    if !peer.role().may_produce() {
        return Err(Refusal::Forbidden("this peer may not produce".into()));
    }
    if !peer.joined() {
        return Err(Refusal::Argument("method: produce comes after join".into()));
    }
    let unknown = || Refusal::unknown("transport", &produce.transport_id);
    let transport: TransportId = produce.transport_id.parse().map_err(|_| unknown())?;
    let mut app_data = produce.app_data;
    app_data.insert("peerId".into(), peer.id().into());
    let mut options = ProducerOptions::new(produce.kind, produce.rtp_parameters);
    options.paused = produce.paused;
    options.key_frame_cache = produce.key_frame_cache;
    options.content_hint = produce.content_hint;
    options.app_data = AppData::new(Value::Object(app_data));
    let producer = peer.produce(&transport, options).await?;
    Ok(json!({ "id": producer.id() }).into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfProducer {
    producer_id: String,
}

fn producer(session: &Session, of: &OfProducer) -> Result<Producer, Refusal> {
    let unknown = || Refusal::unknown("producer", &of.producer_id);
    let id: ProducerId = of.producer_id.parse().map_err(|_| unknown())?;
    session.peer().producer(&id).ok_or_else(unknown)
}

fn close_producer(session: &Session, of: &OfProducer) -> Answered {
    let id = producer(session, of)?.id();
    session.peer().close_producer(&id);
    done()
}

async fn pause_producer(session: &Session, of: &OfProducer, pause: bool) -> Answered {
    let producer = producer(session, of)?;
    if !pause && session.peer().muted(producer.kind()) {
        return Err(Refusal::Forbidden("an operator has muted this kind".into()));
    }
    let changed = if pause { producer.pause().await } else { producer.resume().await };
    changed.map_err(|error| Refusal::request(error, "producer", &of.producer_id))?;
    done()
}

async fn producer_stats(session: &Session, of: &OfProducer) -> Answered {
    let stats = producer(session, of)?.get_stats().await;
    Ok(json!(stats.map_err(|error| Refusal::request(error, "producer", &of.producer_id))?).into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfConsumer {
    consumer_id: String,
}

impl OfConsumer {
    fn refusal(&self, error: tureen::RequestError) -> Refusal {
        Refusal::request(error, "consumer", &self.consumer_id)
    }
}

fn consumer(session: &Session, of: &OfConsumer) -> Result<Consumer, Refusal> {
    let unknown = || Refusal::unknown("consumer", &of.consumer_id);
    let id: ConsumerId = of.consumer_id.parse().map_err(|_| unknown())?;
    session.peer().consumer(&id).ok_or_else(unknown)
}

async fn pause_consumer(session: &Session, of: &OfConsumer, pause: bool) -> Answered {
    let consumer = consumer(session, of)?;
    let changed = if pause { consumer.pause().await } else { consumer.resume().await };
    changed.map_err(|error| of.refusal(error))?;
    done()
}

async fn request_key_frame(session: &Session, of: &OfConsumer) -> Answered {
    consumer(session, of)?.request_key_frame().await.map_err(|error| of.refusal(error))?;
    done()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PreferLayers {
    consumer_id: String,
    spatial_layer: u8,
    temporal_layer: Option<u8>,
}

async fn set_preferred_layers(session: &Session, prefer: PreferLayers) -> Answered {
    let of = OfConsumer { consumer_id: prefer.consumer_id };
    let layers = MediaLayers { spatial_layer: prefer.spatial_layer, temporal_layer: prefer.temporal_layer };
    consumer(session, &of)?.set_preferred_layers(layers).await.map_err(|error| of.refusal(error))?;
    done()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetPriority {
    consumer_id: String,
    priority: u8,
}

async fn set_priority(session: &Session, set: SetPriority) -> Answered {
    let of = OfConsumer { consumer_id: set.consumer_id };
    match consumer(session, &of)?.set_priority(set.priority).await {
        Ok(()) => done(),
        Err(SetPriorityError::Request(error)) => Err(of.refusal(error)),
        Err(error) => Err(Refusal::Argument(error.to_string())),
    }
}

async fn consumer_stats(session: &Session, of: &OfConsumer) -> Answered {
    let stats = consumer(session, of)?.get_stats().await.map_err(|error| of.refusal(error))?;
    Ok(json!(stats).into())
}

async fn explain_consumer(session: &Session, of: &OfConsumer) -> Answered {
    let explanation = consumer(session, of)?.explain().await.map_err(|error| of.refusal(error))?;
    Ok(explanation_json(&explanation).into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangeDisplayName {
    display_name: String,
}

fn change_display_name(session: &Session, change: ChangeDisplayName) -> Answered {
    if !session.peer().joined() {
        return Err(Refusal::Argument("method: changeDisplayName comes after join".into()));
    }
    session.peer().rename(change.display_name)?;
    done()
}

async fn transport_stats(session: &Session, of: &OfTransport) -> Answered {
    let unknown = || Refusal::unknown("transport", &of.transport_id);
    let id: TransportId = of.transport_id.parse().map_err(|_| unknown())?;
    let transport = session.peer().transport(&id).ok_or_else(unknown)?;
    let stats = transport.get_stats().await;
    let stats = stats.map_err(|error| Refusal::request(error, "transport", &of.transport_id))?;
    Ok(json!([stats]).into())
}
