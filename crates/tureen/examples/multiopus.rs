//! Forwards surround sound: Opus of six channels (5.1) in over one plain transport and out over another.
//!
//! `cargo run -p tureen --example multiopus -- ADDRESS PORT` prints the port that it listens on and forwards what comes there to
//! ADDRESS and PORT, until its standard input ends. With GStreamer (FFmpeg's RTP has two channels of Opus at most), out of and into WAV
//! files:
//!
//! ```sh
//! gst-launch-1.0 udpsrc port=5004 caps='application/x-rtp,media=audio,clock-rate=48000,encoding-name=MULTIOPUS,payload=100,encoding-params=(string)6,num_streams=(string)4,coupled_streams=(string)2,channel_mapping=(string)"0\,4\,1\,2\,3\,5"' \
//!   ! rtpjitterbuffer ! rtpopusdepay ! opusdec ! audioconvert ! wavenc ! filesink location=out.wav
//! cargo run -p tureen --example multiopus -- 127.0.0.1 5004
//! gst-launch-1.0 filesrc location=in.wav ! wavparse ! audioconvert ! opusenc ! rtpopuspay pt=111 ssrc=1111 ! udpsink host=127.0.0.1 port=PRINTED
//! ```

#![allow(clippy::print_stdout, reason = "it is what an example is for")]

use std::error::Error;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tureen::dictionaries::{MediaKind, from_json};
use tureen::{
    ConsumerOptions, ListenInfo, PlainConnectOptions, PlainTransportOptions, ProducerOptions, RouterOptions,
    Transport as _, WorkerManager, WorkerSettings,
};

/// Four streams of Opus, two of them of two channels: front, centre, rear and the low frequencies.
const LAYOUT: &str = r#""channels": 6,
    "parameters": {"num_streams": 4, "coupled_streams": 2, "channel_mapping": "0,4,1,2,3,5"}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, port] = &arguments[..] else { return Err("usage: multiopus ADDRESS PORT".into()) };
    pollster::block_on(run(address.parse()?, port.parse()?))
}

async fn run(address: IpAddr, port: u16) -> Result<(), Box<dyn Error>> {
    let worker = WorkerManager::new()?.create_worker(WorkerSettings::with_shards(1)).await?;
    let codec = r#""mimeType": "audio/multiopus", "clockRate": 48000"#;
    let codecs =
        from_json(&format!(r#"[{{"kind": "audio", {codec}, "preferredPayloadType": 100, {LAYOUT}}}]"#))?;
    let router = worker.create_router(RouterOptions::new(codecs)).await?;

    let own: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // The address of who sends is learned from the first packet.
    let mut options = PlainTransportOptions::new(ListenInfo::new(own));
    options.comedia = true;
    let source = router.create_plain_transport(options).await?;
    let sent = from_json(&format!(
        r#"{{"codecs": [{{{codec}, "payloadType": 111, {LAYOUT}}}], "encodings": [{{"ssrc": 1111}}]}}"#
    ))?;
    let producer = source.produce(ProducerOptions::new(MediaKind::Audio, sent)).await?;

    let sink = router.create_plain_transport(PlainTransportOptions::new(ListenInfo::new(own))).await?;
    sink.connect(PlainConnectOptions::to(address, port)).await?;
    let consumer = sink.consume(ConsumerOptions::new(producer.id(), router.rtp_capabilities())).await?;
    let codec = consumer.rtp_parameters().codecs.first().ok_or("a codec")?;
    println!("listening on port {}", source.tuple().local_port);
    println!(
        "sending {} of {:?} channels as payload type {}",
        codec.mime_type, codec.channels, codec.payload_type
    );

    std::io::stdin().read_to_end(&mut Vec::new())?;
    let packets: u64 = consumer.get_stats().await?.outbound.iter().map(|stream| stream.packet_count).sum();
    println!("{packets} packets forwarded");
    Ok(())
}
