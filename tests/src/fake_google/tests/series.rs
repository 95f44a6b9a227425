//! Series: occurrences, exceptions, and what a write to one means for the other.

use super::*;

#[test]
fn occurrences_are_addressed_by_their_slot_and_become_exceptions_when_written() {
    let mut client = Client::new();
    let master = client.daily("chain", "2026-03-28", "RRULE:FREQ=DAILY;COUNT=3");
    // Summer time begins on the 29th: the slot's instant moves, the wall clock does not.
    let got = client.get("chain_20260329T070000Z").ok();
    assert_eq!(got.body["start"]["dateTime"], "2026-03-29T09:00:00+02:00");
    assert_eq!(got.body["originalStartTime"], got.body["start"]);
    assert_eq!((got.text("recurringEventId").as_str(), got.body.get("recurrence")), ("chain", None));
    assert_eq!(got.etag, master.etag);
    for id in ["chain_20260329T080000Z", "chain_20260329", "chain_20260331T070000Z", "other_20260329T070000Z"]
    {
        assert_eq!(client.get(id).status, 404, "{id}");
    }
    assert_eq!(client.fake.events(ALICE).count(), 1);
    let later =
        |time: &str| json!({ "dateTime": format!("2026-03-30T{time}:00"), "timeZone": "Europe/Berlin" });
    let got = client
        .call("PATCH", "chain_20260329T070000Z", json!({ "start": later("11:00"), "end": later("12:00") }))
        .ok();
    assert_eq!(got.body["originalStartTime"]["dateTime"], "2026-03-29T09:00:00+02:00");
    assert_eq!((got.text("summary").as_str(), got.text("iCalUID").as_str()), ("chain", "chain@google.com"));
    assert_eq!(client.fake.events(ALICE).count(), 2);
    client.call("DELETE", "chain_20260330T070000Z", Value::Null).ok();
    assert_eq!(client.call("DELETE", "chain_20260330T070000Z", Value::Null).status, 410);
    // The series' own lines say nothing of it.
    assert_eq!(client.get("chain").ok().body["recurrence"], json!(["RRULE:FREQ=DAILY;COUNT=3"]));
    let got = client.get("chain/instances?showDeleted=true").ok();
    assert_eq!(got.ids(), "chain_20260328T080000Z chain_20260329T070000Z chain_20260330T070000Z†");
    let got = client.get("chain/instances").ok();
    assert_eq!(got.ids(), "chain_20260328T080000Z chain_20260329T070000Z");
    let first = client.get("chain/instances?maxResults=1").ok();
    let rest =
        client.get(&format!("chain/instances?maxResults=1&pageToken={}", first.text("nextPageToken"))).ok();
    assert_eq!(
        (first.ids().as_str(), rest.ids().as_str()),
        ("chain_20260328T080000Z", "chain_20260329T070000Z")
    );
    let got = client.get("chain/instances?originalStart=2026-03-29T09:00:00%2B02:00").ok();
    assert_eq!(got.ids(), "chain_20260329T070000Z");
    let window = client.get("chain/instances?timeMin=2026-03-30T00:00:00Z").ok();
    assert_eq!(window.ids(), "chain_20260329T070000Z", "it was moved into the window");
}

#[test]
fn a_cancelled_occurrence_is_patched_back_only_with_its_times() {
    let mut client = Client::new();
    client.daily("chain", "2026-01-05", "RRULE:FREQ=DAILY;COUNT=3");
    client.call("DELETE", "chain_20260106T080000Z", Value::Null).ok();
    let got = client.call("PATCH", "chain_20260106T080000Z", json!({ "summary": "x" }));
    assert_eq!((got.status, got.message()), (400, "Invalid start time."));
    let mut body = event("x", "2026-01-06");
    body["status"] = json!("confirmed");
    let got = client.call("PATCH", "chain_20260106T080000Z", body).ok();
    assert_eq!(got.text("status"), "confirmed");
}

#[test]
fn all_day_occurrences_have_dates_as_slots() {
    let mut client = Client::new();
    let body = json!({
        "id": "chain", "start": { "date": "2026-01-05" }, "end": { "date": "2026-01-07" },
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"],
    });
    client.call("POST", "", body).ok();
    let got = client.get("chain_20260112").ok();
    assert_eq!(got.body["end"], json!({ "date": "2026-01-14" }));
    assert_eq!(got.body["originalStartTime"], json!({ "date": "2026-01-12" }));
    assert_eq!(client.get("chain_20260112T000000Z").status, 404);
}

#[test]
fn a_write_to_a_series_touches_its_exceptions_unless_switched_off() {
    for touches in [true, false] {
        let mut client = Client::new();
        client.fake.behaviour_mut().master_write_touches_exceptions = touches;
        client.daily("chain", "2026-01-05", "RRULE:FREQ=DAILY;COUNT=3");
        let etag = client.call("PATCH", "chain_20260106T080000Z", json!({ "summary": "x" })).ok().etag;
        client.call("PATCH", "chain", json!({ "summary": "all" })).ok();
        let got = client.get("chain_20260106T080000Z").ok();
        assert_eq!((got.text("summary").as_str(), got.etag != etag), ("x", touches));
    }
}

#[test]
fn a_shorter_rule_cancels_the_exceptions_behind_its_end_and_a_reset_all_of_them() {
    for (policy, patch, cancelled) in [
        (ExceptionPolicy::Keep, json!({ "recurrence": ["RRULE:FREQ=DAILY;COUNT=2"] }), "no yes"),
        (ExceptionPolicy::Keep, json!({ "summary": "x" }), "no no"),
        (ExceptionPolicy::Reset, json!({ "summary": "x" }), "no no"),
        (ExceptionPolicy::Reset, json!({ "recurrence": ["RRULE:FREQ=DAILY;COUNT=9"] }), "yes yes"),
        (ExceptionPolicy::Keep, json!({ "recurrence": null }), "yes yes"),
    ] {
        let mut client = Client::new();
        client.fake.behaviour_mut().exceptions_on_master_change = policy;
        client.daily("chain", "2026-01-05", "RRULE:FREQ=DAILY;COUNT=5");
        for id in ["chain_20260106T080000Z", "chain_20260108T080000Z"] {
            client.call("PATCH", id, json!({ "summary": "moved" })).ok();
        }
        client.call("PATCH", "chain", patch.clone()).ok();
        let seen = ["chain_20260106T080000Z", "chain_20260108T080000Z"]
            .map(|id| if client.get(id).ok().text("status") == "cancelled" { "yes" } else { "no" });
        assert_eq!(seen.join(" "), cancelled, "{policy:?} {patch}");
    }
}

#[test]
fn exceptions_go_with_their_series_and_come_back_with_it() {
    let mut client = Client::new();
    client.daily("chain", "2026-01-05", "RRULE:FREQ=DAILY;COUNT=3");
    client.call("PATCH", "chain_20260106T080000Z", json!({ "summary": "moved" })).ok();
    client.call("DELETE", "chain", Value::Null).ok();
    assert_eq!(client.get("chain_20260106T080000Z").ok().text("status"), "cancelled");
    assert_eq!(client.call("DELETE", "chain_20260106T080000Z", Value::Null).status, 410);
    client.call("PATCH", "chain", json!({ "status": "confirmed" })).ok();
    assert_eq!(client.get("").ok().ids(), "chain chain_20260106T080000Z");

    client.fake.behaviour_mut().list_exceptions_of_deleted_series = true;
    let token = client.sync_token();
    client.call("DELETE", "chain", Value::Null).ok();
    assert_eq!(client.get(&format!("?syncToken={token}")).ok().ids(), "chain_20260106T080000Z† chain†");
}

#[test]
fn a_more_private_occurrence_makes_its_whole_series_private_and_a_less_private_one_changes_nothing() {
    let mut client = Client::new();
    client.daily("chain", "2026-01-05", "RRULE:FREQ=DAILY;COUNT=3");
    client.call("PATCH", "chain_20260106T080000Z", json!({ "summary": "x" })).ok();
    client.call("PATCH", "chain_20260107T080000Z", json!({ "visibility": "private" })).ok();
    for id in ["chain", "chain_20260105T080000Z", "chain_20260106T080000Z", "chain_20260107T080000Z"] {
        assert_eq!(client.get(id).ok().text("visibility"), "private", "{id}");
    }
    let got = client.call("PATCH", "chain_20260107T080000Z", json!({ "visibility": "public" })).ok();
    assert_eq!(got.text("visibility"), "private");
}

#[test]
fn a_single_event_becomes_a_series_under_its_own_id() {
    let mut client = Client::new();
    client.insert("first", "2026-01-05");
    let got =
        client.call("PATCH", "first", json!({ "recurrence": ["RRULE:FREQ=DAILY;COUNT=2;INTERVAL=1"] })).ok();
    assert_eq!(got.body["recurrence"], json!(["RRULE:FREQ=DAILY;COUNT=2"]));
    assert_eq!(client.get("?singleEvents=true").ok().ids(), "first_20260105T080000Z first_20260106T080000Z");
}
