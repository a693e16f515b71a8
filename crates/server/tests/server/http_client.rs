//! Requests of any method and headers, and answers with theirs. Must not know what they are about.

use crate::support::TestServer;
use ureq::http::{HeaderMap, Request};

/// An answer with its headers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// The values of a header, in order, joined.
    pub(crate) fn header(&self, name: &str) -> String {
        let values = self.headers.get_all(name).iter().map(|value| value.to_str().expect("text"));
        values.collect::<Vec<_>>().join(", ")
    }
}

/// Sends a request. A body of no bytes is none.
pub(crate) fn send(
    server: &TestServer,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Reply {
    let mut request = Request::builder().method(method).uri(server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = body.as_ref();
    let answer = if body.is_empty() {
        server.agent().run(request.body(()).expect("a request"))
    } else {
        server.agent().run(request.body(body).expect("a request"))
    };
    let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    let text = answer.body_mut().read_to_string().expect("text");
    Reply { status: answer.status().as_u16(), headers: answer.headers().clone(), text }
}
