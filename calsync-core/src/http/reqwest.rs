//! The transport on reqwest and rustls.
//!
//! TLS 1.2 or newer, ring as the crypto provider, certificates checked against the system's trust store, no redirects. A
//! container without `ca-certificates` cannot verify anybody: the error says so. Answers are counted while they stream,
//! after decompression, so that a small body cannot grow without bound.

use super::{BODY_BYTES_MAX, Transport, TransportError};
use crate::error::{Error, ErrorKind, Result};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Longest pause between two parts of an answer.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Longest time for a request and its answer together.
const TOTAL_MAX: Duration = Duration::from_secs(120);

/// Sends with reqwest.
#[derive(Clone, Debug)]
pub struct ReqwestTransport(reqwest::Client);

impl ReqwestTransport {
    /// A client of its own; share it, as it keeps connections open.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the system's trust store cannot be read.
    pub fn new() -> Result<Self> {
        // Somebody in this process may have installed a provider earlier; theirs stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("calsync/", env!("CARGO_PKG_VERSION"), " (gzip)"))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_MAX)
            .read_timeout(IDLE_MAX)
            .timeout(TOTAL_MAX)
            .min_tls_version(reqwest::tls::Version::TLS_1_2)
            .build()
            .map_err(|e| {
                Error::new(ErrorKind::Config, "the HTTP client cannot be made")
                    .cure("Check that the system's certificates (ca-certificates) are installed.")
                    .caused_by(e)
            })?;
        Ok(Self(client))
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request).map_err(|e| failed(&e, false))?;
        let answer = self.0.execute(request).await.map_err(|e| {
            // A connection that was never made carried nothing.
            let maybe_sent = !e.is_connect() && !e.is_builder();
            failed(&e, maybe_sent)
        })?;
        let mut builder = http::Response::builder().status(answer.status());
        if let Some(headers) = builder.headers_mut() {
            *headers = answer.headers().clone();
        }
        let mut body = BytesMut::new();
        let mut stream = answer.bytes_stream();
        while let Some(part) = stream.next().await {
            let part = part.map_err(|e| failed(&e, true))?;
            if body.len() + part.len() > BODY_BYTES_MAX {
                let message = format!("the answer is larger than {BODY_BYTES_MAX} bytes");
                return Err(TransportError { message, maybe_sent: true, limit: true });
            }
            body.extend_from_slice(&part);
        }
        builder.body(body.freeze()).map_err(|e| TransportError {
            message: e.to_string(),
            maybe_sent: true,
            limit: false,
        })
    }
}

fn failed(error: &reqwest::Error, maybe_sent: bool) -> TransportError {
    let what = if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "no connection"
    } else if error.is_decode() || error.is_body() {
        "the answer broke off"
    } else {
        "failed"
    };
    // The innermost cause names the host's problem (refused, unknown name, untrusted certificate); the outer ones
    // repeat the address, which may hold ids.
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    TransportError { message: format!("{what}: {cause}"), maybe_sent, limit: false }
}
