//! ICE for a server with addresses of its own: a lite agent (RFC 8445 section 2.5) that answers checks, keeps the tuples
//! they prove, and follows the remote's nominations. Knows neither keys of media nor DTLS.

mod answers;
mod credentials;
mod listen;
mod request;
mod tuples;

pub use credentials::IceCredentials;
pub use listen::IceListen;

use answers::Answers;
use listen::Listens;
use request::{Judgement, Request, judge};
use std::collections::VecDeque;
use std::time::Duration;
use tuples::{Tuple, Tuples};
use tureen_rtp_dictionaries::{IceCandidate, IceParameters, IceState, TransportProtocol};
use tureen_rtp_wire::Time;
use tureen_transport::{
    Admission, Arrival, Claim, Component, Destination, IceTuple, Path, PathEvent, RejectReason, SocketId,
    SocketIds,
};

/// A lite agent over the sockets of one transport, and the path that it finds.
#[derive(Debug)]
pub struct IceServer {
    listens: Listens,
    current: IceCredentials,
    /// Still valid after a restart, until a request comes with the current ones.
    previous: Option<IceCredentials>,
    tuples: Tuples,
    state: IceState,
    /// The highest NOMINATION so far.
    nomination: Option<u32>,
    /// How long a tuple lives without a valid request; `None` for ever.
    consent: Option<Duration>,
    answers: Answers,
    claims: VecDeque<Claim>,
    state_news: Option<IceState>,
    selection_news: Option<Option<IceTuple>>,
}

impl IceServer {
    /// A lite agent with these credentials. `consent` is how long a tuple lives without a valid request (RFC 7675);
    /// it is clamped to 10 to 60 s, and zero switches the check off.
    pub fn new(listens: Vec<IceListen>, credentials: IceCredentials, consent: Duration) -> Self {
        let (shortest, longest) = (Duration::from_secs(10), Duration::from_secs(60));
        let mut ice = Self {
            listens: Listens::new(listens),
            previous: None,
            tuples: Tuples::default(),
            state: IceState::New,
            nomination: None,
            consent: (!consent.is_zero()).then(|| consent.clamp(shortest, longest)),
            answers: Answers::default(),
            claims: VecDeque::with_capacity(4),
            state_news: None,
            selection_news: None,
            current: credentials,
        };
        ice.claim_username(Claim::Username(ice.current.username_fragment));
        ice
    }

    /// How far it has come.
    pub fn state(&self) -> IceState {
        self.state
    }

    /// What the remote is told of the credentials.
    pub fn parameters(&self) -> IceParameters {
        self.current.parameters()
    }

    /// What the remote is told of the addresses, best first.
    pub fn candidates(&self, prefer: impl Fn(TransportProtocol) -> bool) -> Vec<IceCandidate> {
        self.listens.candidates(prefer)
    }

    /// The tuple that packets go to.
    pub fn selected_tuple(&self) -> Option<IceTuple> {
        self.tuples.selected_tuple()
    }

    /// Whether a valid request came from there, and consent has not run out since.
    pub fn is_validated(&self, arrival: Arrival) -> bool {
        self.tuples.contains(arrival)
    }

    /// The sockets that nobody else uses.
    pub fn sockets(&self) -> SocketIds {
        self.listens.own_sockets()
    }

    /// Takes one STUN message and queues what is answered.
    ///
    /// # Errors
    /// Why it was no valid request.
    pub fn handle(&mut self, now: Time, arrival: Arrival, datagram: &[u8]) -> Result<(), RejectReason> {
        let tuple = self.listens.tuple(arrival).ok_or(RejectReason::ForeignAddress)?;
        if self.state == IceState::Closed {
            return Err(RejectReason::StunUnexpected);
        }
        // Without room for an answer the remote could not tell; it asks again.
        if !self.answers.has_room() {
            return Err(RejectReason::StunOverload);
        }
        let valid = std::iter::once(&self.current).chain(&self.previous);
        match judge(datagram, valid) {
            Judgement::Valid(request) => {
                let key = self.credentials(request.credentials).key.clone();
                self.answers.success(arrival, request.transaction, &key);
                self.confirm(now, arrival, tuple, request);
                Ok(())
            }
            Judgement::Refused { transaction, credentials, code, unknown } => {
                let key = self.credentials(credentials).key.clone();
                self.answers.refuse(arrival, transaction, &key, (code, &unknown));
                Err(RejectReason::StunRefused)
            }
            Judgement::Stranger { transaction, code } => {
                self.answers.refuse_stranger(arrival, transaction, code, datagram.len());
                Err(RejectReason::StunUnauthenticated)
            }
            Judgement::Malformed => Err(RejectReason::StunMalformed),
            Judgement::Unexpected => Err(RejectReason::StunUnexpected),
        }
    }

    fn credentials(&self, index: usize) -> &IceCredentials {
        self.previous.as_ref().filter(|_| index > 0).unwrap_or(&self.current)
    }

    fn confirm(&mut self, now: Time, arrival: Arrival, tuple: IceTuple, request: Request) {
        if request.credentials == 0 {
            self.settle_restart();
        }
        if !self.tuples.confirm(now, arrival) {
            let evicted = self.tuples.add(Tuple { arrival, tuple, confirmed: now });
            if let Some(evicted) = evicted {
                self.release(evicted.arrival);
            }
            if self.listens.is_shared(arrival.socket) {
                self.claims.push_back(Claim::Tuple(arrival));
            }
        }
        let nominated = match request.nomination {
            Some(nomination) if self.nomination.is_some_and(|highest| nomination <= highest) => false,
            Some(nomination) => {
                self.nomination = Some(nomination);
                true
            }
            None => request.use_candidate,
        };
        if nominated || self.tuples.selected().is_none() {
            self.select(arrival);
        }
        match self.state {
            _ if nominated => self.enter(IceState::Completed),
            IceState::New | IceState::Disconnected => self.enter(IceState::Connected),
            _ => {}
        }
    }

    fn select(&mut self, arrival: Arrival) {
        if self.tuples.select(arrival) {
            self.selection_news = Some(self.tuples.selected_tuple());
        }
    }

    fn enter(&mut self, state: IceState) {
        if self.state != state {
            self.state = state;
            self.state_news = Some(state);
        }
    }

    /// New credentials; the old ones stay valid until the first valid request with the new ones (RFC 8445 section 9).
    pub fn restart(&mut self, credentials: IceCredentials) {
        self.claim_username(Claim::Username(credentials.username_fragment));
        let replaced = std::mem::replace(&mut self.current, credentials);
        if self.previous.is_none() {
            self.previous = Some(replaced);
        } else {
            // The pair in use stays; the one that nobody has used yet goes.
            self.claim_username(Claim::ReleaseUsername(replaced.username_fragment));
        }
    }

    /// The remote has the new credentials: the old ones end, and nominations count anew.
    fn settle_restart(&mut self) {
        if let Some(previous) = self.previous.take() {
            self.claim_username(Claim::ReleaseUsername(previous.username_fragment));
            self.nomination = None;
        }
    }

    fn claim_username(&mut self, claim: Claim) {
        if self.listens.any_shared() {
            self.claims.push_back(claim);
        }
    }

    fn release(&mut self, arrival: Arrival) {
        if self.listens.is_shared(arrival.socket) {
            self.claims.push_back(Claim::ReleaseTuple(arrival));
        }
    }

    /// A TCP connection came in on the listener.
    pub fn connection_accepted(&mut self, connection: SocketId, listener: SocketId) {
        let tuples = &self.tuples;
        self.listens.connect(connection, listener, |socket| tuples.uses(socket));
    }

    /// A TCP connection ended: its tuples are gone.
    pub fn socket_closed(&mut self, socket: SocketId) {
        self.remove(|tuple| tuple.arrival.socket == socket);
        self.listens.disconnect(socket);
    }

    /// When [`IceServer::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Time {
        self.consent.map_or(Time::NEVER, |consent| self.tuples.next_expiry(consent))
    }

    /// Removes the tuples that consent has run out on.
    pub fn handle_timeout(&mut self, now: Time) {
        if let Some(consent) = self.consent {
            self.remove(|tuple| tuple.confirmed + consent <= now);
        }
    }

    fn remove(&mut self, gone: impl Fn(&Tuple) -> bool) {
        let before = self.tuples.selected();
        while let Some(removed) = self.tuples.remove(&gone) {
            self.release(removed.arrival);
        }
        if self.tuples.selected() == before {
            return;
        }
        self.selection_news = Some(self.tuples.selected_tuple());
        if self.tuples.selected().is_none() {
            self.enter(IceState::Disconnected);
        }
    }

    /// Ends it: nothing is answered any more, and what was claimed is released.
    pub fn close(&mut self) {
        if self.state == IceState::Closed {
            return;
        }
        self.remove(|_| true);
        let previous = self.previous.take();
        for credentials in std::iter::once(self.current.clone()).chain(previous) {
            self.claim_username(Claim::ReleaseUsername(credentials.username_fragment));
        }
        self.enter(IceState::Closed);
    }

    /// The next answer; see [`tureen_transport::Transport::poll_transmit`].
    pub fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<(Destination, usize)> {
        self.answers.pop(buffer)
    }

    /// News since the last call: the selected tuple first, then the state, each as it is now.
    pub fn poll_event(&mut self) -> Option<PathEvent> {
        let selection = self.selection_news.take().map(PathEvent::IceSelectedTuple);
        selection.or_else(|| self.state_news.take().map(PathEvent::IceState))
    }

    /// The next claim on shared sockets.
    pub fn poll_claim(&mut self) -> Option<Claim> {
        self.claims.pop_front()
    }
}

impl Path for IceServer {
    fn admit(&self, arrival: Arrival, _component: Component) -> Admission {
        if self.tuples.contains(arrival) { Admission::Known } else { Admission::Foreign }
    }

    /// Media teaches nothing: only a valid request makes a tuple.
    fn learn(&mut self, _arrival: Arrival, _component: Component) {}

    fn destination(&self, _component: Component) -> Option<Destination> {
        self.tuples.selected().map(Destination::from)
    }
}
