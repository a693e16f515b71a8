//! What `/metrics` tells, in Prometheus' text format. Each server has a recorder of its own.

use ::metrics::{Label, counter, describe_counter, describe_histogram, histogram, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::time::Duration;

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

    /// All of it as text.
    pub(crate) fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }
}

fn describe() {
    describe_counter!("tureen_http_requests_total", "HTTP requests answered, by method, route and status");
    describe_histogram!("tureen_http_request_seconds", "Time until HTTP requests were answered");
}
