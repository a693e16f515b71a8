//! An echo: a browser hears and sees itself, after one HTTP request.
//!
//! `cargo run -p tureen-server --example browser_echo -- 127.0.0.1:3000 MEDIA_ADDRESS [LOG_TAG]...` serves a page on the first address, and media on
//! the second, one of this machine's that the browser reaches. Log tags (`ice`, `rtx`, `bwe`, `srtp` and so on) have the Worker tell of
//! these on standard error.

#![allow(clippy::print_stdout, reason = "it is what an example is for")]

mod exchange;

use axum::extract::State;
use axum::response::Html;
use axum::routing::get;
use exchange::{Refusal, Section, answer, gone, listen};
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;
use tureen::dictionaries::from_json;
use tureen::{
    ConsumerNumbering, ConsumerOptions, LogLevel, LogTag, ProducerOptions, Router, RouterOptions,
    Transport as _, WorkerManager, WorkerSettings,
};
use tureen_sdp_bridge::Offer;

const PAGE: &str = include_str!("page.html");
const CODECS: &str = r#"[
    {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
    {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000}
]"#;

struct Echo {
    router: Router,
    address: IpAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [http, media, tags @ ..] = &arguments[..] else {
        return Err("usage: browser_echo HTTP_ADDRESS:PORT MEDIA_ADDRESS [LOG_TAG]...".into());
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let ours = Targets::new().with_target("tureen", LevelFilter::DEBUG);
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
    let mut settings = WorkerSettings::with_shards(1);
    settings.log_level = LogLevel::Debug;
    settings.log_tags =
        LogTag::ALL.iter().copied().filter(|tag| tags.iter().any(|name| name == tag.name())).collect();
    let worker = WorkerManager::new()?.create_worker(settings).await?;
    let router = worker.create_router(RouterOptions::new(from_json(CODECS)?)).await?;
    let state = Arc::new(Echo { router, address: media.parse()? });

    let routes = axum::Router::new().route("/", get(|| async { Html(PAGE) }).post(echo)).with_state(state);
    let listener = tokio::net::TcpListener::bind(http).await?;
    println!("http://{}/", listener.local_addr()?);
    Ok(axum::serve(listener, routes).await?)
}

/// Produces what each section of the offer sends, and consumes it there again.
async fn echo(State(state): State<Arc<Echo>>, offer: String) -> Result<String, Refusal> {
    let offer = Offer::parse(&offer)?;
    let transport = listen(&state.router, state.address).await?;
    let (mut sections, mut streams) = (Vec::new(), Vec::new());
    for media in &offer.media {
        let (Some(kind), Some(mid)) = (media.media_kind(), media.mid.clone()) else { continue };
        let received = media.producer_rtp_parameters(&state.router.rtp_capabilities(), None)?;
        let producer = transport.produce(ProducerOptions::new(kind, received.clone())).await?;
        let mut options = ConsumerOptions::new(producer.id(), media.rtp_capabilities());
        (options.numbering, options.mid) = (ConsumerNumbering::Receiver, Some(mid.clone()));
        let consumer = transport.consume(options).await?;
        let sent = Some(consumer.rtp_parameters().clone());
        sections.push(Section { mid, received: Some(received), sent });
        streams.push((producer, consumer));
    }
    let text = answer(&offer, &transport, &sections).await?;
    tokio::spawn(async move {
        gone(&transport).await;
        // With the last handles all of it closes.
        drop(streams);
    });
    Ok(text)
}
