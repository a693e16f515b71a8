//! The program `tureen` as a library: settings, the server, the check of a deployment and the explanation of captures.
//!
//! Programs that want media without HTTP use the crate `tureen` itself. What is here starts the server in process:
//!
//! ```
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let local = "127.0.0.1:0".parse()?;
//! let settings = tureen_server::Settings { http_listen: local, https_listen: local, webrtc_port: 0, ..Default::default() };
//! let server = tureen_server::Server::start(settings).await?;
//! println!("http://{}/", server.local_addr());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod access;
pub mod check;
pub mod cli;
mod config;
mod http;
mod ice_server;
pub mod inspect;
mod links;
mod listener;
mod load;
mod media_codec;
mod metrics;
mod net;
mod random;
mod refusal;
mod rooms;
mod server;
mod signalling;
mod tls;
mod webhooks;
mod whip;

pub use access::{MintError, Secret, StaticToken, StaticTokenError, TokenRole, mint};
pub use config::{AUTO, ConfigError, LogFormat, Overrides, Settings};
pub use ice_server::{IceServer, IceServerError};
pub use links::{ConfiguredLink, ConfiguredLinkError};
pub use media_codec::{MediaCodec, MediaCodecError, default_codecs};
pub use server::{Server, StartError};
#[doc(hidden)]
pub use signalling::lone::{LoneSession, LoneSessions};
pub use tls::TlsError;
