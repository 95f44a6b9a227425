//! `events.list`: one page of a full or an incremental listing.
//!
//! `singleEvents=false` and no filter: one token per calendar, series as series (guide "Synchronize resources efficiently").
//! A full listing says `showDeleted=false`; cancelled occurrences of living series come nevertheless, which is what keeps
//! them cancelled after expansion. With a sync token deletions always come, and saying `false` is an error. There is no
//! `fields` mask: leaving a token out of one is a classic way to lose changes.

use super::{events_path, finish, pairs};
use crate::wire::calendar::Events;
use crate::wire::error::{About, refusal};
use bytes::Bytes;
use calsync_core::http::{BaseUrl, Call};
use calsync_core::{CalendarId, Cursor, Error, ErrorKind, Result};

/// Names the parameters that a sync token is bound to.
pub(crate) const FINGERPRINT: &str = "events.list singleEvents=false";

/// A page of a listing.
#[derive(Debug)]
pub(crate) struct ListEvents<'a> {
    pub(crate) calendar: &'a CalendarId,
    pub(crate) since: Option<&'a Cursor>,
    pub(crate) page_token: Option<&'a str>,
    pub(crate) results_max: u32,
}

impl Call for ListEvents<'_> {
    type Output = Events;

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        let results_max = self.results_max.to_string();
        let mut query = vec![("singleEvents", "false"), ("maxResults", &results_max)];
        match self.since {
            Some(cursor) => query.push(("syncToken", cursor.as_str())),
            None => query.push(("showDeleted", "false")),
        }
        if let Some(token) = self.page_token {
            query.push(("pageToken", token));
        }
        let uri = format!("{}?{}", events_path(base, self.calendar, None)?, pairs(&query));
        finish(http::Request::get(uri), Bytes::new())
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<Events> {
        if answer.status() != http::StatusCode::OK {
            return Err(refusal(answer, About::Listing));
        }
        let page: Events = crate::wire::read(answer, false)?;
        // No token at the end is not "done": some restriction kept Google from making one (gcal_sync treats it alike).
        if page.next_page_token().is_none() && page.next_sync_token().is_none() {
            return Err(Error::new(
                ErrorKind::Protocol,
                "the page says neither where it goes on nor where it ends",
            )
            .later());
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> BaseUrl {
        BaseUrl::new("https://www.googleapis.com/calendar/v3").expect("an address")
    }

    fn answer(status: u16, body: &str) -> http::Response<Bytes> {
        http::Response::builder()
            .status(status)
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .expect("an answer")
    }

    #[test]
    fn a_full_listing_and_an_increment_ask_for_the_same_shape() {
        let (calendar, cursor) = (CalendarId::from("amy@example.com"), Cursor::from("s+1="));
        let mut call = ListEvents { calendar: &calendar, since: None, page_token: None, results_max: 2500 };
        let query = |call: &ListEvents<'_>| {
            call.request(&base()).expect("a request").uri().query().expect("a query").to_owned()
        };
        assert_eq!(query(&call), "singleEvents=false&maxResults=2500&showDeleted=false");
        call.page_token = Some("p/1");
        assert_eq!(query(&call), "singleEvents=false&maxResults=2500&showDeleted=false&pageToken=p%2F1");
        call.since = Some(&cursor);
        assert_eq!(query(&call), "singleEvents=false&maxResults=2500&syncToken=s%2B1%3D&pageToken=p%2F1");
    }

    #[test]
    fn a_page_without_any_token_is_an_error_and_an_empty_page_is_not() {
        let calendar = CalendarId::from("amy@example.com");
        let call = ListEvents { calendar: &calendar, since: None, page_token: None, results_max: 2500 };
        for body in [r#"{"items":[]}"#, r#"{"items":[],"nextSyncToken":"","nextPageToken":null}"#] {
            assert_eq!(call.parse(&answer(200, body)).expect_err("no token").kind(), ErrorKind::Protocol);
        }
        let page = call.parse(&answer(200, r#"{"nextPageToken":"p2"}"#)).expect("a page");
        assert_eq!((page.next_page_token(), page.items.is_none()), (Some("p2"), true));
    }

    #[test]
    fn properties_of_the_calendar_in_another_form_do_not_spoil_the_page() {
        let calendar = CalendarId::from("amy@example.com");
        let call = ListEvents { calendar: &calendar, since: None, page_token: None, results_max: 2500 };
        let page = call
            .parse(&answer(
                200,
                r#"{"timeZone":7,"summary":["x"],"accessRole":null,"items":[5],"nextSyncToken":"s"}"#,
            ))
            .expect("a page");
        assert_eq!((page.time_zone(), page.summary(), page.access_role()), (None, None, None));
    }
}
