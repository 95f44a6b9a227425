//! What goes wrong with one request to Google, once it is said what: before it arrives, and with its answer.

use super::coverage::{Step, Trouble};
use super::gate::SimClock;
use super::injector::Injector;
use crate::fake_google::FakeGoogle;
use bytes::Bytes;
use calsync_core::clock::Clock;
use calsync_core::http::TransportError;
use serde_json::{Value, json};

/// The longest that one request may take (S13).
const TIME_MAX: std::time::Duration = std::time::Duration::from_secs(120);

/// What a request is about.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub step: Step,
    pub calendar: String,
    pub event: Option<String>,
    paged: bool,
}

/// What became of a request before it arrived.
pub(super) enum Sent {
    /// It goes on.
    Goes,
    /// Somebody answered in Google's place, or Google without working.
    Answered(http::Response<Bytes>),
    /// The connection broke.
    Broken(TransportError),
}

impl About {
    pub(super) fn of(request: &http::Request<Bytes>) -> Self {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let segment =
            |at: usize| path.split('/').filter(|s| !s.is_empty()).nth(at).map(|s| s.replace("%40", "@"));
        let has = |name: &str| query.split('&').any(|pair| pair.starts_with(name));
        let event = segment(5);
        let step = match (request.method().as_str(), path.ends_with("/events"), &event) {
            _ if path == "/token" => Step::Token,
            // What calsync wants to know of a calendar stands in the head of its listing.
            ("GET", true, _) if has("fields=accessRole") => Step::Calendar,
            ("GET", true, _) if has("syncToken=") => Step::ListChanges,
            ("GET", true, _) => Step::ListFull,
            ("GET", _, Some(_)) => Step::Get,
            ("POST", ..) => Step::Insert,
            ("PATCH", ..) => Step::Patch,
            ("DELETE", ..) => Step::Delete,
            _ => Step::Calendar,
        };
        let event = event.or_else(|| {
            let body: Value = serde_json::from_slice(request.body()).ok()?;
            body["id"].as_str().map(str::to_owned)
        });
        Self { step, calendar: segment(3).unwrap_or_default(), event, paged: has("pageToken=") }
    }

    /// Whether a fault can meet just this request.
    pub(super) fn suits(&self, trouble: Trouble) -> bool {
        trouble != Trouble::PageExpired || self.paged
    }
}

/// "It is gone" is said of a single event only where it is: that is what calsync takes for evidence.
pub(super) fn must_be_true(trouble: Trouble, step: Step) -> bool {
    match trouble {
        Trouble::Status404 => step == Step::Get,
        Trouble::Status410 => matches!(step, Step::Get | Step::Delete),
        _ => false,
    }
}

/// The same request.
pub(super) fn copy(request: &http::Request<Bytes>) -> http::Request<Bytes> {
    let mut copy = http::Request::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn broken(message: &str, maybe_sent: bool, limit: bool) -> TransportError {
    TransportError { message: message.into(), maybe_sent, limit, fault: Default::default() }
}

fn answer(status: u16, kind: &str, body: String) -> http::Response<Bytes> {
    let mut answer = http::Response::new(Bytes::from(body));
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    if let Ok(kind) = kind.parse() {
        answer.headers_mut().insert("content-type", kind);
    }
    answer
}

fn refusal(status: u16, reason: &str) -> http::Response<Bytes> {
    let domain =
        if reason.contains("Exceeded") || reason.contains("Limits") { "usageLimits" } else { "global" };
    let body = json!({"error": {"code": status, "message": reason,
        "errors": [{"domain": domain, "reason": reason, "message": reason}]}});
    answer(status, "application/json; charset=UTF-8", body.to_string())
}

fn with(mut answer: http::Response<Bytes>, name: &'static str, value: &str) -> http::Response<Bytes> {
    if let Ok(value) = value.parse() {
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// The answer to everything while something lasts.
pub(super) fn lasting(about: &About, injector: &Injector, clock: &SimClock) -> Option<http::Response<Bytes>> {
    if !about.step.is_api() {
        return None;
    }
    match injector.lasting(&about.calendar)? {
        Trouble::Unshared => Some(refusal(404, "notFound")),
        Trouble::ScopeReduced => Some(refusal(403, "insufficientPermissions")),
        Trouble::EndlessChain if matches!(about.step, Step::ListFull | Step::ListChanges) => {
            clock.advance(std::time::Duration::from_secs(7));
            let page = json!({"kind": "calendar#events", "items": [],
                "nextPageToken": format!("endless{}", clock.monotonic().as_millis())});
            Some(answer(200, "application/json", page.to_string()))
        }
        _ => None,
    }
}

/// What becomes of the request.
pub(super) fn before(
    trouble: Option<Trouble>,
    about: &About,
    request: &http::Request<Bytes>,
    injector: &Injector,
    fake: &mut FakeGoogle,
    clock: &SimClock,
) -> Sent {
    use Trouble as T;
    let Some(trouble) = trouble else { return Sent::Goes };
    let step = about.step;
    let says = |status, reason| Sent::Answered(refusal(status, reason));
    let sent = match trouble {
        T::LateSuccess => {
            injector.delay(copy(request));
            Sent::Broken(broken("timed out", true, false))
        }
        T::Status400 => says(400, "invalid"),
        T::TokenExpired => {
            fake.expire_access_tokens();
            Sent::Goes
        }
        T::TokenRefused => says(401, "authError"),
        T::RateLimit => says(403, "rateLimitExceeded"),
        T::UserRateLimit => says(403, "userRateLimitExceeded"),
        T::Quota => says(403, "quotaExceeded"),
        T::UsageLimits => says(403, "calendarUsageLimits"),
        T::Forbidden => says(403, "forbidden"),
        T::Status404 => says(404, "notFound"),
        T::Status409 => says(409, if step == Step::Insert { "duplicate" } else { "conflict" }),
        T::Status410 if matches!(step, Step::ListFull | Step::ListChanges) => says(410, "fullSyncRequired"),
        T::PageExpired => says(410, "fullSyncRequired"),
        T::Status410 => says(410, "deleted"),
        T::Status412 => says(412, "conditionNotMet"),
        T::TooMany => says(429, "rateLimitExceeded"),
        T::TooManySeconds => Sent::Answered(with(refusal(429, "rateLimitExceeded"), "retry-after", "7")),
        T::TooManyDate => {
            let date = (clock.now() + chrono::Duration::seconds(9)).format("%a, %d %b %Y %H:%M:%S GMT");
            Sent::Answered(with(refusal(429, "rateLimitExceeded"), "retry-after", &date.to_string()))
        }
        T::Status500 => says(500, "backendError"),
        T::Status502 => Sent::Answered(answer(502, "text/html", "<html>Bad Gateway</html>".into())),
        T::Status503 => says(503, "backendError"),
        T::Status504 => Sent::Answered(answer(504, "text/plain", String::new())),
        T::Redirect => {
            Sent::Answered(with(answer(302, "text/plain", String::new()), "location", "http://127.0.0.1:9/"))
        }
        T::Html => Sent::Answered(answer(200, "text/html", "<html>please log in</html>".into())),
        T::Refused => Sent::Broken(broken("connection refused", false, false)),
        T::Reset => Sent::Broken(broken("connection reset", true, false)),
        T::GarbageJson => {
            Sent::Answered(answer(200, "application/json", "{\"items\": [{\"id\": \"tr".into()))
        }
        T::Skew => {
            injector.set_skew();
            Sent::Goes
        }
        T::EmptyListing => {
            injector.lasts(trouble, &about.calendar);
            injector.unlisted(&about.calendar);
            Sent::Goes
        }
        T::Unshared | T::ScopeReduced | T::EndlessChain => {
            injector.lasts(trouble, &about.calendar);
            match lasting(about, injector, clock) {
                Some(answer) => Sent::Answered(answer),
                None => Sent::Goes,
            }
        }
        // The work is done first; `after` says what becomes of the answer.
        _ => return Sent::Goes,
    };
    injector.hit(trouble, step);
    let of_the_service = matches!(
        trouble,
        T::TooMany
            | T::Status500
            | T::Status502
            | T::Status503
            | T::Status504
            | T::Refused
            | T::Reset
            | T::RateLimit
            | T::UserRateLimit
    );
    if of_the_service {
        injector.perhaps_again(trouble, step);
    }
    sent
}

/// What arrives of an answer.
pub(super) fn after(
    trouble: Option<Trouble>,
    about: &About,
    mut answer: http::Response<Bytes>,
    injector: &Injector,
    clock: &SimClock,
) -> Result<http::Response<Bytes>, TransportError> {
    use Trouble as T;
    let step = about.step;
    if matches!(step, Step::ListFull | Step::ListChanges) && answer.status() == 200 {
        let carried = injector.carried(&about.calendar);
        if !carried.is_empty() {
            answer = edit(answer, |page| items(page).extend(carried));
        }
    }
    let Some(trouble) = trouble else { return Ok(answer) };
    let failed = match trouble {
        T::AnswerLost => Some(broken("connection reset", true, false)),
        T::Slow => {
            clock.advance(TIME_MAX);
            Some(broken("timed out", true, false))
        }
        T::TooLarge => Some(broken("the answer is larger than 33554432 bytes", true, true)),
        _ => None,
    };
    if let Some(error) = failed {
        injector.hit(trouble, step);
        return Err(error);
    }
    match trouble {
        T::Twice => {}
        T::DoneBut503 => answer = refusal(503, "backendError"),
        T::ShortBody => {
            let body = answer.body();
            let half = body.slice(..body.len() / 2);
            *answer.body_mut() = half;
        }
        _ if answer.status() != 200 => {
            if waits_for_an_answer(trouble) {
                injector.missed(trouble, step);
            }
            return Ok(answer);
        }
        T::DuplicateItems | T::ItemMoved | T::EmptyPage | T::RepeatedPage => {
            let Some(bent) = page(trouble, about, &answer, injector) else {
                injector.missed(trouble, step);
                return Ok(answer);
            };
            answer = bent;
        }
        _ if waits_for_an_answer(trouble) => {
            let Some(bent) = event(trouble, about, &answer, injector) else {
                injector.missed(trouble, step);
                return Ok(answer);
            };
            answer = bent;
        }
        // Counted before it was sent.
        _ => return Ok(answer),
    }
    injector.hit(trouble, step);
    Ok(answer)
}

fn waits_for_an_answer(trouble: Trouble) -> bool {
    use Trouble as T;
    matches!(
        trouble,
        T::UnknownEnum
            | T::MissingField
            | T::NullField
            | T::BadRule
            | T::UnknownZone
            | T::EndBeforeStart
            | T::Year1
            | T::Year9999
            | T::OtherEtag
            | T::SameEtag
            | T::LongString
            | T::ManyGuests
            | T::DuplicateItems
            | T::ItemMoved
            | T::EmptyPage
            | T::RepeatedPage
    )
}

fn edit(answer: http::Response<Bytes>, change: impl FnOnce(&mut Value)) -> http::Response<Bytes> {
    let (head, body) = answer.into_parts();
    let Ok(mut value) = serde_json::from_slice::<Value>(&body) else {
        return http::Response::from_parts(head, body);
    };
    change(&mut value);
    http::Response::from_parts(head, Bytes::from(value.to_string()))
}

fn items(page: &mut Value) -> &mut Vec<Value> {
    if !page["items"].is_array() {
        page["items"] = json!([]);
    }
    match &mut page["items"] {
        Value::Array(items) => items,
        _ => unreachable!("it was made one"),
    }
}

/// A page in one of the forms that Google's documentation allows.
fn page(
    trouble: Trouble,
    about: &About,
    answer: &http::Response<Bytes>,
    injector: &Injector,
) -> Option<http::Response<Bytes>> {
    let mut page: Value = serde_json::from_slice(answer.body()).ok()?;
    let more = page["nextPageToken"].is_string();
    let shown = items(&mut page);
    if shown.is_empty() {
        return None;
    }
    match trouble {
        Trouble::DuplicateItems => {
            let again = shown.clone();
            shown.extend(again);
        }
        // Nothing of it is lost: it comes with whatever is listed next.
        Trouble::ItemMoved if more => injector.carry(&about.calendar, shown.pop()?),
        Trouble::EmptyPage if more => {
            for item in std::mem::take(shown) {
                injector.carry(&about.calendar, item);
            }
        }
        Trouble::RepeatedPage if more => {
            for item in shown.clone() {
                injector.carry(&about.calendar, item);
            }
        }
        _ => return None,
    }
    Some(edit(answer.clone(), |value| *value = page))
}

/// One event of the answer in a form that it does not have.
fn event(
    trouble: Trouble,
    about: &About,
    answer: &http::Response<Bytes>,
    injector: &Injector,
) -> Option<http::Response<Bytes>> {
    let mut body: Value = serde_json::from_slice(answer.body()).ok()?;
    if about.step == Step::Calendar {
        match trouble {
            Trouble::MissingField => _ = body.as_object_mut()?.remove("timeZone"),
            Trouble::NullField => body["timeZone"] = Value::Null,
            _ => body["timeZone"] = json!("Mars/Olympus_Mons"),
        }
        return Some(edit(answer.clone(), |value| *value = body));
    }
    let suits = |event: &Value| {
        event["status"] != "cancelled"
            && event["id"].is_string()
            && match trouble {
                Trouble::BadRule => event["recurrence"].is_array(),
                Trouble::UnknownZone => event["start"]["timeZone"].is_string(),
                _ => event["start"].is_object(),
            }
    };
    let event = if body["items"].is_array() {
        let all = items(&mut body);
        let fit: Vec<usize> = (0..all.len()).filter(|at| suits(&all[*at])).collect();
        let at = *fit.get(injector.below(fit.len().max(1) as u64) as usize)?;
        &mut all[at]
    } else if suits(&body) {
        &mut body
    } else {
        return None;
    };
    let timed = event["start"]["dateTime"].is_string();
    let zone = event["start"]["timeZone"].clone();
    let at = |year: &str| match (timed, &zone) {
        (false, _) => json!({"date": format!("{year}-06-01")}),
        (true, Value::Null) => json!({"dateTime": format!("{year}-06-01T09:00:00Z")}),
        (true, zone) => json!({"dateTime": format!("{year}-06-01T09:00:00Z"), "timeZone": zone}),
    };
    match trouble {
        Trouble::UnknownEnum => event["status"] = json!("postponed"),
        Trouble::MissingField => _ = event.as_object_mut()?.remove("start"),
        Trouble::NullField => event["end"] = Value::Null,
        Trouble::BadRule => event["recurrence"] = json!(["RRULE:FREQ=FORTNIGHTLY;COUNT=oops"]),
        Trouble::UnknownZone => {
            event["start"]["timeZone"] = json!("Mars/Olympus_Mons");
            event["end"]["timeZone"] = json!("Mars/Olympus_Mons");
        }
        Trouble::EndBeforeStart => event["end"] = at("1999"),
        Trouble::Year1 => (event["start"], event["end"]) = (at("0001"), at("0001")),
        Trouble::Year9999 => (event["start"], event["end"]) = (at("9999"), at("9999")),
        Trouble::SameEtag => event["location"] = json!("not what it was under this etag"),
        Trouble::LongString => event["location"] = json!("long ".repeat(200_000)),
        Trouble::ManyGuests => {
            let guest =
                |n: u32| json!({"email": format!("guest{n}@many.example"), "responseStatus": "accepted"});
            event["attendees"] = (0..3_000).map(guest).collect();
        }
        _ => event["etag"] = json!("\"another\""),
    }
    let id = event["id"].as_str()?.to_owned();
    injector.bent(&about.calendar, &id);
    Some(edit(answer.clone(), |value| *value = body))
}
