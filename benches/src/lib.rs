//! Fixtures that the benchmarks share: packets, a recycled slot pool, and a Core that fans one producer out.
//!
//! Must not know what is measured. Fixtures panic when they are misused: nothing here meets a network.

mod packets;
mod pool;
mod stage;

pub use packets::{
    ABS_SEND_TIME_ID, PAYLOAD_TYPE, RTX_PAYLOAD_TYPE, SSRC, TRANSPORT_WIDE_CC_ID, Vp8Stream, vp8_packet,
};
pub use pool::{SLOT_STRIDE, SlotPool};
pub use stage::{Protection, Stage, client_capabilities, keying_material, media_codecs, producer_parameters};
