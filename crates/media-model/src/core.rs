// In progress; the driver-facing surface that the runtime and the simulator code against:
//
// pub struct CoreConfig { pub shard: ShardId, pub seed: u64, pub wall_clock: WallClock }
// impl<T: Transport> Core<T> {
//     pub fn new(config: CoreConfig) -> Self;
//     pub fn handle_batch(&mut self, now: Time, rx: &mut impl Ingress, out: &mut impl Egress);
//     /// RTP or RTCP that the program sends on a direct transport.
//     pub fn handle_program_packet(&mut self, now: Time, transport: TransportId, packet: &mut [u8], out: &mut impl Egress) -> Result<(), NotFoundError>;
//     pub fn handle_command(&mut self, now: Time, command: Command<T>) -> Reply<T>;      // see command.rs
//     /// After handle_command / handle_batch / handle_relay and when poll_timeout is due.
//     pub fn handle_timeout(&mut self, now: Time, out: &mut impl Egress);
//     pub fn poll_timeout(&self) -> Option<(Time, TimeoutReason)>;
//     pub fn poll_event(&mut self) -> Option<Event>;
//     /// Sockets of closed transports: unregister and close them.
//     pub fn poll_released_socket(&mut self) -> Option<SocketId>;
//     /// Batches for other shards, to be swapped out and sent; give an empty recycled batch back in its place.
//     pub fn poll_relay(&mut self, recycled: &mut Vec<RelayBatch>) -> Option<(ShardId, RelayBatch)>;
//     pub fn handle_relay(&mut self, now: Time, batch: &RelayBatch, out: &mut impl Egress);
//     pub fn counters(&self) -> &CoreCounters;    // packets in/out, bytes, drops by reason, events lost; for metrics
//     /// The transport behind a lane whose Destination is Program (direct transports): who gets the packet.
//     pub fn lane_owner(&self, lane: Lane) -> Option<(TransportId, Component)>;
// }
