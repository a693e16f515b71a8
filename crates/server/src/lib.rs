//! The program tureen: a ready selective forwarding unit with an HTTP API and metrics.
