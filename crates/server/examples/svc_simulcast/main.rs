//! Layers: a browser sends several, and sees one of them at a time, which this program chooses.
//!
//! `cargo run -p tureen-server --example svc_simulcast -- 127.0.0.1:3000 MEDIA_ADDRESS [SECONDS]` serves a page on the first address, and
//! media on the second, one of this machine's that the browser reaches. The page sends VP8 in simulcast; with `?mode=L3T3_KEY`, or
//! another scalability mode, VP9 with that. Every SECONDS, 5 by default, the program prefers the next spatial layer. It prints which layers
//! are sent, whenever that changes, and before each step why.

#![allow(clippy::print_stdout, reason = "it is what an example is for")]

#[path = "../browser_echo/exchange.rs"]
mod exchange;

use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::get;
use exchange::{Refusal, Section, answer, gone, listen};
use std::collections::HashMap;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tureen::dictionaries::{MediaKind, MediaLayers, RtpEncodingParameters, from_json};
use tureen::{
    Consumer, ConsumerNumbering, ConsumerOptions, ProducerOptions, RequestError, Router, RouterOptions,
    Transport as _, WorkerManager, WorkerSettings,
};
use tureen_sdp_bridge::{Offer, OfferedMedia};

const PAGE: &str = include_str!("page.html");
const CODECS: &str = r#"[
    {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000},
    {"kind": "video", "mimeType": "video/VP9", "clockRate": 90000}
]"#;

struct Stage {
    router: Router,
    address: IpAddr,
    step: Duration,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [http, media, seconds @ ..] = &arguments[..] else {
        return Err("usage: svc_simulcast HTTP_ADDRESS:PORT MEDIA_ADDRESS [SECONDS]".into());
    };
    let seconds = seconds.first().map_or(Ok(5), |text| text.parse())?;
    let worker = WorkerManager::new()?.create_worker(WorkerSettings::with_shards(1)).await?;
    let router = worker.create_router(RouterOptions::new(from_json(CODECS)?)).await?;
    let state = Arc::new(Stage { router, address: media.parse()?, step: Duration::from_secs(seconds) });

    let routes = axum::Router::new().route("/", get(|| async { Html(PAGE) }).post(show)).with_state(state);
    let listener = tokio::net::TcpListener::bind(http).await?;
    println!("http://{}/", listener.local_addr()?);
    Ok(axum::serve(listener, routes).await?)
}

/// Produces all layers of the offer's video, and consumes one of them there again.
async fn show(
    State(stage): State<Arc<Stage>>,
    Query(query): Query<HashMap<String, String>>,
    offer: String,
) -> Result<String, Refusal> {
    let offer = Offer::parse(&offer)?;
    let video = |media: &&OfferedMedia| media.media_kind() == Some(MediaKind::Video);
    let media = offer.media.iter().find(video).ok_or("there is no video in the offer")?;
    let mid = media.mid.clone().ok_or("the video has no mid")?;
    let transport = listen(&stage.router, stage.address).await?;

    let mode = query.get("mode").map(String::as_str);
    let received = media.producer_rtp_parameters(&stage.router.rtp_capabilities(), mode)?;
    let layers = spatial_layers(&received.encodings);
    let producer = transport.produce(ProducerOptions::new(MediaKind::Video, received.clone())).await?;
    let mut options = ConsumerOptions::new(producer.id(), media.rtp_capabilities());
    (options.numbering, options.mid) = (ConsumerNumbering::Receiver, Some(mid.clone()));
    let consumer = transport.consume(options).await?;
    println!("{:?} with {layers} layers", consumer.consumer_type());
    consumer.on_layers_change(|layers| println!("sent: {}", named(*layers))).detach();

    let sent = Some(consumer.rtp_parameters().clone());
    let text = answer(&offer, &transport, &[Section { mid, received: Some(received), sent }]).await?;
    tokio::spawn(async move {
        tokio::select! {
            () = gone(&transport) => {}
            ended = step_through(&consumer, layers, stage.step) => println!("ended: {ended:?}"),
        }
        drop(producer);
    });
    Ok(text)
}

/// Encodings of simulcast, or layers of one encoding.
fn spatial_layers(encodings: &[RtpEncodingParameters]) -> u8 {
    match encodings {
        [lone] => lone.layers().spatial_layers,
        several => several.len() as u8,
    }
}

/// Prefers one layer after the other, and says before each step what has become of the one before.
async fn step_through(consumer: &Consumer, layers: u8, step: Duration) -> Result<(), RequestError> {
    for spatial_layer in (0..layers).cycle() {
        let preferred = MediaLayers { spatial_layer, temporal_layer: None };
        println!("preferred: {}", named(consumer.set_preferred_layers(preferred).await?));
        tokio::time::sleep(step).await;
        let explanation = consumer.explain().await?;
        println!("explained: {}", serde_json::to_string(&explanation).unwrap_or_default());
    }
    Ok(())
}

fn named(layers: Option<MediaLayers>) -> String {
    match layers {
        Some(MediaLayers { spatial_layer, temporal_layer: Some(temporal_layer) }) => {
            format!("spatial {spatial_layer}, temporal {temporal_layer}")
        }
        Some(MediaLayers { spatial_layer, .. }) => format!("spatial {spatial_layer}"),
        None => "nothing".to_owned(),
    }
}
