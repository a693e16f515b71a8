//! Reading dictionaries from JSON with errors that name the member at fault.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// JSON that is not the dictionary asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
#[non_exhaustive]
pub struct JsonError {
    /// The path of the member at fault, such as `codecs[1].parameters.apt`; `.` is the whole text.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl From<serde_path_to_error::Error<serde_json::Error>> for JsonError {
    fn from(error: serde_path_to_error::Error<serde_json::Error>) -> Self {
        Self { field: error.path().to_string(), reason: error.inner().to_string() }
    }
}

/// Reads any dictionary of this crate from JSON text.
///
/// # Errors
/// [`JsonError`] when the text is no JSON, or a member has the wrong type or is missing.
pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer)?;
    deserializer.end().map_err(|error| JsonError { field: ".".into(), reason: error.to_string() })?;
    Ok(value)
}

/// Reads any dictionary of this crate from a JSON value.
///
/// # Errors
/// [`JsonError`] when a member has the wrong type or is missing.
pub fn from_json_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, JsonError> {
    Ok(serde_path_to_error::deserialize(value)?)
}

/// JavaScript programs send null where they mean "absent".
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A bitrate in bit/s, which a program may have computed to a fraction: cut to a whole number.
pub(crate) fn bitrate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    if !(0.0..=MAX_BITRATE).contains(&number) {
        return Err(serde::de::Error::custom("expected a bitrate in bit/s, from 0 to 2^53"));
    }
    // The range check above makes the cast exact but for the fraction.
    Ok(Some(number as u64))
}

/// The largest whole number that JSON carries between programs without loss (RFC 8259 section 6).
const MAX_BITRATE: f64 = 9_007_199_254_740_992.0;
