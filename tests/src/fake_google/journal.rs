//! What happened: each request with its answer, and each mail that Google would have sent.
//!
//! No token, secret or signed assertion is ever kept: a journal is printed when a test fails.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Delivery;
use super::incoming::Route;

/// One request and what was answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JournalEntry {
    /// Counts all requests from 1 on.
    pub number: u64,
    /// When it was handled.
    pub at: DateTime<Utc>,
    /// The HTTP method.
    pub method: String,
    /// The path as it came, still encoded, without the query.
    pub path: String,
    /// The API method.
    pub route: Route,
    /// The calendar, with `primary` resolved.
    pub calendar: Option<String>,
    /// The event of the path; for an insertion the id that was given or chosen.
    pub event: Option<String>,
    /// The query, decoded, without tokens.
    pub query: Vec<(String, String)>,
    /// `If-Match`
    pub if_match: Option<String>,
    /// `If-None-Match`
    pub if_none_match: Option<String>,
    /// Whose token it was.
    pub subject: Option<String>,
    /// The status of the answer, also of one that was lost on its way.
    pub status: u16,
    /// The reason of a refusal.
    pub reason: Option<String>,
    /// The body of the request; of a token request only the harmless fields.
    pub request: Bytes,
    /// The body of the answer; empty for a token request.
    pub answer: Bytes,
    /// What became of the answer.
    pub delivery: Delivery,
}

impl JournalEntry {
    /// The request's body as JSON, or null.
    pub fn request_json(&self) -> Value {
        serde_json::from_slice(&self.request).unwrap_or(Value::Null)
    }

    /// The answer's body as JSON, or null.
    pub fn answer_json(&self) -> Value {
        serde_json::from_slice(&self.answer).unwrap_or(Value::Null)
    }

    /// A query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the request wrote an event and was told so, whether or not the answer arrived.
    pub fn wrote(&self) -> bool {
        self.route.is_write() && (200..300).contains(&self.status)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "number": self.number,
            "at": self.at.to_rfc3339(),
            "method": self.method,
            "path": self.path,
            "route": self.route,
            "calendar": self.calendar,
            "event": self.event,
            "query": self.query,
            "ifMatch": self.if_match,
            "ifNoneMatch": self.if_none_match,
            "subject": self.subject,
            "status": self.status,
            "reason": self.reason,
            "request": self.request_json(),
            "answer": self.answer_json(),
            "delivery": format!("{:?}", self.delivery),
        })
    }
}

/// Why somebody would have got a mail.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub enum MailKind {
    /// Newly on the guest list.
    Invitation,
    /// Something that guests see has changed.
    Update,
    /// The event, or the invitation to it, is gone.
    Cancellation,
    /// To the organizer: a guest has answered.
    Response,
    /// A calendar was shared through the API; about no event.
    Sharing,
}

/// A mail that Google would have sent.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Mail {
    /// To whom.
    pub recipient: String,
    /// On which calendar the write happened.
    pub calendar: String,
    /// About which event; empty where a calendar was shared.
    pub event: String,
    /// Why.
    pub kind: MailKind,
    /// The number of the request that caused it.
    pub request: u64,
    /// Who acted.
    pub actor: String,
    /// The event's private extended properties after the write: with them goes the stamp of the operation.
    pub stamp: Map<String, Value>,
}
