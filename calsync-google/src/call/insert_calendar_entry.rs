//! `calendarList.insert`: puts a calendar that is shared with the account into the account's list, as a person does with "Subscribe to
//! calendar". It changes nothing of the calendar, and who has it in the list already loses nothing by it.

use super::list_calendar_entries::FIELDS;
use super::{finish, json_body, pairs};
use crate::wire::calendar::CalendarEntry;
use crate::wire::error::{About, refusal};
use bytes::Bytes;
use calsync_core::http::{BaseUrl, Call};
use calsync_core::{CalendarId, Result};
use serde_json::{Map, Value};

/// A calendar for the list.
#[derive(Debug)]
pub(crate) struct InsertCalendarEntry<'a>(pub(crate) &'a CalendarId);

impl Call for InsertCalendarEntry<'_> {
    type Output = CalendarEntry;

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        let body = Map::from_iter([("id".to_owned(), Value::from(self.0.as_str()))]);
        let uri = format!("{base}/users/me/calendarList?{}", pairs(&[("fields", FIELDS)]));
        let request = http::Request::post(uri).header(http::header::CONTENT_TYPE, "application/json");
        finish(request, json_body(&body)?)
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<CalendarEntry> {
        if answer.status() != http::StatusCode::OK {
            // Not found is the calendar here, and not an event.
            return Err(refusal(answer, About::Listing));
        }
        crate::wire::read(answer, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_calendar_s_id_is_sent() {
        let (base, id) = (
            BaseUrl::new("https://www.googleapis.com/calendar/v3").expect("an address"),
            "amy@example.com".into(),
        );
        let request = InsertCalendarEntry(&id).request(&base).expect("a request");
        assert_eq!(
            (request.method().as_str(), request.uri().path()),
            ("POST", "/calendar/v3/users/me/calendarList")
        );
        assert_eq!(request.body(), r#"{"id":"amy@example.com"}"#);
    }
}
