//! `events.delete`. Deleting what is deleted is answered with 410 and is success; a 404 is not, because a calendar that is
//! no longer shared answers the same way.

use super::{events_path, finish, if_match, pairs, send_updates};
use crate::wire::error::{About, refusal};
use bytes::Bytes;
use calsync_core::http::{BaseUrl, Call};
use calsync_core::provider::Mail;
use calsync_core::{CalendarId, Error, ErrorKind, RemoteId, Result, Revision};
use http::StatusCode;

/// A deletion.
#[derive(Debug)]
pub(crate) struct DeleteEvent<'a> {
    pub(crate) calendar: &'a CalendarId,
    pub(crate) event: &'a RemoteId,
    pub(crate) revision: Option<&'a Revision>,
    pub(crate) mail: Mail,
}

impl Call for DeleteEvent<'_> {
    type Output = ();

    fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
        let query = pairs(&[("sendUpdates", send_updates(self.mail))]);
        let uri = format!("{}?{query}", events_path(base, self.calendar, Some(self.event))?);
        finish(if_match(http::Request::delete(uri), self.revision), Bytes::new())
    }

    fn parse(&self, answer: &http::Response<Bytes>) -> Result<()> {
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(()),
            StatusCode::OK if answer.body().trim_ascii().is_empty() => Ok(()),
            StatusCode::OK => {
                let error = Error::new(ErrorKind::Protocol, "the answer to a deletion is not empty");
                Err(error.later().maybe_sent())
            }
            _ => match refusal(answer, About::Delete) {
                error if error.kind() == ErrorKind::Gone => Ok(()),
                error => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, outcome: Result<(), ErrorKind>) {
        let (calendar, event) = ("amy@example.com".into(), "e1".into());
        let call = DeleteEvent { calendar: &calendar, event: &event, revision: None, mail: Mail::Nobody };
        let answer = http::Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes()));
        assert_eq!(call.parse(&answer.expect("an answer")).map_err(|e| e.kind()), outcome);
    }

    #[test]
    fn deleting_twice_is_success_and_a_404_is_not() {
        check(204, "", Ok(()));
        check(410, r#"{"error":{"code":410,"errors":[{"reason":"deleted"}]}}"#, Ok(()));
        check(404, r#"{"error":{"code":404,"errors":[{"reason":"notFound"}]}}"#, Err(ErrorKind::NotFound));
        check(410, "<html>", Err(ErrorKind::Protocol));
        check(200, "<html>", Err(ErrorKind::Protocol));
    }

    #[test]
    fn the_version_and_the_mail_policy_travel_with_the_request() {
        let (calendar, event, revision) = ("amy@example.com".into(), "e1".into(), Revision::from("\"33\""));
        let call = DeleteEvent {
            calendar: &calendar,
            event: &event,
            revision: Some(&revision),
            mail: Mail::ExternalGuests,
        };
        let base = BaseUrl::new("https://www.googleapis.com/calendar/v3").expect("an address");
        let request = call.request(&base).expect("a request");
        assert_eq!(request.uri().query(), Some("sendUpdates=externalOnly"));
        assert_eq!(request.headers()["if-match"], "\"33\"");
    }
}
