//! What a refusal means.
//!
//! The same status carries opposite meanings: 403 is "slower", "for some hours", "not this event" or "not this calendar",
//! 410 is "list again" or "was deleted". So the reason decides (`errors[0].reason`, else `details[].reason`), and the status
//! only where there is none (guide "Handle API errors"). A refusal in a form that Google does not use comes from something in
//! between, and is evidence of nothing: a proxy's 404 must not look like a deletion.
//!
//! Faults of one record are [`ErrorKind::Invalid`], so that it is parked and the rest of the calendar goes on; faults of the
//! credential or the calendar are [`ErrorKind::Forbidden`].

use bytes::Bytes;
use calsync_core::{Error, ErrorKind};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::Value;
use std::time::Duration;

/// How refresh tokens, access tokens, codes, signed assertions and client secrets of Google's begin.
const SECRETS: [&str; 5] = ["1//", "ya29.", "4/0", "eyJ", "GOCSPX-"];
/// Longest wait that an answer may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);
/// The anti-abuse limit of a user lifts after one to two hours, says a tool that lives with it (OutlookGoogleCalendarSync).
const QUOTA_WAIT: Duration = Duration::from_secs(3600);
/// A daily limit: several tries until the day is over, wherever Google's day ends.
const DAILY_WAIT: Duration = Duration::from_secs(6 * 3600);

/// What was asked for; a status alone does not say what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Events of a calendar, or the calendar itself.
    Listing,
    /// One event.
    Event,
    /// A new event.
    Insert,
    /// A change.
    Patch,
    /// A deletion.
    Delete,
}

impl About {
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Insert | Self::Patch | Self::Delete)
    }
}

/// A refusal, taken apart.
#[derive(Debug, Default)]
struct Refusal {
    /// Google's form of an error body.
    shaped: bool,
    reason: Option<String>,
    message: String,
    location: Option<String>,
}

impl Refusal {
    fn read(body: &[u8]) -> Self {
        let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        let Some(Value::Object(error)) = body.get("error") else { return Self::default() };
        let text = |value: Option<&Value>| {
            value.and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned)
        };
        let first = error.get("errors").and_then(|e| e.get(0));
        let detail = error.get("details").and_then(Value::as_array).into_iter().flatten();
        let field = |name: &str| text(first.and_then(|e| e.get(name)));
        Self {
            shaped: true,
            reason: field("reason").or_else(|| detail.filter_map(|d| text(d.get("reason"))).next()),
            message: field("message").or_else(|| text(error.get("message"))).unwrap_or_default(),
            location: field("location"),
        }
    }
}

/// Reads an answer that is not a success.
pub(crate) fn refusal(answer: &http::Response<Bytes>, about: About) -> Error {
    let status = answer.status();
    let refusal = Refusal::read(answer.body());
    let error =
        classify(status, &refusal, about, retry_after(answer.headers())).with("status", status.as_u16());
    match &refusal.reason {
        Some(reason) => error.reason(code(reason)),
        None => error,
    }
}

fn classify(status: StatusCode, refusal: &Refusal, about: About, wait: Option<Duration>) -> Error {
    use ErrorKind as Kind;
    if let Some(error) = by_reason(status, refusal, about, wait) {
        return error;
    }
    let unshaped = |error: Error| if about.writes() { error.maybe_sent() } else { error };
    match status.as_u16() {
        300..=399 => Error::new(Kind::Protocol, "the answer is a redirect, which is not followed")
            .cure("Check the configured API address, and whether a proxy answers in Google's place."),
        401 => Error::new(Kind::Unauthorized, "Google does not accept the access token")
            .cure("Reconnect the account, or check that the service account's key still exists."),
        // The request was not taken up.
        429 => later(Error::new(Kind::RateLimited, "Google asks for fewer requests"), wait),
        408 | 500..=599 => {
            unshaped(later(Error::new(Kind::Unavailable, "Google failed to answer this request"), wait))
        }
        _ if !refusal.shaped => {
            unshaped(Error::new(Kind::Protocol, "the refusal does not have Google's form").later().cure(
                "A proxy or a firewall may have answered in Google's place: look at the network in between.",
            ))
        }
        403 => forbidden(about),
        404 => not_found(about),
        409 if about == About::Insert => duplicate(),
        409 => later(Error::new(Kind::Unavailable, "Google met two writes at once"), wait),
        410 if about == About::Listing => expired(),
        410 => gone(),
        412 => moved(),
        400..=499 if about == About::Listing => {
            Error::new(Kind::Protocol, format!("Google refuses the listing: {}", quiet(&refusal.message)))
        }
        400..=499 => invalid(refusal),
        _ => unshaped(Error::new(Kind::Protocol, "the answer has an unexpected status").later()),
    }
}

/// The reasons of the guide "Handle API errors" and of clients that have met others.
fn by_reason(status: StatusCode, refusal: &Refusal, about: About, wait: Option<Duration>) -> Option<Error> {
    use ErrorKind as Kind;
    if status.is_server_error() || status.is_redirection() || status == StatusCode::UNAUTHORIZED {
        return None;
    }
    let forbid = |what: &'static str, cure: &'static str| Error::new(Kind::Forbidden, what).cure(cure);
    let record = |what: &'static str, cure: &'static str| Error::new(Kind::Invalid, what).cure(cure);
    let error = match refusal.reason.as_deref().unwrap_or_default() {
        "rateLimitExceeded" | "userRateLimitExceeded" | "RATE_LIMIT_EXCEEDED" | "rateLimitExceededUnreg"
        | "servingLimitExceeded" | "concurrentLimitExceeded" => {
            later(Error::new(Kind::RateLimited, "Google asks for fewer requests"), wait)
        }
        // Not a quota of the API: the user's calendar is read-only for some hours, for people as well.
        "quotaExceeded" | "calendarUsageLimits" => {
            Error::new(Kind::QuotaExhausted, "Google has closed this calendar for changes for some hours")
                .after(wait.unwrap_or(QUOTA_WAIT))
                .cure("It opens again by itself; reading goes on. Many external invitations in a short time cause this.")
        }
        "dailyLimitExceeded" | "dailyLimitExceededUnreg" | "variableTermLimitExceeded" => {
            Error::new(Kind::QuotaExhausted, "the Google Cloud project's daily limit is used up")
                .after(wait.unwrap_or(DAILY_WAIT))
                .cure("Raise the Calendar API's quota in the Google Cloud console, or spread the load.")
        }
        "insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => forbid(
            "the access token lacks a scope",
            "Authorise the scope https://www.googleapis.com/auth/calendar.events: for a service account in the Admin \
             console (Security > API controls > Domain-wide delegation), else by connecting the account again.",
        ),
        "accessNotConfigured" | "SERVICE_DISABLED" | "CONSUMER_INVALID" => forbid(
            "the Google Calendar API is not enabled",
            "Enable \"Google Calendar API\" in the Google Cloud project that the credential belongs to, and wait some \
             minutes.",
        ),
        "requiredAccessLevel" => forbid(
            "the account may read this calendar but not change it",
            "Share the calendar with the account at the level \"Make changes to events\".",
        ),
        "notACalendarUser" => forbid(
            "the person has no Google Calendar",
            "Switch the Calendar service on for this person in the Admin console.",
        ),
        "forbiddenForNonOrganizer" => record(
            "only the organizer may change this",
            "Change the event in the organizer's calendar, or let guests modify it.",
        ),
        "forbiddenForServiceAccounts" => record(
            "a service account cannot invite guests on its own behalf",
            "Set up domain-wide delegation, or leave guests out.",
        ),
        "fullSyncRequired" | "updatedMinTooLongAgo" => expired(),
        "deleted" => gone(),
        "duplicate" => duplicate(),
        "conditionNotMet" => moved(),
        "conflict" => later(Error::new(Kind::Unavailable, "Google met two writes at once"), wait),
        _ if about == About::Listing && names_a_token(status, refusal) => expired(),
        // A sequence number that went back: somebody else was faster (gdata-provider).
        _ if refusal.message.starts_with("Invalid sequence value") => moved(),
        _ => return None,
    };
    Some(error)
}

/// A malformed or foreign token is a 400 without a reason of its own (gdata-provider); it is handled like an old one.
fn names_a_token(status: StatusCode, refusal: &Refusal) -> bool {
    let message = refusal.message.to_ascii_lowercase();
    status == StatusCode::BAD_REQUEST
        && refusal.reason.as_deref() != Some("syncTokenWithRequestRestrictions")
        && (matches!(refusal.location.as_deref(), Some("syncToken" | "pageToken"))
            || message.contains("sync token value")
            || message.contains("page token value"))
}

fn expired() -> Error {
    Error::new(ErrorKind::CursorExpired, "Google wants the calendar to be listed in full again")
}

fn gone() -> Error {
    Error::new(ErrorKind::Gone, "the event was deleted")
}

fn duplicate() -> Error {
    Error::new(ErrorKind::Duplicate, "an event with this id exists already")
}

fn moved() -> Error {
    Error::new(ErrorKind::PreconditionFailed, "the event was changed meanwhile")
}

fn not_found(about: About) -> Error {
    let what = if about == About::Listing {
        "Google does not find the calendar"
    } else {
        "Google does not find the event"
    };
    Error::new(ErrorKind::NotFound, what).cure(
        "It does not exist, or the account has no access to it: Google says the same for both. Check the calendar's \
         address, and that it is shared with the account at the level \"Make changes to events\".",
    )
}

fn forbidden(about: About) -> Error {
    match about {
        // Among others, what Google says to a change of a deleted event.
        About::Patch | About::Delete => Error::new(ErrorKind::Invalid, "Google does not allow this change of the event")
            .cure("Look at the event in Google Calendar with the same account."),
        _ => Error::new(ErrorKind::Forbidden, "Google does not allow this").cure(
            "Check that the calendar is shared with the account at the level \"Make changes to events\", and that the \
             Calendar service is on for it.",
        ),
    }
}

/// Google's text helps here, as the fault is in the values; the values that it quotes are left out.
fn invalid(refusal: &Refusal) -> Error {
    Error::new(ErrorKind::Invalid, format!("Google refuses the event: {}", quiet(&refusal.message)))
}

/// Whether Google refused an event because it does not know the zone of its start or end.
pub(crate) fn names_an_unknown_zone(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid && error.to_string().contains("Invalid time zone definition")
}

fn later(error: Error, wait: Option<Duration>) -> Error {
    match wait {
        Some(wait) => error.after(wait),
        None => error.later(),
    }
}

/// A reason as a code: short, and made of the letters that codes are made of.
fn code(reason: &str) -> String {
    reason.chars().filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)).take(64).collect()
}

/// A message without what it quotes, and not too long.
pub(crate) fn quiet(message: &str) -> String {
    let mut quiet = String::new();
    let mut quoted: Option<char> = None;
    let mut before = ' ';
    for c in message.chars().take(400) {
        match quoted {
            Some(end) if c == end => quoted = None,
            Some(_) => {}
            // An apostrophe inside a word opens nothing.
            None if c == '"' || c == '“' || (c == '\'' && !before.is_alphanumeric()) => {
                quoted = Some(if c == '“' { '”' } else { c });
                quiet.push('…');
            }
            None if c.is_control() => quiet.push(' '),
            None => quiet.push(c),
        }
        before = c;
    }
    if quiet.trim().is_empty() {
        return "no reason given".into();
    }
    // A long run without a blank is no sentence: it may be anything. And how a token or a key begins is known.
    let hidden = |word: &str| word.chars().count() > 40 || SECRETS.iter().any(|start| word.contains(start));
    let words: Vec<&str> = quiet.split_whitespace().map(|w| if hidden(w) { "…" } else { w }).collect();
    words.join(" ").chars().take(160).collect()
}

/// `Retry-After` in seconds or as a date. The date is counted from the answer's own `Date`: no clock of ours takes part.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (http_date(text)? - date(headers)?).to_std().unwrap_or(Duration::ZERO),
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// When the answer was made, by the server's clock.
pub(crate) fn date(headers: &http::HeaderMap) -> Option<DateTime<Utc>> {
    http_date(headers.get(http::header::DATE)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use About::*;
    use ErrorKind as Kind;
    use calsync_core::Retry;

    fn answer(status: u16, body: &str) -> http::Response<Bytes> {
        http::Response::builder()
            .status(status)
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .expect("an answer")
    }

    fn classic(code: u16, domain: &str, reason: &str, message: &str) -> String {
        serde_json::json!({"error": {"code": code, "message": message,
            "errors": [{"domain": domain, "reason": reason, "message": message}]}})
        .to_string()
    }

    #[track_caller]
    fn check(about: About, status: u16, body: &str, kind: Kind, retry: Retry, maybe_sent: bool) {
        let error = refusal(&answer(status, body), about);
        assert_eq!(
            (error.kind(), error.retry(), error.may_have_been_sent()),
            (kind, retry, maybe_sent),
            "{error}"
        );
    }

    #[test]
    fn a_reason_decides_whatever_the_status_says() {
        let hours = Retry::After(QUOTA_WAIT);
        for (about, status, reason, kind, retry) in [
            (Patch, 403, "rateLimitExceeded", Kind::RateLimited, Retry::Later),
            (Listing, 403, "userRateLimitExceeded", Kind::RateLimited, Retry::Later),
            (Listing, 429, "rateLimitExceeded", Kind::RateLimited, Retry::Later),
            (Insert, 403, "quotaExceeded", Kind::QuotaExhausted, hours),
            (Insert, 403, "dailyLimitExceeded", Kind::QuotaExhausted, Retry::After(DAILY_WAIT)),
            (Insert, 403, "insufficientPermissions", Kind::Forbidden, Retry::Never),
            (Listing, 403, "accessNotConfigured", Kind::Forbidden, Retry::Never),
            (Listing, 403, "notACalendarUser", Kind::Forbidden, Retry::Never),
            (Patch, 403, "requiredAccessLevel", Kind::Forbidden, Retry::Never),
            (Patch, 403, "forbiddenForNonOrganizer", Kind::Invalid, Retry::Never),
            (Insert, 403, "forbiddenForServiceAccounts", Kind::Invalid, Retry::Never),
            (Listing, 403, "forbidden", Kind::Forbidden, Retry::Never),
            (Patch, 403, "forbidden", Kind::Invalid, Retry::Never),
            (Listing, 404, "notFound", Kind::NotFound, Retry::Never),
            (Event, 404, "notFound", Kind::NotFound, Retry::Never),
            (Insert, 409, "duplicate", Kind::Duplicate, Retry::Never),
            (Patch, 409, "conflict", Kind::Unavailable, Retry::Later),
            (Listing, 410, "fullSyncRequired", Kind::CursorExpired, Retry::Never),
            (Listing, 410, "updatedMinTooLongAgo", Kind::CursorExpired, Retry::Never),
            (Delete, 410, "deleted", Kind::Gone, Retry::Never),
            (Patch, 412, "conditionNotMet", Kind::PreconditionFailed, Retry::Never),
            (Insert, 400, "eventTypeRestriction", Kind::Invalid, Retry::Never),
            (Insert, 400, "required", Kind::Invalid, Retry::Never),
            (Listing, 400, "syncTokenWithRequestRestrictions", Kind::Protocol, Retry::Never),
            (Listing, 400, "timeRangeEmpty", Kind::Protocol, Retry::Never),
        ] {
            check(about, status, &classic(status, "global", reason, "Text"), kind, retry, false);
        }
    }

    #[test]
    fn without_a_reason_the_status_decides() {
        let bare = r#"{"error":{"code":1,"message":"x"}}"#;
        check(Listing, 401, bare, Kind::Unauthorized, Retry::Never, false);
        check(Listing, 403, bare, Kind::Forbidden, Retry::Never, false);
        check(Event, 404, bare, Kind::NotFound, Retry::Never, false);
        check(Insert, 409, bare, Kind::Duplicate, Retry::Never, false);
        check(Listing, 410, bare, Kind::CursorExpired, Retry::Never, false);
        check(Delete, 410, bare, Kind::Gone, Retry::Never, false);
        check(Patch, 412, bare, Kind::PreconditionFailed, Retry::Never, false);
        check(Patch, 429, bare, Kind::RateLimited, Retry::Later, false);
        check(Patch, 500, bare, Kind::Unavailable, Retry::Later, true);
        check(Listing, 503, bare, Kind::Unavailable, Retry::Later, false);
    }

    #[test]
    fn sync_and_page_tokens_that_google_does_not_know_expire_the_cursor() {
        for message in ["Invalid sync token value.", "Invalid page token value."] {
            check(
                Listing,
                400,
                &classic(400, "global", "invalid", message),
                Kind::CursorExpired,
                Retry::Never,
                false,
            );
        }
    }

    #[test]
    fn a_sequence_number_that_went_back_is_a_conflict() {
        let body = classic(
            400,
            "global",
            "invalid",
            "Invalid sequence value. The specified sequence number is below",
        );
        check(Patch, 400, &body, Kind::PreconditionFailed, Retry::Never, false);
    }

    #[test]
    fn the_newer_part_of_a_body_gives_the_reason_where_the_classic_part_is_missing() {
        let body = r#"{"error":{"code":403,"message":"Request had insufficient authentication scopes.","status":"PERMISSION_DENIED",
            "details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"ACCESS_TOKEN_SCOPE_INSUFFICIENT","domain":"googleapis.com"}]}}"#;
        let error = refusal(&answer(403, body), Listing);
        assert_eq!(error.reason_code(), Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT"));
        assert!(error.cure_text().is_some_and(|cure| cure.contains("auth/calendar.events")));
    }

    #[test]
    fn a_web_page_in_google_s_place_is_no_evidence_of_anything() {
        for status in [400, 403, 404, 409, 410, 412, 451] {
            check(Event, status, "<html>blocked", Kind::Protocol, Retry::Later, false);
            check(Delete, status, "", Kind::Protocol, Retry::Later, true);
        }
        check(Listing, 502, "<html>Bad Gateway", Kind::Unavailable, Retry::Later, false);
        check(Patch, 504, "upstream", Kind::Unavailable, Retry::Later, true);
    }

    #[test]
    fn redirects_are_not_followed() {
        check(Listing, 302, "", Kind::Protocol, Retry::Never, false);
        check(Patch, 307, &classic(307, "", "deleted", ""), Kind::Protocol, Retry::Never, false);
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date_counted_from_the_answer_s_own_date() {
        for (after, date, wait) in [
            ("7", None, Retry::After(Duration::from_secs(7))),
            (
                "Sun, 22 Nov 2026 10:01:30 GMT",
                Some("Sun, 22 Nov 2026 10:00:00 GMT"),
                Retry::After(Duration::from_secs(90)),
            ),
            (
                "Sun, 22 Nov 2026 09:00:00 GMT",
                Some("Sun, 22 Nov 2026 10:00:00 GMT"),
                Retry::After(Duration::ZERO),
            ),
            ("Sun, 22 Nov 2026 10:01:30 GMT", None, Retry::Later),
            ("99999999999", None, Retry::After(RETRY_AFTER_MAX)),
            ("soon", None, Retry::Later),
        ] {
            let mut answer = answer(429, "");
            answer.headers_mut().insert("retry-after", after.parse().expect("a value"));
            if let Some(date) = date {
                answer.headers_mut().insert("date", date.parse().expect("a value"));
            }
            assert_eq!(refusal(&answer, Listing).retry(), wait, "{after}");
        }
    }

    #[test]
    fn what_a_message_quotes_stays_out_of_the_error() {
        let body = classic(
            400,
            "global",
            "invalid",
            r#"Invalid value for: Invalid format: "Salary talk" is malformed at 'talk'"#,
        );
        let error = refusal(&answer(400, &body), Insert).to_string();
        assert!(!error.contains("alary") && !error.contains("talk"), "{error}");
        assert_eq!(quiet("Can't do \"this\" now"), "Can't do … now");
        assert_eq!(quiet(&format!("see {}", "x".repeat(50))), "see …");
    }

    #[test]
    fn a_calendar_that_is_not_shared_is_named_as_a_possible_cause() {
        let error = refusal(&answer(404, &classic(404, "global", "notFound", "Not Found")), Listing);
        assert_eq!(
            error.to_string(),
            "not found: Google does not find the calendar [notFound] (status 404). It does not exist, or the account has no \
             access to it: Google says the same for both. Check the calendar's address, and that it is shared with the \
             account at the level \"Make changes to events\"."
        );
    }
}
