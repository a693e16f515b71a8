//! Viewers built on `str0m`: one thread turns all of them. Must not know how figures are reported.

use crate::viewers::{Received, SPACING};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tureen_load::api::Api;
use tureen_load::error::{Error, while_doing};
use tureen_udp::{Poller, RecvBatch, SendBatch, Socket, SocketConfig};

/// How long a viewer may take until it gets media.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that the thread waits without a look at what it is told.
const LONGEST_WAIT: Duration = Duration::from_millis(5);
/// Wished size of a socket's buffer, so that the generator is not what loses packets.
const BUFFER: usize = 2 << 20;

/// Viewers on a thread of their own, until they are dropped.
#[derive(Debug)]
pub(crate) struct SansIoViewers {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    joined: Receiver<Result<Duration, Error>>,
    received: Received,
}

impl SansIoViewers {
    /// Lets `count` viewers join, one after the other.
    pub(crate) fn start(api: &Api, ip: IpAddr, count: u16) -> Self {
        let (stop, received) = (Arc::new(AtomicBool::new(false)), Received::default());
        let (tell, joined) = channel();
        let (api, stopped, counter) = (api.clone(), Arc::clone(&stop), received.clone());
        let thread = std::thread::spawn(move || {
            let outcome =
                Loop::new(counter).and_then(|turning| turning.run(&api, ip, count, &stopped, &tell));
            if let Err(error) = outcome {
                // Nobody listens once all have joined.
                let _ = tell.send(Err(error));
            }
        });
        Self { stop, thread: Some(thread), joined, received }
    }

    /// How long the next one took from its request to its first packet of media.
    pub(crate) fn next_joined(&self) -> Result<Duration, Error> {
        let silence = |_| Error::Child("a viewer built on str0m says nothing".into());
        self.joined.recv_timeout(2 * PATIENCE).map_err(silence)?
    }

    pub(crate) fn received(&self) -> &Received {
        &self.received
    }
}

impl Drop for SansIoViewers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it had to say it has said.
            let _ = thread.join();
        }
    }
}

struct Viewer {
    rtc: Rtc,
    socket: Socket,
    deadline: Instant,
    has_media: bool,
}

struct Loop {
    viewers: Vec<Viewer>,
    poller: Poller,
    ready: Vec<u64>,
    batch: RecvBatch,
    out: SendBatch,
    received: Received,
}

impl Loop {
    fn new(received: Received) -> Result<Self, Error> {
        let poller = Poller::new().map_err(while_doing("cannot wait for sockets"))?;
        let (batch, out) = (RecvBatch::new(32), SendBatch::new(64));
        Ok(Self { viewers: Vec::new(), poller, ready: Vec::new(), batch, out, received })
    }

    fn run(
        mut self,
        api: &Api,
        ip: IpAddr,
        count: u16,
        stop: &AtomicBool,
        joined: &Sender<Result<Duration, Error>>,
    ) -> Result<(), Error> {
        for _ in 0..count {
            let due = Instant::now() + SPACING;
            while Instant::now() < due && !stop.load(Ordering::Relaxed) {
                self.turn()?;
            }
            let began = Instant::now();
            let viewer = join(api, ip)?;
            let token = self.viewers.len();
            self.poller.add(&viewer.socket, token as u64).map_err(while_doing("cannot wait for a viewer"))?;
            self.viewers.push(viewer);
            while !self.viewers.get(token).is_some_and(|viewer| viewer.has_media) {
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                if began.elapsed() > PATIENCE {
                    return Err(Error::Child(format!("viewer {token} built on str0m gets no media")));
                }
                self.turn()?;
            }
            // Nobody listens where the run has ended already.
            let _ = joined.send(Ok(began.elapsed()));
        }
        while !stop.load(Ordering::Relaxed) {
            self.turn()?;
        }
        Ok(())
    }

    /// Waits for packets or a deadline, and does what follows.
    fn turn(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let deadlines = self.viewers.iter().map(|viewer| viewer.deadline.saturating_duration_since(now));
        let wait = deadlines.min().unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        let wait = Some(wait.as_nanos() as u64);
        self.poller.wait(wait, &mut self.ready).map_err(while_doing("cannot wait for sockets"))?;
        for token in std::mem::take(&mut self.ready) {
            let Some(viewer) = self.viewers.get_mut(token as usize) else { continue };
            while viewer.socket.recv(&mut self.batch).map_err(while_doing("cannot receive"))? > 0 {
                let now = Instant::now();
                for datagram in self.batch.datagrams_mut() {
                    viewer.take_in(now, datagram.source, datagram.bytes)?;
                    // It holds one packet of media at a time.
                    viewer.follow(&mut self.out, &self.received)?;
                }
            }
        }
        let now = Instant::now();
        for viewer in self.viewers.iter_mut().filter(|viewer| viewer.deadline <= now) {
            viewer.rtc.handle_input(Input::Timeout(now)).map_err(refused)?;
            viewer.follow(&mut self.out, &self.received)?;
        }
        Ok(())
    }
}

/// Offers to receive video, over a socket of its own.
fn join(api: &Api, ip: IpAddr) -> Result<Viewer, Error> {
    let config = SocketConfig { recv_buffer: Some(BUFFER), ..SocketConfig::new(SocketAddr::new(ip, 0)) };
    let socket = Socket::bind(&config).map_err(while_doing("cannot bind a viewer"))?;
    let now = Instant::now();
    let config = RtcConfig::new().clear_codecs().enable_vp8(true).set_rtp_mode(true);
    let mut rtc = config.build(now);
    let candidate = Candidate::host(socket.local_addr(), "udp").map_err(refused)?;
    rtc.add_local_candidate(candidate);
    let mut changes = rtc.sdp_api();
    changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    let (offer, pending) = changes.apply().ok_or_else(|| refused("there is nothing to offer"))?;
    let answer = api.watch(&offer.to_sdp_string())?;
    let answer = SdpAnswer::from_sdp_string(&answer).map_err(refused)?;
    rtc.sdp_api().accept_answer(pending, answer).map_err(refused)?;
    Ok(Viewer { rtc, socket, deadline: now, has_media: false })
}

impl Viewer {
    fn take_in(&mut self, now: Instant, source: SocketAddr, bytes: &[u8]) -> Result<(), Error> {
        let destination = self.socket.local_addr();
        // What is no packet of WebRTC is nobody's.
        let Ok(contents) = bytes.try_into() else { return Ok(()) };
        let receive = Receive { proto: Protocol::Udp, source, destination, contents };
        self.rtc.handle_input(Input::Receive(now, receive)).map_err(refused)?;
        Ok(())
    }

    /// Sends and counts what came of the last input.
    fn follow(&mut self, out: &mut SendBatch, received: &Received) -> Result<(), Error> {
        loop {
            match self.rtc.poll_output().map_err(refused)? {
                Output::Timeout(at) => {
                    self.deadline = at;
                    out.flush(|_| Some(&self.socket));
                    return Ok(());
                }
                Output::Transmit(datagram) => {
                    if out.free() == 0 {
                        out.flush(|_| Some(&self.socket));
                    }
                    let Some(slot) = out.reserve(0, 0, datagram.destination, datagram.contents.len()) else {
                        continue;
                    };
                    slot.copy_from_slice(&datagram.contents);
                    out.commit(datagram.contents.len());
                }
                Output::Event(Event::RtpPacket(_)) => {
                    self.has_media = true;
                    received.count();
                }
                Output::Event(_) => {}
            }
        }
    }
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::Child(format!("str0m: {error}"))
}
