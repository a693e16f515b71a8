//! Virtual clock, impaired links and model endpoints around the Core.
