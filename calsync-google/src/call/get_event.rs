//! `events.get`: one event by id, cancelled ones and occurrences that nobody changed included.

use super::{events_path, finish, object};
use crate::wire::error::About;
use bytes::Bytes;
use calsync_core::http::{BaseUrl, Call};
use calsync_core::{CalendarId, RemoteId, Result};
use serde_json::{Map, Value};

/// One event.
#[derive(Debug)]
pub(crate) struct GetEvent<'a> {
    pub(crate) calendar: &'a CalendarId,
    pub(crate) event: &'a RemoteId,
}

impl Call for GetEvent<'_> {
    type Output = Map<String, Value>;

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        finish(http::Request::get(events_path(base, self.calendar, Some(self.event))?), Bytes::new())
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<Self::Output> {
        object(answer, About::Event)
    }
}
