//! `events.insert`, under an id that calsync chose, so that repeating it is answered with 409 and makes nothing twice.
//!
//! `conferenceDataVersion=1` and, where there are attachments, `supportsAttachments=true`: without them Google drops that
//! part of the body without a word.

use super::{events_path, finish, json_body, pairs, send_updates, written};
use crate::encode::Body;
use crate::wire::error::About;
use bytes::Bytes;
use calsync_core::http::{BaseUrl, Call};
use calsync_core::provider::Mail;
use calsync_core::{CalendarId, Error, ErrorKind, RemoteId, Result};
use serde_json::{Map, Value};
use std::fmt;

/// A new event.
pub(crate) struct InsertEvent<'a> {
    pub(crate) calendar: &'a CalendarId,
    pub(crate) event: &'a RemoteId,
    pub(crate) body: &'a Body,
    pub(crate) mail: Mail,
}

impl fmt::Debug for InsertEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InsertEvent({} in {})", self.event, self.calendar)
    }
}

impl Call for InsertEvent<'_> {
    type Output = Map<String, Value>;

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        let mut query = vec![("conferenceDataVersion", "1"), ("sendUpdates", send_updates(self.mail))];
        if self.body.attachments() {
            query.push(("supportsAttachments", "true"));
        }
        let uri = format!("{}?{}", events_path(base, self.calendar, None)?, pairs(&query));
        let builder = http::Request::post(uri).header(http::header::CONTENT_TYPE, "application/json");
        finish(builder, json_body(self.body.json())?)
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<Self::Output> {
        let event = written(answer, About::Insert)?;
        if event.get("id").and_then(Value::as_str) != Some(self.event.as_str()) {
            let error = Error::new(ErrorKind::Protocol, "the event came back under another id");
            return Err(error.later().maybe_sent());
        }
        Ok(event)
    }
}
