//! Batched UDP sockets: recvmmsg with GRO, sendmmsg with UDP_SEGMENT, and a portable fallback.
