//! The server as its users meet it: over HTTP, on the command line, by its settings, and `tureen inspect`.

mod config;
mod http_api;
mod http_errors;
mod http_limits;
mod inspect;
mod process;
mod support;
