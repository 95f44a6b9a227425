//! The provider over recorded answers.

use super::*;
use crate::auth::tests_script::Script;
use calsync_core::clock::{ManualClock, SeededEntropy};
use calsync_core::http::TransportError;
use calsync_core::provider::Mail;
use calsync_core::{Secret, provider};
use serde_json::json;
use std::sync::Arc;

struct World {
    script: Arc<Script>,
    google: Google,
    target: Target,
}

fn world() -> World {
    crate::captured::begin();
    let script = Script::new(&[]);
    let google = Google::access_token(Secret::new("ya29.neversay"))
        .transport(script.clone())
        .clock(Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().expect("an instant"))))
        .entropy(Arc::new(SeededEntropy::new(1)))
        .build()
        .expect("a provider");
    let target = Target { calendar: "amy@example.com".into(), subject: "amy@example.com".into() };
    World { script, google, target }
}

impl World {
    fn answers(&self, answers: &[(u16, Value)]) -> &Self {
        for (status, body) in answers {
            self.script.push(*status, &body.to_string());
        }
        self
    }

    async fn list(&self, start: &Start) -> Result<Page> {
        self.google.list(&self.target, start, &Effort::default()).await
    }

    async fn get(&self, id: &str) -> Result<Option<Item>> {
        self.google.get(&self.target, &id.into(), &Effort::default()).await
    }

    async fn write(&self, action: WriteAction) -> Result<Receipt> {
        let write = Write { operation: "op-1".into(), mail: Mail::Nobody, action };
        self.google.write(&self.target, &write, &Effort::default()).await
    }
}

fn event(id: &str, start: Value) -> Value {
    json!({"id": id, "etag": "\"1\"", "status": "confirmed", "start": start, "end": start})
}

fn timed() -> Value {
    json!({"dateTime": "2026-11-23T16:00:00Z"})
}

fn refusal(code: u16, reason: &str) -> Value {
    json!({"error": {"code": code, "message": "x", "errors": [{"reason": reason, "message": "x"}]}})
}

fn summary() -> (std::collections::BTreeSet<calsync_core::model::Unit>, Fields) {
    let mut fields = Fields::new();
    fields.set("summary", json!("Visit"));
    (["summary".into()].into_iter().collect(), fields)
}

fn update(id: &str) -> WriteAction {
    let (units, fields) = summary();
    WriteAction::Update { id: id.into(), revision: Some("\"1\"".into()), units, fields, revive: false }
}

#[tokio::test]
async fn a_listing_goes_page_by_page_and_ends_with_a_cursor() {
    let world = world();
    world.answers(&[
        (200, json!({"timeZone": "UTC", "items": [event("e1", timed())], "nextPageToken": "p:2"})),
        (200, json!({"timeZone": "UTC", "items": [], "nextSyncToken": "s1"})),
    ]);
    let page = world.list(&Start::Full(None)).await.expect("a page");
    assert_eq!(page.items.len(), 1);
    let Next::More(token) = page.next else { panic!("{:?}", page.next) };
    let page = world.list(&Start::Full(Some(token))).await.expect("a page");
    assert_eq!(page.next, Next::Done("s1".into()));
    let uris = world.script.uris();
    assert!(uris[0].ends_with(
        "/calendars/amy%40example.com/events?singleEvents=false&maxResults=600&showDeleted=false"
    ));
    assert!(uris[1].ends_with("&maxResults=600&showDeleted=false&pageToken=p%3A2"), "{}", uris[1]);
}

#[tokio::test]
async fn c13_one_poisoned_item_does_not_take_its_page_along() {
    let world = world();
    let items = json!([event("e1", timed()), {"id": "e2", "start": 7}, "garbage", event("e3", timed())]);
    world.answers(&[(200, json!({"timeZone": "UTC", "items": items, "nextSyncToken": "s1"}))]);
    let page = world.list(&Start::Full(None)).await.expect("a page");
    let read: Vec<bool> = page.items.iter().map(|item| matches!(item, Item::Record(_))).collect();
    assert_eq!(read, [true, false, false, true]);
}

#[tokio::test]
async fn s13_a_page_that_is_too_large_is_asked_for_again_with_fewer_results_and_the_size_stays() {
    let world = world();
    world.script.fail(TransportError {
        message: "too large".into(),
        maybe_sent: true,
        limit: true,
        fault: Default::default(),
    });
    world.script.fail(TransportError {
        message: "too large".into(),
        maybe_sent: true,
        limit: true,
        fault: Default::default(),
    });
    world.answers(&[
        (200, json!({"items": [], "nextPageToken": "p2"})),
        (200, json!({"items": [], "nextSyncToken": "s1"})),
        (200, json!({"items": [], "nextSyncToken": "s2"})),
    ]);
    let Next::More(token) = world.list(&Start::Full(None)).await.expect("a page").next else {
        panic!("more")
    };
    world.list(&Start::Full(Some(token))).await.expect("a page");
    world.list(&Start::Since("s1".into(), None)).await.expect("a page");
    let sizes: Vec<String> = (world.script.uris().iter())
        .map(|uri| {
            uri.split("maxResults=").nth(1).and_then(|s| s.split('&').next()).expect("a size").to_owned()
        })
        .collect();
    assert_eq!(sizes, ["600", "300", "150", "150", "150"]);
}

#[tokio::test]
async fn a_page_token_of_something_else_expires_the_listing() {
    let error = world().list(&Start::Full(Some("older-format".into()))).await.expect_err("no such token");
    assert_eq!(error.kind(), ErrorKind::CursorExpired);
}

#[tokio::test]
async fn g11_an_expired_cursor_is_told_as_such() {
    let world = world();
    world.answers(&[(410, refusal(410, "fullSyncRequired"))]);
    let error = world.list(&Start::Since("s1".into(), None)).await.expect_err("expired");
    assert_eq!(error.kind(), ErrorKind::CursorExpired);
}

#[tokio::test]
async fn reading_tells_unknown_deleted_and_living_apart() {
    let world = world();
    world.answers(&[
        (404, refusal(404, "notFound")),
        (200, json!({"id": "e1", "etag": "\"2\"", "status": "cancelled"})),
        (410, refusal(410, "deleted")),
        (200, event("e1", json!({"date": "2026-11-23"}))),
        (403, refusal(403, "requiredAccessLevel")),
    ]);
    assert_eq!(world.get("e1").await.expect("an answer"), None);
    for id in ["e1", "s1_20261123T160000Z"] {
        match world.get(id).await.expect("an answer") {
            Some(Item::Record(record)) => {
                assert_eq!(record.state, State::Gone);
                assert_eq!(record.occurrence.is_some(), id.contains('_'));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        world.get("e1").await,
        Ok(Some(Item::Record(RemoteRecord { state: State::Live(_), .. })))
    ));
    assert_eq!(world.get("e1").await.expect_err("refused").kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn an_occurrence_of_a_split_series_is_found_under_its_plain_id_as_well() {
    let world = world();
    let mut occurrence = event("s1_20261123T160000Z", timed());
    occurrence["recurringEventId"] = json!("s1_R20261101T090000");
    occurrence["originalStartTime"] = timed();
    world.answers(&[(404, refusal(404, "notFound")), (200, occurrence), (200, json!({"timeZone": "UTC"}))]);
    let found = world.get("s1_R20261101T090000_20261123T160000Z").await.expect("an answer");
    assert!(matches!(found, Some(Item::Record(record)) if record.id.as_str() == "s1_20261123T160000Z"));
}

#[tokio::test]
async fn a_time_without_a_zone_is_read_in_the_calendar_s_which_is_asked_for_once() {
    let world = world();
    world.answers(&[
        (200, event("e1", timed())),
        (200, json!({"timeZone": "Asia/Tokyo", "summary": "Amy", "accessRole": "owner"})),
        (200, event("e2", timed())),
    ]);
    for id in ["e1", "e2"] {
        let Some(Item::Record(record)) = world.get(id).await.expect("an answer") else { panic!("a record") };
        assert_eq!(record.state.fields().and_then(|f| f.get("when")).expect("a time")["zone"], "Asia/Tokyo");
    }
    assert_eq!(world.script.uris().len(), 3);
}

#[tokio::test]
async fn a_write_that_succeeded_is_not_lost_because_the_calendar_s_zone_cannot_be_read() {
    let world = world();
    world.answers(&[(200, event("e1", timed())), (403, refusal(403, "insufficientPermissions"))]);
    assert!(matches!(world.write(update("e1")).await, Ok(Receipt::Written(_))));
}

#[tokio::test]
async fn a_change_is_a_patch_with_the_expected_version_a_stamp_and_silence() {
    let world = world();
    world.answers(&[(200, event("e1", json!({"date": "2026-11-23"})))]);
    world.write(update("e1")).await.expect("written");
    assert_eq!(
        world.script.uris()[0],
        "PATCH https://www.googleapis.com/calendar/v3/calendars/amy%40example.com/events/e1?conferenceDataVersion=1&sendUpdates=none"
    );
    assert_eq!(world.script.header(0, "if-match").as_deref(), Some("\"1\""));
    assert_eq!(
        serde_json::from_str::<Value>(&world.script.bodies()[0]).expect("JSON"),
        json!({"summary": "Visit", "extendedProperties": {"private": {"calsyncOperation": "op-1"}}})
    );
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_or_garbage_says_that_it_may_have_happened() {
    for (status, body) in
        [(200, "<html>"), (200, "{\"id\":"), (200, ""), (200, "{}"), (503, ""), (404, "<html>")]
    {
        let world = world();
        for _ in 0..5 {
            world.script.push(status, body);
        }
        let error = world.write(update("e1")).await.expect_err("no receipt");
        assert!(error.may_have_been_sent(), "{status} {body}: {error}");
        assert_eq!(error.retry(), Retry::Later, "{status} {body}: {error}");
    }
    let unreadable = world();
    unreadable.answers(&[(200, json!({"id": "e1", "start": 7}))]);
    let error = unreadable.write(update("e1")).await.expect_err("no receipt");
    assert_eq!(
        (error.kind(), error.may_have_been_sent(), error.retry()),
        (ErrorKind::Protocol, true, Retry::Never)
    );
}

#[tokio::test]
async fn a_write_that_was_lost_and_repeated_stays_uncertain_whatever_the_repetition_says() {
    let world = world();
    world.answers(&[(503, json!({})), (412, refusal(412, "conditionNotMet"))]);
    let error = world.write(update("e1")).await.expect_err("moved");
    assert_eq!((error.kind(), error.may_have_been_sent()), (ErrorKind::PreconditionFailed, true));
}

#[tokio::test]
async fn a_creation_that_exists_already_is_a_duplicate_and_a_deletion_of_nothing_is_done() {
    let world = world();
    world.answers(&[
        (409, refusal(409, "duplicate")),
        (410, refusal(410, "deleted")),
        (404, refusal(404, "notFound")),
    ]);
    let mut fields = summary().1;
    fields.set("when", json!({"start": "2026-11-23", "end": "2026-11-24"}));
    let error = world.write(WriteAction::Create { id: "0a1b2".into(), fields }).await.expect_err("duplicate");
    assert_eq!(error.kind(), ErrorKind::Duplicate);
    let delete = || WriteAction::Delete { id: "e1".into(), revision: Some("\"1\"".into()) };
    assert_eq!(world.write(delete()).await.expect("done"), Receipt::Deleted);
    assert_eq!(world.write(delete()).await.expect_err("unknown").kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn c18_errors_say_where_and_never_what() {
    let world = world();
    world.answers(&[(400, refusal(400, "invalid"))]);
    let error = world.write(update("e1")).await.expect_err("refused");
    let printed = format!("{error} {error:?} {:?}", world.google);
    assert!(printed.contains("(status 400, calendar amy@example.com, event e1)"), "{printed}");
    assert!(!printed.contains("neversay") && !printed.contains("Visit"), "{printed}");
}

#[test]
fn ids_are_made_of_google_s_characters() {
    let google = world().google;
    let id = google.create_id(&[0xff; 32]);
    assert_eq!(id.as_str(), "v".repeat(32));
    assert_eq!(google.create_id(&[0; 32]).as_str(), "0".repeat(32));
    let mut hash = [0; 32];
    hash[..5].copy_from_slice(b"hello");
    assert_eq!(&google.create_id(&hash).as_str()[..8], "d1imor3f");
    for (slot, id) in [("20261123T160000Z", "s1_20261123T160000Z"), ("20261123", "s1_20261123")] {
        let slot = slot.parse().expect("a slot");
        assert_eq!(google.occurrence_id(&"s1".into(), &slot).as_str(), id);
    }
    assert_eq!(google.fingerprint(), "events.list singleEvents=false");
    let _: &dyn provider::Provider = &google;
}
