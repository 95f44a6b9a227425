//! What is listed: every page, every change, every tombstone, until a cursor expires.

use super::world::{AMY, ROBOT, World, fields, hour, key, live, target, world, world_with};
use calsync_core::clock::Clock;
use calsync_core::clock::ManualClock;
use calsync_core::model::{State, Writable};
use calsync_core::provider::{Effort, Provider, Target};
use calsync_core::{Cursor, ErrorKind, RemoteId, Secret};
use calsync_google::Google;
use calsync_testkit::fake_google::{FakeGoogle, FakeTransport, Role, TombstoneForm};
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn g13_every_page_of_a_listing_is_read_and_increments_bring_what_changed_since() {
    let world = world_with(Google::service_account(key()).page_size(3), |_| {});
    for n in 1..=10 {
        world.user_insert(hour(&format!("event{n:02}"), n));
    }
    let (all, cursor) = world.list(None).await.unwrap();
    assert_eq!(all.len(), 10);
    let now = world.now();
    world.fake().user_delete(now, AMY, "event03").unwrap();
    world.fake().user_patch(now, AMY, "event05", &json!({"summary": "moved"})).unwrap();
    world.user_insert(hour("event11", 11));
    let (changed, cursor) = world.list(Some(cursor)).await.unwrap();
    let seen: Vec<(&str, bool)> =
        changed.iter().map(|(key, record)| (key.as_str(), record.state == State::Gone)).collect();
    assert_eq!(seen, [("event03", true), ("event05", false), ("event11", false)]);
    assert!(world.list(Some(cursor)).await.unwrap().0.is_empty());
    assert_eq!(world.list(None).await.unwrap().0.len(), 10);
}

#[tokio::test]
async fn g19_cancelled_occurrences_come_with_a_full_listing_in_whatever_form_tombstones_have() {
    for form in [TombstoneForm::IdOnly, TombstoneForm::Bare, TombstoneForm::Full, TombstoneForm::WrongTimes] {
        let world =
            world_with(Google::service_account(key()), |fake| fake.behaviour_mut().tombstone_form = form);
        let mut series = hour("series1", 1);
        series["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=5"]);
        world.user_insert(series);
        let now = world.now();
        world.fake().user_cancel_instance(now, AMY, "series1", "20261202T160000Z").unwrap();
        world
            .fake()
            .user_move_instance(
                now,
                AMY,
                "series1",
                "20261203T160000Z",
                &json!({"dateTime": "2026-12-03T12:00:00-07:00", "timeZone": "America/Vancouver"}),
                &json!({"dateTime": "2026-12-03T13:00:00-07:00", "timeZone": "America/Vancouver"}),
            )
            .unwrap();
        let (all, _) = world.list(None).await.unwrap();
        let seen: Vec<(&str, bool)> =
            all.iter().map(|(key, r)| (key.as_str(), r.state == State::Gone)).collect();
        assert_eq!(
            seen,
            [("series1", false), ("series1#20261202T160000Z", true), ("series1#20261203T160000Z", false)],
            "{form:?}"
        );
        let moved = live(&all["series1#20261203T160000Z"]).get("when").unwrap().clone();
        assert_eq!(
            moved,
            json!({"start": "2026-12-03T12:00:00", "end": "2026-12-03T13:00:00", "zone": "America/Vancouver"})
        );
    }
}

#[tokio::test]
async fn g10_10_and_11_occurrences_of_a_series_that_was_split_in_google_are_found() {
    let world = world();
    let mut series = hour("series1", 1);
    series["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=6"]);
    world.user_insert(series);
    let now = world.now();
    let rest = world
        .fake()
        .user_split(now, AMY, "series1", "20261204T160000Z", &json!({"summary": "rest"}))
        .unwrap();
    let (all, _) = world.list(None).await.unwrap();
    assert_eq!(all.keys().cloned().collect::<Vec<_>>(), ["series1".to_owned(), rest.clone()]);
    let slot = "20261205T160000Z".parse().unwrap();
    let id = world.google.occurrence_id(&RemoteId::from(rest.as_str()), &slot);
    let found = world.get(id.as_str()).await.unwrap();
    assert_eq!(found.occurrence.map(|o| o.series.to_string()), Some(rest));
}

#[tokio::test]
async fn a_calendar_that_may_only_be_read_says_so_of_every_record() {
    let shared = Google::service_account(key()).delegated(false);
    let world = world_with(shared, |fake| fake.share(AMY, ROBOT, Role::Reader));
    world.user_insert(hour("event01", 1));
    let (all, _) = world.list(None).await.unwrap();
    assert_eq!(all["event01"].writable, Writable::Nothing);
    let error = world.write("op-1", world.create(1, &fields(json!({})))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.to_string().contains(ROBOT), "{error}");
    // No more than that the time is taken.
    world.fake().share(AMY, ROBOT, Role::FreeBusyReader);
    let (all, _) = world.list(None).await.unwrap();
    assert_eq!(live(&all["event01"]).get("summary"), None);
    assert_eq!(all["event01"].writable, Writable::Nothing);
}

#[tokio::test]
async fn a_calendar_says_its_name_and_zone_with_no_more_than_the_scope_for_events() {
    let world = world();
    let info = world.google.calendar(&target(AMY), &Effort::default()).await.unwrap();
    assert_eq!(info.zone.as_str(), "America/Vancouver");
    let nobody = Target { calendar: "nobody@example.com".into(), subject: AMY.into() };
    let error = world.google.calendar(&nobody, &Effort::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn g11_an_old_cursor_expires_and_a_full_listing_gives_a_new_one() {
    let world = world();
    world.user_insert(hour("event01", 1));
    let (_, cursor) = world.list(None).await.unwrap();
    world.fake().expire_sync_tokens();
    for stale in [cursor, Cursor::from("nonsense")] {
        let error = world.list(Some(stale)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CursorExpired);
    }
    assert_eq!(world.list(None).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn s13_a_page_that_is_too_large_is_listed_in_smaller_ones() {
    let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
    let mut fake = FakeGoogle::new();
    fake.account(AMY);
    for n in 1..=20 {
        fake.user_insert(clock.now(), AMY, &hour(&format!("event{n:02}"), n)).unwrap();
    }
    let token = fake.access_token(clock.now(), AMY, &["calendar.events"]);
    let transport = FakeTransport::new(fake, clock.clone()).body_bytes_max(5000);
    let google =
        Google::access_token(Secret::new(token)).transport(Arc::new(transport.clone())).clock(clock.clone());
    let world = World { clock, transport, google: google.page_size(20).build().unwrap() };
    assert_eq!(world.list(None).await.unwrap().0.len(), 20);
}
