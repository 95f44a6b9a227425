//! Events as recorded, read one by one. Numbers `g10_…` are those of the fact sheet on Google's undocumented behaviour.

use super::*;
use calsync_core::model::Fields;
use serde_json::json;

const ETAG: &str = "\"3346892308754000\"";

fn vancouver() -> CalendarFacts {
    CalendarFacts::new(Some("America/Vancouver"), Some("owner"))
}

/// An ordinary event with some fields changed; `null` takes one away.
fn event(changes: Value) -> Value {
    let mut event = json!({
        "kind": "calendar#event", "etag": ETAG, "id": "e1", "status": "confirmed",
        "htmlLink": "https://www.google.com/calendar/event?eid=ZTE", "created": "2026-11-01T10:00:00.000Z",
        "updated": "2026-11-02T10:00:00.123Z", "summary": "Site visit",
        "creator": {"email": "amy@example.com", "self": true}, "organizer": {"email": "amy@example.com", "self": true},
        "start": {"dateTime": "2026-11-23T09:00:00-07:00", "timeZone": "America/Vancouver"},
        "end": {"dateTime": "2026-11-23T10:00:00-07:00", "timeZone": "America/Vancouver"},
        "iCalUID": "e1@google.com", "sequence": 0, "reminders": {"useDefault": true}, "eventType": "default",
    });
    for (name, value) in changes.as_object().expect("changes") {
        event[name] = value.clone();
    }
    event
}

fn item(entry: Value, calendar: &CalendarFacts) -> Item {
    super::item(&serde_json::value::to_raw_value(&entry).expect("JSON"), calendar)
}

#[track_caller]
fn record(entry: Value) -> RemoteRecord {
    match item(entry, &vancouver()) {
        Item::Record(record) => record,
        Item::Unreadable { reason, .. } => panic!("unreadable: {reason}"),
    }
}

#[track_caller]
fn fields(changes: Value) -> Fields {
    record(event(changes)).state.fields().expect("alive").clone()
}

/// What one unit of the event reads as.
#[track_caller]
fn check(changes: Value, unit: &str, expected: Value) {
    assert_eq!(fields(changes).get(unit).cloned().unwrap_or_default(), expected, "{unit}");
}

#[track_caller]
fn poison(entry: Value, why: &str) {
    match item(entry, &vancouver()) {
        Item::Unreadable { reason, .. } => assert_eq!(reason, why),
        Item::Record(record) => panic!("readable: {record:?}"),
    }
}

#[test]
fn an_ordinary_event_is_read_whole() {
    let record = record(event(json!({
        "description": "bring <b>keys</b>", "location": "Dock 4", "transparency": "transparent", "visibility": "private",
        "source": {"title": "Case 7", "url": "https://crm.example.com/7"}, "colorId": "3",
        "attendees": [
            {"email": "Amy@Example.com", "self": true, "organizer": true, "responseStatus": "accepted"},
            {"email": "bob@example.com", "displayName": "Bob", "optional": true, "responseStatus": "tentative",
             "comment": "late", "additionalGuests": 2},
        ],
        "reminders": {"useDefault": false, "overrides": [{"method": "popup", "minutes": 0}]},
        "extendedProperties": {"private": {"crm": "7", STAMP: "op-1"}, "shared": {"room": "blue"}},
        "conferenceData": {"entryPoints": [{"entryPointType": "phone", "uri": "tel:+1"}, {"entryPointType": "video", "uri": "https://meet.google.com/abc"}]},
        "hangoutLink": "https://meet.google.com/old",
    })));
    assert_eq!((record.id.as_str(), record.revision.as_str()), ("e1", ETAG));
    assert_eq!(record.stamp, Some("op-1".into()));
    assert_eq!(record.writable, Writable::All);
    assert_eq!(record.updated.map(|t| t.to_rfc3339()), Some("2026-11-02T10:00:00.123+00:00".into()));
    let fields = record.state.fields().expect("alive");
    let mut values = json!(fields);
    let extra = values.as_object_mut().and_then(|v| v.remove("extra")).expect("extra");
    assert_eq!(
        values,
        json!({
            "summary": "Site visit", "description": "bring <b>keys</b>", "location": "Dock 4",
            "when": {"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00", "zone": "America/Vancouver"},
            "transparency": "transparent", "visibility": "private",
            "attendee/amy@example.com": {"response": "accepted"},
            "attendee/bob@example.com": {"name": "Bob", "optional": true, "response": "tentative", "comment": "late", "additional_guests": 2},
            "organizer": {"email": "amy@example.com"},
            "reminders": [{"method": "popup", "minutes": 0}],
            "conference": "https://meet.google.com/abc",
            "source": {"title": "Case 7", "url": "https://crm.example.com/7"},
            "ical_uid": "e1@google.com",
            "property/private/crm": "7", "property/shared/room": "blue",
        })
    );
    assert_eq!(extra["colorId"], "3");
    assert!(
        extra.get("conferenceData").is_some()
            && extra.get("etag").is_none()
            && extra.get("organizer").is_none()
    );
}

#[test]
fn times_are_shown_on_the_clock_of_their_own_zone() {
    let at = |start: Value, end: Value| json!({"start": start, "end": end});
    // Google renders in the calendar's offset, whatever the event's zone is.
    check(
        at(
            json!({"dateTime": "2026-11-23T00:00:00-07:00", "timeZone": "Asia/Tokyo"}),
            json!({"dateTime": "2026-11-23T01:30:00-07:00", "timeZone": "Asia/Tokyo"}),
        ),
        "when",
        json!({"start": "2026-11-23T16:00:00", "end": "2026-11-23T17:30:00", "zone": "Asia/Tokyo"}),
    );
    // Without a zone: the calendar's.
    check(
        at(json!({"dateTime": "2026-11-23T16:00:00Z"}), json!({"dateTime": "2026-11-23T17:00:00Z"})),
        "when",
        json!({"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00", "zone": "America/Vancouver"}),
    );
    // A flight.
    check(
        at(
            json!({"dateTime": "2026-11-23T09:00:00+01:00", "timeZone": "Europe/Berlin"}),
            json!({"dateTime": "2026-11-23T21:00:00+01:00", "timeZone": "Asia/Tokyo"}),
        ),
        "when",
        json!({"start": "2026-11-23T09:00:00", "end": "2026-11-24T05:00:00", "zone": "Europe/Berlin", "end_zone": "Asia/Tokyo"}),
    );
    // The second 01:30 of a long night, and fractions of a second.
    check(
        at(
            json!({"dateTime": "2026-11-01T01:30:00.999-05:00", "timeZone": "America/New_York"}),
            json!({"dateTime": "2026-11-01T02:00:00-05:00", "timeZone": "America/New_York"}),
        ),
        "when",
        json!({"start": "2026-11-01T01:30:00", "end": "2026-11-01T02:00:00", "zone": "America/New_York", "start_later": true}),
    );
    // A local time with a zone, as it is written rather than answered.
    check(
        at(
            json!({"dateTime": "2026-11-23T09:00:00", "timeZone": "Asia/Tokyo"}),
            json!({"dateTime": "2026-11-23T10:00:00", "timeZone": "Asia/Tokyo"}),
        ),
        "when",
        json!({"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00", "zone": "Asia/Tokyo"}),
    );
}

#[test]
fn whole_days_stay_dates_whatever_zone_stands_beside_them() {
    check(
        json!({"start": {"date": "2026-11-23", "timeZone": "Pacific/Kiritimati"}, "end": {"date": "2026-11-25"}}),
        "when",
        json!({"start": "2026-11-23", "end": "2026-11-25"}),
    );
}

#[test]
fn g10_02_a_cancelled_series_is_gone_even_with_all_its_fields() {
    let record = record(event(json!({"status": "cancelled", "recurrence": ["RRULE:FREQ=DAILY"]})));
    assert_eq!(record.state, State::Gone);
}

#[test]
fn a_cancelled_event_that_still_has_the_stamp_tells_which_write_it_saw() {
    let stamped = json!({"status": "cancelled", "extendedProperties": {"private": {(STAMP): "o1.r1"}}});
    let record = record(event(stamped));
    assert_eq!((record.state, record.stamp), (State::Gone, Some("o1.r1".into())));
}

#[test]
fn g10_03_a_cancelled_occurrence_keeps_its_place_in_the_series() {
    let cancelled = |slot: Value| json!({"id": "s1_20261123T160000Z", "status": "cancelled", "recurringEventId": "s1", "originalStartTime": slot});
    for slot in [
        json!({"dateTime": "2026-11-23T09:00:00-07:00"}),
        json!({"dateTime": "2026-11-23T16:00:00Z"}),
        json!(null),
    ] {
        let record = record(cancelled(slot));
        assert_eq!(record.state, State::Gone);
        assert_eq!(record.key().as_str(), "s1#20261123T160000Z");
    }
    let day = json!({"id": "s1_20261123", "status": "cancelled", "recurringEventId": "s1", "originalStartTime": {"date": "2026-11-23"}});
    assert_eq!(record(day).key().as_str(), "s1#20261123");
}

#[test]
fn g10_06_and_07_a_tombstone_needs_no_times_and_its_times_are_not_believed() {
    for entry in [
        json!({"id": "e1", "status": "cancelled"}),
        json!({"id": "e1", "status": "cancelled", "start": {"dateTime": "1970-01-01T00:00:00Z"}, "end": {"dateTime": "nonsense"}}),
        json!({"id": "e1", "status": "cancelled", "summary": 7, "attendees": "?"}),
    ] {
        let record = record(entry);
        assert_eq!((record.state, record.revision.as_str(), record.stamp), (State::Gone, "", None));
    }
}

#[test]
fn g10_14_15_16_18_recurrence_lines_are_kept_as_written() {
    for lines in [
        json!(["RRULE:DATE;TZID=Europe/Warsaw:20231101T090000"]),
        json!(["RDATE;TZID=America/New_York:20261102T090000,20261109T090000"]),
        json!([
            "RRULE:FREQ=WEEKLY",
            "EXDATE;TZID=America/New_York:20261102T090000",
            "EXDATE:20261109T140000Z",
            "EXDATE;VALUE=DATE:20261116"
        ]),
        json!(["RRULE;X-FOO=BAR:FREQ=WEEKLY;INTERVAL=1;WKST=SU"]),
    ] {
        assert_eq!(
            fields(json!({"recurrence": lines.clone()})).get("when").expect("a time")["recurrence"],
            lines
        );
    }
}

#[test]
fn g10_22_windows_zones_are_mapped_and_unknown_ones_keep_the_instant_of_a_single_event() {
    let at = |zone: &str| json!({"start": {"dateTime": "2026-11-23T09:00:00+01:00", "timeZone": zone}, "end": {"dateTime": "2026-11-23T10:00:00+01:00", "timeZone": zone}});
    check(
        at("W. Europe Standard Time"),
        "when",
        json!({"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00", "zone": "Europe/Berlin"}),
    );
    check(
        at("Mars/Olympus_Mons"),
        "when",
        json!({"start": "2026-11-23T08:00:00", "end": "2026-11-23T09:00:00", "zone": "UTC"}),
    );
    let mut series = event(at("Mars/Olympus_Mons"));
    series["recurrence"] = json!(["RRULE:FREQ=DAILY"]);
    poison(series, "it is a series in an unknown time zone (Mars/Olympus_Mons)");
}

#[test]
fn g10_26_lengths_of_zero_are_kept_and_what_ends_before_it_starts_or_is_ages_ago_is_parked() {
    let when = |start: Value, end: Value| json!({"start": start, "end": end});
    let at = |time: &str| json!({"dateTime": time, "timeZone": "UTC"});
    check(
        when(at("2026-11-23T16:00:00Z"), at("2026-11-23T16:00:00Z")),
        "when",
        json!({"start": "2026-11-23T16:00:00", "end": "2026-11-23T16:00:00", "zone": "UTC"}),
    );
    check(
        when(json!({"date": "2026-11-23"}), json!({"date": "2026-11-23"})),
        "when",
        json!({"start": "2026-11-23", "end": "2026-11-23"}),
    );
    let turned = when(at("2026-11-23T16:00:00Z"), at("2026-11-23T15:00:00Z"));
    poison(event(turned), "it ends before it starts");
    let turned = when(json!({"date": "2026-11-23"}), json!({"date": "2026-11-22"}));
    poison(event(turned), "it ends before it starts");
    let early = when(json!({"date": "0000-01-01"}), json!({"date": "0000-01-02"}));
    poison(event(early), "its start is in the year 0");
}

#[test]
fn g10_28_and_29_reminders_are_the_calendar_s_or_own_ones_and_zero_minutes_count() {
    let with = |reminders: Value| json!({"reminders": reminders});
    check(with(json!({"useDefault": true})), "reminders", json!(null));
    check(with(json!(null)), "reminders", json!(null));
    check(with(json!({})), "reminders", json!(null));
    check(with(json!({"useDefault": false})), "reminders", json!([]));
    check(
        with(json!({"useDefault": false, "overrides": [{"method": "email", "minutes": 0}]})),
        "reminders",
        json!([{"method": "email", "minutes": 0}]),
    );
    // The defaults of whole days come back spelt out.
    check(
        json!({"start": {"date": "2026-11-23"}, "end": {"date": "2026-11-24"}, "reminders": {"useDefault": false, "overrides": [{"method": "popup", "minutes": 540}]}}),
        "reminders",
        json!([{"method": "popup", "minutes": 540}]),
    );
}

#[test]
fn g10_30_what_a_free_busy_reader_sees_is_readable_and_not_writable() {
    let busy = json!({
        "id": "e1", "etag": ETAG, "status": "confirmed", "visibility": "private",
        "start": {"dateTime": "2026-11-23T09:00:00-07:00"}, "end": {"dateTime": "2026-11-23T10:00:00-07:00"},
    });
    assert_eq!(record(busy.clone()).writable, Writable::Nothing);
    let reader = CalendarFacts::new(Some("UTC"), Some("freeBusyReader"));
    assert!(matches!(item(busy, &reader), Item::Record(RemoteRecord { writable: Writable::Nothing, .. })));
    assert!(matches!(
        item(event(json!({})), &reader),
        Item::Record(RemoteRecord { writable: Writable::Nothing, .. })
    ));
}

#[test]
fn g10_30_people_without_an_address_stay_where_they_are_and_lose_nothing() {
    let fields = fields(json!({
        "organizer": {"id": "123", "displayName": "Somebody"},
        "attendees": [{"id": "9", "displayName": "Nameless", "responseStatus": "accepted"}, {"email": "", "id": "8"}, {"email": "bob@example.com"}],
    }));
    assert_eq!(fields.get("organizer"), None);
    let extra = fields.get("extra").expect("extra");
    assert_eq!(extra["organizer"]["id"], "123");
    assert_eq!(extra["attendees"].as_array().map(Vec::len), Some(2));
    assert!(fields.get("attendee/bob@example.com").is_some());
}

#[test]
fn g10_31_foreign_properties_and_tomorrow_s_fields_and_values_pass_through() {
    let fields = fields(json!({
        "extendedProperties": {"private": {"everyoneDeclinedDismissed": "-1"}},
        "hologram": {"depth": [1, 2]}, "eventType": "teleport", "transparency": "translucent", "status": "maybe",
    }));
    assert_eq!(fields.get("property/private/everyoneDeclinedDismissed"), Some(&json!("-1")));
    assert_eq!(fields.get("extra").expect("extra")["hologram"], json!({"depth": [1, 2]}));
    for (unit, value) in [("event_type", "teleport"), ("transparency", "translucent"), ("status", "maybe")] {
        assert_eq!(fields.get(unit), Some(&json!(value)));
    }
}

#[test]
fn null_and_absent_are_the_same_everywhere() {
    let mut nulls = json!({});
    for name in [
        "summary",
        "description",
        "location",
        "recurrence",
        "transparency",
        "visibility",
        "attendees",
        "organizer",
        "reminders",
        "source",
        "iCalUID",
        "extendedProperties",
        "hangoutLink",
        "eventType",
        "recurringEventId",
        "updated",
    ] {
        nulls[name] = json!(null);
    }
    assert_eq!(fields(nulls).iter().map(|(unit, _)| unit.as_str()).collect::<Vec<_>>(), ["extra", "when"]);
}

#[test]
fn what_may_be_written_follows_from_organizer_guests_type_and_locks() {
    let own = |me: &str| Writable::OwnCopy { me: me.into() };
    let guest =
        json!([{"email": "Amy@example.com", "self": true}, {"email": "boss@example.com", "organizer": true}]);
    let boss = json!({"email": "boss@example.com"});
    for (changes, writable) in [
        (json!({}), Writable::All),
        (json!({"organizer": null}), Writable::All),
        (json!({"organizer": boss}), Writable::All),
        (json!({"organizer": boss, "attendees": guest}), own("amy@example.com")),
        (json!({"organizer": boss, "attendees": guest, "guestsCanModify": true}), Writable::All),
        (json!({"organizer": boss, "attendees": [{"email": "team@example.com"}]}), own("")),
        (json!({"locked": true}), own("")),
        (
            json!({"locked": true, "organizer": boss, "attendees": guest, "guestsCanModify": true}),
            own("amy@example.com"),
        ),
        (json!({"eventType": "fromGmail"}), own("")),
        (json!({"eventType": "birthday"}), Writable::Nothing),
        (json!({"eventType": "workingLocation"}), Writable::Nothing),
        (json!({"eventType": "teleport"}), Writable::Nothing),
        (json!({"eventType": "focusTime"}), Writable::All),
        (json!({"eventType": "outOfOffice"}), Writable::All),
    ] {
        assert_eq!(record(event(changes.clone())).writable, writable, "{changes}");
    }
    assert!(own("amy@example.com").allows(&"attendee/amy@example.com".into()));
}

#[test]
fn what_makes_no_sense_is_poison_with_a_reason_and_without_content() {
    let secret = "Salary talk";
    for (changes, why) in [
        (json!({"start": null}), "it has no start"),
        (json!({"end": null}), "it has no end"),
        (json!({"start": {}}), "its start has neither a date nor a time"),
        (json!({"start": {"date": secret}, "end": {"date": "2026-11-24"}}), "its start is not a date"),
        (json!({"start": {"date": "2026-11-23"}}), "it starts on a date and does not end on one"),
        (json!({"start": {"dateTime": secret, "timeZone": "UTC"}}), "its start is not a time"),
        (json!({"end": {"date": "2026-11-24"}}), "its end has neither a date nor a time"),
        (json!({"start": secret}), "the field start has an unexpected form"),
        (json!({"summary": [secret]}), "the field summary has an unexpected form"),
        (json!({"recurrence": secret}), "the field recurrence has an unexpected form"),
        (json!({"recurrence": [7]}), "the field recurrence has an unexpected form"),
        (json!({"attendees": [secret]}), "a guest has an unexpected form"),
        (json!({"attendees": [{"email": 7}]}), "a guest has an unexpected form"),
        (
            json!({"reminders": {"useDefault": false, "overrides": [{"method": "popup"}]}}),
            "a reminder has no minutes",
        ),
        (
            json!({"extendedProperties": {"private": secret}}),
            "the field extendedProperties has an unexpected form",
        ),
        (
            json!({"recurringEventId": "s1", "originalStartTime": {"date": secret}}),
            "its slot in the series cannot be read",
        ),
        (json!({"id": null}), "it has no id"),
    ] {
        poison(event(changes), why);
    }
    poison(json!("text"), "the entry is not an event");
    poison(json!(null), "the entry is not an event");
}

#[test]
fn poison_keeps_its_identity() {
    let entry = event(json!({
        "id": "s1_20261123T160000Z", "recurringEventId": "s1",
        "originalStartTime": {"dateTime": "2026-11-23T16:00:00Z"}, "start": null,
    }));
    match item(entry, &vancouver()) {
        Item::Unreadable { id, revision, occurrence, .. } => {
            assert_eq!((id.as_str(), revision.as_str()), ("s1_20261123T160000Z", ETAG));
            assert_eq!(occurrence.map(|o| o.slot.to_string()), Some("20261123T160000Z".into()));
        }
        Item::Record(record) => panic!("readable: {record:?}"),
    }
}

#[test]
fn the_calendar_s_zone_is_asked_for_only_where_it_matters() {
    assert!(!needs_zone(event(json!({})).as_object().expect("an event")));
    let zoneless = event(json!({"start": {"dateTime": "2026-11-23T16:00:00Z"}}));
    assert!(needs_zone(zoneless.as_object().expect("an event")));
    let day = event(json!({"start": {"date": "2026-11-23"}}));
    assert!(!needs_zone(day.as_object().expect("an event")));
    let gone = json!({"status": "cancelled", "start": {"dateTime": "2026-11-23T16:00:00Z"}});
    assert!(!needs_zone(gone.as_object().expect("an event")));
}
