//! Why a description or a fragment is not understood. Lines are counted from 1; the text of strangers is not repeated
//! but for the reason that the parser of lines gives.

use crate::lines::{MAX_LEN, MAX_MEDIA_SECTIONS};

/// Why [`Offer::parse`](crate::Offer::parse) or [`TrickleFragment::parse`](crate::TrickleFragment::parse) refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// There are more than [`MAX_LEN`] bytes.
    #[error("the text has {0} bytes; {MAX_LEN} are the most")]
    TooLong(usize),
    /// There are more than [`MAX_MEDIA_SECTIONS`].
    #[error("line {line}: more than {MAX_MEDIA_SECTIONS} m-lines")]
    TooManyMediaSections {
        /// The first m-line that is too many.
        line: usize,
    },
    /// A line is not SDP, or not one that may stand there (RFC 8866 section 9).
    #[error("line {line}: {reason}")]
    Syntax {
        /// The line.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// An attribute that matters is not valid.
    #[error("line {line}: a={attribute}: {fault}")]
    Attribute {
        /// The line.
        line: usize,
        /// Its name.
        attribute: &'static str,
        /// What is wrong with it.
        fault: AttributeFault,
    },
    /// A media section lacks an attribute that WebRTC demands, and the session does not have it either.
    #[error("line {line}: the m-line lacks a={attribute}")]
    Missing {
        /// The m-line.
        line: usize,
        /// The name of what is missing.
        attribute: &'static str,
    },
    /// A media section is outside of the one BUNDLE group that all have to be in (RFC 9143).
    #[error("line {line}: the m-line is not in the first a=group:BUNDLE")]
    NotBundled {
        /// The m-line.
        line: usize,
    },
    /// There is nothing that could be answered: every media section is rejected, or there is none.
    #[error("there is no m-line that is not rejected")]
    NoMedia,
}

/// What is wrong with an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeFault {
    /// It does not have the form that is named.
    #[error("expected {0}")]
    Malformed(&'static str),
    /// It is there twice, or says again what another one said.
    #[error("there twice")]
    Duplicate,
    /// There are more of it than that.
    #[error("more than {0}")]
    TooMany(usize),
}
