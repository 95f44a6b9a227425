//! `calendarList.list`: one page of the calendars that an account has in its list.
//!
//! Hidden calendars are asked for as well: hidden is in the list, and only not shown. A calendar that is shared with the account need not
//! be in the list; who wants to know what can be reached has to ask for each by its address too.

use super::{finish, pairs};
use crate::wire::calendar::CalendarEntries;
use crate::wire::error::{About, refusal};
use bytes::Bytes;
use calsync_core::Result;
use calsync_core::http::{BaseUrl, Call};

/// What is read of an entry; the rest of it is colours and reminders.
pub(super) const FIELDS: &str = "id,summary,accessRole,primary,dataOwner,deleted";

/// A page of the list.
#[derive(Debug)]
pub(crate) struct ListCalendarEntries<'a> {
    pub(crate) page_token: Option<&'a str>,
}

impl Call for ListCalendarEntries<'_> {
    type Output = CalendarEntries;

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        let fields = format!("items({FIELDS}),nextPageToken");
        // 250 is the most that Google gives at once.
        let mut query = vec![("maxResults", "250"), ("showHidden", "true"), ("fields", &fields)];
        if let Some(token) = self.page_token {
            query.push(("pageToken", token));
        }
        let uri = format!("{base}/users/me/calendarList?{}", pairs(&query));
        finish(http::Request::get(uri), Bytes::new())
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<CalendarEntries> {
        if answer.status() != http::StatusCode::OK {
            return Err(refusal(answer, About::Listing));
        }
        crate::wire::read(answer, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_repeats_every_parameter_and_reads_what_it_can() {
        let base = BaseUrl::new("https://www.googleapis.com/calendar/v3").expect("an address");
        let query = |page_token| {
            let request = ListCalendarEntries { page_token }.request(&base).expect("a request");
            request.uri().query().expect("a query").to_owned()
        };
        let first = query(None);
        assert_eq!(query(Some("p/2")), format!("{first}&pageToken=p%2F2"));
        assert!(first.contains("showHidden=true") && first.contains("nextPageToken"), "{first}");
        let body = r#"{"items":[{"id":"amy@example.com","accessRole":"writer","colorId":7},{"id":5}],"nextPageToken":"p2"}"#;
        let answer = http::Response::new(Bytes::from_static(body.as_bytes()));
        let page = ListCalendarEntries { page_token: None }.parse(&answer).expect("a page");
        assert_eq!(page.next_page_token.as_deref(), Some("p2"));
        let ids: Vec<Option<&str>> = page.items.iter().map(|entry| entry.id()).collect();
        assert_eq!(ids, [Some("amy@example.com"), None]);
        assert_eq!(page.items[0].access_role(), Some("writer"));
    }
}
