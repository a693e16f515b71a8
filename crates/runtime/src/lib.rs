//! Shards: a thread each with sockets, a clock, channels and a Core.
