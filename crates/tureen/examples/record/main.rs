//! Records what is sent to it: Opus into an Ogg file, VP8 or H264 into a Matroska file.
//!
//! `cargo run -p tureen --example record -- DIRECTORY [vp8|h264]` prints where to send, and ends when nothing comes any more. A
//! producer of a browser is recorded in the same way: through a consumer on a direct transport.

#![allow(clippy::print_stdout, reason = "it is what an example is for")]

mod matroska_file;
mod ogg_file;

use matroska_file::{MatroskaFile, VideoCodec};
use ogg_file::OggFile;
use rtp::packet::Packet;
use std::error::Error;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tureen::dictionaries::{MediaKind, from_json};
use tureen::{
    Consumer, ConsumerOptions, DirectTransport, DirectTransportOptions, ListenInfo, PlainTransport,
    PlainTransportOptions, Producer, ProducerOptions, Router, RouterOptions, Transport as _, WorkerManager,
    WorkerSettings,
};

const CODECS: &str = r#"[
    {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
    {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000},
    {"kind": "video", "mimeType": "video/H264", "clockRate": 90000,
        "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f", "level-asymmetry-allowed": 1}}
]"#;
/// The recording is over after so long without a packet.
const SILENCE: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("usage: record DIRECTORY [vp8|h264]")?);
    let codec = VideoCodec::named(arguments.next().as_deref().unwrap_or("vp8"))?;
    std::fs::create_dir_all(&directory)?;
    pollster::block_on(run(&directory, codec))
}

async fn run(directory: &std::path::Path, codec: VideoCodec) -> Result<(), Box<dyn Error>> {
    let worker = WorkerManager::new()?.create_worker(WorkerSettings::default()).await?;
    let router = worker.create_router(RouterOptions::new(from_json(CODECS)?)).await?;
    let (audio_in, audio) = receive(&router, MediaKind::Audio, &opus_parameters()).await?;
    let (video_in, video) = receive(&router, MediaKind::Video, &codec.rtp_parameters()).await?;

    // The recorder itself: what the router forwards to this program.
    let transport = router.create_direct_transport(DirectTransportOptions::default()).await?;
    let (packets, incoming) = channel();
    let _audio = listen(&transport, &router, &audio, packets.clone()).await?;
    let _video = listen(&transport, &router, &video, packets).await?;
    print_addresses(&audio_in, &video_in);

    let (sound, pictures) = (directory.join("audio.ogg"), directory.join("video.mkv"));
    let (packets, frames) =
        write(&incoming, OggFile::create(&sound)?, MatroskaFile::create(&pictures, codec)?)?;
    println!("{packets} packets of sound in {}, {frames} frames in {}", sound.display(), pictures.display());
    Ok(())
}

/// A transport that takes RTP from whoever sends first, and the producer of what comes.
async fn receive(
    router: &Router,
    kind: MediaKind,
    parameters: &str,
) -> Result<(PlainTransport, Producer), Box<dyn Error>> {
    let mut options = PlainTransportOptions::new(ListenInfo::loopback());
    (options.comedia, options.rtcp_mux) = (true, false);
    let transport = router.create_plain_transport(options).await?;
    let producer = transport.produce(ProducerOptions::new(kind, from_json(parameters)?)).await?;
    Ok((transport, producer))
}

fn opus_parameters() -> String {
    r#"{"codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 101}],
        "encodings": [{"ssrc": 1111}]}"#
        .to_owned()
}

/// Has the packets of a producer sent to the writer. The consumer is made paused, so that none is missed.
async fn listen(
    transport: &DirectTransport,
    router: &Router,
    producer: &Producer,
    packets: Sender<(MediaKind, Packet)>,
) -> Result<Consumer, Box<dyn Error>> {
    let mut options = ConsumerOptions::new(producer.id(), router.rtp_capabilities());
    options.paused = true;
    let consumer = transport.consume(options).await?;
    let kind = producer.kind();
    let listener = consumer.on_rtp_packet(move |packet| {
        // Nobody listens any more where this fails: the recording is over.
        let _ = packets.send((kind, packet.clone()));
    });
    listener.detach();
    consumer.resume().await?;
    Ok(consumer)
}

fn print_addresses(audio: &PlainTransport, video: &PlainTransport) {
    for (name, transport) in [("audio", audio), ("video", video)] {
        let rtcp = transport.rtcp_tuple().map_or(0, |tuple| tuple.local_port);
        println!("{name}: rtp://127.0.0.1:{}?rtcpport={rtcp}", transport.tuple().local_port);
    }
    println!("Opus: payload type 101, SSRC 1111; video: payload type 102, SSRC 2222");
}

/// Writes packets as they come until none comes any more. Returns how many packets and frames it wrote.
fn write(
    incoming: &Receiver<(MediaKind, Packet)>,
    mut sound: OggFile,
    mut pictures: MatroskaFile,
) -> Result<(u64, u64), Box<dyn Error>> {
    let mut has_begun = false;
    loop {
        match incoming.recv_timeout(SILENCE) {
            Ok((MediaKind::Audio, packet)) => sound.push(packet)?,
            Ok((_, packet)) => pictures.push(packet)?,
            Err(RecvTimeoutError::Timeout) if !has_begun => continue,
            Err(_) => return Ok((sound.finish()?, pictures.finish()?)),
        }
        has_begun = true;
    }
}
