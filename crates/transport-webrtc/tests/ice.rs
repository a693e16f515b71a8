//! The lite agent: what it answers, which tuples it keeps, where it sends, and when consent is gone.

mod support;

use std::time::Duration;
use support::stun::{Answer, BindingRequest, read_answer};
use support::{TCP, UDP, arrival, credentials, listens};
use tureen_rtp_dictionaries::{IceState, TransportProtocol};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::stun::{StunClass, StunMessage, attribute, xor_mapped_address};
use tureen_transport::{
    Admission, Arrival, Claim, Component, Destination, MAX_TRANSMIT, Path, PathEvent, RejectReason, SocketId,
};
use tureen_transport_webrtc::{IceCredentials, IceServer};

struct Agent {
    ice: IceServer,
    now: Time,
}

impl Agent {
    fn new(shared: bool) -> Self {
        let ice = IceServer::new(listens(shared), credentials(1), Duration::from_secs(30));
        Self { ice, now: Time::ZERO }
    }

    fn ask(&mut self, arrival: Arrival, request: &BindingRequest) -> Result<(), RejectReason> {
        self.ice.handle(self.now, arrival, &request.bytes())
    }

    fn answer(&mut self) -> Option<(Destination, Vec<u8>)> {
        let mut buffer = [0; MAX_TRANSMIT];
        self.ice.poll_transmit(&mut buffer).map(|(to, len)| (to, buffer[..len].to_vec()))
    }

    /// Asks and reads the answer, whose integrity is checked where there is a password.
    fn exchange(
        &mut self,
        port: u16,
        request: &BindingRequest,
    ) -> (Result<(), RejectReason>, Option<Answer>) {
        let heard = self.ask(arrival(port), request);
        let password =
            request.password.clone().filter(|_| heard.is_ok() || heard == Err(RejectReason::StunRefused));
        let answer = self.answer().map(|(to, bytes)| {
            assert_eq!(to, arrival(port).into());
            read_answer(&bytes, password.as_deref())
        });
        (heard, answer)
    }

    fn succeed(&mut self, port: u16, request: &BindingRequest) {
        assert_eq!(self.exchange(port, request), (Ok(()), Some(Answer::Success)));
    }

    fn selected(&self) -> Option<u16> {
        self.ice.selected_tuple().map(|tuple| tuple.remote.port())
    }

    fn events(&mut self) -> Vec<PathEvent> {
        std::iter::from_fn(|| self.ice.poll_event()).collect()
    }

    fn states(&mut self) -> Vec<IceState> {
        let state = |event| if let PathEvent::IceState(state) = event { Some(state) } else { None };
        self.events().into_iter().filter_map(state).collect()
    }

    fn claims(&mut self) -> Vec<Claim> {
        std::iter::from_fn(|| self.ice.poll_claim()).collect()
    }

    fn at(&mut self, seconds: u64) {
        self.now = Time::from_millis(seconds * 1000);
        if self.ice.poll_timeout() <= self.now {
            self.ice.handle_timeout(self.now);
        }
    }
}

fn request() -> BindingRequest {
    BindingRequest::to(&credentials(1))
}

fn fragment(credentials: &IceCredentials) -> tureen_transport::UsernameFragment {
    credentials.username_fragment()
}

#[test]
fn a_valid_request_is_answered_with_where_it_came_from() {
    let mut agent = Agent::new(false);
    agent.ask(arrival(5000), &request()).unwrap();
    let (to, bytes) = agent.answer().unwrap();
    assert_eq!(to, arrival(5000).into());
    assert_eq!(read_answer(&bytes, Some(&credentials(1).parameters().password)), Answer::Success);
    let message = StunMessage::parse(&bytes).unwrap();
    assert_eq!(message.transaction_id(), request().transaction);
    let mapped = message.attribute(attribute::XOR_MAPPED_ADDRESS).unwrap().value;
    assert_eq!(xor_mapped_address(mapped, &message.transaction_id()), Some(arrival(5000).source));
    assert_eq!(agent.answer(), None);
}

#[test]
fn wrong_requests_get_the_answers_of_rfc_8489() {
    let cases: [(&str, BindingRequest, RejectReason, Option<u16>); 12] = [
        (
            "no username",
            BindingRequest { username: None, ..request() },
            RejectReason::StunUnauthenticated,
            Some(400),
        ),
        (
            "no integrity",
            BindingRequest { password: None, ..request() },
            RejectReason::StunUnauthenticated,
            Some(400),
        ),
        (
            "another user",
            BindingRequest { username: Some("somebody:peer".into()), ..request() },
            RejectReason::StunUnauthenticated,
            Some(401),
        ),
        (
            "half a username",
            BindingRequest { username: Some(credentials(1).parameters().username_fragment), ..request() },
            RejectReason::StunUnauthenticated,
            Some(401),
        ),
        (
            "another password",
            BindingRequest { password: Some("x".repeat(32)), ..request() },
            RejectReason::StunUnauthenticated,
            Some(401),
        ),
        ("unknown attributes", request().with(0x7777, &[1, 2, 3]), RejectReason::StunRefused, Some(420)),
        ("no priority", request().without(attribute::PRIORITY), RejectReason::StunRefused, Some(400)),
        (
            "a short priority",
            request().without(attribute::PRIORITY).with(attribute::PRIORITY, &[1]),
            RejectReason::StunRefused,
            Some(400),
        ),
        (
            "both controlled",
            request().with(attribute::ICE_CONTROLLED, &[1; 8]),
            RejectReason::StunRefused,
            Some(487),
        ),
        (
            "an indication",
            BindingRequest { class: StunClass::Indication, ..request() },
            RejectReason::StunUnexpected,
            None,
        ),
        (
            "a response",
            BindingRequest { class: StunClass::Success, ..request() },
            RejectReason::StunUnexpected,
            None,
        ),
        (
            "an error",
            BindingRequest { class: StunClass::Error, ..request() },
            RejectReason::StunUnexpected,
            None,
        ),
    ];
    for (what, wrong, reason, code) in cases {
        let mut agent = Agent::new(false);
        assert_eq!(agent.exchange(5000, &wrong), (Err(reason), code.map(Answer::Error)), "{what}");
        assert_eq!((agent.selected(), agent.ice.state()), (None, IceState::New), "{what}");
        assert!(!agent.ice.is_validated(arrival(5000)), "{what}");
    }
}

#[test]
fn an_answer_420_lists_what_was_not_understood() {
    let mut agent = Agent::new(false);
    let mut wrong = request();
    for kind in 0x7000..0x7020 {
        wrong = wrong.with(kind, &[]);
    }
    agent.ask(arrival(5000), &wrong).unwrap_err();
    let (_, bytes) = agent.answer().unwrap();
    let unknown = StunMessage::parse(&bytes).unwrap().attribute(attribute::UNKNOWN_ATTRIBUTES).unwrap().value;
    let kinds: Vec<_> = unknown.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    assert_eq!(kinds, (0x7000..0x7008).collect::<Vec<_>>());
}

#[test]
fn what_integrity_does_not_cover_does_not_count() {
    let mut agent = Agent::new(false);
    // After MESSAGE-INTEGRITY: a nomination, an unknown attribute. Neither is seen.
    let after = vec![(attribute::USE_CANDIDATE, vec![]), (0x7777, vec![1])];
    agent.succeed(5000, &BindingRequest { after_integrity: after, ..request() });
    assert_eq!(agent.ice.state(), IceState::Connected);
    // MESSAGE-INTEGRITY first: then there is no username.
    let attributes =
        std::iter::once((attribute::USERNAME, b"x:y".to_vec())).chain(request().attributes).collect();
    let first =
        BindingRequest { username: None, attributes: vec![], after_integrity: attributes, ..request() };
    assert_eq!(agent.exchange(5001, &first).1, Some(Answer::Error(400)));
}

#[test]
fn a_wrong_fingerprint_is_no_stun_and_a_missing_one_no_harm() {
    let mut agent = Agent::new(false);
    agent.succeed(5000, &BindingRequest { fingerprint: false, ..request() });
    let mut bytes = request().bytes();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert_eq!(agent.ice.handle(agent.now, arrival(5000), &bytes), Err(RejectReason::StunMalformed));
    assert_eq!(agent.answer(), None);
}

#[test]
fn the_first_tuple_is_selected_until_one_is_nominated() {
    let mut agent = Agent::new(false);
    agent.succeed(5000, &request());
    let tuple = agent.ice.selected_tuple().unwrap();
    assert_eq!((tuple.remote.port(), tuple.protocol), (5000, TransportProtocol::Udp));
    let expected = [PathEvent::IceSelectedTuple(Some(tuple)), PathEvent::IceState(IceState::Connected)];
    assert_eq!(agent.events(), expected);
    agent.succeed(5001, &request());
    assert_eq!((agent.selected(), agent.events()), (Some(5000), vec![]));
    agent.succeed(5001, &request().nominating());
    assert_eq!((agent.selected(), agent.states()), (Some(5001), vec![IceState::Completed]));
    // Media from either is heard; it goes to the nominated one.
    assert_eq!(agent.ice.admit(arrival(5000), Component::Rtp), Admission::Known);
    assert_eq!(agent.ice.admit(arrival(5002), Component::Rtp), Admission::Foreign);
    assert_eq!(agent.ice.destination(Component::Rtp), Some(arrival(5001).into()));
    // A later nomination moves it.
    agent.succeed(5000, &request().nominating());
    assert_eq!((agent.selected(), agent.states()), (Some(5000), vec![]));
}

#[test]
fn a_higher_nomination_wins() {
    let mut agent = Agent::new(false);
    for kind in [attribute::NOMINATION, attribute::GOOG_NOMINATION] {
        let nominate = |value: u32| request().with(kind, &value.to_be_bytes());
        let base = if kind == attribute::NOMINATION { 0 } else { 100 };
        agent.succeed(5001, &nominate(base + 2).nominating());
        assert_eq!(agent.selected(), Some(5001));
        agent.succeed(5002, &nominate(base + 1).nominating());
        assert_eq!(agent.selected(), Some(5001));
        agent.succeed(5003, &nominate(base + 3));
        assert_eq!((agent.selected(), agent.ice.state()), (Some(5003), IceState::Completed));
        agent.succeed(5001, &request().nominating());
        assert_eq!(agent.selected(), Some(5001));
    }
}

#[test]
fn the_ninth_tuple_replaces_the_oldest_that_is_not_selected() {
    let mut agent = Agent::new(true);
    agent.succeed(5000, &request().nominating());
    for port in 5001..5008 {
        agent.succeed(port, &request());
    }
    agent.claims();
    agent.succeed(5008, &request());
    assert_eq!(agent.claims(), [Claim::ReleaseTuple(arrival(5001)), Claim::Tuple(arrival(5008))]);
    assert!(!agent.ice.is_validated(arrival(5001)));
    assert!((5002..=5008).chain([5000]).all(|port| agent.ice.is_validated(arrival(port))));
    assert_eq!(agent.selected(), Some(5000));
}

#[test]
fn consent_runs_out_and_comes_back() {
    let mut agent = Agent::new(true);
    agent.succeed(5000, &request().nominating());
    agent.at(10);
    agent.succeed(5001, &request());
    agent.at(15);
    agent.succeed(5002, &request());
    agent.claims();
    agent.events();

    assert_eq!(agent.ice.poll_timeout(), Time::from_millis(30_000));
    agent.at(30);
    // The one confirmed last takes over.
    assert_eq!((agent.selected(), agent.ice.state()), (Some(5002), IceState::Completed));
    assert_eq!(agent.events().len(), 1);
    assert_eq!(agent.claims(), [Claim::ReleaseTuple(arrival(5000))]);
    agent.at(44);
    agent.succeed(5002, &request());
    agent.at(73);
    assert_eq!(agent.ice.state(), IceState::Completed);
    agent.at(74);
    assert_eq!((agent.selected(), agent.states()), (None, vec![IceState::Disconnected]));
    assert_eq!(agent.ice.destination(Component::Rtp), None);
    assert_eq!(agent.ice.poll_timeout(), Time::NEVER);

    agent.succeed(5003, &request());
    assert_eq!((agent.selected(), agent.states()), (Some(5003), vec![IceState::Connected]));
}

#[test]
fn the_consent_timeout_is_clamped_and_zero_switches_it_off() {
    for (given, expected) in [(1, 10), (10, 10), (45, 45), (600, 60)] {
        let mut ice = IceServer::new(listens(false), credentials(1), Duration::from_secs(given));
        ice.handle(Time::ZERO, arrival(5000), &request().bytes()).unwrap();
        assert_eq!(ice.poll_timeout(), Time::from_millis(expected * 1000));
    }
    let mut ice = IceServer::new(listens(false), credentials(1), Duration::ZERO);
    ice.handle(Time::ZERO, arrival(5000), &request().bytes()).unwrap();
    assert_eq!(ice.poll_timeout(), Time::NEVER);
    ice.handle_timeout(Time::from_millis(1_000_000_000));
    assert_eq!(ice.state(), IceState::Connected);
}

#[test]
fn after_a_restart_both_credentials_hold_until_the_new_are_used() {
    let mut agent = Agent::new(true);
    assert_eq!(agent.claims(), [Claim::Username(fragment(&credentials(1)))]);
    agent.succeed(5000, &request().with(attribute::NOMINATION, &7_u32.to_be_bytes()));
    agent.claims();

    agent.ice.restart(credentials(2));
    assert_eq!(agent.ice.parameters(), credentials(2).parameters());
    assert_eq!(agent.claims(), [Claim::Username(fragment(&credentials(2)))]);
    agent.succeed(5000, &request());

    // A second restart before the first was used: the pair in use stays, the other goes.
    agent.ice.restart(credentials(3));
    let expected =
        [Claim::Username(fragment(&credentials(3))), Claim::ReleaseUsername(fragment(&credentials(2)))];
    assert_eq!(agent.claims(), expected);
    agent.succeed(5000, &request());
    let stale = BindingRequest::to(&credentials(2));
    assert_eq!(agent.exchange(5000, &stale).1, Some(Answer::Error(401)));

    // The new pair is used: the old one ends, nominations count anew, the tuple stays.
    let new = BindingRequest::to(&credentials(3));
    agent.succeed(5001, &new.clone().with(attribute::NOMINATION, &1_u32.to_be_bytes()));
    assert_eq!(
        agent.claims(),
        [Claim::ReleaseUsername(fragment(&credentials(1))), Claim::Tuple(arrival(5001))]
    );
    assert_eq!(agent.selected(), Some(5001));
    assert_eq!(agent.exchange(5000, &request()).1, Some(Answer::Error(401)));
    assert!(agent.ice.is_validated(arrival(5000)));
}

#[test]
fn sockets_of_its_own_need_no_claims() {
    let mut agent = Agent::new(false);
    assert_eq!(agent.ice.sockets().as_slice(), [UDP, TCP]);
    assert_eq!(Agent::new(true).ice.sockets().as_slice(), []);
    agent.succeed(5000, &request());
    agent.ice.restart(credentials(2));
    agent.ice.close();
    assert_eq!(agent.claims(), []);
}

#[test]
fn closing_releases_every_claim() {
    let mut agent = Agent::new(true);
    agent.succeed(5000, &request());
    agent.ice.restart(credentials(2));
    agent.claims();
    agent.events();
    agent.ice.close();
    let expected = [
        Claim::ReleaseTuple(arrival(5000)),
        Claim::ReleaseUsername(fragment(&credentials(2))),
        Claim::ReleaseUsername(fragment(&credentials(1))),
    ];
    assert_eq!(agent.claims(), expected);
    assert_eq!(agent.states(), [IceState::Closed]);
    assert_eq!(agent.ask(arrival(5000), &request()), Err(RejectReason::StunUnexpected));
    assert_eq!(agent.answer(), None);
}

#[test]
fn tuples_of_a_tcp_connection_end_with_it() {
    let mut agent = Agent::new(false);
    let tcp = |connection| Arrival { socket: SocketId(connection), source: arrival(7000).source };
    // Not of a socket that anybody has told of.
    assert_eq!(agent.ask(tcp(77), &request()), Err(RejectReason::ForeignAddress));
    agent.ice.connection_accepted(SocketId(77), TCP);
    agent.ask(tcp(77), &request().nominating()).unwrap();
    assert_eq!(agent.answer().unwrap().0, tcp(77).into());
    let tuple = agent.ice.selected_tuple().unwrap();
    assert_eq!((tuple.protocol, tuple.local.port()), (TransportProtocol::Tcp, 40_000));
    agent.succeed(5000, &request());
    agent.events();

    agent.ice.socket_closed(SocketId(77));
    assert_eq!((agent.selected(), agent.states()), (Some(5000), vec![]));
    agent.ice.connection_accepted(SocketId(77), TCP);
    agent.ask(tcp(77), &request().nominating()).unwrap();
    agent.now = Time::from_millis(30_000);
    agent.ice.handle_timeout(agent.now);
    agent.ice.socket_closed(SocketId(77));
    assert_eq!((agent.selected(), agent.ice.state()), (None, IceState::Disconnected));
    assert_eq!(agent.ask(tcp(77), &request()), Err(RejectReason::ForeignAddress));
}

#[test]
fn answers_that_nobody_takes_are_bounded() {
    let mut agent = Agent::new(false);
    let heard: Vec<_> = (0..20).map(|_| agent.ask(arrival(5000), &request())).collect();
    assert_eq!(heard.iter().filter(|heard| heard.is_ok()).count(), 8);
    assert_eq!(heard.last(), Some(&Err(RejectReason::StunOverload)));
    assert_eq!(std::iter::from_fn(|| agent.answer()).count(), 8);
    agent.succeed(5000, &request());
}
