//! `calendarList.get`: one calendar as it stands in an account's list. `primary` is the account's own, and its id is the account's
//! address, whatever alias it was reached by.

use super::list_calendar_entries::FIELDS;
use super::{finish, pairs, segment};
use crate::wire::calendar::CalendarEntry;
use crate::wire::error::{About, refusal};
use bytes::Bytes;
use calsync_core::http::{BaseUrl, Call};
use calsync_core::{CalendarId, Result};

/// An entry. A calendar that is shared but not in the list is not found.
#[derive(Debug)]
pub(crate) struct GetCalendarEntry<'a>(pub(crate) &'a CalendarId);

impl Call for GetCalendarEntry<'_> {
    type Output = CalendarEntry;

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        let calendar = segment("calendar", self.0.as_str())?;
        let uri = format!("{base}/users/me/calendarList/{calendar}?{}", pairs(&[("fields", FIELDS)]));
        finish(http::Request::get(uri), Bytes::new())
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<CalendarEntry> {
        if answer.status() != http::StatusCode::OK {
            return Err(refusal(answer, About::Listing));
        }
        crate::wire::read(answer, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::ErrorKind;

    #[test]
    fn the_account_s_own_calendar_says_the_account_s_address() {
        let (base, id) =
            (BaseUrl::new("https://www.googleapis.com/calendar/v3").expect("an address"), "primary".into());
        let call = GetCalendarEntry(&id);
        assert_eq!(
            call.request(&base).expect("a request").uri().path(),
            "/calendar/v3/users/me/calendarList/primary"
        );
        let body = r#"{"id":"amy@example.com","primary":true}"#;
        let entry = call.parse(&http::Response::new(Bytes::from_static(body.as_bytes()))).expect("an entry");
        assert_eq!(entry.id(), Some("amy@example.com"));
        let absent = http::Response::builder()
            .status(404)
            .body(Bytes::from_static(br#"{"error":{"code":404,"errors":[{"reason":"notFound"}]}}"#));
        assert_eq!(call.parse(&absent.expect("an answer")).expect_err("absent").kind(), ErrorKind::NotFound);
    }
}
