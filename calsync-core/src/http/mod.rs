//! HTTP, apart from any one endpoint.
//!
//! An endpoint is a value ([`Call`]): it knows how to ask and how to read the answer. Sending lives in one other place
//! ([`Sender`]): tokens, repeats by reason, deadlines, counting and redaction. Below it is a [`Transport`], so that a host
//! can bring its own client, and a simulation can answer without a socket.

#[cfg(feature = "reqwest")]
mod body;
mod call;
#[cfg(feature = "reqwest")]
mod reqwest;
mod retry;
mod send;

#[cfg(feature = "reqwest")]
pub use self::reqwest::ReqwestTransport;
pub use call::{BaseUrl, Call};
pub use retry::{Backoff, next_wait};
pub use send::{Sender, TokenSource};

use async_trait::async_trait;
use bytes::Bytes;
use std::fmt;

/// Largest answer body that is read, in bytes, after decompression. A page of a listing that is larger is asked for again with fewer
/// results, so that what a listing holds in memory is bounded however large its events are; no single record is as large.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Carries one request to its host and brings the answer. Follows no redirects, verifies certificates, keeps no cookies.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends the request and reads the whole answer, up to [`BODY_BYTES_MAX`].
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError>;
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// What happened, for a person; no request content.
    pub message: String,
    /// Whether the request may have arrived: false only where it certainly did not.
    pub maybe_sent: bool,
    /// The answer was too large or too deep.
    pub limit: bool,
}
