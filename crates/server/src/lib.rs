//! The program `tureen` as a library: settings, the server, and the explanation of captures.
//!
//! Programs that want media without HTTP use the crate `tureen` itself. What is here starts the server in process:
//!
//! ```
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = tureen_server::Settings { http_listen: "127.0.0.1:0".parse()?, ..Default::default() };
//! let server = tureen_server::Server::start(settings).await?;
//! println!("http://{}/", server.local_addr());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

// Whether the futures of the handles are `Send` is a question that goes deep.
#![recursion_limit = "256"]

pub mod cli;
mod config;
mod http;
pub mod inspect;
mod load;
mod media_codec;
mod metrics;
mod rooms;
mod server;

pub use config::{AUTO, ConfigError, LogFormat, Overrides, Settings};
pub use media_codec::{MediaCodec, MediaCodecError, default_codecs};
pub use server::{Server, StartError};
