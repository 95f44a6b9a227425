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
    /// Where on its way the request failed.
    pub fault: TransportFault,
}

/// Where on its way a request failed, as far as different people mend it. A transport of the host's own that cannot tell says
/// [`TransportFault::Other`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportFault {
    /// The host's name is not known to this machine (DNS).
    Name,
    /// Nobody takes the connection at the host's address: refused, or no route.
    Connect,
    /// The proxy between does not open the way: it wants a login, forbids the host, or is not there.
    Proxy,
    /// A connection was made, but its certificate is not one that this machine trusts for the host.
    Certificate,
    /// A connection was made, but no TLS that both sides accept.
    Tls,
    /// It took too long: to connect, or to answer.
    Timeout,
    /// Something else, or nobody knows.
    #[default]
    Other,
}
