//! Listings: pages, tokens, filters, and what becomes of deleted events.

use super::*;

/// A single event, a series with a moved and a cancelled occurrence, a deleted event, a deleted series with an exception.
fn world() -> Client {
    let mut client = Client::new();
    client.insert("single", "2026-01-05");
    client.daily("chain", "2026-01-05", "RRULE:FREQ=DAILY;COUNT=5");
    client.call("PATCH", "chain_20260106T080000Z", json!({ "summary": "moved" })).ok();
    client.call("DELETE", "chain_20260107T080000Z", Value::Null).ok();
    client.insert("gone01", "2026-01-05");
    client.call("DELETE", "gone01", Value::Null).ok();
    client.daily("gone02", "2026-01-05", "RRULE:FREQ=DAILY;COUNT=2");
    client.call("PATCH", "gone02_20260106T080000Z", json!({ "summary": "lost" })).ok();
    client.call("DELETE", "gone02", Value::Null).ok();
    client
}

#[test]
fn what_a_listing_shows_of_deleted_events_depends_on_the_mode() {
    for (query, ids) in [
        ("", "chain chain_20260106T080000Z chain_20260107T080000Z† single"),
        ("showDeleted=true", "chain chain_20260106T080000Z chain_20260107T080000Z† gone01† gone02† single"),
        (
            "singleEvents=true",
            "chain_20260105T080000Z chain_20260106T080000Z chain_20260108T080000Z chain_20260109T080000Z single",
        ),
        (
            "singleEvents=true&showDeleted=true",
            "chain_20260105T080000Z chain_20260106T080000Z chain_20260107T080000Z† chain_20260108T080000Z \
             chain_20260109T080000Z gone01† gone02_20260105T080000Z† \
             gone02_20260106T080000Z† single",
        ),
        (
            "updatedMin=2026-01-01T00:00:00Z",
            "chain chain_20260106T080000Z chain_20260107T080000Z† gone01† gone02† single",
        ),
    ] {
        for order in [ListOrder::ById, ListOrder::Reversed, ListOrder::Scrambled] {
            let mut client = world();
            client.fake.behaviour_mut().list_order = order;
            assert_eq!(client.get(&format!("?{query}")).ok().ids(), ids, "{query} {order:?}");
        }
    }
}

#[test]
fn an_increment_holds_what_changed_and_every_deletion() {
    for order in [ListOrder::ById, ListOrder::Reversed] {
        let mut client = world();
        client.fake.behaviour_mut().list_order = order;
        let first = client.sync_token();
        assert_eq!(client.get(&format!("?syncToken={first}")).ok().ids(), "");
        client.call("PATCH", "single", json!({ "summary": "changed" })).ok();
        client.call("DELETE", "chain_20260108T080000Z", Value::Null).ok();
        client.insert("fresh", "2026-02-01");
        client.call("DELETE", "fresh", Value::Null).ok();
        let got = client.get(&format!("?syncToken={first}")).ok();
        assert_eq!(got.ids(), "chain_20260108T080000Z† fresh† single", "{order:?}");
        let second = got.text("nextSyncToken");
        assert_eq!(client.get(&format!("?syncToken={second}")).ok().ids(), "");
        client.call("DELETE", "chain", Value::Null).ok();
        assert_eq!(client.get(&format!("?syncToken={second}")).ok().ids(), "chain†");
        // An older token gives a superset; what went with its series has lost its own tombstone.
        assert_eq!(client.get(&format!("?syncToken={first}")).ok().ids(), "chain† fresh† single");
    }
}

#[test]
fn a_tombstone_has_hardly_more_than_its_id() {
    for (form, event, instance) in [
        (TombstoneForm::IdOnly, "id status", "id originalStartTime recurringEventId status"),
        (
            TombstoneForm::Bare,
            "etag id kind status",
            "etag id kind originalStartTime recurringEventId status",
        ),
    ] {
        let mut client = world();
        client.fake.behaviour_mut().tombstone_form = form;
        let got = client.get("?showDeleted=true").ok();
        for item in got.body["items"].as_array().unwrap() {
            let names: Vec<&str> = item.as_object().unwrap().keys().map(String::as_str).collect();
            match item["id"].as_str().unwrap() {
                "gone01" | "gone02" => assert_eq!(names.join(" "), event),
                "chain_20260107T080000Z" => {
                    assert_eq!(names.join(" "), instance);
                    assert_eq!(item["originalStartTime"]["dateTime"], "2026-01-07T09:00:00+01:00");
                }
                _ => assert!(names.contains(&"summary")),
            }
        }
    }
}

#[test]
fn since_2025_a_cancelled_series_may_come_with_all_its_fields_whatever_the_window() {
    let mut client = world();
    client.fake.behaviour_mut().cancelled_masters_listed = true;
    let got = client.get("?timeMin=2026-06-01T00:00:00Z").ok();
    assert_eq!(got.ids(), "gone02†");
    assert_eq!(got.body["items"][0]["summary"], "gone02");
}

#[test]
fn pages_hold_everything_once_in_every_order_and_only_the_last_has_a_sync_token() {
    for order in [ListOrder::ById, ListOrder::Reversed, ListOrder::Scrambled] {
        for query in ["", "&singleEvents=true", "&orderBy=updated", "&singleEvents=true&orderBy=startTime"] {
            let mut client = Client::new();
            client.fake.behaviour_mut().list_order = order;
            for number in 0..7 {
                client.insert(&format!("event{number}"), "2026-01-05");
            }
            let mut ids = Vec::new();
            let mut page = String::new();
            for count in 1..=4 {
                let got = client.get(&format!("?maxResults=2{query}{page}")).ok();
                ids.push(got.ids());
                let (next, sync) = (&got.body["nextPageToken"], &got.body["nextSyncToken"]);
                assert_eq!(next.is_string(), count < 4, "{order:?} {query}");
                assert_eq!(sync.is_string(), count == 4 && !query.contains("orderBy"), "{order:?} {query}");
                page = format!("&pageToken={}", next.as_str().unwrap_or_default());
            }
            let mut ids: Vec<&str> = ids.iter().flat_map(|page| page.split(' ')).collect();
            ids.sort_unstable();
            assert_eq!(
                ids.join(" "),
                "event0 event1 event2 event3 event4 event5 event6",
                "{order:?} {query}"
            );
        }
    }
}

#[test]
fn changes_between_two_pages_are_not_lost() {
    for order in [ListOrder::ById, ListOrder::Reversed, ListOrder::Scrambled] {
        let mut client = Client::new();
        client.fake.behaviour_mut().list_order = order;
        for number in 0..4 {
            client.insert(&format!("event{number}"), "2026-01-05");
        }
        let first = client.get("?maxResults=2").ok();
        for number in 0..4 {
            client.call("PATCH", &format!("event{number}"), json!({ "summary": "later" })).ok();
        }
        client.insert("added0", "2026-01-05");
        let mut seen = first.ids();
        let mut next = first.text("nextPageToken");
        let sync = loop {
            let got = client.get(&format!("?maxResults=2&pageToken={next}")).ok();
            seen = format!("{seen} {}", got.ids());
            match got.body["nextPageToken"].as_str() {
                Some(token) => next = token.to_owned(),
                None => break got.text("nextSyncToken"),
            }
        };
        for number in 0..4 {
            assert!(seen.contains(&format!("event{number}")), "{order:?}: {seen}");
        }
        let got = client.get(&format!("?syncToken={sync}")).ok();
        assert_eq!(got.ids(), "added0 event0 event1 event2 event3", "{order:?}");
    }
}

#[test]
fn an_increment_is_paged_too_and_what_changes_meanwhile_comes_with_the_next() {
    for order in [ListOrder::ById, ListOrder::Reversed] {
        let mut client = Client::new();
        client.fake.behaviour_mut().list_order = order;
        let token = client.sync_token();
        for number in 0..4 {
            client.insert(&format!("event{number}"), "2026-01-05");
        }
        let first = client.get(&format!("?maxResults=2&syncToken={token}")).ok();
        for number in 0..4 {
            client.call("PATCH", &format!("event{number}"), json!({ "summary": "later" })).ok();
        }
        let page = first.text("nextPageToken");
        let second = client.get(&format!("?maxResults=2&syncToken={token}&pageToken={page}")).ok();
        assert_eq!(second.ids(), "", "{order:?}: all of them moved behind this increment");
        let next = second.text("nextSyncToken");
        let third = client.get(&format!("?syncToken={next}")).ok();
        assert_eq!(third.ids(), "event0 event1 event2 event3", "{order:?}");
    }
}

#[test]
fn a_sync_token_forbids_restrictions_and_is_bound_to_calendar_user_and_parameters() {
    let mut client = world();
    client.fake.share(ALICE, BOB, Role::Reader);
    let token = client.sync_token();
    for (query, status, reason, message) in [
        (
            "timeMin=2026-01-01T00:00:00Z",
            400,
            "syncTokenWithRequestRestrictions",
            "Sync token cannot be used with other request restrictions.",
        ),
        ("timeMax=2026-01-01T00:00:00Z", 400, "syncTokenWithRequestRestrictions", ""),
        ("updatedMin=2026-01-01T00:00:00Z", 400, "syncTokenWithRequestRestrictions", ""),
        ("orderBy=updated", 400, "syncTokenWithRequestRestrictions", ""),
        ("q=x", 400, "syncTokenWithRequestRestrictions", ""),
        ("iCalUID=x", 400, "syncTokenWithRequestRestrictions", ""),
        ("privateExtendedProperty=a%3Db", 400, "syncTokenWithRequestRestrictions", ""),
        ("sharedExtendedProperty=a%3Db", 400, "syncTokenWithRequestRestrictions", ""),
        ("showDeleted=false", 400, "syncTokenWithRequestRestrictions", ""),
        ("showDeleted=true", 200, "", ""),
        ("maxResults=1", 200, "", ""),
        ("singleEvents=true", 400, "invalid", "Invalid sync token value."),
        ("eventTypes=default", 400, "invalid", "Invalid sync token value."),
        ("maxAttendees=1", 400, "invalid", ""),
        ("timeZone=Asia/Tokyo", 400, "invalid", ""),
    ] {
        let got = client.get(&format!("?syncToken={token}&{query}"));
        assert_eq!((got.status, got.reason()), (status, reason), "{query}");
        assert!(message.is_empty() || got.message() == message, "{query}: {}", got.message());
    }
    assert_eq!(client.get("?syncToken=CPDAlvWDx70CEPDAlvWDx70CGAU").message(), "Invalid sync token value.");
    let elsewhere = client.get(&format!("/calendars/bob@example.com/events?syncToken={token}"));
    assert_eq!(elsewhere.status, 404);
    client.become_user(BOB);
    assert_eq!(client.get(&format!("?syncToken={token}")).message(), "Invalid sync token value.");
    assert_eq!(
        client.get(&format!("/calendars/{BOB}/events?syncToken={token}")).message(),
        "Invalid sync token value."
    );
}

#[test]
fn a_sync_token_ends_by_order_by_age_and_by_a_change_of_the_access_list() {
    type Ending = (&'static str, fn(&mut Client));
    let endings: [Ending; 4] = [
        ("order", |client| client.fake.expire_sync_tokens()),
        ("order for one calendar", |client| client.fake.expire_sync_tokens_of(ALICE)),
        ("age", |client| {
            client.fake.behaviour_mut().sync_token_lifetime_seconds = Some(60);
            client.pass(61);
        }),
        ("access list", |client| {
            client.fake.share(ALICE, BOB, Role::Reader);
            client.fake.unshare(ALICE, BOB);
        }),
    ];
    for (name, end) in endings {
        let mut client = world();
        let token = client.sync_token();
        end(&mut client);
        let got = client.get(&format!("?syncToken={token}"));
        assert_eq!((got.status, got.reason()), (410, "fullSyncRequired"), "{name}");
        assert_eq!(got.body["error"]["errors"][0]["location"], "syncToken");
        let fresh = client.sync_token();
        client.get(&format!("?syncToken={fresh}")).ok();
    }
}

#[test]
fn a_page_token_is_bound_to_its_parameters() {
    let mut client = world();
    let page = client.get("?maxResults=1").ok().text("nextPageToken");
    for query in ["maxResults=2", "maxResults=1&showDeleted=true"] {
        let got = client.get(&format!("?{query}&pageToken={page}"));
        assert_eq!((got.status, got.message()), (400, "Invalid page token value."), "{query}");
    }
    client.get(&format!("?maxResults=1&pageToken={page}&fields=items/id")).ok();
    assert_eq!(client.get("?pageToken=nonsense").status, 400);
}

#[test]
fn filters_choose_by_time_text_type_and_property() {
    let mut client = Client::new();
    let mut early = event("ahead", "2026-01-05");
    early["extendedProperties"] = json!({ "private": { "crm": "1" }, "shared": { "team": "a" } });
    early["location"] = json!("Room Nine");
    let mut late = event("later", "2026-03-05");
    late["extendedProperties"] = json!({ "private": { "crm": "2" } });
    late["attendees"] = json!([{ "email": "guest@elsewhere.test", "displayName": "Greta Guest" }]);
    let mut focus = event("focus", "2026-02-05");
    focus["eventType"] = json!("focusTime");
    focus["focusTimeProperties"] = json!({ "autoDeclineMode": "declineNone" });
    for body in [early, late, focus] {
        client.call("POST", "", body).ok();
    }
    client.daily("series", "2026-01-05", "RRULE:FREQ=WEEKLY;COUNT=3");
    for (query, ids) in [
        ("timeMin=2026-01-05T09:00:00Z", "focus later series"),
        ("timeMin=2026-01-05T08:59:59Z", "ahead focus later series"),
        ("timeMax=2026-01-05T08:00:00Z", ""),
        ("timeMax=2026-01-05T08:00:01Z", "ahead series"),
        ("timeMin=2026-01-19T09:00:00Z&timeMax=2026-02-01T00:00:00Z", ""),
        ("timeMin=2026-01-18T00:00:00Z&timeMax=2026-02-01T00:00:00%2B01:00", "series"),
        ("q=room%20NINE", "ahead"),
        ("q=greta", "later"),
        ("eventTypes=focusTime", "focus"),
        ("eventTypes=focusTime&eventTypes=default", "ahead focus later series"),
        ("privateExtendedProperty=crm%3D1", "ahead"),
        ("privateExtendedProperty=crm%3D1&privateExtendedProperty=crm%3D2", ""),
        ("sharedExtendedProperty=team%3Da", "ahead"),
        ("iCalUID=later%40google.com", "later"),
        ("updatedMin=2027-01-01T00:00:00Z", ""),
    ] {
        assert_eq!(client.get(&format!("?{query}")).ok().ids(), ids, "{query}");
    }
    client.fake.behaviour_mut().all_properties_must_match = false;
    let either = client.get("?privateExtendedProperty=crm%3D1&privateExtendedProperty=crm%3D2").ok();
    assert_eq!(either.ids(), "ahead later");
    for (query, reason) in [
        ("timeMin=2026-02-01T00:00:00Z&timeMax=2026-01-01T00:00:00Z", "timeRangeEmpty"),
        ("orderBy=startTime", "badRequest"),
        ("timeZone=Mars/Olympus", "invalidParameter"),
        ("fields=items(id", "invalidParameter"),
        ("pagetoken=x", "badRequest"),
    ] {
        let got = client.get(&format!("?{query}"));
        assert_eq!((got.status, got.reason()), (400, reason), "{query}");
    }
    client.fake.behaviour_mut().updated_min_reach_seconds = Some(3600);
    let got = client.get("?updatedMin=2025-01-01T00:00:00Z");
    assert_eq!((got.status, got.reason()), (410, "updatedMinTooLongAgo"));
}

#[test]
fn a_field_mask_that_forgets_the_token_gets_none() {
    let mut client = world();
    let got = client.get("?fields=items(id,start/dateTime),nextPageToken").ok();
    assert_eq!(got.body.get("nextSyncToken"), None);
    let item =
        got.body["items"].as_array().unwrap().iter().find(|item| item["id"] == "single").unwrap().clone();
    assert_eq!(item, json!({ "id": "single", "start": { "dateTime": "2026-01-05T09:00:00+01:00" } }));
    assert_eq!(client.get("single?fields=id").ok().body, json!({ "id": "single" }));
}

#[test]
fn the_window_of_the_first_listing_does_not_bind_its_increments_unless_switched() {
    for (keep, ids) in [(false, "distant"), (true, "")] {
        let mut client = Client::new();
        client.fake.behaviour_mut().increments_keep_window = keep;
        let token = client.get("?timeMin=2026-06-01T00:00:00Z").ok().text("nextSyncToken");
        client.call("POST", "", json!({ "id": "distant", "start": { "date": "2026-01-05" }, "end": { "date": "2026-01-06" } })).ok();
        let got = client.get(&format!("?syncToken={token}")).ok();
        assert_eq!(got.ids(), ids);
    }
}

#[test]
fn a_trimmed_series_stays_in_results_although_it_ended_before_the_window() {
    let mut client = Client::new();
    client.daily("series", "2026-01-05", "RRULE:FREQ=DAILY");
    client.call("PATCH", "series", json!({ "recurrence": ["RRULE:FREQ=DAILY;UNTIL=20260110T225959Z"] })).ok();
    assert_eq!(client.get("?timeMin=2026-06-01T00:00:00Z").ok().ids(), "series");
    client.fake.behaviour_mut().trimmed_series_stay = false;
    assert_eq!(client.get("?timeMin=2026-06-01T00:00:00Z").ok().ids(), "");
}

#[test]
fn a_listing_may_lag_behind_the_answer_to_the_write() {
    let mut client = Client::new();
    client.fake.behaviour_mut().listing_lag_milliseconds = 5000;
    client.insert("before", "2026-01-05");
    client.pass(10);
    let token = client.sync_token();
    client.insert("fresh", "2026-01-05");
    let got = client.get(&format!("?syncToken={token}")).ok();
    assert_eq!(got.ids(), "");
    assert_eq!(client.get("").ok().ids(), "before");
    assert_eq!(client.get("fresh").status, 200);
    client.pass(6);
    let token = got.text("nextSyncToken");
    assert_eq!(client.get(&format!("?syncToken={token}")).ok().ids(), "fresh");
}

#[test]
fn birthday_calendars_keep_silent_about_deletions() {
    let mut client = world();
    client.fake.set_silent_deletions(ALICE, true);
    let token = client.sync_token();
    client.call("DELETE", "single", Value::Null).ok();
    assert_eq!(client.get(&format!("?syncToken={token}")).ok().ids(), "");
}

#[test]
fn listing_faults_repeat_empty_and_truncate_within_what_google_allows() {
    let mut client = Client::new();
    for number in 0..3 {
        client.insert(&format!("event{number}"), "2026-01-05");
    }
    client.fake.behaviour_mut().list_order = ListOrder::ById;
    client.fake.inject(Fault::new(FaultKind::RepeatPage));
    let first = client.get("?maxResults=2").ok();
    let again = client.get(&format!("?maxResults=2&pageToken={}", first.text("nextPageToken"))).ok();
    assert_eq!(first.ids(), again.ids());
    client.fake.inject(Fault::new(FaultKind::EmptyPage));
    let empty = client.get("").ok();
    assert_eq!(empty.ids(), "");
    let rest = client.get(&format!("?pageToken={}", empty.text("nextPageToken"))).ok();
    assert_eq!(rest.ids(), "event0 event1 event2");
    client.fake.inject(Fault::new(FaultKind::RepeatItems));
    assert_eq!(client.get("?maxResults=1").ok().ids(), "event0 event0");
    client.fake.inject(Fault::new(FaultKind::EmptyListing));
    let nothing = client.get("").ok();
    assert_eq!((nothing.ids().as_str(), nothing.body["nextSyncToken"].is_string()), ("", true));
}

#[test]
fn readers_see_private_events_as_busy_and_free_busy_readers_see_nothing_else() {
    let mut client = Client::new();
    let mut private = event("private", "2026-01-05");
    private["visibility"] = json!("private");
    client.call("POST", "", private).ok();
    client.insert("public", "2026-01-05");
    for (role, summaries) in [
        (Role::FreeBusyReader, ""),
        (Role::Reader, "public"),
        (Role::WriterWithoutPrivateAccess, "public"),
        (Role::Writer, "private public"),
    ] {
        client.fake.share(ALICE, BOB, role);
        client.become_user(BOB);
        let got = client.get("").ok();
        let mut seen: Vec<&str> = got.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|item| item["summary"].as_str())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen.join(" "), summaries, "{role:?}");
        assert_eq!(got.text("accessRole"), role.name());
        let write = client.call("PATCH", "public", json!({ "summary": "public" }));
        assert_eq!(write.status == 200, role >= Role::WriterWithoutPrivateAccess, "{role:?}");
        if role <= Role::Reader {
            assert_eq!((write.status, write.reason()), (403, "requiredAccessLevel"));
        }
    }
    client.fake.unshare(ALICE, BOB);
    let got = client.get("");
    assert_eq!((got.status, got.reason()), (404, "notFound"));
}

#[test]
fn the_calendar_list_shows_what_was_added_and_what_went() {
    let mut client = Client::new();
    client.fake.calendar(BOB, "team@group.calendar.google.com", "Team");
    let got = client.get("/users/me/calendarList").ok();
    assert_eq!(got.ids(), ALICE);
    assert_eq!(got.body["items"][0]["primary"], true);
    let token = got.text("nextSyncToken");
    client.fake.share("team@group.calendar.google.com", ALICE, Role::Reader);
    let got = client.get(&format!("/users/me/calendarList?syncToken={token}")).ok();
    assert_eq!(got.ids(), "team@group.calendar.google.com");
    assert_eq!(got.body["items"][0]["accessRole"], "reader");
    let token = got.text("nextSyncToken");
    // A new name is no change of the list.
    client.fake.set_zone("team@group.calendar.google.com", "Asia/Tokyo");
    assert_eq!(client.get(&format!("/users/me/calendarList?syncToken={token}")).ok().ids(), "");
    client.fake.unshare("team@group.calendar.google.com", ALICE);
    let got = client.get(&format!("/users/me/calendarList?syncToken={token}")).ok();
    assert_eq!(got.body["items"][0]["deleted"], true);
    assert_eq!(client.get("/users/me/calendarList").ok().ids(), ALICE);
    let got = client.get(&format!("/users/me/calendarList?syncToken={token}&minAccessRole=owner"));
    assert_eq!(got.reason(), "syncTokenWithRequestRestrictions");
    client.fake.expire_sync_tokens();
    assert_eq!(client.get(&format!("/users/me/calendarList?syncToken={token}")).status, 410);
}

#[test]
fn a_service_account_has_to_put_a_shared_calendar_on_its_list_itself() {
    let mut client = Client::new();
    client.fake.service_account("robot@project", "1", KEY).unwrap();
    client.fake.share(ALICE, "robot@project", Role::Writer);
    client.become_user("robot@project");
    assert_eq!(client.get("/users/me/calendarList").ok().ids(), "robot@project");
    assert_eq!(client.get(&format!("/users/me/calendarList/{ALICE}")).status, 404);
    client.call("POST", "/users/me/calendarList", json!({ "id": ALICE })).ok();
    assert_eq!(client.get("/users/me/calendarList").ok().ids(), "alice@example.com robot@project");
    assert_eq!(client.call("POST", "/users/me/calendarList", json!({ "id": BOB })).status, 404);
}

#[test]
fn working_hours_show_on_the_primary_calendar_of_a_workspace_user_and_answer_304_when_known() {
    let mut client = Client::new();
    let hours = json!({ "workingHoursEnabled": true, "availableTimes": [{ "dayOfWeek": "monday", "periodStart": 540, "periodEnd": 1020 }] });
    client.fake.set_working_hours(ALICE, Some(hours.clone()));
    let got = client.get("/calendars/primary").ok();
    assert_eq!((&got.body["workingHours"], got.body["id"].as_str()), (&hours, Some(ALICE)));
    assert_eq!(client.with("if-none-match", &got.etag).get("/calendars/primary").status, 304);
    client.fake.set_working_hours(ALICE, None);
    let got = client.with("if-none-match", &got.etag).get("/calendars/primary").ok();
    assert_eq!(got.body.get("workingHours"), None);
}
