//! What a calendar says about itself, read from the head of `events.list`.
//!
//! `calendars.get` would say the same, but needs a scope that `calendar.events` does not include, and a delegated service
//! account whose administrator authorised one scope too few gets no token at all. The head of a listing needs the scope that
//! the sync needs anyway, and its answer tells whether the sync can work.

use super::{events_path, finish, pairs};
use crate::wire::calendar::Events;
use crate::wire::error::{About, refusal};
use bytes::Bytes;
use calsync_core::http::{BaseUrl, Call};
use calsync_core::{CalendarId, Result};

/// The head of a calendar's listing.
#[derive(Debug)]
pub(crate) struct GetCalendar<'a>(pub(crate) &'a CalendarId);

/// What the head says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CalendarHead {
    pub(crate) summary: Option<String>,
    pub(crate) time_zone: Option<String>,
    pub(crate) access_role: Option<String>,
}

impl Call for GetCalendar<'_> {
    type Output = CalendarHead;

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        let query = pairs(&[("maxResults", "1"), ("fields", "accessRole,summary,timeZone")]);
        finish(http::Request::get(format!("{}?{query}", events_path(base, self.0, None)?)), Bytes::new())
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<CalendarHead> {
        if answer.status() != http::StatusCode::OK {
            return Err(refusal(answer, About::Listing));
        }
        let head: Events = crate::wire::read(answer, false)?;
        Ok(CalendarHead {
            summary: head.summary().map(str::to_owned),
            time_zone: head.time_zone().map(str::to_owned),
            access_role: head.access_role().map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_listing_says_name_zone_and_access() {
        let body = r#"{"accessRole":"owner","summary":"Amy","timeZone":"America/Vancouver"}"#;
        let answer = http::Response::new(Bytes::from_static(body.as_bytes()));
        let head = GetCalendar(&"amy@example.com".into()).parse(&answer).expect("a head");
        assert_eq!(head.time_zone.as_deref(), Some("America/Vancouver"));
        assert_eq!(head.access_role.as_deref(), Some("owner"));
    }
}
