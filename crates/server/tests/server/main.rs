//! The server as its users meet it: over HTTP and WebSocket, on the command line, by its settings, and `tureen inspect`.

mod access;
mod active_speaker;
mod check;
mod client;
mod config;
mod data;
mod http_api;
mod http_client;
mod http_errors;
mod http_limits;
mod inspect;
mod links;
mod operators;
mod pipes;
mod process;
mod signalling;
mod signalling_errors;
mod support;
mod wanted;
mod whip;
mod whip_hostile;
