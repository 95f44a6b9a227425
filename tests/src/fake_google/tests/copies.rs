//! Guests and users: copies, answers, mails, and edits in Google's own pages.

use super::*;

const GUEST: &str = "guest@elsewhere.test";

fn invite(id: &str, guests: &[&str]) -> Value {
    let mut body = event(id, "2026-01-05");
    body["attendees"] = guests.iter().map(|guest| json!({ "email": guest })).collect();
    body
}

fn bobs(client: &Client, id: &str) -> Value {
    client.fake.event(BOB, id).unwrap_or(Value::Null)
}

fn responses(event: &Value) -> String {
    let mut all: Vec<String> = event["attendees"]
        .as_array()
        .unwrap_or(&Vec::new())
        .iter()
        .map(|guest| {
            let name = guest["email"].as_str().unwrap().split('@').next().unwrap();
            format!("{name}:{}", guest["responseStatus"].as_str().unwrap())
        })
        .collect();
    all.sort();
    all.join(" ")
}

fn mails(client: &Client) -> String {
    let mut all: Vec<String> =
        client.fake.mails().iter().map(|mail| format!("{} {:?}", mail.recipient, mail.kind)).collect();
    all.sort();
    all.join(", ")
}

#[test]
fn a_guest_with_an_account_gets_a_copy_with_the_same_id_and_uid_and_without_what_is_private() {
    let mut client = Client::new();
    let mut body = invite("meet1", &[BOB, GUEST]);
    body["extendedProperties"] = json!({ "private": { "mine": "1" }, "shared": { "ours": "2" } });
    body["colorId"] = json!("3");
    body["reminders"] = json!({ "useDefault": false });
    let got = client.call("POST", "", body).ok();
    assert_eq!(responses(&got.body), "alice:accepted bob:needsAction guest:needsAction");
    let own = |event: &Value, flag: &str| {
        let attendees = event["attendees"].as_array().unwrap().clone();
        attendees
            .iter()
            .filter(|guest| guest[flag] == true)
            .map(|guest| guest["email"].clone())
            .collect::<Value>()
    };
    assert_eq!((own(&got.body, "self"), own(&got.body, "organizer")), (json!([ALICE]), json!([ALICE])));
    let copy = bobs(&client, "meet1");
    assert_eq!(copy["iCalUID"], got.body["iCalUID"]);
    assert_eq!((own(&copy, "self"), own(&copy, "organizer")), (json!([BOB]), json!([ALICE])));
    assert_eq!(copy["organizer"], json!({ "email": ALICE }));
    assert_eq!(copy["extendedProperties"], json!({ "shared": { "ours": "2" } }));
    assert_eq!((copy.get("colorId"), &copy["reminders"]), (None, &json!({ "useDefault": true })));
}

#[test]
fn the_organizer_joins_the_guests_or_not_as_switched() {
    let mut client = Client::new();
    client.fake.behaviour_mut().organizer_joins_guests = false;
    let got = client.call("POST", "", invite("meet1", &[BOB])).ok();
    assert_eq!(responses(&got.body), "bob:needsAction");
}

#[test]
fn copies_follow_the_organizer_and_do_not_echo_what_is_not_shared() {
    let mut client = Client::new();
    client.call("POST", "", invite("meet1", &[BOB])).ok();
    let old = bobs(&client, "meet1");
    client
        .call(
            "PATCH",
            "meet1",
            json!({ "extendedProperties": { "private": { "mine": "1" } }, "colorId": "3" }),
        )
        .ok();
    assert_eq!(bobs(&client, "meet1"), old);
    client
        .call(
            "PATCH",
            "meet1",
            json!({ "summary": "new", "attendees": [{ "email": BOB }, { "email": GUEST }] }),
        )
        .ok();
    let new = bobs(&client, "meet1");
    assert_eq!((&new["summary"], responses(&new).contains("guest")), (&json!("new"), true));
    assert_ne!(new["etag"], old["etag"]);
    client.call("PATCH", "meet1", json!({ "attendees": [{ "email": GUEST }] })).ok();
    assert_eq!(bobs(&client, "meet1")["status"], "cancelled");
    client.call("PATCH", "meet1", json!({ "attendees": [{ "email": BOB }] })).ok();
    assert_eq!(bobs(&client, "meet1")["status"], "confirmed");
    client.call("DELETE", "meet1", Value::Null).ok();
    assert_eq!(bobs(&client, "meet1")["status"], "cancelled");
    client.fake.behaviour_mut().propagate_copies = false;
    client.call("POST", "", invite("meet2", &[BOB])).ok();
    assert_eq!(bobs(&client, "meet2"), Value::Null);
}

#[test]
fn sending_the_guest_list_without_answers_resets_the_answers() {
    let mut client = Client::new();
    client.call("POST", "", invite("meet1", &[BOB])).ok();
    let now = client.now;
    client.fake.user_respond(now, BOB, "meet1", "accepted").unwrap();
    assert_eq!(responses(&client.get("meet1").ok().body), "alice:accepted bob:accepted");
    client.call("PATCH", "meet1", json!({ "summary": "x" })).ok();
    assert_eq!(responses(&client.get("meet1").ok().body), "alice:accepted bob:accepted");
    client.call("PATCH", "meet1", json!({ "attendees": [{ "email": BOB }] })).ok();
    assert_eq!(responses(&client.get("meet1").ok().body), "alice:accepted bob:needsAction");
}

#[test]
fn a_guest_answers_and_keeps_own_fields_and_leaves_the_rest_to_the_organizer() {
    let mut client = Client::new();
    client.call("POST", "", invite("meet1", &[BOB, GUEST])).ok();
    client.become_user(BOB);
    let path = "/calendars/primary/events/meet1";
    let answer = json!([{ "email": BOB, "responseStatus": "tentative", "comment": "late" }]);
    let got = client.call("PATCH", path, json!({ "attendeesOmitted": true, "attendees": answer })).ok();
    assert_eq!(responses(&got.body), "alice:accepted bob:tentative guest:needsAction");
    let alices = client.fake.event(ALICE, "meet1").unwrap();
    assert_eq!(responses(&alices), "alice:accepted bob:tentative guest:needsAction");
    for own in [
        json!({ "colorId": "3" }),
        json!({ "transparency": "transparent" }),
        json!({ "visibility": "private" }),
        json!({ "extendedProperties": { "private": { "crm": "7" } } }),
        json!({ "reminders": { "useDefault": false } }),
    ] {
        client.call("PATCH", path, own).ok();
        assert_eq!(client.fake.event(ALICE, "meet1").unwrap(), alices);
    }
    let mut put = event("meet1", "2026-01-05");
    put["summary"] = json!("other");
    for (method, shared) in [
        ("PATCH", json!({ "summary": "mine" })),
        ("PATCH", json!({ "end": { "dateTime": "2026-01-05T12:00:00+01:00" } })),
        ("PATCH", json!({ "attendees": answer })),
        ("PATCH", json!({ "guestsCanModify": true })),
        ("PATCH", json!({ "extendedProperties": { "shared": { "a": "b" } } })),
        ("PUT", put),
    ] {
        let got = client.call(method, path, shared.clone());
        assert_eq!((got.status, got.reason()), (403, "forbiddenForNonOrganizer"), "{shared}");
    }
    assert_eq!(client.fake.event(ALICE, "meet1").unwrap(), alices);
}

#[test]
fn a_guests_change_of_shared_fields_is_ignored_or_diverges_as_switched() {
    for (switch, mine, theirs) in
        [(GuestWrite::Ignore, "meet1", "meet1"), (GuestWrite::Diverge, "mine", "meet1")]
    {
        let mut client = Client::new();
        client.fake.behaviour_mut().guest_shared_write = switch;
        client.call("POST", "", invite("meet1", &[BOB])).ok();
        client.become_user(BOB);
        client.call("PATCH", "/calendars/primary/events/meet1", json!({ "summary": "mine" })).ok();
        assert_eq!(bobs(&client, "meet1")["summary"], mine);
        assert_eq!(client.fake.event(ALICE, "meet1").unwrap()["summary"], theirs);
        let now = client.now;
        client.fake.user_patch(now, ALICE, "meet1", &json!({ "summary": "last" })).unwrap();
        assert_eq!(bobs(&client, "meet1")["summary"], "last");
    }
}

#[test]
fn where_guests_can_modify_the_change_goes_to_everybody() {
    let mut client = Client::new();
    client.fake.account("carol@example.com");
    let mut body = invite("meet1", &[BOB, "carol@example.com"]);
    body["guestsCanModify"] = json!(true);
    client.call("POST", "", body).ok();
    client.become_user(BOB);
    client.call("PATCH", "/calendars/primary/events/meet1", json!({ "summary": "ours" })).ok();
    for calendar in [ALICE, BOB, "carol@example.com"] {
        assert_eq!(client.fake.event(calendar, "meet1").unwrap()["summary"], "ours", "{calendar}");
    }
}

#[test]
fn a_guest_who_deletes_the_copy_declines_and_is_left_in_peace() {
    let mut client = Client::new();
    client.call("POST", "", invite("meet1", &[BOB])).ok();
    let now = client.now;
    client.fake.user_delete(now, BOB, "meet1").unwrap();
    assert_eq!(responses(&client.get("meet1").ok().body), "alice:accepted bob:declined");
    client.call("PATCH", "meet1", json!({ "summary": "again" })).ok();
    assert_eq!(bobs(&client, "meet1")["status"], "cancelled");
}

#[test]
fn occurrences_are_shared_one_by_one() {
    let mut client = Client::new();
    let mut body = invite("chain", &[BOB]);
    body["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=3"]);
    client.call("POST", "", body).ok();
    client.call("PATCH", "chain_20260106T080000Z", json!({ "summary": "moved" })).ok();
    client.call("DELETE", "chain_20260107T080000Z", Value::Null).ok();
    assert_eq!(bobs(&client, "chain_20260105T080000Z")["summary"], "chain");
    assert_eq!(bobs(&client, "chain_20260106T080000Z")["summary"], "moved");
    assert_eq!(bobs(&client, "chain_20260107T080000Z")["status"], "cancelled");
    // A guest of one occurrence alone holds an exception without its series.
    client.daily("other", "2026-02-05", "RRULE:FREQ=DAILY;COUNT=3");
    client.call("PATCH", "other_20260206T080000Z", json!({ "attendees": [{ "email": BOB }] })).ok();
    let copy = bobs(&client, "other_20260206T080000Z");
    assert_eq!(copy["recurringEventId"], "other");
    assert_eq!(bobs(&client, "other"), Value::Null);
    // An answer to one occurrence.
    let now = client.now;
    client.fake.user_respond(now, BOB, "chain_20260105T080000Z", "declined").unwrap();
    let got = client.get("chain_20260105T080000Z").ok();
    assert_eq!(responses(&got.body), "alice:accepted bob:declined");
    assert_eq!(responses(&client.get("chain").ok().body), "alice:accepted bob:needsAction");
}

#[test]
fn mails_go_to_those_who_would_get_them_and_only_when_asked_for() {
    let all = "bob@example.com Invitation, guest@elsewhere.test Invitation";
    for (query, expected) in [
        ("", ""),
        ("?sendUpdates=none", ""),
        ("?sendUpdates=all", all),
        ("?sendUpdates=externalOnly", "guest@elsewhere.test Invitation"),
        ("?sendNotifications=true", all),
        ("?sendNotifications=false", ""),
    ] {
        let mut client = Client::new();
        client.call("POST", query, invite("meet1", &[BOB, GUEST, "room@resource.calendar.google.com"])).ok();
        assert_eq!(mails(&client), expected, "{query}");
    }
}

#[test]
fn each_kind_of_change_has_its_mail_with_the_stamp_of_its_operation() {
    for (method, body, expected) in [
        ("PATCH", json!({ "summary": "x" }), "bob@example.com Update"),
        ("PATCH", json!({ "extendedProperties": { "private": { "stamp": "2" } } }), ""),
        ("PATCH", json!({ "colorId": "3" }), ""),
        (
            "PATCH",
            json!({ "attendees": [{ "email": BOB }, { "email": GUEST }] }),
            "bob@example.com Update, guest@elsewhere.test Invitation",
        ),
        (
            "PATCH",
            json!({ "attendees": [{ "email": GUEST }] }),
            "bob@example.com Cancellation, guest@elsewhere.test Invitation",
        ),
        ("PATCH", json!({ "attendees": [] }), "bob@example.com Cancellation"),
        ("PATCH", json!({ "status": "cancelled" }), "bob@example.com Cancellation"),
        ("DELETE", Value::Null, "bob@example.com Cancellation"),
    ] {
        let mut client = Client::new();
        let mut first = invite("meet1", &[BOB]);
        first["extendedProperties"] = json!({ "private": { "stamp": "1" } });
        client.call("POST", "", first).ok();
        client.call(method, "meet1?sendUpdates=all", body.clone()).ok();
        assert_eq!(mails(&client), expected, "{method} {body}");
        for mail in client.fake.mails() {
            assert_eq!((mail.request, mail.actor.as_str()), (client.fake.requests(), ALICE));
            assert_eq!(mail.stamp["stamp"], "1");
        }
    }
}

#[test]
fn an_answer_is_mailed_to_the_organizer_and_a_user_in_person_mails_nobody() {
    let mut client = Client::new();
    client.call("POST", "", invite("meet1", &[BOB])).ok();
    let now = client.now;
    client.fake.user_patch(now, ALICE, "meet1", &json!({ "summary": "x" })).unwrap();
    assert_eq!(mails(&client), "");
    client.become_user(BOB);
    let answer = json!([{ "email": BOB, "responseStatus": "accepted" }]);
    client
        .call(
            "PATCH",
            "/calendars/primary/events/meet1?sendUpdates=all",
            json!({ "attendeesOmitted": true, "attendees": answer }),
        )
        .ok();
    assert_eq!(mails(&client), "alice@example.com Response");
}

#[test]
fn above_the_asked_number_of_guests_only_the_own_entry_is_shown() {
    let mut client = Client::new();
    client.call("POST", "", invite("meet1", &[BOB, GUEST])).ok();
    let got = client.get("meet1?maxAttendees=2").ok();
    assert_eq!(
        (responses(&got.body).as_str(), &got.body["attendeesOmitted"]),
        ("alice:accepted", &json!(true))
    );
    assert_eq!(client.get("meet1?maxAttendees=3").ok().body.get("attendeesOmitted"), None);
}

#[test]
fn guests_who_may_not_see_each_other_see_themselves() {
    let mut client = Client::new();
    let mut body = invite("meet1", &[BOB, GUEST]);
    body["guestsCanSeeOtherGuests"] = json!(false);
    client.call("POST", "", body).ok();
    assert_eq!(responses(&bobs(&client, "meet1")), "bob:needsAction");
}

#[test]
fn an_edit_in_person_changes_etag_and_log_but_is_no_request() {
    let mut client = Client::new();
    client.insert("first", "2026-01-05");
    let (etag, token) = (client.get("first").ok().etag, client.sync_token());
    let (now, requests) = (client.now, client.fake.requests());
    client
        .fake
        .user_patch(now, ALICE, "first", &json!({ "start": { "dateTime": "2026-01-05T09:30:00+01:00" } }))
        .unwrap();
    assert_eq!(
        (client.fake.requests(), client.fake.journal().len()),
        (requests, usize::try_from(requests).unwrap())
    );
    let got = client.get("first").ok();
    assert_ne!(got.etag, etag);
    assert_eq!(got.body["sequence"], 1);
    assert_eq!(client.get(&format!("?syncToken={token}")).ok().ids(), "first");
    client.fake.user_delete(now, ALICE, "first").unwrap();
    client.fake.user_restore(now, ALICE, "first").unwrap();
    assert_eq!(client.get("first").ok().text("status"), "confirmed");
    let odd = json!({
        "id": "_odd", "start": { "date": "2026-01-05" }, "end": { "date": "2026-01-05" }, "locked": true,
        "recurrence": ["RRULE:FREQ=DAILY;UNTIL=20260107T000000"], "organizer": { "email": "x@far.example" },
    });
    client.fake.user_insert(now, ALICE, &odd).unwrap();
    let got = client.get("_odd").ok();
    assert_eq!(got.body["organizer"]["email"], "x@far.example");
    assert_eq!(client.call("PATCH", "_odd", json!({ "summary": "x" })).status, 403);
    client.fake.user_delete(now, ALICE, "_odd").unwrap();
    client.fake.user_purge(ALICE, "_odd");
    assert_eq!(client.get("?showDeleted=true").ok().ids(), "first");
}

#[test]
fn this_and_following_makes_a_second_series_that_claims_the_same_record() {
    let mut client = Client::new();
    let mut body = invite("chain", &[BOB]);
    body["start"]["timeZone"] = json!("America/Los_Angeles");
    body["end"]["timeZone"] = json!("America/Los_Angeles");
    body["recurrence"] =
        json!(["RRULE:FREQ=DAILY;COUNT=6", "EXDATE;TZID=America/Los_Angeles:20260106T090000"]);
    body["extendedProperties"] = json!({ "private": { "crm": "7" } });
    client.call("POST", "", body).ok();
    for id in ["chain_20260107T170000Z", "chain_20260109T170000Z"] {
        client.call("PATCH", id, json!({ "location": id })).ok();
    }
    let (now, token) = (client.now, client.sync_token());
    let patch = json!({ "summary": "later" });
    let id = client.fake.user_split(now, ALICE, "chain", "2026-01-08T09:00:00-08:00", &patch).unwrap();
    assert_eq!(id, "chain_R20260108T170000");
    let (old, new) = (client.get("chain").ok().body, client.get(&id).ok().body);
    assert_eq!(old["recurrence"][0], "RRULE:FREQ=DAILY;UNTIL=20260108T075959Z");
    assert_eq!(new["recurrence"][0], "RRULE:FREQ=DAILY;COUNT=3");
    assert_eq!((&new["summary"], &new["created"]), (&json!("later"), &old["created"]));
    assert_eq!(new["extendedProperties"], old["extendedProperties"]);
    assert_ne!(new["iCalUID"], old["iCalUID"]);
    // The exception behind the split changed its id, and no tombstone names the old one.
    let got = client.get(&format!("?syncToken={token}")).ok();
    assert_eq!(
        got.ids(),
        "chain chain_20260107T170000Z chain_R20260108T170000 chain_R20260108T170000_20260109T170000Z"
    );
    for calendar in [ALICE, BOB] {
        let (from, to) = (client.now, client.now + Duration::days(30));
        let days: Vec<String> = client
            .fake
            .instances(calendar, from, to)
            .iter()
            .map(|event| {
                event["originalStartTime"]["dateTime"].as_str().unwrap().split('T').next().unwrap()[8..]
                    .to_owned()
            })
            .collect();
        assert_eq!(days.join(" "), "05 07 08 09 10", "{calendar}");
    }
    let again = client.fake.user_split(now, ALICE, &id, "20260109T170000Z", &json!({})).unwrap();
    assert_eq!(again, "chain_R20260109T170000");
}

#[test]
fn an_occurrence_is_moved_and_cancelled_by_its_slot() {
    let mut client = Client::new();
    client.daily("chain", "2026-01-05", "RRULE:FREQ=DAILY;COUNT=3");
    let now = client.now;
    let time = |hour: u8| json!({ "dateTime": format!("2026-01-09T{hour}:00:00+01:00") });
    client
        .fake
        .user_move_instance(now, ALICE, "chain", "2026-01-06T09:00:00+01:00", &time(14), &time(15))
        .unwrap();
    client.fake.user_cancel_instance(now, ALICE, "chain", "20260107T080000Z").unwrap();
    assert!(client.fake.user_cancel_instance(now, ALICE, "chain", "20260117T080000Z").is_err());
    let starts: Vec<Value> = client
        .fake
        .instances(ALICE, now, now + Duration::days(30))
        .iter()
        .map(|event| event["start"]["dateTime"].clone())
        .collect();
    assert_eq!(starts, [json!("2026-01-05T09:00:00+01:00"), json!("2026-01-09T14:00:00+01:00")]);
    client.fake.user_restore(now, ALICE, "chain_20260107T080000Z").unwrap();
    assert_eq!(client.fake.instances(ALICE, now, now + Duration::days(30)).len(), 3);
}

#[test]
fn an_event_moved_to_another_calendar_leaves_a_tombstone() {
    let mut client = Client::new();
    client.insert("first", "2026-01-05");
    let (now, token) = (client.now, client.sync_token());
    client.fake.user_move_to(now, ALICE, "first", BOB).unwrap();
    assert_eq!(client.get(&format!("?syncToken={token}")).ok().ids(), "first†");
    assert_eq!(bobs(&client, "first")["organizer"]["email"], BOB);
}

#[test]
fn a_room_shows_all_day_events_from_midnight_to_midnight() {
    let mut client = Client::new();
    client.fake.set_room(ALICE, true);
    let body = json!({ "id": "first", "start": { "date": "2026-01-05" }, "end": { "date": "2026-01-06" } });
    let got = client.call("POST", "", body).ok();
    assert_eq!(got.body["start"]["dateTime"], "2026-01-05T00:00:00+01:00");
}
