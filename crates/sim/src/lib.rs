//! Virtual clock, impaired links and model endpoints around the Core.

pub mod link;
pub mod relay;
