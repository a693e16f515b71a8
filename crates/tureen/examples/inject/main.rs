//! Puts a file into a Router as if somebody sent it live: Opus of an Ogg file and VP8 of an IVF file.
//!
//! `cargo run -p tureen --example inject -- AUDIO.ogg VIDEO.ivf ADDRESS AUDIO_PORT VIDEO_PORT` sends it on to these ports, RTCP to the ones
//! behind them, and ends with the files. A viewer of a WebRTC transport would consume the two producers in the same way.
//!
//! Files for it: `ffmpeg -i FILM -map 0:a -c:a libopus -ac 2 AUDIO.ogg -map 0:v -c:v libvpx -g 30 VIDEO.ivf`.

#![allow(clippy::print_stdout, reason = "it is what an example is for")]

mod files;

use files::{Item, OggFile, VideoFile};
use rtcp::sender_report::SenderReport;
use rtp::packet::Packet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tureen::dictionaries::{MediaKind, from_json};
use tureen::{
    Consumer, ConsumerOptions, DirectTransport, DirectTransportOptions, ListenInfo, PlainConnectOptions,
    PlainTransportOptions, Producer, ProducerOptions, Router, RouterOptions, Transport as _, WorkerManager,
    WorkerSettings,
};

const CODECS: &str = r#"[
    {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "preferredPayloadType": 101},
    {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 102}
]"#;
/// What the streams are called on their way in.
const AUDIO: Stream = Stream { ssrc: 1111, payload_type: 101, clock_rate: 48_000 };
const VIDEO: Stream = Stream { ssrc: 2222, payload_type: 102, clock_rate: 90_000 };
/// How often a stream says how its clock lies to that of the other (RFC 3550 section 6.2).
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Seconds from 1900 to 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// SSRC, payload type and clock rate of what is sent.
#[derive(Clone, Copy)]
struct Stream {
    ssrc: u32,
    payload_type: u8,
    clock_rate: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [audio, video, address, audio_port, video_port] = &arguments[..] else {
        return Err("usage: inject AUDIO.ogg VIDEO.ivf ADDRESS AUDIO_PORT VIDEO_PORT".into());
    };
    let (address, ports) = (address.parse()?, [audio_port.parse()?, video_port.parse()?]);
    let (audio, video) = (OggFile::open(Path::new(audio), AUDIO)?, VideoFile::open(Path::new(video), VIDEO)?);
    pollster::block_on(run(audio, video, address, ports))
}

async fn run(audio: OggFile, video: VideoFile, to: IpAddr, ports: [u16; 2]) -> Result<(), Box<dyn Error>> {
    let worker = WorkerManager::new()?.create_worker(WorkerSettings::default()).await?;
    let router = worker.create_router(RouterOptions::new(from_json(CODECS)?)).await?;

    // The injector itself: what this program sends is forwarded like anything else.
    let transport = router.create_direct_transport(DirectTransportOptions::default()).await?;
    let sound = Injector::new(&transport, MediaKind::Audio, "audio/opus", AUDIO).await?;
    let pictures = Injector::new(&transport, MediaKind::Video, "video/VP8", VIDEO).await?;
    let _heard = forward(&router, &sound.producer, to, ports[0]).await?;
    let _seen = forward(&router, &pictures.producer, to, ports[1]).await?;

    let counts = play(audio, sound, video, pictures)?;
    println!("{} packets of sound, {} of pictures", counts[0], counts[1]);
    Ok(())
}

/// A plain transport to an address, and the consumer on it.
async fn forward(
    router: &Router,
    producer: &Producer,
    to: IpAddr,
    port: u16,
) -> Result<Consumer, Box<dyn Error>> {
    let own: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let mut options = PlainTransportOptions::new(ListenInfo::new(own));
    options.rtcp_mux = false;
    let transport = router.create_plain_transport(options).await?;
    let mut remote = PlainConnectOptions::to(to, port);
    remote.rtcp_port = Some(port.checked_add(1).ok_or("a port below 65535")?);
    transport.connect(remote).await?;
    Ok(transport.consume(ConsumerOptions::new(producer.id(), router.rtp_capabilities())).await?)
}

/// Sends both files in the time that they take, whichever is due first. Returns how many packets each had.
fn play(
    audio: OggFile,
    mut sound: Injector,
    video: VideoFile,
    mut pictures: Injector,
) -> Result<[u64; 2], Box<dyn Error>> {
    let (mut audio, mut video) = (audio.peekable(), video.peekable());
    let began = Instant::now();
    let due = |item: Option<&Result<Item, Box<dyn Error>>>| match item {
        Some(Ok(item)) => item.at,
        // What cannot be read is told at once.
        Some(Err(_)) => Duration::ZERO,
        None => Duration::MAX,
    };
    loop {
        let is_sound = due(audio.peek()) <= due(video.peek());
        let (next, injector) =
            if is_sound { (audio.next(), &mut sound) } else { (video.next(), &mut pictures) };
        let Some(item) = next.transpose()? else { return Ok([sound.sent, pictures.sent]) };
        std::thread::sleep(item.at.saturating_sub(began.elapsed()));
        injector.send(&item)?;
    }
}

/// A producer that this program feeds.
struct Injector {
    transport: DirectTransport,
    producer: Producer,
    stream: Stream,
    reported_at: Option<Duration>,
    sent: u64,
    octets: u64,
}

impl Injector {
    async fn new(
        transport: &DirectTransport,
        kind: MediaKind,
        mime_type: &str,
        stream: Stream,
    ) -> Result<Self, Box<dyn Error>> {
        let channels = if kind == MediaKind::Audio { r#""channels": 2,"# } else { "" };
        let Stream { ssrc, payload_type, clock_rate } = stream;
        let parameters = format!(
            r#"{{
                "codecs": [{{"mimeType": "{mime_type}", {channels} "clockRate": {clock_rate}, "payloadType": {payload_type}}}],
                "encodings": [{{"ssrc": {ssrc}}}]
            }}"#
        );
        let producer = transport.produce(ProducerOptions::new(kind, from_json(&parameters)?)).await?;
        let transport = transport.clone();
        Ok(Self { transport, producer, stream, reported_at: None, sent: 0, octets: 0 })
    }

    fn send(&mut self, item: &Item) -> Result<(), Box<dyn Error>> {
        for packet in &item.packets {
            self.producer.send_packet(packet)?;
            self.sent += 1;
            self.octets += packet.payload.len() as u64;
        }
        let is_due = self.reported_at.is_none_or(|at| item.at >= at + REPORT_INTERVAL);
        if let Some(packet) = item.packets.first().filter(|_| is_due) {
            self.reported_at = Some(item.at);
            self.report(packet)?;
        }
        Ok(())
    }

    /// Says that what has the packet's timestamp is of now.
    fn report(&self, packet: &Packet) -> Result<(), Box<dyn Error>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
        let report = SenderReport {
            ssrc: self.stream.ssrc,
            ntp_time: (now.as_secs() + NTP_EPOCH) << 32 | fraction,
            rtp_time: packet.header.timestamp,
            packet_count: self.sent as u32,
            octet_count: self.octets as u32,
            ..SenderReport::default()
        };
        Ok(self.transport.send_rtcp_packets(&[Box::new(report)])?)
    }
}
