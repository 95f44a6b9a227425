//! The fake Google, held against Google's own description of the API.
//!
//! A fake that invents a field, or forgets an offset, teaches its clients what the real API will not understand. Here each
//! method that the fake has is called, in plenty and in want, and every request and answer passes the discovery document.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use calsync_testkit::marked::CLIENT_SECRET;
use std::collections::BTreeSet;

use bytes::Bytes;
use calsync_testkit::{
    discovery::{Discovery, Part, Violation},
    fake_google::{FakeGoogle, Fault, FaultKind, QuotaForm, Role, TombstoneForm},
};
use chrono::{DateTime, TimeZone as _, Utc};
use http::Method;
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
const EVENTS: &str = "calendars/alice%40example.com/events";

#[test]
fn every_method_of_the_fake_answers_as_the_document_describes() {
    let mut judge = Judge::new();
    judge.get("users/me/calendarList?maxResults=1&minAccessRole=owner&showHidden=true");
    judge.get("users/me/calendarList/primary");
    judge.fake.calendar(BOB, "team@group.calendar.google.com", "Team");
    judge.fake.share("team@group.calendar.google.com", ALICE, Role::Reader);
    judge.call(Method::POST, "users/me/calendarList", &json!({ "id": "team@group.calendar.google.com" }));
    judge.get("calendars/team%40group.calendar.google.com");
    judge.call(Method::DELETE, "users/me/calendarList/team%40group.calendar.google.com", &Value::Null);
    let acl = "calendars/alice%40example.com/acl";
    for scope in [json!({ "type": "user", "value": BOB }), json!({ "type": "domain", "value": "x.org" })] {
        judge.call(Method::POST, acl, &json!({ "scope": scope, "role": "freeBusyReader" }));
    }
    let rules = judge.get(&format!("{acl}?showDeleted=true&maxResults=2")).body;
    let token = rules["nextPageToken"].as_str().unwrap().to_owned();
    judge.get(&format!("{acl}?showDeleted=true&maxResults=2&pageToken={token}"));
    let rule = format!("{acl}/user%3Abob%40example.com");
    judge.call(Method::PATCH, &format!("{rule}?sendNotifications=false"), &json!({ "role": "reader" }));
    let bob = judge.get(&rule).body;
    judge.call(Method::PUT, &rule, &bob);
    judge.call(Method::DELETE, &rule, &Value::Null);
    let hours = json!({ "workingHoursEnabled": true,
        "availableTimes": [{ "dayOfWeek": "monday", "periodStart": 540, "periodEnd": 1020 }] });
    judge.fake.set_working_hours(ALICE, Some(hours.clone()));
    assert_eq!(judge.get("calendars/primary").body["workingHours"], hours);

    let series = judge.insert(&weekly("series"));
    assert_eq!(judge.get(&format!("{EVENTS}/series")).body, series);
    let instances = judge.get(&format!("{EVENTS}/series/instances?maxResults=2&showDeleted=true")).body;
    let slot = instances["items"][0]["id"].as_str().unwrap().to_owned();
    judge.call(Method::PATCH, &format!("{EVENTS}/{slot}?sendUpdates=none"), &json!({ "summary": "Moved" }));
    judge.call(Method::PUT, &format!("{EVENTS}/series?sendUpdates=none"), &weekly("series"));
    judge.call(Method::DELETE, &format!("{EVENTS}/{slot}?sendUpdates=none"), &Value::Null);

    let page = judge.get(&format!("{EVENTS}?showDeleted=true&maxResults=1"));
    let token = page.body["nextPageToken"].as_str().unwrap().to_owned();
    let page = judge.get(&format!("{EVENTS}?showDeleted=true&maxResults=1&pageToken={token}"));
    let token = page.body["nextSyncToken"].as_str().unwrap().to_owned();
    judge.get(&format!("{EVENTS}?syncToken={token}"));
    judge.get(&format!(
        "{EVENTS}?singleEvents=true&orderBy=startTime&timeMin=2026-11-01T00%3A00%3A00%2B01%3A00&timeZone=Asia%2FTokyo\
         &fields=nextSyncToken,items(id,start/dateTime,originalStartTime)"
    ));

    let called: Vec<&str> = judge.called.iter().map(String::as_str).collect();
    assert_eq!(
        called,
        [
            "calendar.acl.delete",
            "calendar.acl.get",
            "calendar.acl.insert",
            "calendar.acl.list",
            "calendar.acl.patch",
            "calendar.acl.update",
            "calendar.calendarList.delete",
            "calendar.calendarList.get",
            "calendar.calendarList.insert",
            "calendar.calendarList.list",
            "calendar.calendars.get",
            "calendar.events.delete",
            "calendar.events.get",
            "calendar.events.insert",
            "calendar.events.instances",
            "calendar.events.list",
            "calendar.events.patch",
            "calendar.events.update",
        ]
    );
}

#[test]
fn an_event_with_everything_comes_back_lawful_to_its_owner_its_guest_and_a_stranger() {
    let mut judge = Judge::new();
    let event = json!({
        "id": "riches",
        "summary": "Boiler check",
        "description": "<b>Cellar</b>",
        "location": "Ring 1, Vienna",
        "start": { "dateTime": "2026-11-03T09:00:00", "timeZone": "Europe/Vienna" },
        "end": { "dateTime": "2026-11-03T10:00:00+01:00" },
        "attendees": [
            { "email": BOB, "optional": true, "comment": "late", "additionalGuests": 1 },
            { "email": "cy@example.net", "displayName": "Cy", "responseStatus": "tentative" }
        ],
        "colorId": "5",
        "conferenceData": { "createRequest": {
            "requestId": "r1", "conferenceSolutionKey": { "type": "hangoutsMeet" } } },
        "extendedProperties": { "private": { "calsync": "r1" }, "shared": { "team": "north" } },
        "guestsCanInviteOthers": false,
        "guestsCanModify": true,
        "reminders": { "useDefault": false, "overrides": [{ "method": "email", "minutes": 0 }] },
        "source": { "title": "CRM", "url": "https://crm.example.com/r1" },
        "status": "tentative",
        "transparency": "transparent",
        "visibility": "private",
    });
    judge.insert(&event);
    judge.insert(
        &json!({ "id": "closed", "start": { "date": "2026-11-04" }, "end": { "date": "2026-11-06" } }),
    );
    judge.insert(&weekly("series"));
    judge.get(EVENTS);
    judge.get(&format!("{EVENTS}?singleEvents=true&maxAttendees=1"));

    judge.becomes(BOB);
    let copies = judge.get("calendars/primary/events?sharedExtendedProperty=team%3Dnorth").body;
    let copy = copies["items"][0]["id"].as_str().unwrap().to_owned();
    let answer =
        json!({ "attendeesOmitted": true, "attendees": [{ "email": BOB, "responseStatus": "accepted" }] });
    let answered = judge.call(Method::PATCH, &format!("calendars/primary/events/{copy}"), &answer);
    assert_eq!(answered.status, 200, "{:#}", answered.body);

    judge.fake.account("carol@example.com");
    for role in [Role::Reader, Role::FreeBusyReader] {
        judge.fake.share(ALICE, "carol@example.com", role);
        judge.becomes("carol@example.com");
        assert_eq!(judge.get(&format!("{EVENTS}/riches")).status, 200);
        assert_eq!(judge.get(EVENTS).status, 200);
    }
}

#[test]
fn what_is_left_of_deleted_events_is_lawful_in_every_form() {
    for form in [TombstoneForm::IdOnly, TombstoneForm::Bare, TombstoneForm::Full, TombstoneForm::WrongTimes] {
        let mut judge = Judge::new();
        judge.fake.behaviour_mut().tombstone_form = form;
        judge.insert(&weekly("series"));
        judge.insert(&weekly("other"));
        let token = judge.get(EVENTS).body["nextSyncToken"].as_str().unwrap().to_owned();
        judge.call(Method::DELETE, &format!("{EVENTS}/series_20261110T080000Z"), &Value::Null);
        judge.call(Method::DELETE, &format!("{EVENTS}/other"), &Value::Null);
        let page = judge.get(&format!("{EVENTS}?syncToken={token}")).body;
        assert!(page["items"].as_array().is_some_and(|items| items.len() >= 2), "{form:?}: {page:#}");
        judge.get(&format!("{EVENTS}?showDeleted=true"));
    }
}

#[test]
fn every_refusal_has_the_shape_of_googles_errors() {
    let mut judge = Judge::new();
    let first = judge.insert(&weekly("first"));
    judge.call(Method::PATCH, &format!("{EVENTS}/first"), &json!({ "summary": "Changed" }));
    judge.insert(&weekly("deleted"));
    judge.call(Method::DELETE, &format!("{EVENTS}/deleted"), &Value::Null);
    let token = judge.get(EVENTS).body["nextSyncToken"].as_str().unwrap().to_owned();
    judge.fake.expire_sync_tokens();
    judge.fake.share(BOB, ALICE, Role::Reader);

    let floating = json!({ "recurrence": ["RRULE:FREQ=DAILY"],
        "start": { "dateTime": "2026-11-03T09:00:00Z" }, "end": { "dateTime": "2026-11-03T10:00:00Z" } });
    let stale = first["etag"].as_str().unwrap_or_default();
    let table: [(Method, &str, Value, u16, &str); 9] = [
        (Method::POST, EVENTS, weekly("first"), 409, "duplicate"),
        (Method::POST, EVENTS, floating, 400, "required"),
        (Method::GET, &format!("{EVENTS}/nowhere"), Value::Null, 404, "notFound"),
        (Method::GET, "calendars/carol%40example.net/events", Value::Null, 404, "notFound"),
        (Method::DELETE, &format!("{EVENTS}/deleted"), Value::Null, 410, "deleted"),
        (Method::GET, &format!("{EVENTS}?syncToken={token}"), Value::Null, 410, "fullSyncRequired"),
        (Method::POST, "calendars/bob%40example.com/events", weekly("b"), 403, "requiredAccessLevel"),
        (Method::GET, &format!("{EVENTS}?syncToken=made-up"), Value::Null, 400, "invalid"),
        (Method::GET, &format!("{EVENTS}?pageToken=made-up"), Value::Null, 400, "invalid"),
    ];
    for (method, path, body, status, reason) in table {
        let got = judge.call(method, path, &body);
        assert_eq!((got.status, got.reason()), (status, reason), "{path}");
    }
    let got =
        judge.call_if_match(Method::PATCH, &format!("{EVENTS}/first"), &json!({ "summary": "Lost" }), stale);
    assert_eq!((got.status, got.reason()), (412, "conditionNotMet"));

    judge.token = judge.fake.access_token(judge.now, ALICE, &["calendar.events"]);
    let got = judge.get("calendars/primary");
    assert_eq!((got.status, got.reason()), (403, "insufficientPermissions"));
    let mine = json!({ "scope": { "type": "user", "value": ALICE }, "role": "reader" });
    let got = judge.call(Method::POST, "calendars/alice%40example.com/acl", &mine);
    assert_eq!((got.status, got.reason()), (403, "insufficientPermissions"));
    judge.becomes(ALICE);
    let got = judge.call(Method::POST, "calendars/alice%40example.com/acl", &mine);
    assert_eq!((got.status, got.reason()), (403, "cannotChangeOwnAcl"));
    judge.fake.oauth_client("client", CLIENT_SECRET).redirect_uris = vec!["https://crm.test/".to_owned()];
    judge.fake.refresh_token("neversay", "client", ALICE, &["calendar"]);
    judge.fake.set_calendar_api("client", false);
    let form = format!(
        "grant_type=refresh_token&refresh_token=neversay&client_id=client&client_secret={CLIENT_SECRET}"
    );
    let request = http::Request::post("/token").body(Bytes::from(form)).unwrap();
    let answer: Value =
        serde_json::from_slice(judge.fake.handle(judge.now, request).response.body()).unwrap();
    judge.token = answer["access_token"].as_str().unwrap().to_owned();
    let got = judge.get(EVENTS);
    assert_eq!((got.status, got.reason()), (403, "accessNotConfigured"));
    for (token, reason) in [("made-up", "authError"), ("", "required")] {
        judge.token = token.to_owned();
        let got = judge.get(EVENTS);
        assert_eq!((got.status, got.reason()), (401, reason));
    }
}

#[test]
fn a_request_that_the_document_forbids_is_one_that_the_fake_refuses() {
    let mut judge = Judge::new();
    let token = judge.get(EVENTS).body["nextSyncToken"].as_str().unwrap().to_owned();
    let end = json!({ "date": "2026-11-04" });
    let table: [(Method, String, Value); 10] = [
        (Method::GET, "?maxresults=5".to_owned(), Value::Null),
        (Method::GET, "?maxResults=0".to_owned(), Value::Null),
        (Method::GET, "?singleEvents=yes".to_owned(), Value::Null),
        (Method::GET, "?orderBy=start".to_owned(), Value::Null),
        (Method::GET, "?timeMin=2026-11-01".to_owned(), Value::Null),
        (Method::GET, "?fields=items(id,sumary)".to_owned(), Value::Null),
        (Method::GET, format!("?syncToken={token}&q=boiler"), Value::Null),
        (Method::POST, String::new(), json!({ "end": end })),
        (Method::POST, String::new(), json!({ "start": { "date": "2026-02-30" }, "end": end })),
        (Method::POST, String::new(), json!({ "start": "2026-11-03", "end": end })),
    ];
    for (method, query, body) in table {
        let (got, violations) = judge.exchange(&method, &format!("{EVENTS}{query}"), &body, None);
        let parts: BTreeSet<Part> = violations.iter().map(|violation| violation.part).collect();
        assert_eq!(parts, [Part::Request].into(), "{method} {query} {body}: {violations:#?}");
        assert_eq!(got.status, 400, "{method} {query} {body}");
    }
}

#[test]
fn quotas_and_failures_are_told_as_google_tells_them() {
    for form in [QuotaForm::Forbidden, QuotaForm::TooMany] {
        let mut judge = Judge::new();
        judge.fake.behaviour_mut().user_quota_per_minute = Some(1);
        judge.fake.behaviour_mut().quota_form = form;
        judge.get(EVENTS);
        let got = judge.get(EVENTS);
        assert!(matches!(got.status, 403 | 429), "{}", got.status);
        assert!(got.reason().ends_with("ateLimitExceeded"), "{}", got.reason());
    }
    let mut judge = Judge::new();
    for kind in [
        FaultKind::Status { code: 500 },
        FaultKind::StatusHtml { code: 502 },
        FaultKind::StatusEmpty { code: 503 },
        FaultKind::StatusAfterWork { code: 503 },
        FaultKind::TooManyRequests { retry_after: None },
        FaultKind::TokenRefused,
        FaultKind::CalendarGone,
    ] {
        judge.fake.inject(Fault::new(kind.clone()));
        assert!(judge.get(EVENTS).status >= 400, "{kind:?}");
    }
}

/// A client of the fake that lets no exchange pass unjudged.
struct Judge {
    fake: FakeGoogle,
    now: DateTime<Utc>,
    token: String,
    /// The methods that were called, by their ids in the document.
    called: BTreeSet<String>,
}

/// What came back.
struct Got {
    status: u16,
    body: Value,
}

impl Got {
    fn reason(&self) -> &str {
        self.body["error"]["errors"][0]["reason"].as_str().unwrap_or_default()
    }
}

impl Judge {
    fn new() -> Self {
        let mut fake = FakeGoogle::new();
        fake.account(ALICE).display_name = Some("Alice Ash".to_owned());
        fake.account(BOB);
        fake.set_zone(ALICE, "Europe/Vienna");
        let now = Utc.with_ymd_and_hms(2026, 11, 2, 8, 0, 0).unwrap();
        let mut judge = Judge { fake, now, token: String::new(), called: BTreeSet::new() };
        judge.becomes(ALICE);
        judge
    }

    fn becomes(&mut self, email: &str) {
        self.token = self.fake.access_token(self.now, email, &["calendar"]);
    }

    #[track_caller]
    fn get(&mut self, path: &str) -> Got {
        self.call(Method::GET, path, &Value::Null)
    }

    #[track_caller]
    fn insert(&mut self, body: &Value) -> Value {
        let got = self.call(Method::POST, &format!("{EVENTS}?conferenceDataVersion=1"), body);
        assert_eq!(got.status, 200, "{:#}", got.body);
        got.body
    }

    #[track_caller]
    fn call(&mut self, method: Method, path: &str, body: &Value) -> Got {
        self.call_if_match(method, path, body, "")
    }

    #[track_caller]
    fn call_if_match(&mut self, method: Method, path: &str, body: &Value, etag: &str) -> Got {
        let etag = (!etag.is_empty()).then_some(etag);
        let (got, violations) = self.exchange(&method, path, body, etag);
        let report: String = violations.iter().map(|violation| format!("{violation}\n")).collect();
        assert!(report.is_empty(), "\n{report}The answer: {:#}", got.body);
        got
    }

    /// Sends a request and has the exchange judged.
    fn exchange(
        &mut self,
        method: &Method,
        path: &str,
        body: &Value,
        etag: Option<&str>,
    ) -> (Got, Vec<Violation>) {
        let path = format!("/calendar/v3/{path}");
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let mut request = http::Request::new(body.clone());
        *request.method_mut() = method.clone();
        *request.uri_mut() = path.parse().unwrap();
        let authorization = (!self.token.is_empty()).then(|| format!("Bearer {}", self.token));
        for (name, value) in [("authorization", authorization.as_deref()), ("if-match", etag)] {
            if let Some(value) = value {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        let answer = self.fake.handle(self.now, request).response;
        let status = answer.status().as_u16();
        let document = Discovery::calendar();
        self.called.extend(document.method_id(method, &path).map(str::to_owned));
        let judged = document.check_exchange(method, &path, &body, status, answer.body());
        let body = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        (Got { status, body }, judged.err().unwrap_or_default())
    }
}

/// An hour on five Tuesdays.
fn weekly(id: &str) -> Value {
    json!({
        "id": id,
        "summary": id,
        "start": { "dateTime": "2026-11-03T09:00:00+01:00", "timeZone": "Europe/Vienna" },
        "end": { "dateTime": "2026-11-03T10:00:00+01:00", "timeZone": "Europe/Vienna" },
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=5"],
    })
}
