//! A broadcaster: transports, and the producers and consumers on them. Requests about one take turns.

use super::{PeerInfo, ProducerInfo, Refusal};
use crate::config::{AUTO, Settings};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, MutexGuard};
use tureen::dictionaries::{CryptoSuite, RtpCapabilities};
use tureen::{
    Consumer, ConsumerId, ConsumerOptions, ListenInfo, PlainConnectOptions, PlainTransport,
    PlainTransportOptions, PortRange, Producer, ProducerId, ProducerOptions, Router, Transport, TransportId,
};

/// What a broadcaster runs on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Device {
    /// Such as `FFmpeg`.
    #[serde(default)]
    pub(crate) name: String,
}

/// A broadcaster that wants in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewBroadcaster {
    /// Its own choice, 1 to 128 bytes.
    pub(crate) id: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    device: Device,
    rtp_capabilities: Option<RtpCapabilities>,
}

/// What a plain transport is to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewTransport {
    pub(crate) comedia: bool,
    pub(crate) rtcp_mux: bool,
    pub(crate) enable_srtp: bool,
    pub(crate) srtp_crypto_suite: CryptoSuite,
    /// The address that the client reached the server on.
    pub(crate) reached_on: Option<IpAddr>,
}

pub(crate) struct Broadcaster {
    id: String,
    display_name: String,
    device: Device,
    rtp_capabilities: Option<RtpCapabilities>,
    router: Router,
    settings: Arc<Settings>,
    contents: Mutex<Contents>,
    used: StdMutex<Instant>,
}

#[derive(Default)]
struct Contents {
    closed: bool,
    transports: BTreeMap<TransportId, Entry>,
    /// Bytes in and out when they were last looked at.
    traffic: u64,
}

struct Entry {
    transport: PlainTransport,
    producers: BTreeMap<ProducerId, Producer>,
    consumers: BTreeMap<ConsumerId, Consumer>,
}

impl Broadcaster {
    pub(super) fn new(new: NewBroadcaster, router: Router, settings: Arc<Settings>) -> Self {
        let NewBroadcaster { id, display_name, device, rtp_capabilities } = new;
        let (contents, used) = (Mutex::default(), StdMutex::new(Instant::now()));
        Self { id, display_name, device, rtp_capabilities, router, settings, contents, used }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Somebody asked for it.
    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long nobody has asked for it and no media has come or gone.
    pub(super) async fn idle_for(&self, now: Instant) -> Duration {
        let mut contents = self.contents.lock().await;
        let mut traffic = 0u64;
        for entry in contents.transports.values() {
            // A transport that is closed has no traffic.
            if let Ok(stats) = entry.transport.get_stats().await {
                traffic =
                    traffic.saturating_add(stats.base.bytes_received).saturating_add(stats.base.bytes_sent);
            }
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if traffic != contents.traffic {
            contents.traffic = traffic;
            *used = now;
        }
        now.saturating_duration_since(*used)
    }

    /// What this broadcaster is told of another: with capabilities of its own only what it can consume.
    pub(super) async fn describe(&self, other: &Self) -> PeerInfo {
        let contents = other.contents.lock().await;
        let producers = contents.transports.values().flat_map(|entry| entry.producers.values());
        let wanted = producers.filter(|producer| !producer.closed() && self.can_consume(producer.id()));
        PeerInfo {
            id: other.id.clone(),
            display_name: other.display_name.clone(),
            device: other.device.clone(),
            producers: wanted
                .map(|producer| ProducerInfo { id: producer.id(), kind: producer.kind() })
                .collect(),
        }
    }

    fn can_consume(&self, id: ProducerId) -> bool {
        let Some(capabilities) = &self.rtp_capabilities else { return true };
        self.router.can_consume(&id, capabilities).unwrap_or(false)
    }

    pub(super) async fn close(&self) {
        let mut contents = self.contents.lock().await;
        contents.closed = true;
        for entry in std::mem::take(&mut contents.transports).into_values() {
            entry.transport.close();
        }
    }

    async fn open(&self) -> Result<MutexGuard<'_, Contents>, Refusal> {
        let contents = self.contents.lock().await;
        if contents.closed { Err(Refusal::unknown("broadcaster", &self.id)) } else { Ok(contents) }
    }

    /// Makes a plain transport.
    pub(crate) async fn add_transport(&self, new: NewTransport) -> Result<PlainTransport, Refusal> {
        let mut contents = self.open().await?;
        let limit = self.settings.max_transports;
        if contents.transports.len() >= limit {
            return Err(Refusal::Full { what: "transports of the broadcaster", limit });
        }
        let mut options = PlainTransportOptions::new(self.listen_info(new.reached_on));
        options.comedia = new.comedia;
        options.rtcp_mux = new.rtcp_mux;
        options.enable_srtp = new.enable_srtp;
        options.srtp_crypto_suite = new.srtp_crypto_suite;
        let transport = self.router.create_plain_transport(options).await?;
        let (producers, consumers) = (BTreeMap::new(), BTreeMap::new());
        contents
            .transports
            .insert(transport.id(), Entry { transport: transport.clone(), producers, consumers });
        Ok(transport)
    }

    /// The listen address of the client's family, and what the client is told of it.
    fn listen_info(&self, reached_on: Option<IpAddr>) -> ListenInfo {
        let ips = &self.settings.listen_ips;
        let reached_on = reached_on.map(|ip| ip.to_canonical());
        let same_family =
            |ip: &&IpAddr| reached_on.is_none_or(|reached_on| reached_on.is_ipv4() == ip.is_ipv4());
        let fallback = || IpAddr::from([127, 0, 0, 1]);
        let ip = ips.iter().find(same_family).or(ips.first()).copied().unwrap_or_else(fallback);
        let announced = match self.settings.announced_address.as_str() {
            AUTO => {
                reached_on.filter(|reached_on| ip.is_unspecified() && reached_on.is_ipv4() == ip.is_ipv4())
            }
            address => return self.listen_on(ip, Some(address.to_owned())),
        };
        self.listen_on(ip, announced.map(|ip| ip.to_string()))
    }

    fn listen_on(&self, ip: IpAddr, announced_address: Option<String>) -> ListenInfo {
        let port_range = Some(PortRange { min: self.settings.rtc_min_port, max: self.settings.rtc_max_port });
        ListenInfo { announced_address, port_range, ..ListenInfo::new(ip) }
    }

    pub(crate) async fn remove_transport(&self, id: &str) -> Result<(), Refusal> {
        let mut contents = self.open().await?;
        let id = contents.entry(id)?.transport.id();
        if let Some(entry) = contents.transports.remove(&id) {
            entry.transport.close();
        }
        Ok(())
    }

    pub(crate) async fn transport(&self, id: &str) -> Result<PlainTransport, Refusal> {
        Ok(self.open().await?.entry(id)?.transport.clone())
    }

    pub(crate) async fn connect(&self, id: &str, remote: PlainConnectOptions) -> Result<(), Refusal> {
        let mut contents = self.open().await?;
        Ok(contents.entry(id)?.transport.connect(remote).await?)
    }

    pub(crate) async fn produce(&self, id: &str, options: ProducerOptions) -> Result<Producer, Refusal> {
        let mut contents = self.open().await?;
        let limit = self.settings.max_producers;
        if contents.count(|entry| entry.producers.len()) >= limit {
            return Err(Refusal::Full { what: "producers of the broadcaster", limit });
        }
        let entry = contents.entry(id)?;
        let producer = entry.transport.produce(options).await?;
        entry.producers.insert(producer.id(), producer.clone());
        Ok(producer)
    }

    /// Consumes a producer of the room. Without capabilities in the request those that the broadcaster came with count,
    /// and without those the room's.
    pub(crate) async fn consume(
        &self,
        id: &str,
        producer: ProducerId,
        rtp_capabilities: Option<RtpCapabilities>,
        paused: bool,
    ) -> Result<Consumer, Refusal> {
        let mut contents = self.open().await?;
        contents.forget_closed();
        let limit = self.settings.max_consumers;
        if contents.count(|entry| entry.consumers.len()) >= limit {
            return Err(Refusal::Full { what: "consumers of the broadcaster", limit });
        }
        let entry = contents.entry(id)?;
        let capabilities = rtp_capabilities.or_else(|| self.rtp_capabilities.clone());
        let capabilities = capabilities.unwrap_or_else(|| self.router.rtp_capabilities());
        let mut options = ConsumerOptions::new(producer, capabilities);
        options.paused = paused;
        let consumer = entry.transport.consume(options).await?;
        entry.consumers.insert(consumer.id(), consumer.clone());
        Ok(consumer)
    }

    pub(crate) async fn producer(&self, transport: &str, id: &str) -> Result<Producer, Refusal> {
        let unknown = || Refusal::unknown("producer", id);
        let key = id.parse::<ProducerId>().map_err(|_| unknown())?;
        self.open().await?.entry(transport)?.producers.get(&key).cloned().ok_or_else(unknown)
    }

    pub(crate) async fn consumer(&self, transport: &str, id: &str) -> Result<Consumer, Refusal> {
        let unknown = || Refusal::unknown("consumer", id);
        let key = id.parse::<ConsumerId>().map_err(|_| unknown())?;
        let mut contents = self.open().await?;
        contents.forget_closed();
        contents.entry(transport)?.consumers.get(&key).cloned().ok_or_else(unknown)
    }

    pub(crate) async fn close_producer(&self, transport: &str, id: &str) -> Result<(), Refusal> {
        let producer = self.producer(transport, id).await?;
        producer.close();
        self.open().await?.forget_closed();
        Ok(())
    }

    pub(crate) async fn close_consumer(&self, transport: &str, id: &str) -> Result<(), Refusal> {
        let consumer = self.consumer(transport, id).await?;
        consumer.close();
        self.open().await?.forget_closed();
        Ok(())
    }
}

impl Contents {
    fn entry(&mut self, id: &str) -> Result<&mut Entry, Refusal> {
        let unknown = || Refusal::unknown("transport", id);
        let key = id.parse::<TransportId>().map_err(|_| unknown())?;
        self.transports.get_mut(&key).ok_or_else(unknown)
    }

    fn count(&self, count: impl Fn(&Entry) -> usize) -> usize {
        self.transports.values().map(count).sum()
    }

    /// Consumers close with their producers, which others own.
    fn forget_closed(&mut self) {
        for entry in self.transports.values_mut() {
            entry.producers.retain(|_, producer| !producer.closed());
            entry.consumers.retain(|_, consumer| !consumer.closed());
        }
    }
}
