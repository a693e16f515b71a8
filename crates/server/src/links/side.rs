//! The two sides of a link: a room of this server, and one of another over its operators' API. Must not know what is mirrored.

use crate::access::Secret;
use crate::refusal::Refusal;
use crate::rooms::{
    NewPipe, PipeReply, PipedConsumer, PipedDataConsumer, PipedDataProducer, PipedProducer, RoomState, Rooms,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tureen::{ConsumerId, DataConsumerId, DataProducerId, PipeConnectOptions, ProducerId};

/// How long an answer may take. While the way to the other server is broken, nothing is learned for so long and a period.
const TIMEOUT: Duration = Duration::from_secs(2);
const NOT_FOUND: u16 = 404;

/// Why a side did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SideError {
    /// It refused: the status and the text that it gave for it.
    #[error("{1} ({0})")]
    Refused(u16, String),
    /// It was not reached, or did not say what was expected.
    #[error("{0}")]
    Unreachable(String),
}

impl From<Refusal> for SideError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.code(), refusal.to_string())
    }
}

type Answer<T> = Result<T, SideError>;

/// A room and its pipes.
pub(super) trait Side: Send + Sync {
    /// What there is; nothing where there is no room. Pipes of this link stay open by being asked for.
    fn state(&self, link: &str) -> impl Future<Output = Answer<RoomState>> + Send;
    fn open(&self, new: NewPipe) -> impl Future<Output = Answer<PipeReply>> + Send;
    fn connect(&self, pipe: &str, to: PipeConnectOptions) -> impl Future<Output = Answer<()>> + Send;
    fn rename(&self, pipe: &str, display_name: &str) -> impl Future<Output = Answer<()>> + Send;
    fn consume(&self, pipe: &str, producer: ProducerId)
    -> impl Future<Output = Answer<PipedConsumer>> + Send;
    fn produce(&self, pipe: &str, piped: PipedProducer) -> impl Future<Output = Answer<()>> + Send;
    fn set_paused(
        &self,
        pipe: &str,
        producer: ProducerId,
        paused: bool,
    ) -> impl Future<Output = Answer<()>> + Send;
    fn close_producer(&self, pipe: &str, producer: ProducerId) -> impl Future<Output = Answer<()>> + Send;
    fn close_consumer(&self, pipe: &str, consumer: ConsumerId) -> impl Future<Output = Answer<()>> + Send;
    fn consume_data(
        &self,
        pipe: &str,
        producer: DataProducerId,
    ) -> impl Future<Output = Answer<PipedDataConsumer>> + Send;
    fn produce_data(&self, pipe: &str, piped: PipedDataProducer) -> impl Future<Output = Answer<()>> + Send;
    fn close_data_producer(
        &self,
        pipe: &str,
        producer: DataProducerId,
    ) -> impl Future<Output = Answer<()>> + Send;
    fn close_data_consumer(
        &self,
        pipe: &str,
        consumer: DataConsumerId,
    ) -> impl Future<Output = Answer<()>> + Send;
    fn close(&self, pipe: &str) -> impl Future<Output = Answer<()>> + Send;
}

/// A room of this server.
pub(super) struct Local {
    pub(super) rooms: Arc<Rooms>,
    pub(super) room: String,
    /// The address of this machine that leads to the other server.
    pub(super) reached_on: Option<IpAddr>,
    pub(super) announced_address: Option<String>,
}

impl Side for Local {
    async fn state(&self, link: &str) -> Answer<RoomState> {
        match self.rooms.room_state(&self.room, Some(link)) {
            Err(Refusal::Unknown { .. }) => Ok(RoomState::default()),
            state => Ok(state?),
        }
    }

    async fn open(&self, mut new: NewPipe) -> Answer<PipeReply> {
        new.announced_address.clone_from(&self.announced_address);
        Ok(self.rooms.open_pipe(&self.room, new, self.reached_on).await?)
    }

    async fn connect(&self, pipe: &str, to: PipeConnectOptions) -> Answer<()> {
        Ok(self.rooms.pipe(&self.room, pipe)?.connect(to).await?)
    }

    async fn rename(&self, pipe: &str, display_name: &str) -> Answer<()> {
        Ok(self.rooms.pipe(&self.room, pipe)?.rename(display_name.to_owned())?)
    }

    async fn consume(&self, pipe: &str, producer: ProducerId) -> Answer<PipedConsumer> {
        Ok(self.rooms.pipe(&self.room, pipe)?.consume(producer).await?)
    }

    async fn produce(&self, pipe: &str, piped: PipedProducer) -> Answer<()> {
        self.rooms.pipe(&self.room, pipe)?.produce(piped).await?;
        Ok(())
    }

    async fn set_paused(&self, pipe: &str, producer: ProducerId, paused: bool) -> Answer<()> {
        Ok(self.rooms.pipe(&self.room, pipe)?.set_paused(&producer, paused).await?)
    }

    async fn close_producer(&self, pipe: &str, producer: ProducerId) -> Answer<()> {
        Ok(self.rooms.pipe(&self.room, pipe)?.close_producer(&producer)?)
    }

    async fn close_consumer(&self, pipe: &str, consumer: ConsumerId) -> Answer<()> {
        Ok(self.rooms.pipe(&self.room, pipe)?.close_consumer(&consumer)?)
    }

    async fn consume_data(&self, pipe: &str, producer: DataProducerId) -> Answer<PipedDataConsumer> {
        Ok(self.rooms.pipe(&self.room, pipe)?.consume_data(producer).await?)
    }

    async fn produce_data(&self, pipe: &str, piped: PipedDataProducer) -> Answer<()> {
        self.rooms.pipe(&self.room, pipe)?.produce_data(piped).await?;
        Ok(())
    }

    async fn close_data_producer(&self, pipe: &str, producer: DataProducerId) -> Answer<()> {
        Ok(self.rooms.pipe(&self.room, pipe)?.close_data_producer(&producer)?)
    }

    async fn close_data_consumer(&self, pipe: &str, consumer: DataConsumerId) -> Answer<()> {
        Ok(self.rooms.pipe(&self.room, pipe)?.close_data_consumer(&consumer)?)
    }

    async fn close(&self, pipe: &str) -> Answer<()> {
        self.rooms.pipe(&self.room, pipe)?.close();
        Ok(())
    }
}

/// A room of another server.
#[derive(Clone)]
pub(super) struct Remote {
    agent: ureq::Agent,
    /// Of the room in the operators' API.
    url: String,
    token: Secret,
    /// What it says where there is no such room.
    no_room: String,
}

impl Remote {
    pub(super) fn new(server: &str, room: &str, token: Secret) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ureq::tls::TlsConfig::builder().unversioned_rustls_crypto_provider(provider).build();
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .tls_config(tls);
        let url = format!("{}/api/v1/rooms/{}", server.trim_end_matches('/'), escaped(room));
        let no_room = Refusal::unknown("room", room).to_string();
        Self { agent: config.build().into(), url, token, no_room }
    }

    /// Sends a request on a thread that may wait; the text of its answer.
    async fn ask(&self, method: &'static str, path: String, body: Option<Value>) -> Answer<String> {
        let remote = self.clone();
        let asked = tokio::task::spawn_blocking(move || remote.ask_now(method, &path, body.as_ref())).await;
        asked.map_err(|error| SideError::Unreachable(error.to_string()))?
    }

    fn ask_now(&self, method: &str, path: &str, body: Option<&Value>) -> Answer<String> {
        let unreachable = |error: ureq::Error| SideError::Unreachable(error.to_string());
        let url = format!("{}{path}", self.url);
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if !self.token.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.token.as_str()));
        }
        let answer = match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json").body(body.to_string());
                self.agent.run(request.map_err(ureq::Error::Http).map_err(unreachable)?)
            }
            None => self.agent.run(request.body(()).map_err(ureq::Error::Http).map_err(unreachable)?),
        };
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string().map_err(unreachable)?;
        if status.is_success() { Ok(text) } else { Err(SideError::Refused(status.as_u16(), text)) }
    }

    async fn get<T: DeserializeOwned>(&self, path: String) -> Answer<T> {
        read(&self.ask("GET", path, None).await?)
    }

    async fn post(&self, path: String, body: impl Serialize) -> Answer<String> {
        self.ask("POST", path, Some(json!(body))).await
    }

    async fn delete(&self, path: String) -> Answer<()> {
        self.ask("DELETE", path, None).await.map(drop)
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Answer<T> {
    serde_json::from_str(text).map_err(|error| SideError::Unreachable(format!("an answer: {error}")))
}

/// A name as one segment of a path (RFC 3986 section 2.1).
fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(escape).collect()
}

impl Side for Remote {
    async fn state(&self, link: &str) -> Answer<RoomState> {
        match self.get(format!("/pipes?link={link}")).await {
            Err(SideError::Refused(NOT_FOUND, text)) if text == self.no_room => Ok(RoomState::default()),
            // Somebody else answers for the server: what is in the room is not known.
            Err(error @ SideError::Refused(NOT_FOUND, _)) => Err(SideError::Unreachable(error.to_string())),
            state => state,
        }
    }

    async fn open(&self, new: NewPipe) -> Answer<PipeReply> {
        read(&self.post("/pipes".into(), new).await?)
    }

    async fn connect(&self, pipe: &str, to: PipeConnectOptions) -> Answer<()> {
        self.post(format!("/pipes/{pipe}/connect"), to).await.map(drop)
    }

    async fn rename(&self, pipe: &str, display_name: &str) -> Answer<()> {
        let body = json!({ "displayName": display_name });
        self.post(format!("/pipes/{pipe}/rename"), body).await.map(drop)
    }

    async fn consume(&self, pipe: &str, producer: ProducerId) -> Answer<PipedConsumer> {
        let body = json!({ "producerId": producer });
        read(&self.post(format!("/pipes/{pipe}/consumers"), body).await?)
    }

    async fn produce(&self, pipe: &str, piped: PipedProducer) -> Answer<()> {
        self.post(format!("/pipes/{pipe}/producers"), piped).await.map(drop)
    }

    async fn set_paused(&self, pipe: &str, producer: ProducerId, paused: bool) -> Answer<()> {
        let call = if paused { "pause" } else { "resume" };
        self.post(format!("/pipes/{pipe}/producers/{producer}/{call}"), json!({})).await.map(drop)
    }

    async fn close_producer(&self, pipe: &str, producer: ProducerId) -> Answer<()> {
        self.delete(format!("/pipes/{pipe}/producers/{producer}")).await
    }

    async fn close_consumer(&self, pipe: &str, consumer: ConsumerId) -> Answer<()> {
        self.delete(format!("/pipes/{pipe}/consumers/{consumer}")).await
    }

    async fn consume_data(&self, pipe: &str, producer: DataProducerId) -> Answer<PipedDataConsumer> {
        let body = json!({ "dataProducerId": producer });
        read(&self.post(format!("/pipes/{pipe}/data-consumers"), body).await?)
    }

    async fn produce_data(&self, pipe: &str, piped: PipedDataProducer) -> Answer<()> {
        self.post(format!("/pipes/{pipe}/data-producers"), piped).await.map(drop)
    }

    async fn close_data_producer(&self, pipe: &str, producer: DataProducerId) -> Answer<()> {
        self.delete(format!("/pipes/{pipe}/data-producers/{producer}")).await
    }

    async fn close_data_consumer(&self, pipe: &str, consumer: DataConsumerId) -> Answer<()> {
        self.delete(format!("/pipes/{pipe}/data-consumers/{consumer}")).await
    }

    async fn close(&self, pipe: &str) -> Answer<()> {
        self.delete(format!("/pipes/{pipe}")).await
    }
}

/// The address of this machine that packets to a server leave from. Nothing is sent for it.
pub(super) async fn own_address(server: &str) -> Option<IpAddr> {
    let uri: ureq::http::Uri = server.parse().ok()?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let host = uri.host()?.trim_matches(['[', ']']);
    let remote = tokio::net::lookup_host((host, port)).await.ok()?.next()?;
    let any: SocketAddr = if remote.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = tokio::net::UdpSocket::bind(any).await.ok()?;
    socket.connect(remote).await.ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rooms_are_one_segment() {
        assert_eq!(escaped("a-b_c.d~1"), "a-b_c.d~1");
        assert_eq!(escaped("a/b c?é"), "a%2Fb%20c%3F%C3%A9");
        let remote = Remote::new("http://host:8080/", "a/b", Secret::default());
        assert_eq!(remote.url, "http://host:8080/api/v1/rooms/a%2Fb");
    }

    #[tokio::test]
    async fn the_own_address_is_the_one_that_leads_there() {
        assert_eq!(own_address("http://127.0.0.1:9").await, Some([127, 0, 0, 1].into()));
        assert_eq!(own_address("no url at all").await, None);
    }
}
