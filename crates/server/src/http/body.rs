//! Bodies of requests: JSON, of any content type, whose faults are told by the member's name.

use super::error::ApiError;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::timeout;

/// A slow client has so long to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A body of JSON.
pub(super) struct Json<T>(pub(super) T);

/// A body of JSON, or none, which is the default.
pub(super) struct OptionalJson<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        parse(&read(request, state).await?).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = read(request, state).await?;
        if bytes.is_empty() { Ok(Self(T::default())) } else { parse(&bytes).map(Self) }
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let bytes = timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await;
    Ok(bytes.map_err(|_| ApiError::timeout())??)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        // The root, or where nobody knows: text that ends too early.
        let field = if matches!(path.as_str(), "." | "?") { "body" } else { &path };
        ApiError::argument(format!("{field}: {}", error.inner()))
    })?;
    deserializer.end().map_err(|error| ApiError::argument(format!("body: {error}")))?;
    Ok(value)
}
