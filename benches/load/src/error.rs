//! Why a run ended early.

use std::io;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// The server's API did not do as asked.
    #[error("{0}")]
    Api(String),
    /// A child process said something else than was agreed, or nothing.
    #[error("{0}")]
    Child(String),
    /// What was asked for cannot be measured here.
    #[error("{0}")]
    Options(String),
}

/// Says what was tried when the system refused it.
pub fn while_doing<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
    |source| Error::System { what: what.into(), source: source.into() }
}
