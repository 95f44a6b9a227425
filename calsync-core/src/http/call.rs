//! An endpoint as a value.

use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use std::fmt;

/// Knows how to ask one endpoint and how to read its answer; pure, so that it is tested with recorded answers.
pub trait Call: fmt::Debug + Send + Sync {
    /// What the answer is read as.
    type Output;

    /// The request, without credentials.
    ///
    /// # Errors
    /// When the call's own values cannot be written as a request.
    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>>;

    /// Reads the answer, whatever its status.
    ///
    /// # Errors
    /// What the service said, with the kind that a caller branches on and whether repeating can help.
    fn parse(&self, answer: &http::Response<Bytes>) -> Result<Self::Output>;
}

/// Where an API starts. A constant, or the administrator's setting; never from an uploaded file or from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Takes an `https` address, or `http` on the loopback for tests.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for anything else.
    pub fn new(url: &str) -> Result<Self> {
        let refuse = |why: &'static str| Error::new(ErrorKind::Config, why).with("address", url);
        let uri: http::Uri =
            url.parse().map_err(|e: http::uri::InvalidUri| refuse("not an address").caused_by(e))?;
        let host = uri.host().ok_or_else(|| refuse("an API address needs a host"))?;
        let loopback = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if loopback => {}
            _ => return Err(refuse("an API address must be https, or http on the loopback")),
        }
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(refuse("an API address carries no user"));
        }
        Ok(Self(url.trim_end_matches('/').to_owned()))
    }

    /// The address without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
