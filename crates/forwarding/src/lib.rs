//! The forwarding core, one RTP stream at a time: receive, map, store, repair, rewrite.
