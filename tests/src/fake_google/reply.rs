//! An answer before it is put on the wire.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::refusal::Refusal;

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    pub(crate) reason: Option<String>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json; charset=UTF-8".to_owned())];
        Self { status, headers, body: Bytes::from(body.to_string()), reason: None }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), reason: None }
    }

    pub(crate) fn text(status: u16, kind: &str, body: &str) -> Self {
        let headers = vec![("content-type", kind.to_owned())];
        Self { status, headers, body: Bytes::from(body.to_owned()), reason: None }
    }

    /// The page that stands in for an answer when something between client and API fails.
    pub(crate) fn html(status: u16) -> Self {
        let body = format!(
            "<!DOCTYPE html>\n<html lang=en>\n<title>Error {status}</title>\n<p><b>{status}.</b> <ins>That’s an \
             error.</ins>\n<p>The server encountered a temporary error and could not complete your request."
        );
        Self::text(status, "text/html; charset=UTF-8", &body)
    }

    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn response(self, now: DateTime<Utc>) -> http::Response<Bytes> {
        let mut response = http::Response::new(self.body);
        *response.status_mut() =
            http::StatusCode::from_u16(self.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        // A client whose clock is wrong learns the right time from this header of a refusal.
        let date = ("date", now.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
        for (name, value) in std::iter::once(date).chain(self.headers) {
            if let Ok(value) = http::HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let mut reply = Self::json(refusal.status, &refusal.body());
        reply.reason = Some(refusal.reason);
        reply
    }
}
