//! The producer/sender model: routers, transports, producers and consumers as plain data, without I/O.
