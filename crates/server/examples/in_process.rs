//! Runs the server inside of another program, for ten seconds.
//!
//! `cargo run -p tureen-server --example in_process`

use std::time::Duration;
use tureen_server::{Server, Settings};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example tells what it does")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings {
        http_listen: "127.0.0.1:0".parse()?,
        tls: false,
        webrtc_port: 0,
        max_rooms: 10,
        ..Settings::default()
    };
    let server = Server::start(settings).await?;
    println!("http://{}/", server.local_addr());
    tokio::time::sleep(Duration::from_secs(10)).await;
    server.shutdown().await;
    Ok(())
}
