//! What `/metrics` tells, in Prometheus' text format. Each server has a recorder of its own.

use crate::rooms::Census;
use ::metrics::{
    Label, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    with_local_recorder,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::time::Duration;
use tureen::model::{Obstacle, SwitchCause};
use tureen::runtime::ShardSnapshot;

/// The server's figures.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, describe);
        Self { recorder, handle }
    }

    /// Counts an answered request. `route` is the pattern, never the path, so that the labels stay few.
    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = vec![
            Label::new("method", method.to_owned()),
            Label::new("route", route.to_owned()),
            Label::new("status", status.to_string()),
        ];
        with_local_recorder(&self.recorder, || {
            counter!("tureen_http_requests_total", labels).increment(1);
            histogram!("tureen_http_request_seconds").record(took.as_secs_f64());
        });
    }

    pub(crate) fn count_rooms(&self, census: Census) {
        with_local_recorder(&self.recorder, || {
            gauge!("tureen_rooms").set(census.rooms as f64);
            gauge!("tureen_peers").set(census.peers as f64);
            gauge!("tureen_broadcasters").set(census.broadcasters as f64);
        });
    }

    /// Takes over what the shards have counted.
    pub(crate) fn shards(&self, shards: &[ShardSnapshot]) {
        with_local_recorder(&self.recorder, || shards.iter().for_each(record));
    }

    /// All of it as text.
    pub(crate) fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }
}

fn record(snapshot: &ShardSnapshot) {
    let shard = snapshot.shard.0.to_string();
    let (core, io, population) = (&snapshot.core, &snapshot.io, &snapshot.population);
    let counters = [
        ("tureen_datagrams_received_total", core.datagrams_received),
        ("tureen_bytes_received_total", core.bytes_received),
        ("tureen_packets_sent_total", core.packets_sent),
        ("tureen_bytes_sent_total", core.bytes_sent),
        ("tureen_rtcp_sent_total", core.rtcp_sent),
        ("tureen_retransmissions_total", core.retransmissions),
        ("tureen_key_frame_requests_total", core.key_frame_requests),
        ("tureen_packets_relayed_total", core.relayed),
        ("tureen_data_messages_received_total", core.data.messages_received),
        ("tureen_data_bytes_received_total", core.data.bytes_received),
        ("tureen_data_messages_sent_total", core.data.messages_sent),
        ("tureen_data_bytes_sent_total", core.data.bytes_sent),
        ("tureen_data_messages_dropped_total", core.data.messages_dropped),
        ("tureen_data_messages_relayed_total", core.data.messages_relayed),
        ("tureen_data_messages_limited_total", core.data.messages_limited),
        ("tureen_feedback_unwanted_total", core.unwanted_feedback),
        ("tureen_feedback_unknown_packets_total", core.unknown_reported),
        ("tureen_receive_errors_total", io.receive_errors),
        ("tureen_datagrams_sent_total", io.datagrams_sent),
        ("tureen_send_calls_total", io.send_calls),
        ("tureen_loop_turns_total", snapshot.turns.all),
        ("tureen_events_lost_total", snapshot.traces_lost),
    ];
    for (name, value) in counters {
        counter!(name, "shard" => shard.clone()).absolute(value);
    }
    let drops = [
        ("unknown_socket", core.unknown_socket),
        ("rejected", core.rejected),
        ("unknown_stream", core.unknown_stream),
        ("bad_payload", core.bad_payload),
        ("duplicate_or_late", core.discarded),
        ("bad_rtcp", core.bad_rtcp),
        ("consumer", core.dropped),
        ("send", io.sends_dropped),
        ("direct_queue_full", io.direct_packets_dropped),
        ("relay_queue_full", io.relay_packets_dropped),
    ];
    for (reason, value) in drops {
        counter!("tureen_packets_dropped_total", "shard" => shard.clone(), "reason" => reason)
            .absolute(value);
    }
    let consumers = &snapshot.consumers;
    for (reason, count) in consumers.drops.iter() {
        counter!("tureen_consumer_packets_dropped_total", "shard" => shard.clone(), "reason" => reason.name())
            .absolute(count);
    }
    for (cause, count) in SwitchCause::ALL.iter().zip(consumers.switches) {
        counter!("tureen_layer_switches_total", "shard" => shard.clone(), "cause" => cause.name())
            .absolute(count);
    }
    for (reason, count) in Obstacle::NAMES.into_iter().zip(consumers.obstacles) {
        gauge!("tureen_consumers_hindered", "shard" => shard.clone(), "reason" => reason).set(count as f64);
    }
    let objects = [
        ("router", population.routers),
        ("transport", population.transports),
        ("producer", population.producers),
        ("consumer", population.consumers),
        ("data_producer", population.data_producers),
        ("data_consumer", population.data_consumers),
        ("socket", snapshot.sockets),
    ];
    for (kind, count) in objects {
        gauge!("tureen_objects", "shard" => shard.clone(), "kind" => kind).set(count as f64);
    }
    // A gauge, since it has fractions, which counters of this recorder have not.
    gauge!("tureen_cpu_seconds", "shard" => shard).set(snapshot.cpu_time.as_secs_f64());
}

fn describe() {
    describe_counter!("tureen_http_requests_total", "HTTP requests answered, by method, route and status");
    describe_histogram!("tureen_http_request_seconds", "Time until HTTP requests were answered");
    describe_gauge!("tureen_rooms", "Rooms open");
    describe_gauge!("tureen_peers", "Peers in all rooms, broadcasters included");
    describe_gauge!("tureen_broadcasters", "Broadcasters in all rooms");
    describe_counter!("tureen_datagrams_received_total", "Datagrams that came in, by shard");
    describe_counter!("tureen_bytes_received_total", "Bytes of datagrams that came in, by shard");
    describe_counter!(
        "tureen_packets_sent_total",
        "RTP packets that went out, retransmissions included, by shard"
    );
    describe_counter!("tureen_bytes_sent_total", "Bytes of RTP packets that went out, by shard");
    describe_counter!("tureen_rtcp_sent_total", "RTCP compounds that went out, by shard");
    describe_counter!("tureen_retransmissions_total", "Packets sent again, by shard");
    describe_counter!("tureen_key_frame_requests_total", "Key frames asked for, by shard");
    describe_counter!("tureen_packets_relayed_total", "Packets handed to other shards, by shard");
    describe_data();
    describe_counter!("tureen_receive_errors_total", "Receive calls that failed, by shard");
    describe_counter!("tureen_datagrams_sent_total", "Datagrams handed to the system, by shard");
    describe_counter!("tureen_send_calls_total", "System calls to send, by shard");
    describe_counter!("tureen_loop_turns_total", "Turns of the loop, by shard");
    describe_counter!("tureen_events_lost_total", "Trace events that nobody took in time, by shard");
    describe_counter!("tureen_packets_dropped_total", "Packets dropped, by shard and reason");
    describe_counter!(
        "tureen_consumer_packets_dropped_total",
        "Packets that consumers did not send, by shard and reason"
    );
    describe_counter!(
        "tureen_layer_switches_total",
        "Switches of consumers to other layers, by shard and cause"
    );
    describe_gauge!(
        "tureen_consumers_hindered",
        "Consumers that do not send, or not the preferred layers, by shard and reason"
    );
    describe_gauge!("tureen_objects", "Objects there are, by shard and kind");
    describe_gauge!("tureen_cpu_seconds", "CPU time of the thread in seconds, by shard");
}

fn describe_data() {
    describe_counter!("tureen_data_messages_received_total", "Messages of data producers, by shard");
    describe_counter!("tureen_data_bytes_received_total", "Bytes of messages of data producers, by shard");
    describe_counter!("tureen_data_messages_sent_total", "Messages that data consumers sent, by shard");
    describe_counter!("tureen_data_bytes_sent_total", "Bytes of messages that data consumers sent, by shard");
    describe_counter!(
        "tureen_data_messages_dropped_total",
        "Messages that data consumers had no association or no room for, by shard"
    );
    describe_counter!("tureen_data_messages_relayed_total", "Messages handed to other shards, by shard");
    describe_counter!(
        "tureen_data_messages_limited_total",
        "Messages that went no further because there were too many of their peer, by shard"
    );
}
