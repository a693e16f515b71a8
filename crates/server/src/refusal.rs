//! Why rooms refuse something, sorted by who has to act. Must not know HTTP.

use crate::access::Denied;
use tureen::{
    ConnectError, CreateRouterError, CreateRtpObserverError, CreateTransportError, RequestError,
    runtime::BindError,
};
use tureen_room::{
    AddTransportError, ConsumeDataError, ConsumeError, EnterError, JoinError, ProduceDataError, ProduceError,
};

/// Why something was refused. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Refusal {
    /// An argument is wrong; the text names it.
    #[error("{0}")]
    Argument(String),
    /// There is no such object, or no longer.
    #[error("{what} '{id}' not found")]
    Unknown {
        /// Its class.
        what: &'static str,
        /// What it was asked for by.
        id: String,
    },
    /// Who asks has to say who it is.
    #[error("{0}")]
    Unauthorized(Denied),
    /// Who asks may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// A limit is reached.
    #[error("there are {limit} {what} already, which is the limit")]
    Full {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The server does not do this yet.
    #[error("{0} is not supported yet")]
    NotSupported(&'static str),
    /// The server cannot now, and may later.
    #[error("{0}")]
    Unavailable(String),
    /// The server is at fault.
    #[error("{0}")]
    Failed(String),
}

impl Refusal {
    /// The status of HTTP that says the same (RFC 9110 section 15), which signalling uses too.
    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Argument(_) => 400,
            Self::Unauthorized(_) => 401,
            Self::Forbidden(_) => 403,
            Self::Unknown { .. } => 404,
            Self::Failed(_) => 500,
            Self::NotSupported(_) => 501,
            Self::Full { .. } | Self::Unavailable(_) => 503,
        }
    }

    pub(crate) fn unknown(what: &'static str, id: impl ToString) -> Self {
        Self::Unknown { what, id: id.to_string() }
    }

    /// Of an object that was there a moment ago.
    pub(crate) fn request(error: RequestError, what: &'static str, id: impl ToString) -> Self {
        match error {
            RequestError::Closed => Self::unknown(what, id),
            RequestError::Busy => Self::Unavailable(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

/// An object on the way to being made cannot be unknown: what it hangs on is gone.
fn gone(error: RequestError) -> Refusal {
    Refusal::request(error, "room object", "of this request")
}

impl From<CreateRouterError> for Refusal {
    fn from(error: CreateRouterError) -> Self {
        match error {
            CreateRouterError::Request(RequestError::Busy) => Self::Unavailable(error.to_string()),
            // The codecs are the server's settings.
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<CreateRtpObserverError> for Refusal {
    fn from(error: CreateRtpObserverError) -> Self {
        match error {
            CreateRtpObserverError::Request(RequestError::Busy) => Self::Unavailable(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<CreateTransportError> for Refusal {
    fn from(error: CreateTransportError) -> Self {
        match error {
            CreateTransportError::Request(error) => gone(error),
            CreateTransportError::Bind(BindError::NoFreePort { .. }) => Self::Unavailable(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<ConnectError> for Refusal {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Request(error) => gone(error),
            ConnectError::Refused(error) => Self::Argument(error.to_string()),
            ConnectError::CryptoSuite => Self::Argument(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Missing | Denied::Invalid => Self::Unauthorized(denied),
            denied => Self::Forbidden(denied.to_string()),
        }
    }
}

impl From<EnterError> for Refusal {
    fn from(error: EnterError) -> Self {
        match error {
            EnterError::Taken(_) => Self::Argument(error.to_string()),
            EnterError::Locked(_) => Self::Forbidden(error.to_string()),
            EnterError::Router(error) => error.into(),
            EnterError::RtpObserver(error) => error.into(),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<JoinError> for Refusal {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Closed => gone(RequestError::Closed),
            error => Self::Argument(error.to_string()),
        }
    }
}

impl From<AddTransportError> for Refusal {
    fn from(error: AddTransportError) -> Self {
        match error {
            AddTransportError::Full(limit) => Self::Full { what: "transports of the peer", limit },
            AddTransportError::Closed => gone(RequestError::Closed),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<ProduceError> for Refusal {
    fn from(error: ProduceError) -> Self {
        match error {
            ProduceError::Role => Self::Forbidden(error.to_string()),
            ProduceError::TransportNotFound(id) => Self::unknown("transport", id),
            ProduceError::Full(limit) => Self::Full { what: "producers of the peer", limit },
            ProduceError::Closed
            | ProduceError::Transport(tureen::ProduceError::Request(RequestError::Closed)) => {
                gone(RequestError::Closed)
            }
            ProduceError::Transport(tureen::ProduceError::Refused(error)) => {
                Self::Argument(error.to_string())
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<ConsumeError> for Refusal {
    fn from(error: ConsumeError) -> Self {
        match error {
            ConsumeError::TransportNotFound(id) => Self::unknown("transport", id),
            ConsumeError::ProducerNotFound(id)
            | ConsumeError::Transport(tureen::ConsumeError::ProducerNotFound(id)) => {
                Self::unknown("producer", id)
            }
            ConsumeError::Full(limit) => Self::Full { what: "consumers of the peer", limit },
            ConsumeError::Closed
            | ConsumeError::Transport(tureen::ConsumeError::Request(RequestError::Closed)) => {
                gone(RequestError::Closed)
            }
            ConsumeError::Transport(tureen::ConsumeError::Refused(error)) => {
                Self::Argument(error.to_string())
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<ProduceDataError> for Refusal {
    fn from(error: ProduceDataError) -> Self {
        use tureen::ProduceDataError as Inner;
        match error {
            ProduceDataError::Role => Self::Forbidden(error.to_string()),
            ProduceDataError::TransportNotFound(id) => Self::unknown("transport", id),
            ProduceDataError::Full(limit) => Self::Full { what: "data producers of the peer", limit },
            ProduceDataError::Closed => gone(RequestError::Closed),
            ProduceDataError::Transport(Inner::Request(error)) => gone(error),
            ProduceDataError::Transport(Inner::Refused(error)) => Self::Argument(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<ConsumeDataError> for Refusal {
    fn from(error: ConsumeDataError) -> Self {
        use tureen::ConsumeDataError as Inner;
        match error {
            ConsumeDataError::TransportNotFound(id) => Self::unknown("transport", id),
            ConsumeDataError::DataProducerNotFound(id)
            | ConsumeDataError::Transport(Inner::DataProducerNotFound(id)) => {
                Self::unknown("data producer", id)
            }
            ConsumeDataError::Full(limit) => Self::Full { what: "data consumers of the peer", limit },
            ConsumeDataError::Closed => gone(RequestError::Closed),
            ConsumeDataError::Transport(Inner::Request(error)) => gone(error),
            ConsumeDataError::Transport(Inner::Refused(error)) => Self::Argument(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}
