//! Browsers against the server: Chromium and Firefox in rooms of its page, and mediasoup-client as it is published.
//!
//! What a browser says of itself (`getStats`, pixels) is judged here; how it is driven is in `tests/clients/browser`.

mod calls;
mod capture;
mod data;
mod feedback;
mod figures;
mod layers;
mod linked;
pub(crate) mod namespace;
mod narrow;
mod networks;
mod parity;
mod road;
pub(crate) mod scenario;
mod wanted;
