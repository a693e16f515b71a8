//! Many ICE agents behind the sockets that they share, found by what they claim: their user names, and then their tuples.
//!
//! After each step: only who knows a password has a tuple; claims say who has which; answers go to who asked, and to
//! strangers no more than they sent; timers lie ahead. In the end, when all are closed, nothing is claimed.
//! Planted: claims of tuples that ended stay.

use crate::Fault;
use crate::bytes::Bytes;
use crate::ice::{TCP, arrival, credentials, listens, request};
use std::collections::HashMap;
use std::time::Duration;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::stun::local_username_fragment;
use tureen_transport::{Arrival, Claim, MAX_TRANSMIT, SocketId, UsernameFragment};
use tureen_transport_webrtc::{IceCredentials, IceServer};

const AGENTS: usize = 4;
const MAX_STEPS: usize = 300;
const MAX_TUPLES: usize = 8;
const CONSENT: Duration = Duration::from_secs(10);

struct Agent {
    ice: IceServer,
    /// Those that hold, the newest last.
    credentials: Vec<IceCredentials>,
}

struct Scene {
    agents: Vec<Agent>,
    now: Time,
    seed: u16,
    usernames: HashMap<UsernameFragment, usize>,
    tuples: HashMap<Arrival, usize>,
    fault: Fault,
}

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut input = Bytes::new(data);
    let mut scene = Scene {
        agents: Vec::new(),
        now: Time::from_millis(1000),
        seed: 0,
        usernames: HashMap::new(),
        tuples: HashMap::new(),
        fault,
    };
    for which in 0..AGENTS {
        let agent = scene.agent();
        scene.agents.push(agent);
        scene.follow(which, None);
    }
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        scene.step(&mut input);
        scene.check();
    }
    for which in 0..AGENTS {
        scene.agents[which].ice.close();
        scene.follow(which, None);
    }
    assert!(scene.usernames.is_empty() && scene.tuples.is_empty(), "what is closed claims nothing");
}

impl Scene {
    fn agent(&mut self) -> Agent {
        let credentials = self.fresh();
        Agent { ice: IceServer::new(listens(), credentials.clone(), CONSENT), credentials: vec![credentials] }
    }

    fn fresh(&mut self) -> IceCredentials {
        self.seed += 1;
        credentials(self.seed)
    }

    fn step(&mut self, input: &mut Bytes<'_>) {
        let choice = input.u8();
        let which = usize::from(choice >> 4) % AGENTS;
        match choice & 15 {
            0..=5 => self.request(which, input),
            6 | 7 => {
                let (from, len) = (self.from(input.u8()), usize::from(input.u8()));
                let bytes = input.take(len).to_vec();
                self.receive(from, &bytes, false);
            }
            8 => self.pass(Duration::from_millis(u64::from(input.u8()) * 10)),
            9 => self.pass(Duration::from_millis(u64::from(input.u8()) * 200)),
            10 => {
                let fresh = self.fresh();
                let agent = &mut self.agents[which];
                agent.ice.restart(fresh.clone());
                // The pair in use holds until the new one is used; one that nobody has used goes.
                agent.credentials.truncate(1);
                agent.credentials.push(fresh);
                self.follow(which, None);
            }
            11 => {
                self.agents[which].ice.close();
                self.follow(which, None);
                self.agents[which] = self.agent();
                self.follow(which, None);
            }
            12 => self.agents[which].ice.connection_accepted(connection(input.u8()), TCP),
            13 => {
                self.agents[which].ice.socket_closed(connection(input.u8()));
                self.follow(which, None);
            }
            _ => self.request(which, input),
        }
    }

    /// A request to an agent, with the right or another password, whole or changed in one place.
    fn request(&mut self, which: usize, input: &mut Bytes<'_>) {
        let (how, from) = (input.u8(), self.from(input.u8()));
        let held = &self.agents[which].credentials;
        let index = usize::from(how >> 1 & 1).min(held.len() - 1);
        let mut credentials = held[index].clone();
        let forged = how & 0xc0 == 0xc0;
        if forged {
            let mut parameters = credentials.parameters();
            parameters.password = "anotherpasswordthanthis1".to_owned();
            credentials = IceCredentials::from_parameters(&parameters).expect("a good password");
        }
        let mut bytes = request(&credentials, how & 1 == 1);
        let changed = how & 0x30 == 0x30;
        if changed {
            let bits = input.u8();
            let at = usize::from(input.u8()) % bytes.len();
            bytes[at] ^= bits;
        }
        let genuine = !forged && !changed;
        let used = genuine.then_some((which, index));
        if self.receive(from, &bytes, genuine) == used.map(|(which, _)| which)
            && let Some((which, index)) = used
        {
            // With the newest pair the older ones end.
            self.agents[which].credentials.drain(..index);
        }
    }

    fn from(&self, octet: u8) -> Arrival {
        let known = arrival(octet & 31);
        if octet & 0xe0 == 0xe0 { Arrival { socket: connection(octet), ..known } } else { known }
    }

    /// Whom a datagram is for, as drivers find out; who took it as valid.
    fn receive(&mut self, from: Arrival, bytes: &[u8], genuine: bool) -> Option<usize> {
        let by_name =
            || self.usernames.get(&UsernameFragment::new(local_username_fragment(bytes)?)?).copied();
        let which = self.tuples.get(&from).copied().or_else(by_name)?;
        let heard = self.agents[which].ice.handle(self.now, from, bytes);
        if heard.is_ok() && !genuine {
            // What lies behind MESSAGE-INTEGRITY may be changed, and changing nothing changes nothing.
            let held = &self.agents[which].credentials;
            let covered = |nominating: bool| {
                held.iter()
                    .map(move |held| request(held, nominating))
                    .any(|own| own.len() == bytes.len() && own[..own.len() - 8] == bytes[..own.len() - 8])
            };
            assert!(covered(true) || covered(false), "a forged request is believed");
        }
        self.follow(which, Some((from, bytes.len(), heard.is_ok())));
        heard.is_ok().then_some(which)
    }

    /// Takes out what an agent has to say and to claim.
    fn follow(&mut self, which: usize, heard: Option<(Arrival, usize, bool)>) {
        let ice = &mut self.agents[which].ice;
        let mut buffer = [0; MAX_TRANSMIT];
        let mut answers = 0;
        while let Some((to, len)) = ice.poll_transmit(&mut buffer) {
            let (from, asked, accepted) = heard.expect("nobody asked");
            assert_eq!(to, from.into(), "answers go to who asked");
            // Strangers get no more than they sent.
            assert!(len <= asked || accepted, "{asked} bytes are answered with {len}");
            answers += 1;
        }
        assert!(answers <= 1, "{answers} answers");
        while ice.poll_event().is_some() {}
        while let Some(claim) = ice.poll_claim() {
            match claim {
                Claim::Username(name) => {
                    assert_eq!(self.usernames.insert(name, which), None, "claimed twice")
                }
                Claim::ReleaseUsername(name) => {
                    assert_eq!(self.usernames.remove(&name), Some(which), "released, and not held");
                }
                Claim::Tuple(arrival) => _ = self.tuples.insert(arrival, which),
                Claim::ReleaseTuple(_) if self.fault == Fault::Planted => {}
                Claim::ReleaseTuple(arrival) => {
                    assert_eq!(self.tuples.remove(&arrival), Some(which), "released, and not held");
                }
            }
        }
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
        for which in 0..AGENTS {
            let ice = &mut self.agents[which].ice;
            if ice.poll_timeout() <= self.now {
                ice.handle_timeout(self.now);
                assert!(ice.poll_timeout() > self.now, "a deadline stays behind");
            }
            self.follow(which, None);
        }
    }

    fn check(&self) {
        assert!(self.usernames.len() <= 2 * AGENTS, "{} names", self.usernames.len());
        for (arrival, which) in &self.tuples {
            assert!(
                self.agents[*which].ice.is_validated(*arrival),
                "{arrival:?} is claimed by an agent without it"
            );
        }
        for (which, agent) in self.agents.iter().enumerate() {
            let own = self.tuples.iter().filter(|(_, owner)| **owner == which);
            let sources: Vec<_> = own.map(|(arrival, _)| arrival.source).collect();
            assert!(sources.len() <= MAX_TUPLES, "{} tuples", sources.len());
            if let Some(selected) = agent.ice.selected_tuple() {
                assert!(sources.contains(&selected.remote), "what is selected is claimed");
            }
        }
    }
}

fn connection(octet: u8) -> SocketId {
    SocketId(100 + u32::from(octet & 7))
}
