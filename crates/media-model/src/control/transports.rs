//! Adding and connecting transports, and their settings.

use crate::arena::Key;
use crate::command::{
    AddTransport, ConnectTransport, DescribeTransport, SetMaxIncomingBitrate, SetMaxOutgoingBitrate,
    SetMinOutgoingBitrate, TraceTransport,
};
use crate::core::Core;
use crate::data::TransportData;
use crate::error::{AddTransportError, NotFoundError, OutgoingBitrateError};
use crate::extensions::SourceExtensions;
use crate::id::TransportId;
use crate::listener::Listener;
use crate::options::{OutgoingBitrates, TransportOptions};
use crate::sending::Sending;
use crate::transport_state::{Identities, IncomingLimit, Meters, Reports, TransportState, TransportTag};
use rand_core::Rng;
use rustc_hash::FxHashMap;
use tureen_forwarding::SenderClock;
use tureen_rtp_wire::Time;
use tureen_transport::{RejectReason, Transport};

impl<T: Transport> Core<T> {
    pub(crate) fn transport_key(&self, id: TransportId) -> Result<Key<TransportTag>, NotFoundError> {
        self.index.transports.get(&id).copied().ok_or(NotFoundError::Transport(id))
    }

    pub(crate) fn transport(&self, id: TransportId) -> Result<&TransportState<T>, NotFoundError> {
        let key = self.transport_key(id)?;
        self.transports.get(key).ok_or(NotFoundError::Transport(id))
    }

    pub(crate) fn transport_mut(&mut self, id: TransportId) -> Result<&mut TransportState<T>, NotFoundError> {
        let key = self.transport_key(id)?;
        self.transports.get_mut(key).ok_or(NotFoundError::Transport(id))
    }

    pub(crate) fn add_transport(
        &mut self,
        _now: Time,
        request: AddTransport<T>,
    ) -> Result<(), AddTransportError> {
        let router = self.index.routers.get(&request.router).copied();
        let router = router.ok_or(NotFoundError::Router(request.router))?;
        if self.index.transports.contains_key(&request.id) {
            return Err(AddTransportError::AlreadyExists(request.id));
        }
        request.options.sctp.map_or(Ok(()), |sctp| sctp.association.check())?;
        request.options.outgoing.map_or(Ok(()), OutgoingBitrates::check)?;
        let own_ssrc = self.draw_ssrc(1);
        let sockets = request.transport.sockets();
        let state = TransportState {
            id: request.id,
            router,
            adapter: request.transport,
            options: request.options,
            listener: Listener::default(),
            extensions: SourceExtensions::default(),
            producers: Vec::new(),
            consumers: Vec::new(),
            consumer_ssrcs: FxHashMap::default(),
            identities: Identities::default(),
            sending: Sending { sequence_number: self.rng.next_u32() as u16, control: None },
            reports: Reports { own_ssrc, ..Reports::default() },
            clock: SenderClock::default(),
            meters: Meters::default(),
            rejected: [0; RejectReason::ALL.len()],
            trace: Default::default(),
            incoming_limit: IncomingLimit::default(),
            feedback: Default::default(),
            connections: Vec::new(),
            timer: Default::default(),
        };
        let TransportOptions { direct, sctp, max_message_size, pipe, .. } = state.options;
        let key = self.transports.insert(state);
        if direct || sctp.is_some() {
            self.data.transports.insert(key, TransportData::new(sctp, max_message_size, pipe.is_some()));
        }
        self.index.transports.insert(request.id, key);
        if let Some(router) = self.routers.get_mut(router) {
            router.transports.push(key);
        }
        for socket in sockets {
            self.sockets.own(socket, key);
        }
        self.take_claims(key);
        self.arm_transport(key);
        Ok(())
    }

    pub(crate) fn connect_transport(
        &mut self,
        now: Time,
        request: ConnectTransport<T::ConnectOptions>,
    ) -> Result<Result<T::Details, T::ConnectError>, NotFoundError> {
        let key = self.transport_key(request.id)?;
        let state = self.transport_mut(request.id)?;
        let connected = state.adapter.connect(now, request.options).map(|()| state.adapter.details());
        if connected.is_ok() {
            self.request_awaited_key_frames(key);
            self.take_claims(key);
            // What it says to its remote goes out with the next timeout, which is now.
            self.wake_transport(now, key);
        }
        Ok(connected)
    }

    pub(crate) fn describe_transport(
        &mut self,
        request: DescribeTransport,
    ) -> Result<T::Details, NotFoundError> {
        Ok(self.transport(request.id)?.adapter.details())
    }

    pub(crate) fn set_max_incoming_bitrate(
        &mut self,
        now: Time,
        request: SetMaxIncomingBitrate,
    ) -> Result<(), NotFoundError> {
        let key = self.transport_key(request.id)?;
        let state = self.transport_mut(request.id)?;
        state.incoming_limit.set(request.bitrate);
        state.feedback.set_limit(state.incoming_limit.bitrate.map(u64::from));
        self.report_at_once(now, key);
        Ok(())
    }

    pub(crate) fn set_max_outgoing_bitrate(
        &mut self,
        now: Time,
        request: SetMaxOutgoingBitrate,
    ) -> Result<(), OutgoingBitrateError> {
        self.set_outgoing_bitrates(now, request.id, |bitrates| bitrates.max = request.bitrate)
    }

    pub(crate) fn set_min_outgoing_bitrate(
        &mut self,
        now: Time,
        request: SetMinOutgoingBitrate,
    ) -> Result<(), OutgoingBitrateError> {
        self.set_outgoing_bitrates(now, request.id, |bitrates| bitrates.min = request.bitrate)
    }

    fn set_outgoing_bitrates(
        &mut self,
        now: Time,
        id: TransportId,
        change: impl FnOnce(&mut OutgoingBitrates),
    ) -> Result<(), OutgoingBitrateError> {
        let key = self.transport_key(id)?;
        let state = self.transport_mut(id)?;
        let Some(bitrates) = &mut state.options.outgoing else {
            return Err(OutgoingBitrateError::NoEstimate);
        };
        let mut changed = *bitrates;
        change(&mut changed);
        changed.check()?;
        *bitrates = changed;
        if let Some(control) = &mut state.sending.control {
            control.set_bitrates(changed);
        }
        self.allocate(now, key);
        Ok(())
    }

    pub(crate) fn trace_transport(
        &mut self,
        _now: Time,
        request: TraceTransport,
    ) -> Result<(), NotFoundError> {
        self.transport_mut(request.id)?.trace = request.flags;
        Ok(())
    }
}
