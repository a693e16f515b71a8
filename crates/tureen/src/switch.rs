//! A flag that requests change: replies are applied in the order in which the requests went out, however late the
//! tasks that wait for them run. Must not know what the flag means.

use crate::listeners::lock;
use std::sync::Mutex;

/// A flag with the last request that it reflects.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    on: bool,
    issued: u64,
    applied: u64,
}

/// A request's place among those that change one [`Switch`].
#[derive(Clone, Copy, Debug)]
struct Ticket(u64);

impl Switch {
    pub(crate) fn new(on: bool) -> Self {
        Self { state: Mutex::new(State { on, ..State::default() }) }
    }

    pub(crate) fn is_on(&self) -> bool {
        lock(&self.state).on
    }

    /// Sends a request that asks for it to be `on`, and takes that over once it is answered.
    pub(crate) async fn turn<E, A: Future<Output = Result<(), E>>>(
        &self,
        on: bool,
        send: impl FnOnce() -> A,
    ) -> Result<(), E> {
        let (ticket, answer) = self.issue(send);
        answer.await?;
        self.apply(ticket, on);
        Ok(())
    }

    /// Sends a request that asks for it to be `on`, and takes that over at once: who sends it waits for no answer.
    pub(crate) fn set<A>(&self, on: bool, send: impl FnOnce() -> A) {
        let (ticket, _) = self.issue(send);
        self.apply(ticket, on);
    }

    /// Sends a request; the ticket tells its place, which is the order of sending.
    fn issue<T>(&self, send: impl FnOnce() -> T) -> (Ticket, T) {
        let mut state = lock(&self.state);
        state.issued += 1;
        (Ticket(state.issued), send())
    }

    /// Takes over what an answered request asked for, unless a later one was answered before.
    fn apply(&self, ticket: Ticket, on: bool) {
        let mut state = lock(&self.state);
        if ticket.0 > state.applied {
            state.applied = ticket.0;
            state.on = on;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_sent_last_counts_whichever_reply_is_applied_last() {
        let switch = Switch::new(false);
        let (pause, ()) = switch.issue(|| ());
        let (resume, ()) = switch.issue(|| ());
        switch.apply(resume, false);
        switch.apply(pause, true);
        assert!(!switch.is_on());
    }
}
