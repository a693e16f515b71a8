//! Shards over real loopback sockets.

mod binding;
mod lifecycle;
mod media;
mod relaying;
mod support;
