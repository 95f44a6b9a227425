//! `calendars.get`: the properties of a calendar, of which the working hours are what nothing else says (release note 2026-11-03; only
//! primary calendars of Workspace users have them).
//!
//! It needs a scope that `calendar.events` does not include, so nothing but what asks for working hours may depend on it.

use super::{finish, pairs, segment};
use crate::wire::calendar::CalendarProperties;
use crate::wire::error::{About, refusal};
use bytes::Bytes;
use calsync_core::http::{BaseUrl, Call};
use calsync_core::{CalendarId, Result};

/// A calendar's properties.
#[derive(Debug)]
pub(crate) struct GetCalendarProperties<'a>(pub(crate) &'a CalendarId);

impl Call for GetCalendarProperties<'_> {
    type Output = CalendarProperties;

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        let calendar = segment("calendar", self.0.as_str())?;
        let query = pairs(&[("fields", "id,timeZone,workingHours")]);
        finish(http::Request::get(format!("{base}/calendars/{calendar}?{query}")), Bytes::new())
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<CalendarProperties> {
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
    fn working_hours_are_there_set_or_not() {
        let id = "amy@example.com".into();
        let call = GetCalendarProperties(&id);
        for (body, hours) in [
            (
                r#"{"id":"a","workingHours":{"workingHoursEnabled":true,"availableTimes":[{"dayOfWeek":"monday"}]}}"#,
                true,
            ),
            (r#"{"id":"a","workingHours":{"workingHoursEnabled":false}}"#, false),
            (r#"{"id":"a"}"#, false),
            (r#"{"id":"a","workingHours":"always"}"#, false),
        ] {
            let answer = http::Response::new(Bytes::from_static(body.as_bytes()));
            assert_eq!(call.parse(&answer).expect("properties").has_working_hours(), hours, "{body}");
        }
    }
}
