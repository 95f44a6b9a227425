//! Writes: ids, etags, sequence numbers, bodies, faults, quota.

use super::*;

#[test]
fn an_inserted_event_comes_back_complete_with_defaults_left_out() {
    let mut client = Client::new();
    let got = client.insert("first", "2026-01-05");
    let mut body = got.body.clone();
    let link = body["htmlLink"].take();
    assert!(link.as_str().unwrap().starts_with("https://www.google.com/calendar/event?eid="));
    assert_eq!(got.etag, body["etag"]);
    assert_eq!(
        body,
        json!({
            "kind": "calendar#event", "id": "first", "status": "confirmed", "etag": "\"3534508800000000\"",
            "htmlLink": null, "created": "2026-01-01T08:00:00.000Z", "updated": "2026-01-01T08:00:00.000Z",
            "summary": "first", "creator": { "email": ALICE, "self": true },
            "organizer": { "email": ALICE, "self": true }, "eventType": "default",
            "start": { "dateTime": "2026-01-05T09:00:00+01:00", "timeZone": "Europe/Berlin" },
            "end": { "dateTime": "2026-01-05T10:00:00+01:00", "timeZone": "Europe/Berlin" },
            "iCalUID": "first@google.com", "sequence": 0, "reminders": { "useDefault": true },
        })
    );
    assert_eq!(client.get("first").ok().body, got.body);
    assert_eq!(
        client.get("first?timeZone=America/New_York").ok().body["start"]["dateTime"],
        "2026-01-05T03:00:00-05:00"
    );
}

#[test]
fn ids_are_base32hex_unique_for_ever_and_made_up_when_missing() {
    let mut client = Client::new();
    client.insert("taken", "2026-01-05");
    client.insert("erased", "2026-01-05");
    client.call("DELETE", "erased", Value::Null).ok();
    for (id, status, reason) in [
        ("taken", 409, "duplicate"),
        ("erased", 409, "duplicate"),
        ("abcd", 400, "invalid"),
        ("ABCDE", 400, "invalid"),
        ("abcdz", 400, "invalid"),
        ("abcd-", 400, "invalid"),
        (&"a".repeat(1025), 400, "invalid"),
        (&"a".repeat(1024), 200, ""),
    ] {
        let got = client.call("POST", "", event(id, "2026-01-05"));
        assert_eq!((got.status, got.reason()), (status, reason), "{id}");
    }
    let mut body = event("", "2026-01-05");
    let one = client.call("POST", "", body.clone()).ok().text("id");
    let two = client.call("POST", "", body.clone()).ok().text("id");
    assert_ne!(one, two);
    assert_eq!(one.len(), 26);
    body["iCalUID"] = json!("taken@google.com");
    assert_eq!(client.call("POST", "", body).reason(), "duplicate");
    let got = client.raw("POST", &format!("/calendar/v3/calendars/{ALICE}/events"), "[1");
    assert_eq!((got.status, got.reason()), (400, "parseError"));
}

#[test]
fn etag_and_updated_grow_with_every_write_even_if_the_clock_stands_still_or_goes_back() {
    let mut client = Client::new();
    let mut last = client.insert("first", "2026-01-05").body;
    for number in 0..5 {
        client.pass(if number == 3 { -3600 } else { 0 });
        let next = client.call("PATCH", "first", json!({ "summary": number.to_string() })).ok().body;
        assert!(next["updated"].as_str() > last["updated"].as_str());
        assert!(next["etag"].as_str() > last["etag"].as_str());
        last = next;
    }
}

#[test]
fn a_condition_that_is_not_met_writes_nothing() {
    let mut client = Client::new();
    let old = client.insert("first", "2026-01-05").etag;
    client.call("PATCH", "first", json!({ "summary": "second" })).ok();
    for method in ["PATCH", "PUT", "DELETE"] {
        let mut body = event("first", "2026-01-05");
        body["summary"] = json!("third");
        let got = client.with("if-match", &old).call(method, "first", body);
        assert_eq!(
            (got.status, got.reason(), got.message()),
            (412, "conditionNotMet", "Precondition Failed")
        );
    }
    let now = client.get("first").ok();
    assert_eq!(now.body["summary"], "second");
    assert_eq!(client.with("if-none-match", &now.etag).get("first").status, 304);
    client.with("if-match", "*").call("PATCH", "first", json!({ "summary": "third" })).ok();
    assert_eq!(client.with("if-none-match", &now.etag).get("first").status, 200);
    let now = client.get("first").ok().etag;
    assert_eq!(client.with("if-match", &now).call("DELETE", "first", Value::Null).status, 204);
}

#[test]
fn a_deleted_event_stays_readable_and_comes_back_only_when_its_status_is_written() {
    let mut client = Client::new();
    client.insert("first", "2026-01-05");
    assert_eq!(client.call("DELETE", "first", Value::Null).status, 204);
    let got = client.call("DELETE", "first", Value::Null);
    assert_eq!((got.status, got.reason(), got.message()), (410, "deleted", "Resource has been deleted"));
    let got = client.get("first").ok();
    assert_eq!((got.text("status").as_str(), got.text("summary").as_str()), ("cancelled", "first"));
    for (method, body, status) in [
        ("PATCH", json!({ "summary": "x" }), 403),
        ("PUT", event("first", "2026-01-06"), 403),
        ("PATCH", json!({ "status": "cancelled" }), 200),
        ("PATCH", json!({ "status": "confirmed" }), 200),
    ] {
        assert_eq!(client.call(method, "first", body.clone()).status, status, "{method} {body}");
    }
    assert_eq!(client.get("first").ok().text("status"), "confirmed");
    let got = client.call("PATCH", "first", json!({ "status": "cancelled" })).ok();
    assert_eq!(got.text("status"), "cancelled");
    assert_eq!(client.call("DELETE", "never1", Value::Null).reason(), "notFound");
}

#[test]
fn a_second_deletion_with_an_old_etag_is_gone_or_a_conflict_as_switched() {
    for (first, status) in [(true, 410), (false, 412)] {
        let mut client = Client::new();
        client.fake.behaviour_mut().deleted_before_precondition = first;
        let etag = client.insert("first", "2026-01-05").etag;
        client.with("if-match", &etag).call("DELETE", "first", Value::Null).ok();
        assert_eq!(client.with("if-match", &etag).call("DELETE", "first", Value::Null).status, status);
    }
}

#[test]
fn a_put_replaces_everything_and_a_patch_only_what_it_names() {
    let mut client = Client::new();
    let mut body = event("first", "2026-01-05");
    body["location"] = json!("here");
    body["extendedProperties"] = json!({ "private": { "one": "1", "two": "2" } });
    body["transparency"] = json!("transparent");
    client.call("POST", "", body).ok();
    let got = client
        .call(
            "PATCH",
            "first",
            json!({ "location": null, "extendedProperties": { "private": { "one": null, "three": "3" } } }),
        )
        .ok();
    assert_eq!(got.body["extendedProperties"]["private"], json!({ "two": "2", "three": "3" }));
    assert_eq!((got.body.get("location"), &got.body["transparency"]), (None, &json!("transparent")));
    let got = client.call("PUT", "first", event("first", "2026-01-05")).ok();
    assert_eq!(got.body.get("extendedProperties"), None);
    assert_eq!(got.body.get("transparency"), None);
    assert_eq!(client.call("PUT", "first", json!({ "summary": "x" })).message(), "Missing start time.");
}

#[test]
fn between_all_day_and_timed_the_other_key_has_to_be_null() {
    let mut client = Client::new();
    client.insert("first", "2026-01-05");
    let date = |day: &str| json!({ "date": day });
    let got =
        client.call("PATCH", "first", json!({ "start": date("2026-01-05"), "end": date("2026-01-06") }));
    assert_eq!((got.status, got.message()), (400, "Invalid start time."));
    let cleared = |day: &str| json!({ "date": day, "dateTime": null, "timeZone": null });
    let got = client
        .call("PATCH", "first", json!({ "start": cleared("2026-01-05"), "end": cleared("2026-01-06") }))
        .ok();
    assert_eq!(got.body["start"], json!({ "date": "2026-01-05" }));
    let timed = json!({ "dateTime": "2026-01-05T10:00:00Z" });
    assert_eq!(
        client.call("PATCH", "first", json!({ "start": timed, "end": timed })).message(),
        "Invalid start time."
    );
    let timed = json!({ "date": null, "dateTime": "2026-01-05T10:00:00Z" });
    client.call("PATCH", "first", json!({ "start": timed, "end": timed })).ok();
}

#[test]
fn the_sequence_grows_with_time_and_rule_and_never_goes_back() {
    let mut client = Client::new();
    client.insert("first", "2026-01-05");
    for (patch, sequence) in [
        (json!({ "summary": "title" }), 0),
        (json!({ "end": { "dateTime": "2026-01-05T11:00:00+01:00" } }), 1),
        (json!({ "recurrence": ["RRULE:FREQ=DAILY;COUNT=2"] }), 2),
        (json!({ "recurrence": ["RRULE:FREQ=DAILY;INTERVAL=1;COUNT=2"] }), 2),
        (json!({ "sequence": 7 }), 7),
    ] {
        let got = client.call("PATCH", "first", patch.clone()).ok();
        assert_eq!(got.body["sequence"], sequence, "{patch}");
    }
    let got = client.call("PATCH", "first", json!({ "sequence": 6 }));
    assert!(got.message().starts_with("Invalid sequence value."), "{}", got.message());
}

#[test]
fn reminders_are_the_readers_own_and_do_not_touch_updated() {
    let mut client = Client::new();
    client.fake.share(ALICE, BOB, Role::Writer);
    let old = client.insert("first", "2026-01-05").body;
    let own = json!({ "useDefault": false, "overrides": [{ "method": "popup", "minutes": 0 }] });
    let new = client.call("PATCH", "first", json!({ "reminders": own })).ok().body;
    assert_eq!((&new["reminders"], &new["updated"]), (&own, &old["updated"]));
    assert_ne!(new["etag"], old["etag"]);
    client.become_user(BOB);
    assert_eq!(client.get("first").ok().body["reminders"], json!({ "useDefault": true }));
    client.fake.behaviour_mut().reminder_change_alters_etag = false;
    let same = client.call("PATCH", "first", json!({ "reminders": own })).ok().body;
    assert_eq!(same["etag"], new["etag"]);
}

#[test]
fn default_reminders_of_all_day_events_come_back_spelt_out() {
    let mut client = Client::new();
    let reminder = json!({ "method": "email", "minutes": 900 });
    client.fake.set_default_reminders(ALICE, Vec::new(), vec![reminder.clone()]);
    let body = json!({ "start": { "date": "2026-01-05" }, "end": { "date": "2026-01-06" }, "reminders": { "useDefault": true } });
    let got = client.call("POST", "", body).ok();
    assert_eq!(got.body["reminders"], json!({ "useDefault": false, "overrides": [reminder] }));
}

#[test]
fn a_write_that_changes_nothing_alters_the_etag_or_not_as_switched() {
    for alters in [true, false] {
        let mut client = Client::new();
        client.fake.behaviour_mut().unchanged_write_alters_etag = alters;
        let old = client.insert("first", "2026-01-05").etag;
        let new = client.call("PATCH", "first", json!({ "summary": "first" })).ok().etag;
        assert_eq!(old != new, alters);
    }
}

#[test]
fn bodies_are_refused_whole_with_the_reason_that_google_gives() {
    for (method, patch, reason, message) in [
        ("POST", json!({ "start": null }), "required", "Missing start time."),
        (
            "POST",
            json!({ "end": { "dateTime": "2026-01-05T08:00:00+01:00" } }),
            "timeRangeEmpty",
            "The specified time range is empty.",
        ),
        (
            "POST",
            json!({ "recurrence": ["RRULE:FREQ=DAILY;UNTIL=20260601T000000"] }),
            "invalid",
            "Invalid recurrence rule.",
        ),
        (
            "POST",
            json!({ "start": { "dateTime": "2026-01-05T08:00:00+01:00" }, "recurrence": ["RRULE:FREQ=DAILY"] }),
            "required",
            "Missing time zone definition for start time.",
        ),
        (
            "POST",
            json!({ "start": { "dateTime": "2026-01-05T08:00:00", "timeZone": "Eastern Standard Time" } }),
            "invalid",
            "Invalid time zone definition for start time.",
        ),
        (
            "POST",
            json!({ "start": { "dateTime": "2026-01-05T08:00:00", "timeZone": "Europe/Kyiv" } }),
            "invalid",
            "Invalid time zone definition for start time.",
        ),
        ("POST", json!({ "eventType": "fromGmail" }), "eventTypeRestriction", ""),
        ("POST", json!({ "focusTimeProperties": {} }), "eventTypeRestriction", ""),
        (
            "POST",
            json!({ "eventType": "outOfOffice", "attendees": [{ "email": "b@x.y" }] }),
            "eventTypeRestriction",
            "",
        ),
        ("POST", json!({ "eventType": "workingLocation" }), "malformedWorkingLocationEvent", ""),
        ("PATCH", json!({ "eventType": "focusTime" }), "eventTypeRestriction", ""),
        ("PATCH", json!({ "attendees": [{ "displayName": "x" }] }), "required", "Missing attendee email."),
    ] {
        let mut client = Client::new();
        client.fake.behaviour_mut().unknown_zones = vec!["Europe/Kyiv".to_owned()];
        client.insert("first", "2026-01-05");
        let before = client.get("first").ok().body;
        let mut body = if method == "POST" { event("other", "2026-01-05") } else { json!({}) };
        for (key, value) in patch.as_object().unwrap() {
            body[key] = value.clone();
        }
        let path = if method == "POST" { "" } else { "first" };
        let got = client.call(method, path, body);
        assert_eq!((got.status, got.reason()), (400, reason), "{patch}");
        assert!(message.is_empty() || got.message() == message, "{patch}: {}", got.message());
        assert_eq!(client.get("first").ok().body, before);
        assert_eq!(client.get("other").status, 404);
    }
}

#[test]
fn birthdays_and_mail_finds_change_little() {
    let mut client = Client::new();
    let birthday = json!({
        "id": "birth", "summary": "Ada", "eventType": "birthday", "start": { "date": "2026-01-05" },
        "end": { "date": "2026-01-06" }, "recurrence": ["RRULE:FREQ=YEARLY"], "transparency": "transparent",
        "visibility": "private",
    });
    client.call("POST", "", birthday).ok();
    client.call("PATCH", "birth", json!({ "summary": "Ada L.", "colorId": "3" })).ok();
    assert_eq!(client.call("PATCH", "birth", json!({ "location": "x" })).reason(), "eventTypeRestriction");
    let mut flight = event("flight", "2026-01-05");
    flight["eventType"] = json!("fromGmail");
    let now = client.now;
    client.fake.user_insert(now, ALICE, &flight).unwrap();
    client.call("PATCH", "flight", json!({ "colorId": "3" })).ok();
    assert_eq!(client.call("PATCH", "flight", json!({ "summary": "x" })).reason(), "eventTypeRestriction");
}

#[test]
fn what_a_version_parameter_guards_survives_writes_without_it() {
    let mut client = Client::new();
    let mut body = event("first", "2026-01-05");
    body["conferenceData"] =
        json!({ "createRequest": { "requestId": "r", "conferenceSolutionKey": { "type": "hangoutsMeet" } } });
    body["attachments"] = json!([{ "fileUrl": "https://example.com/a" }]);
    assert_eq!(client.call("POST", "", body.clone()).ok().body.get("conferenceData"), None);
    let got = client.call("PATCH", "first?conferenceDataVersion=1&supportsAttachments=true", body).ok();
    let link = got.text("hangoutLink");
    assert_eq!(got.body["conferenceData"]["createRequest"]["status"]["statusCode"], "success");
    let got = client.call("PUT", "first", event("first", "2026-01-06")).ok();
    assert_eq!(got.text("hangoutLink"), link);
    assert_eq!(got.body["attachments"][0]["fileUrl"], "https://example.com/a");
    assert_eq!(got.body["conferenceData"]["entryPoints"][0]["uri"], link);
}

#[test]
fn faults_hit_the_request_they_are_meant_for_and_do_the_work_they_promise() {
    for (kind, status, delivery, stored) in [
        (FaultKind::LostAfterWork, 200, Delivery::LostAfterWork, true),
        (FaultKind::LostBeforeWork, 503, Delivery::LostBeforeWork, false),
        (FaultKind::StatusAfterWork { code: 503 }, 503, Delivery::Whole, true),
        (FaultKind::Status { code: 500 }, 500, Delivery::Whole, false),
        (FaultKind::StatusHtml { code: 502 }, 502, Delivery::Whole, false),
        (FaultKind::StatusEmpty { code: 504 }, 504, Delivery::Whole, false),
        (FaultKind::TooManyRequests { retry_after: Some("7".to_owned()) }, 429, Delivery::Whole, false),
        (
            FaultKind::Refuse { code: 403, reason: "quotaExceeded".to_owned(), message: String::new() },
            403,
            Delivery::Whole,
            false,
        ),
        (FaultKind::TokenRefused, 401, Delivery::Whole, false),
        (FaultKind::GarbageJson, 200, Delivery::Whole, false),
        (FaultKind::Html, 200, Delivery::Whole, false),
        (FaultKind::Redirect { location: "https://evil.example/".to_owned() }, 302, Delivery::Whole, false),
        (FaultKind::CalendarGone, 404, Delivery::Whole, false),
        (FaultKind::Truncated { bytes: 9 }, 200, Delivery::Truncated { bytes: 9 }, true),
        (
            FaultKind::Slow { milliseconds: 5 },
            200,
            Delivery::Slow { pause: std::time::Duration::from_millis(5) },
            true,
        ),
    ] {
        let mut client = Client::new();
        client.fake.inject(Fault::new(kind.clone()).on(Route::InsertEvent).calendar(ALICE).nth(2));
        assert_eq!(client.get("").status, 200);
        client.insert("first", "2026-01-05");
        let got = client.call("POST", "", event("second", "2026-01-05"));
        assert_eq!((got.status, got.delivery), (status, delivery), "{kind:?}");
        assert_eq!(client.fake.event(ALICE, "second").is_some(), stored, "{kind:?}");
        client.insert("third", "2026-01-05");
    }
}

#[test]
fn quota_slides_and_a_patch_counts_three() {
    let mut client = Client::new();
    client.fake.behaviour_mut().user_quota_per_minute = Some(5);
    client.insert("first", "2026-01-05");
    client.pass(30);
    client.call("PATCH", "first", json!({ "summary": "x" })).ok();
    client.get("first").ok();
    let got = client.get("first");
    assert_eq!((got.status, got.reason()), (403, "userRateLimitExceeded"));
    client.fake.behaviour_mut().quota_form = QuotaForm::TooMany;
    assert_eq!(client.get("first").status, 429);
    client.get("first?quotaUser=somebody").ok();
    client.pass(30);
    client.get("first").ok();
    client.fake.behaviour_mut().project_quota_per_minute = Some(0);
    client.fake.behaviour_mut().quota_form = QuotaForm::Forbidden;
    client.pass(60);
    assert_eq!(client.get("first").reason(), "rateLimitExceeded");
}

#[test]
fn what_the_fake_does_not_know_it_refuses() {
    let mut client = Client::new();
    for (method, path) in [
        ("POST", "/freeBusy"),
        ("GET", "/colors"),
        ("POST", "/calendars/primary/events/import"),
        ("DELETE", "/calendars/primary"),
    ] {
        assert_eq!(client.call(method, path, json!({})).status, 501, "{method} {path}");
    }
    client.fake.account(ALICE).state = AccountState::NoCalendar;
    assert_eq!(client.get("").reason(), "notACalendarUser");
}

#[test]
fn the_same_requests_at_the_same_times_give_the_same_answers() {
    let run = || {
        let mut client = Client::new();
        let mut trace = String::new();
        for day in 5..9 {
            let got = client.call("POST", "", event("", &format!("2026-01-0{day}"))).ok();
            trace.push_str(&got.body.to_string());
            trace.push_str(&client.get("?maxResults=2").body.to_string());
        }
        trace + &client.token
    };
    assert_eq!(run(), run());
}

#[test]
fn no_request_makes_the_fake_panic() {
    let mut client = Client::new();
    client.daily("chain", "2026-01-05", "RRULE:FREQ=DAILY");
    let times = ["0000-01-01", "9999-12-31", "-0001-01-01", "2026-13-01"];
    let rules = [
        "RRULE:FREQ=YEARLY;INTERVAL=65535",
        "RRULE:FREQ=SECONDLY;COUNT=4294967295",
        "RRULE:FREQ=DAILY;BYDAY=99MO",
        "EXDATE:é",
        "RRULE:UNTIL=é",
    ];
    for time in times {
        for rule in rules {
            let edge = json!({ "date": time });
            let body = json!({ "start": edge, "end": edge, "recurrence": [rule] });
            let got = client.call("POST", "", body);
            assert!(got.status == 200 || got.status == 400, "{time} {rule}");
        }
    }
    for path in [
        "chain_é",
        "chain_",
        "_",
        "%ff%fe",
        "chain_99999999T999999Z",
        "?singleEvents=true&timeMax=9999-12-31T23:59:59Z",
        "?pageToken=%00",
        "?fields=((((",
        "?maxResults=99999999999999999999",
        "?timeMin=-9999-01-01T00:00:00Z",
        "%",
        "?%=%",
    ] {
        client.get(path);
    }
    for body in ["", "{", "null", "{\"start\":{\"dateTime\":1}}", "{\"start\":[],\"end\":{}}"] {
        for method in ["POST", "PUT", "PATCH"] {
            let path = if method == "POST" { "" } else { "/chain" };
            client.raw(method, &format!("/calendar/v3/calendars/{ALICE}/events{path}"), body.to_owned());
        }
    }
}
