//! Shards over real loopback sockets.

mod binding;
mod lifecycle;
#[cfg(target_os = "linux")]
mod marks;
mod media;
mod relaying;
mod support;
