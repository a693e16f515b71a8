//! The control plane's operations on a Core: each takes a request of [`crate::command`] and answers at once.

pub(crate) mod closing;
mod consume;
mod pausing;
mod produce;
mod reporting;
mod routers;
mod sources;
mod transports;
