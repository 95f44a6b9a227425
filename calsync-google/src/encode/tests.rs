//! Bodies as they leave. Numbers `g10_…` are those of the fact sheet on Google's undocumented behaviour.

use super::*;

fn fields(values: Value) -> Fields {
    let mut all = json!({
        "summary": "Site visit",
        "when": {"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00", "zone": "America/Vancouver"},
    });
    for (name, value) in values.as_object().expect("values") {
        all[name] = value.clone();
    }
    let all =
        all.as_object().expect("values").iter().map(|(unit, value)| (unit.as_str().into(), value.clone()));
    all.collect()
}

fn patch_of(id: &str, units: &[&str], values: Value) -> Result<Value> {
    let units = units.iter().map(|unit| Unit::from(*unit)).collect();
    let body = Body::patch(&id.into(), &"op-1".into(), &units, &fields(values))?;
    let mut json = Value::Object(body.0);
    // The stamp is in every body; it is checked once.
    let stamp = json["extendedProperties"]["private"].as_object_mut().and_then(|p| p.remove(STAMP));
    assert_eq!(stamp, Some(json!("op-1")));
    if json["extendedProperties"] == json!({"private": {}}) {
        json.as_object_mut().expect("an object").remove("extendedProperties");
    }
    Ok(json)
}

#[track_caller]
fn patch(units: &[&str], values: Value, expected: Value) {
    assert_eq!(patch_of("e1", units, values).expect("a body"), expected);
}

#[test]
fn a_creation_has_its_id_its_stamp_and_all_values() {
    let values = json!({
        "description": "bring keys", "location": "Dock 4", "transparency": "transparent", "visibility": "private",
        "status": "tentative", "reminders": [{"method": "popup", "minutes": 0}],
        "attendee/bob@example.com": {"name": "Bob", "response": "accepted", "optional": true},
        "property/private/crm": "7", "property/shared/room": "blue",
        "source": {"title": "Case 7", "url": "https://crm.example.com/7"},
        // Told by the provider: never written.
        "organizer": {"email": "amy@example.com"}, "conference": "https://meet.google.com/abc", "ical_uid": "u@x", "event_type": "focusTime",
        "extra": {"colorId": "3", "conferenceData": {"conferenceId": "abc"}, "htmlLink": "https://x", "sequence": 4},
    });
    let body = Body::create(&"0a1b".into(), &"op-1".into(), &fields(values)).expect("a body");
    assert!(!body.attachments());
    assert_eq!(
        Value::Object(body.0),
        json!({
            "id": "0a1b", "summary": "Site visit", "description": "bring keys", "location": "Dock 4",
            "start": {"dateTime": "2026-11-23T09:00:00-07:00", "timeZone": "America/Vancouver"},
            "end": {"dateTime": "2026-11-23T10:00:00-07:00", "timeZone": "America/Vancouver"},
            "status": "tentative", "transparency": "transparent", "visibility": "private",
            "attendees": [{"email": "bob@example.com", "displayName": "Bob", "responseStatus": "accepted", "optional": true}],
            "reminders": {"useDefault": false, "overrides": [{"method": "popup", "minutes": 0}]},
            "extendedProperties": {"private": {"crm": "7", STAMP: "op-1"}, "shared": {"room": "blue"}},
            "source": {"title": "Case 7", "url": "https://crm.example.com/7"},
            "colorId": "3",
        })
    );
}

#[test]
fn a_creation_without_a_time_is_refused_before_it_is_sent() {
    let error = Body::create(&"0a1b".into(), &"op-1".into(), &Fields::new()).err().expect("refused");
    assert_eq!(
        error.to_string(),
        "refused record: the appointment cannot be written to Google (field when, cause it is missing)"
    );
}

#[test]
fn a_change_says_only_the_units_that_changed() {
    patch(&["summary"], json!({"description": "unchanged"}), json!({"summary": "Site visit"}));
    patch(&[], json!({}), json!({}));
    // Back to the default.
    patch(
        &["description", "location", "source", "transparency", "visibility", "status"],
        json!({}),
        json!({"description": null, "location": null, "source": null, "transparency": "opaque", "visibility": "default", "status": "confirmed"}),
    );
    patch(
        &["organizer", "conference", "ical_uid", "event_type", "extra"],
        json!({"extra": {"colorId": "3"}}),
        json!({}),
    );
}

#[test]
fn each_property_is_its_own_and_null_takes_it_away() {
    patch(
        &["property/private/crm", "property/private/old", "property/shared/room"],
        json!({"property/private/crm": "7", "property/shared/other": "kept"}),
        json!({"extendedProperties": {"private": {"crm": "7", "old": null}, "shared": {"room": null}}}),
    );
}

#[test]
fn g10_25_between_whole_days_and_the_clock_the_other_key_is_taken_away_by_name() {
    patch(
        &["when"],
        json!({"when": {"start": "2026-11-23", "end": "2026-11-24"}}),
        json!({
            "start": {"date": "2026-11-23", "dateTime": null, "timeZone": null},
            "end": {"date": "2026-11-24", "dateTime": null, "timeZone": null},
            "recurrence": null,
        }),
    );
    patch(
        &["when"],
        json!({}),
        json!({
            "start": {"date": null, "dateTime": "2026-11-23T09:00:00-07:00", "timeZone": "America/Vancouver"},
            "end": {"date": null, "dateTime": "2026-11-23T10:00:00-07:00", "timeZone": "America/Vancouver"},
            "recurrence": null,
        }),
    );
}

#[test]
fn a_series_says_its_lines_as_written_and_an_occurrence_says_none() {
    let weekly = json!({"when": {"start": "2026-11-23", "end": "2026-11-24", "recurrence": ["RRULE:FREQ=WEEKLY;INTERVAL=1", "EXDATE;VALUE=DATE:20261130"]}});
    let body = patch_of("e1", &["when"], weekly).expect("a body");
    assert_eq!(body["recurrence"], json!(["RRULE:FREQ=WEEKLY;INTERVAL=1", "EXDATE;VALUE=DATE:20261130"]));
    for id in ["s1_20261123T160000Z", "s1_20261123", "s1_R20261101T090000_20261123T160000Z"] {
        assert_eq!(patch_of(id, &["when"], json!({})).expect("a body").get("recurrence"), None, "{id}");
    }
    for id in ["e1", "s1_R20261101T090000", "_6tlnaqrle5p6cpb4dhmj4phpehni0"] {
        assert_eq!(
            patch_of(id, &["when"], json!({})).expect("a body").get("recurrence"),
            Some(&Value::Null),
            "{id}"
        );
    }
}

#[test]
fn offsets_tell_equal_clock_times_apart_and_odd_ones_give_way_to_utc() {
    for (zone, start, later, text) in [
        ("America/New_York", "2026-11-01T01:30:00", false, "2026-11-01T01:30:00-04:00"),
        ("America/New_York", "2026-11-01T01:30:00", true, "2026-11-01T01:30:00-05:00"),
        ("Asia/Kathmandu", "2026-11-23T09:00:00", false, "2026-11-23T09:00:00+05:45"),
        ("UTC", "2026-11-23T09:00:00", false, "2026-11-23T09:00:00Z"),
        ("America/New_York", "1850-01-01T00:00:00", false, "1850-01-01T04:56:02Z"),
    ] {
        let when = json!({"when": {"start": start, "end": start, "zone": zone, "start_later": later, "end_later": later}});
        let body = patch_of("e1", &["when"], when).expect("a body");
        assert_eq!(body["start"]["dateTime"], text);
    }
}

#[test]
fn g10_29_default_reminders_and_none_and_zero_minutes_are_three_things() {
    patch(&["reminders"], json!({}), json!({"reminders": {"useDefault": true, "overrides": null}}));
    patch(
        &["reminders"],
        json!({"reminders": []}),
        json!({"reminders": {"useDefault": false, "overrides": []}}),
    );
    patch(
        &["reminders"],
        json!({"reminders": [{"method": "email", "minutes": 0}]}),
        json!({"reminders": {"useDefault": false, "overrides": [{"method": "email", "minutes": 0}]}}),
    );
}

#[test]
fn g10_34_guests_are_written_only_when_one_changed_and_then_all_with_their_answers() {
    let guests = json!({
        "attendee/amy@example.com": {"response": "accepted"},
        "attendee/bob@example.com": {"response": "declined", "comment": "ill", "additional_guests": 1},
        "extra": {"attendees": [{"id": "9", "displayName": "Nameless"}]},
    });
    let all = json!([
        {"email": "amy@example.com", "responseStatus": "accepted"},
        {"email": "bob@example.com", "responseStatus": "declined", "comment": "ill", "additionalGuests": 1},
        {"id": "9", "displayName": "Nameless"},
    ]);
    patch(&["summary"], guests.clone(), json!({"summary": "Site visit"}));
    patch(&["attendee/amy@example.com"], guests.clone(), json!({"attendees": all}));
    patch(&["attendee/eve@example.com"], guests, json!({"attendees": all}));
    patch(&["attendee/eve@example.com"], json!({}), json!({"attendees": []}));
}

#[test]
fn a_guest_list_that_was_not_shown_in_full_is_never_written_over() {
    let omitted =
        json!({"attendee/amy@example.com": {"response": "accepted"}, "extra": {"attendeesOmitted": true}});
    patch(
        &["attendee/amy@example.com"],
        omitted.clone(),
        json!({"attendeesOmitted": true, "attendees": [{"email": "amy@example.com", "responseStatus": "accepted"}]}),
    );
    for units in
        [&["attendee/eve@example.com"][..], &["attendee/amy@example.com", "attendee/eve@example.com"]]
    {
        assert_eq!(patch_of("e1", units, omitted.clone()).expect_err("refused").kind(), ErrorKind::Invalid);
    }
}

#[test]
fn g10_03_a_revived_occurrence_says_anew_all_that_the_planner_names() {
    let fields = fields(json!({"attendee/bob@example.com": {}}));
    let units = fields.iter().map(|(unit, _)| unit.clone()).chain(["location".into()]).collect();
    let body = Body::revive(&"s1_20261123T160000Z".into(), &"op-1".into(), &units, &fields).expect("a body");
    let body = Value::Object(body.0);
    assert_eq!(body["status"], "confirmed");
    assert_eq!(body["start"]["dateTime"], "2026-11-23T09:00:00-07:00");
    assert_eq!(body["location"], Value::Null);
    assert_eq!(body["attendees"], json!([{"email": "bob@example.com", "responseStatus": "needsAction"}]));
    assert_eq!(body.get("recurrence"), None);
    // What the planner does not name stays as it was there.
    assert_eq!(body.get("description"), None);
}

#[test]
fn what_google_has_no_field_for_and_what_would_delete_is_refused() {
    for (unit, values) in [
        ("stage", json!({"stage": "won"})),
        ("property/other/x", json!({"property/other/x": "1"})),
        ("status", json!({"status": "cancelled"})),
        ("when", json!({"when": null})),
        ("attendee/a@b.c", json!({"attendee/a@b.c": "?"})),
    ] {
        assert_eq!(
            patch_of("e1", &[unit], values).expect_err("refused").kind(),
            ErrorKind::Invalid,
            "{unit}"
        );
    }
}

#[test]
fn attachments_are_announced() {
    let values = json!({"extra": {"attachments": [{"fileUrl": "https://drive.google.com/x"}]}});
    assert!(Body::create(&"0a1b".into(), &"op-1".into(), &fields(values)).expect("a body").attachments());
}
