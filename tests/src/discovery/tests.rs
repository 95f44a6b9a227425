//! Violations of each kind, planted one at a time.

use http::Method;
use serde_json::{Value, json};

use super::{Discovery, Part, Violation};

mod answers;

/// The place of each violation, and a piece of what is said about it.
type Expected<'a> = &'a [(&'a str, &'a str)];

const EVENTS: &str = "/calendar/v3/calendars/amy%40example.com/events";

#[track_caller]
fn check(part: Part, result: Result<(), Vec<Violation>>, expected: Expected<'_>) {
    let found = result.err().unwrap_or_default();
    let text = found.iter().map(|violation| format!("  {violation}\n")).collect::<String>();
    assert_eq!(found.len(), expected.len(), "expected {expected:?}, found:\n{text}");
    for (violation, (place, problem)) in found.iter().zip(expected) {
        assert_eq!((violation.part, violation.place.as_str()), (part, *place), "found:\n{text}");
        assert!(violation.problem.contains(problem), "expected `{problem}`, found:\n{text}");
    }
}

/// A list of events with this query, answered with an empty page.
#[track_caller]
fn check_query(query: &str, expected: Expected<'_>) {
    let path = format!("{EVENTS}?{query}");
    let result = Discovery::calendar().check_exchange(&Method::GET, &path, b"", 200, b"{}");
    check(Part::Request, result, expected);
}

/// A request that nothing is wrong with but its path or method.
#[track_caller]
fn check_path(method: Method, path: &str, expected: &str) {
    let result = Discovery::calendar().check_exchange(&method, path, b"", 404, b"");
    check(Part::Request, result, &[("path", expected)]);
}

/// A body that inserts (POST) or edits (PATCH) an event, answered without fault.
#[track_caller]
fn check_request(method: Method, body: &Value, expected: Expected<'_>) {
    let path = if method == Method::POST { EVENTS.to_owned() } else { format!("{EVENTS}/e1") };
    let body = body.to_string();
    let result = Discovery::calendar().check_exchange(&method, &path, body.as_bytes(), 200, b"{}");
    check(Part::Request, result, expected);
}

/// An answer to a list of events with this query.
#[track_caller]
fn check_list(query: &str, answer: &Value, expected: Expected<'_>) {
    let path = format!("{EVENTS}?{query}");
    let answer = answer.to_string();
    let result = Discovery::calendar().check_exchange(&Method::GET, &path, b"", 200, answer.as_bytes());
    check(Part::Answer, result, expected);
}

/// An answer to a read of one event.
#[track_caller]
fn check_event(answer: &Value, expected: Expected<'_>) {
    check_answer(&Method::GET, &format!("{EVENTS}/e1"), 200, &answer.to_string(), expected);
}

#[track_caller]
fn check_answer(method: &Method, path: &str, status: u16, answer: &str, expected: Expected<'_>) {
    let result = Discovery::calendar().check_exchange(method, path, b"", status, answer.as_bytes());
    check(Part::Answer, result, expected);
}

fn an_event() -> Value {
    json!({
        "kind": "calendar#event",
        "etag": "\"3346892308754000\"",
        "id": "e1",
        "status": "confirmed",
        "created": "2026-11-02T08:00:00.000Z",
        "updated": "2026-11-02T08:00:00.123Z",
        "summary": "Boiler check",
        "creator": { "email": "amy@example.com", "self": true },
        "organizer": { "email": "amy@example.com", "self": true },
        "start": { "dateTime": "2026-11-03T09:00:00+01:00", "timeZone": "Europe/Vienna" },
        "end": { "date": "2026-11-04" },
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"],
        "iCalUID": "e1@google.com",
        "sequence": 0,
        "attendees": [{ "email": "bob@example.com", "responseStatus": "needsAction" }],
        "extendedProperties": { "private": { "calsync": "r1" } },
        "reminders": { "useDefault": false, "overrides": [{ "method": "popup", "minutes": 10 }] },
        "eventType": "default"
    })
}

/// The event with one field set to something else.
fn with(field: &str, value: Value) -> Value {
    let mut event = an_event();
    event[field] = value;
    event
}

#[test]
fn every_method_of_the_document_is_found_by_its_path() {
    let calendar = Discovery::calendar();
    assert_eq!(calendar.method_ids().count(), 38);
    for method in &calendar.methods {
        let verb: Method = method.http_method.parse().unwrap();
        let path = method.path.iter().fold(String::new(), |path, segment| match segment {
            super::document::Segment::Literal(literal) => path + "/" + literal,
            super::document::Segment::Parameter => path + "/a%2Fb",
        });
        assert_eq!(calendar.method_id(&verb, &path), Some(method.id.as_str()));
    }
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn follow(calendar: &Discovery, schema: &super::document::Schema) {
        if let Some(name) = &schema.reference {
            assert!(calendar.schemas.contains_key(name), "{name}");
        }
        schema.properties.values().for_each(|field| follow(calendar, field));
        schema.items.iter().chain(&schema.additional_properties).for_each(|inner| follow(calendar, inner));
    }
    let calendar = Discovery::calendar();
    calendar.schemas.values().for_each(|schema| follow(calendar, schema));
    for method in &calendar.methods {
        for name in method.request.iter().chain(&method.response) {
            assert!(calendar.schemas.contains_key(name), "{name}");
        }
    }
}

#[test]
fn a_document_with_an_unknown_type_or_format_is_not_read() {
    let document = include_str!("../../data/discovery/calendar.v3.json");
    for (known, unknown) in [("\"date-time\"", "\"duration\""), ("\"boolean\"", "\"bit\"")] {
        assert!(Discovery::from_json(&document.replacen(known, unknown, 1)).is_err(), "{unknown}");
    }
}

#[test]
fn a_faultless_exchange_of_each_kind_passes() {
    let event = an_event().to_string();
    let list = json!({ "kind": "calendar#events", "items": [an_event()], "nextSyncToken": "t1" }).to_string();
    let gone = json!({ "error": { "code": 410, "message": "Resource has been deleted",
        "errors": [{ "domain": "global", "reason": "deleted", "message": "Resource has been deleted" }] } })
    .to_string();
    let one = format!("{EVENTS}/e1");
    let exchanges: [(Method, &str, &str, u16, &str); 9] = [
        (Method::GET, EVENTS, "", 200, &list),
        (Method::POST, EVENTS, &event, 200, &event),
        (Method::PATCH, &one, "{}", 200, &event),
        (Method::GET, &one, "", 304, ""),
        (Method::DELETE, &one, "", 204, ""),
        (Method::DELETE, &one, "", 410, &gone),
        (Method::GET, EVENTS, "", 502, "<html>Bad Gateway</html>"),
        (Method::GET, "/calendar/v3/calendars/en.usa%23holiday%40group.v.calendar.google.com", "", 200, "{}"),
        (Method::POST, "/calendar/v3/calendars/amy%40example.com/clear", "", 204, ""),
    ];
    for (method, path, request, status, answer) in exchanges {
        let calendar = Discovery::calendar();
        let result = calendar.check_exchange(&method, path, request.as_bytes(), status, answer.as_bytes());
        assert_eq!(result, Ok(()), "{method} {path}");
    }
}

#[test]
fn a_path_that_no_method_has_is_a_violation_whatever_the_answer_says() {
    check_path(Method::GET, "/calendar/v3/calenders/amy/events", "no method has this path");
    check_path(Method::GET, "/calendars/amy/events", "no method has this path");
    check_path(Method::GET, "calendar/v3/colors", "does not begin with a slash");
    check_path(Method::GET, "/calendar/v3/calendars/amy/events/", "no method has this path");
    check_path(Method::GET, "/calendar/v3/calendars/%4/events", "not percent-encoded");
    check_path(Method::GET, "/calendar/v3/calendars/%FF/events", "not percent-encoded");
    check_path(Method::PUT, EVENTS, "takes POST, GET, not PUT");
}

#[test]
fn a_piece_that_is_written_out_wins_over_a_parameter() {
    let calendar = Discovery::calendar();
    let id = |method, path: &str| calendar.method_id(&method, &format!("/calendar/v3/{path}"));
    assert_eq!(id(Method::POST, "calendars/a/events/import"), Some("calendar.events.import"));
    assert_eq!(id(Method::POST, "calendars/a/events/watch"), Some("calendar.events.watch"));
    assert_eq!(id(Method::GET, "calendars/a/events/import"), Some("calendar.events.get"));
    assert_eq!(id(Method::GET, "calendars/a/events/a%2Fb?fields=id"), Some("calendar.events.get"));
    assert_eq!(id(Method::POST, "calendars/a/events/e1"), None);
}

#[test]
fn good_queries_pass() {
    check_query("", &[]);
    check_query("maxResults=2500&singleEvents=false&showDeleted=true", &[]);
    check_query("eventTypes=default&eventTypes=birthday", &[]);
    check_query(
        "timeMin=2026-11-01T00%3A00%3A00%2B02%3A00&timeMax=2026-12-01T00:00:00.000Z&orderBy=updated",
        &[],
    );
    check_query("syncToken=t1&pageToken=p2&maxResults=250&showDeleted=true&timeZone=UTC", &[]);
    check_query("privateExtendedProperty=calsync%3Dr1&quotaUser=amy&prettyPrint=false&alt=json&key=k", &[]);
}

#[test]
fn an_unknown_or_repeated_parameter_is_a_violation() {
    check_query("maxresults=5", &[("query.maxresults", "no such parameter")]);
    check_query("calendarId=amy", &[("query.calendarId", "no such parameter")]);
    check_query("sendUpdates=none", &[("query.sendUpdates", "no such parameter")]);
    check_query("access_token=t", &[("query.access_token", "no such parameter")]);
    check_query("q=a&q=b", &[("query.q", "given twice")]);
    check_query("q=%E4", &[("query", "`q=%E4` is not percent-encoded UTF-8")]);
}

#[test]
fn a_parameter_has_its_type_its_bounds_and_its_values() {
    check_query("maxResults=many", &[("query.maxResults", "`many` is not a 32-bit integer")]);
    check_query("maxResults=2147483648", &[("query.maxResults", "not a 32-bit integer")]);
    check_query("maxResults=0", &[("query.maxResults", "0 is below the minimum 1")]);
    check_query("singleEvents=True", &[("query.singleEvents", "`True` is not true or false")]);
    check_query("orderBy=start", &[("query.orderBy", "`start` is not one of startTime, updated")]);
    check_query(
        "eventTypes=default&eventTypes=party",
        &[("query.eventTypes", "`party` is not one of birthday")],
    );
    check_query("timeMin=2026-11-01", &[("query.timeMin", "not a date-time")]);
    check_query("timeMin=2026-11-01T00:00:00", &[("query.timeMin", "not a date-time")]);
    // An unescaped plus sign arrives as a space.
    check_query("timeMin=2026-11-01T00:00:00+02:00", &[("query.timeMin", "`2026-11-01T00:00:00 02:00`")]);

    let insert = format!("{EVENTS}?conferenceDataVersion=2");
    let body = an_event().to_string();
    let result = Discovery::calendar().check_exchange(&Method::POST, &insert, body.as_bytes(), 200, b"{}");
    check(Part::Request, result, &[("query.conferenceDataVersion", "2 is above the maximum 1")]);
}

#[test]
fn a_required_parameter_is_missed() {
    let path = format!("{EVENTS}/e1/move?sendUpdates=none");
    let result = Discovery::calendar().check_exchange(&Method::POST, &path, b"", 200, b"{}");
    check(Part::Request, result, &[("query.destination", "required, but missing")]);
}

#[test]
fn what_restricts_a_list_does_not_stand_beside_a_sync_token() {
    check_query(
        "timeMin=2026-11-01T00:00:00Z&syncToken=t1&q=boiler&showDeleted=false",
        &[
            ("query.timeMin", "not allowed beside syncToken"),
            ("query.q", "not allowed beside syncToken"),
            ("query.showDeleted", "may not be false beside syncToken"),
        ],
    );
    let path = "/calendar/v3/users/me/calendarList?syncToken=t1&minAccessRole=writer&showHidden=false";
    let result = Discovery::calendar().check_exchange(&Method::GET, path, b"", 200, b"{}");
    check(
        Part::Request,
        result,
        &[("query.minAccessRole", "not allowed beside"), ("query.showHidden", "may not be false")],
    );
}

#[test]
fn a_request_that_the_server_refused_is_still_a_violation_and_the_refusal_is_none() {
    let refusal = json!({ "error": { "code": 400, "message": "Bad Request",
        "errors": [{ "domain": "global", "reason": "badRequest", "message": "Bad Request" }] } });
    let path = format!("{EVENTS}?maxResults=many");
    let refusal = refusal.to_string();
    let result = Discovery::calendar().check_exchange(&Method::GET, &path, b"", 400, refusal.as_bytes());
    check(Part::Request, result, &[("query.maxResults", "not a 32-bit integer")]);
}

#[test]
fn a_body_comes_where_the_method_takes_one_and_nowhere_else() {
    let calendar = Discovery::calendar();
    let one = format!("{EVENTS}/e1");
    let result = calendar.check_exchange(&Method::DELETE, &one, b"{}", 204, b"");
    check(Part::Request, result, &[("body", "takes no body")]);
    let result = calendar.check_exchange(&Method::PATCH, &one, b"", 200, b"{}");
    check(Part::Request, result, &[("body", "needs a body")]);
    let result = calendar.check_exchange(&Method::PATCH, &one, b"summary=Boiler", 200, b"{}");
    check(Part::Request, result, &[("body", "not JSON")]);
    let result = calendar.check_exchange(&Method::PATCH, &one, b"[]", 200, b"{}");
    check(Part::Request, result, &[("body", "[] is not of type object")]);
    check_answer(&Method::DELETE, &one, 204, "{}", &[("body", "answers without a body")]);
    check_answer(&Method::GET, &one, 200, "", &[("body", "answers with a body")]);
    check_answer(&Method::GET, &one, 204, "", &[("status", "answers 200, not 204"), ("body", "with a body")]);
    check_answer(&Method::GET, &one, 200, "null", &[("body", "null is not of type object")]);
}

#[test]
fn a_misspelt_field_in_a_request_is_a_violation_at_every_depth() {
    check_request(Method::PATCH, &json!({ "sumary": "Boiler" }), &[("body.sumary", "no such field")]);
    check_request(
        Method::PATCH,
        &json!({ "start": { "datetime": "2026-11-03T09:00:00Z" } }),
        &[("body.start.datetime", "no such field")],
    );
    check_request(
        Method::PATCH,
        &json!({ "attendees": [{ "email": "bob@example.com" }, { "e-mail": "cy@example.com" }] }),
        &[("body.attendees[1].e-mail", "no such field")],
    );
    check_request(
        Method::PATCH,
        &json!({ "reminders": { "overrides": [{ "method": "popup", "minute": 5 }] } }),
        &[("body.reminders.overrides[0].minute", "no such field")],
    );
}

#[test]
fn any_name_is_a_field_where_the_schema_declares_a_map_and_its_values_are_typed() {
    check_request(Method::PATCH, &json!({ "extendedProperties": { "shared": { "any name": "text" } } }), &[]);
    check_request(
        Method::PATCH,
        &json!({ "extendedProperties": { "private": { "calsync": 7 }, "public": {} } }),
        &[
            ("body.extendedProperties.private.calsync", "not of type string"),
            ("body.extendedProperties.public", "no such field"),
        ],
    );
}

#[test]
fn a_request_may_clear_a_field_with_null_but_not_an_item_and_an_answer_holds_none() {
    check_request(Method::PATCH, &json!({ "location": null, "start": { "date": null } }), &[]);
    check_request(
        Method::PATCH,
        &json!({ "recurrence": [null] }),
        &[("body.recurrence[0]", "null is not of type string")],
    );
    check_request(Method::PATCH, &json!({ "recurence": null }), &[("body.recurence", "no such field")]);
    check_event(&with("location", Value::Null), &[("body.location", "null")]);
}

#[test]
fn what_the_annotations_require_is_required_of_that_method_alone() {
    check_request(
        Method::POST,
        &json!({ "summary": "Boiler" }),
        &[("body.end", "required"), ("body.start", "required")],
    );
    check_request(Method::POST, &with("start", Value::Null), &[("body.start", "required")]);
    check_request(Method::PATCH, &json!({ "summary": "Boiler" }), &[]);

    let path = "/calendar/v3/calendars/amy/acl";
    let result = Discovery::calendar().check_exchange(
        &Method::POST,
        path,
        br#"{"role":"reader","scope":{}}"#,
        200,
        b"{}",
    );
    check(Part::Request, result, &[("body.scope.type", "required, but missing")]);
}

#[test]
fn a_value_has_the_type_that_the_schema_gives_it() {
    check_event(&with("summary", json!(7)), &[("body.summary", "7 is not of type string")]);
    check_event(&with("locked", json!("true")), &[("body.locked", "\"true\" is not of type boolean")]);
    check_event(&with("sequence", json!("0")), &[("body.sequence", "not of type integer")]);
    check_event(&with("sequence", json!(0.5)), &[("body.sequence", "0.5 is not a 32-bit integer")]);
    check_event(&with("sequence", json!(1_i64 << 31)), &[("body.sequence", "not a 32-bit integer")]);
    check_event(&with("recurrence", json!("RRULE:FREQ=DAILY")), &[("body.recurrence", "not of type array")]);
    check_event(&with("recurrence", json!([7])), &[("body.recurrence[0]", "7 is not of type string")]);
    check_event(&with("start", json!("2026-11-03")), &[("body.start", "not of type object")]);
}

#[test]
fn a_64_bit_integer_travels_as_a_string_of_digits() {
    let path = format!("{EVENTS}/watch");
    let check_channel = |expiration: Value, expected: Expected<'_>| {
        let body = json!({ "id": "c1", "type": "web_hook", "address": "https://crm.example.com", "expiration": expiration });
        let body = body.to_string();
        let result = Discovery::calendar().check_exchange(&Method::POST, &path, body.as_bytes(), 200, b"{}");
        check(Part::Request, result, expected);
    };
    check_channel(json!("1771000000000"), &[]);
    check_channel(json!(1_771_000_000_000_i64), &[("body.expiration", "not of type string")]);
    check_channel(json!("soon"), &[("body.expiration", "`soon` is not a 64-bit integer")]);
    check_channel(json!("9223372036854775808"), &[("body.expiration", "not a 64-bit integer")]);
}

#[test]
fn dates_and_times_are_real_ones_in_googles_form() {
    for good in ["2024-02-29", "0001-01-01"] {
        check_event(&with("end", json!({ "date": good })), &[]);
    }
    for bad in ["2026-02-29", "2026-2-9", "20260209", "+2026-02-9", "2026-02-09T00:00:00Z", ""] {
        check_event(&with("end", json!({ "date": bad })), &[("body.end.date", "is not a date")]);
    }
    for good in ["2026-11-02T08:00:00Z", "2026-11-02T08:00:00.123456-08:00"] {
        check_event(&with("updated", json!(good)), &[]);
    }
    for bad in [
        "2026-11-02",
        "2026-11-02T08:00:00",
        "2026-11-02 08:00:00Z",
        "2026-11-02T08:00:00z",
        "2026-11-31T08:00:00Z",
    ] {
        check_event(&with("updated", json!(bad)), &[("body.updated", "is not a date-time")]);
    }
}

#[test]
fn a_time_without_offset_is_good_only_in_a_request_and_beside_its_zone() {
    let zoned = json!({ "dateTime": "2026-11-03T09:00:00", "timeZone": "Europe/Vienna" });
    let floating = json!({ "dateTime": "2026-11-03T09:00:00" });
    check_request(Method::PATCH, &json!({ "start": zoned }), &[]);
    check_request(
        Method::PATCH,
        &json!({ "start": floating }),
        &[("body.start.dateTime", "is not a date-time")],
    );
    check_request(
        Method::PATCH,
        &json!({ "start": { "dateTime": "tomorrow", "timeZone": "UTC" } }),
        &[("body.start.dateTime", "`tomorrow` is not a date-time")],
    );
    check_event(&with("start", zoned), &[("body.start.dateTime", "is not a date-time")]);
}

#[test]
fn the_values_that_only_a_description_lists_are_checked_too() {
    check_event(
        &with("status", json!("canceled")),
        &[("body.status", "`canceled` is not one of confirmed, tentative, cancelled")],
    );
    check_event(&with("transparency", json!("free")), &[("body.transparency", "not one of opaque")]);
    check_event(&with("visibility", json!("secret")), &[("body.visibility", "not one of default, public")]);
    check_event(&with("eventType", json!("party")), &[("body.eventType", "not one of birthday")]);
    check_event(
        &with("attendees", json!([{ "email": "bob@example.com", "responseStatus": "maybe" }])),
        &[("body.attendees[0].responseStatus", "`maybe` is not one of needsAction")],
    );
    check_request(
        Method::PATCH,
        &json!({ "reminders": { "overrides": [{ "method": "sms", "minutes": 10 }] } }),
        &[("body.reminders.overrides[0].method", "`sms` is not one of email, popup")],
    );
    check_answer(
        &Method::GET,
        "/calendar/v3/calendars/amy",
        200,
        &json!({ "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet", "zoom"] } })
            .to_string(),
        &[("body.conferenceProperties.allowedConferenceSolutionTypes[1]", "`zoom` is not one of")],
    );
}

#[test]
fn a_list_of_values_that_says_some_of_is_open() {
    let body =
        r#"{"timeMin":"2026-11-01T00:00:00Z","timeMax":"2026-11-02T00:00:00Z","items":[{"id":"amy"}]}"#;
    let answer = json!({ "kind": "calendar#freeBusy", "calendars": { "amy": { "busy": [],
        "errors": [{ "domain": "global", "reason": "somethingNew" }] } } });
    let result = Discovery::calendar().check_exchange(
        &Method::POST,
        "/calendar/v3/freeBusy",
        body.as_bytes(),
        200,
        answer.to_string().as_bytes(),
    );
    check(Part::Answer, result, &[]);
}

#[test]
fn references_are_followed_through_lists_and_maps() {
    check_list(
        "",
        &json!({ "items": [an_event(), with("colour", json!("1"))], "syncToken": "t1" }),
        &[("body.items[1].colour", "no such field"), ("body.syncToken", "no such field")],
    );
    check_answer(
        &Method::GET,
        "/calendar/v3/colors",
        200,
        &json!({ "event": { "1": { "background": "#a4bdfc", "foreground": 0 } } }).to_string(),
        &[("body.event.1.foreground", "0 is not of type string")],
    );
}

#[test]
fn a_resource_says_its_own_kind() {
    check_event(&with("kind", json!("calendar#events")), &[("body.kind", "not the kind of this resource")]);
}

#[test]
fn a_field_of_type_any_holds_anything() {
    let place = json!({ "type": "homeOffice", "homeOffice": { "anything": [null, 1] } });
    check_event(&with("workingLocationProperties", place), &[]);
}
