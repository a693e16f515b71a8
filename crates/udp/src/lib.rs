//! UDP in batches: `recvmmsg` with receive offload (GRO), `sendmmsg` with segmentation offload (`UDP_SEGMENT`), a poller
//! and what a thread that lives on packets needs besides. Knows nothing of what is in the datagrams.
//!
//! The kernel's work per packet is what a forwarding unit spends its time on; handing it many packets at once is what
//! helps. A [`RecvBatch`] takes what has arrived in one system call. A [`SendBatch`] collects packets by destination,
//! then sends each destination's run of equal-sized packets as one message, and the messages of a socket in one call.
//!
//! ```
//! use tureen_udp::{RecvBatch, SendBatch, Socket, SocketConfig};
//!
//! # fn main() -> std::io::Result<()> {
//! let loopback = "127.0.0.1:0".parse().expect("an address");
//! let (here, there) =
//!     (Socket::bind(&SocketConfig::new(loopback))?, Socket::bind(&SocketConfig::new(loopback))?);
//!
//! let mut out = SendBatch::new(64);
//! for number in 0..10_u8 {
//!     // Lane 0: one destination over one socket. Packets of a lane stay in order.
//!     if let Some(slot) = out.reserve(0, 0, there.local_addr(), 1200) {
//!         slot.fill(number);
//!         out.commit(1200);
//!     }
//! }
//! let stats = out.flush(|socket| (socket == 0).then_some(&here));
//! assert_eq!(stats.packets, 10);
//!
//! let (mut batch, mut received) = (RecvBatch::new(32), 0);
//! while received < 10 {
//!     there.recv(&mut batch)?;
//!     for datagram in batch.datagrams_mut() {
//!         assert_eq!((datagram.bytes[0], datagram.source), (received, here.local_addr()));
//!         received += 1;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Systems
//! The fast path is Linux. Elsewhere on Unix, and on Linux with [`SocketConfig::portable`], the same types send and
//! receive datagram by datagram with the calls of the standard library and wait with `poll(2)`.
//!
//! # What it does not do
//! TCP, TLS, name resolution, timers, io_uring, AF_XDP. Nothing blocks but [`Poller::wait`].

mod poller;
mod recv;
mod send;
mod slots;
mod socket;
mod sys;
mod thread;
mod wakeup;

pub use poller::{Poller, Waker};
pub use recv::{Datagram, RecvBatch};
pub use send::{FlushStats, SendBatch};
pub use socket::{Socket, SocketConfig};
pub use thread::{
    ResourceUsage, monotonic_now, pin_current_thread, process_usage, realtime_now, thread_cpu_time,
};
