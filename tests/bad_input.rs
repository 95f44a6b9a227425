//! What people get wrong when they set calsync up, and what happens to machines: each has an error of its own that names
//! cause and cure, the binding's health says the same, and neither side nor the store is the worse for it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

#[path = "failures/desk.rs"]
mod desk;
#[path = "failures/shaky_store.rs"]
mod shaky_store;

use async_trait::async_trait;
use calsync_core::clock::{Clock, ManualClock};
use calsync_core::hours::{
    DAY_PERIODS_MAX, Draft, Hours, LAYERS_MAX, Layer, LayerKind, Period, Rota, SPAN_DAYS_MAX,
};
use calsync_core::store::{MemoryStore, Store};
use calsync_core::{Binding, Error, ErrorKind, Secret};
use calsync_google::{Google, OAuthClient, ServiceAccountKey};
use calsync_sqlite::SqliteStore;
use calsync_testkit::fake_google::{Fault, FaultKind, Role};
use chrono::{DateTime, NaiveDate, Utc, Weekday};
use desk::{AMY, Desk, PEM, ROBOT, Setup, TEAM, hour, key, key_json, visit, with};
use futures_util::FutureExt;
use serde_json::json;
use shaky_store::failing;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A run of Amy's binding fails in this way, its health says so too, and nothing was written anywhere.
async fn refused(desk: &Desk, kind: ErrorKind, words: &[&str]) -> Error {
    refused_of(desk, &desk.binding, kind, words).await
}

async fn refused_of(desk: &Desk, binding: &Binding, kind: ErrorKind, words: &[&str]) -> Error {
    let (writes, titles) = (desk.writes(), desk.titles().await);
    let before = desk.engine.state(binding).await.unwrap();
    let error = desk.try_run_of(binding).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(error.cure_text().is_some(), "no cure: {text}");
    for word in words {
        assert!(text.contains(word), "no {word:?}: {text}");
    }
    let after = desk.engine.state(binding).await.unwrap();
    let last = after.health.last_error.unwrap();
    assert_eq!((last.kind, &last.message), (kind, &text));
    assert_eq!(after.health.last_success, before.health.last_success);
    assert_eq!(
        (after.listing.cursor, desk.writes(), desk.titles().await),
        (before.listing.cursor, writes, titles)
    );
    error
}

#[tokio::test]
async fn each_file_that_is_not_a_service_account_key_has_an_error_of_its_own() {
    let without = |field: &str| {
        let mut key = key_json();
        key.as_object_mut().unwrap().remove(field);
        key.to_string()
    };
    let cut: String = key_json().to_string().chars().take(300).collect();
    let mut told = BTreeSet::new();
    for text in [
        "",
        "<!DOCTYPE html><title>Sign in</title>",
        &cut,
        "AIzaSyNeversayNeversayNeversay",
        "GOCSPX-neversay",
        "ya29.neversay",
        "/etc/neversay.json",
        ROBOT,
        PEM,
        r#"{"web":{"client_id":"neversay","client_secret":"neversay"}}"#,
        r#"{"type":"authorized_user","refresh_token":"neversay"}"#,
        r#"{"type":"external_account","token_url":"http://neversay"}"#,
        r#"{"type":"impersonated_service_account"}"#,
        &without("private_key"),
        &without("client_email"),
        &with(
            key_json(),
            json!({"private_key": "-----BEGIN PRIVATE KEY-----\nneversay\n-----END PRIVATE KEY-----"}),
        )
        .to_string(),
        &with(key_json(), json!({"token_uri": "https://neversay.example/token"})).to_string(),
        &with(key_json(), json!({"universe_domain": "neversay.goog"})).to_string(),
    ] {
        let error = ServiceAccountKey::from_json(text).expect_err("no key");
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.cure_text().is_some(), "no cure: {error}");
        assert!(
            !format!("{error:?}").contains("neversayneversay") && !format!("{error:?}").contains("MII"),
            "{error:?}"
        );
        assert!(told.insert(error.message().to_owned()), "two mix-ups have the same error: {error}");
    }
    let error = ServiceAccountKey::from_file("no/such/key.json").expect_err("no file");
    assert!(error.to_string().contains("no/such/key.json"), "{error}");
}

#[tokio::test]
async fn a_key_whose_account_was_renamed_or_deleted_is_said_and_a_new_one_goes_on() {
    let renamed = with(key_json(), json!({"client_email": "other@p1.iam.gserviceaccount.com"}));
    let renamed =
        move || Google::service_account(ServiceAccountKey::from_json(&renamed.to_string()).unwrap());
    let desk = Setup::default().google(renamed).desk().await;
    desk.enter(hour("g1", 1));
    let words =
        ["other@p1.iam.gserviceaccount.com", "Google knows no service account", "use its file unchanged"];
    refused(&desk, ErrorKind::Unauthorized, &words).await;
    let engine = desk.another_engine(Arc::clone(desk.engine.store()), Google::service_account(key()), 8);
    engine.run(&desk.binding).await.unwrap();
    assert_eq!((desk.titles().await.len(), desk.state().await.health.last_error), (1, None));
}

#[tokio::test]
async fn a_calendar_that_is_not_shared_is_named_with_the_account_to_share_it_with() {
    let itself = || Google::service_account(key()).delegated(false);
    let desk = Setup::default().google(itself).desk().await;
    desk.enter(hour("g1", 1));
    refused(&desk, ErrorKind::NotFound, &[AMY, ROBOT, "shared with the account", "Make changes to events"])
        .await;
    desk.fake().share(AMY, ROBOT, Role::Writer);
    desk.run().await;
    assert_eq!(desk.titles().await, ["g1"]);
    // Shared no longer: nothing is taken for deleted.
    desk.fake().unshare(AMY, ROBOT);
    refused(&desk, ErrorKind::NotFound, &[AMY, ROBOT]).await;
    assert_eq!(desk.titles().await, ["g1"]);
    // Or only to be looked at.
    desk.fake().share(AMY, ROBOT, Role::Reader);
    desk.create(&visit("v1", "2026-12-05T09:00:00")).await;
    let report = desk.run().await;
    let error = report.error.clone().unwrap();
    assert_eq!(error.kind, ErrorKind::Forbidden, "{report}");
    assert!(
        error.message.contains("Make changes to events") && error.message.contains(ROBOT),
        "{}",
        error.message
    );
    assert_eq!(desk.state().await.health.last_error, Some(error));
}

#[tokio::test]
async fn a_calendar_with_a_misspelt_address_is_named() {
    let desk = Desk::new().await;
    let misspelt = Binding::two_way(AMY).to("google", "ami@example.com");
    let binding = desk.engine.bind(misspelt).await.unwrap();
    refused_of(&desk, &binding, ErrorKind::NotFound, &["ami@example.com", "Check the calendar's address"])
        .await;
}

#[tokio::test]
async fn a_user_that_does_not_exist_is_named() {
    let desk = Desk::new().await;
    let nobody = Binding::two_way("amy").to("google", TEAM).on_behalf_of("nobody@example.com");
    let binding = desk.engine.bind(nobody).await.unwrap();
    let words = ["Google knows no user nobody@example.com", "primary address or an alias"];
    refused_of(&desk, &binding, ErrorKind::Config, &words).await;
    desk.engine.unbind(&binding).await.unwrap();
    // A name that is no address at all.
    let binding = desk.engine.bind(Binding::two_way("amy").to("google", TEAM)).await.unwrap();
    refused_of(&desk, &binding, ErrorKind::Config, &["Google knows no user amy"]).await;
}

const CLIENT: &str = "1-a.apps.googleusercontent.com";

#[tokio::test]
async fn a_revoked_grant_and_a_wrong_client_are_two_errors() {
    let with_secret = |secret: &'static str| {
        move || {
            let client = OAuthClient { id: CLIENT.into(), secret: Secret::new(secret) };
            Google::refresh_token(client, Secret::new("neversay-grant"))
        }
    };
    let arrange = |fake: &mut calsync_testkit::fake_google::FakeGoogle| {
        fake.oauth_client(CLIENT, "neversay-secret");
        fake.refresh_token("neversay-grant", CLIENT, AMY, &["calendar.events"]);
    };
    let desk = Setup::default().google(with_secret("neversay-wrong")).fake(arrange).desk().await;
    let error = refused(&desk, ErrorKind::Config, &[CLIENT, "Check the client ID"]).await;
    assert!(!format!("{error:?}").contains("neversay"), "{error:?}");

    let desk = Setup::default().google(with_secret("neversay-secret")).fake(arrange).desk().await;
    desk.enter(hour("g1", 1));
    desk.run().await;
    desk.fake().revoke_refresh_token("neversay-grant");
    desk.fake().expire_access_tokens();
    let words = ["expired or revoked", "Connect the account again", "7 days"];
    let error = refused(&desk, ErrorKind::Unauthorized, &words).await;
    assert!(!format!("{error:?}").contains("neversay"), "{error:?}");
}

#[tokio::test]
async fn a_token_that_lacks_the_scope_names_the_scope() {
    let desk = Desk::new().await;
    let token = desk.fake().access_token(desk.clock.now(), AMY, &["calendar.freebusy"]);
    let engine =
        desk.another_engine(Arc::clone(desk.engine.store()), Google::access_token(Secret::new(token)), 8);
    let error = engine.run(&desk.binding).await.unwrap_err();
    assert_eq!((error.kind(), error.reason_code()), (ErrorKind::Forbidden, Some("insufficientPermissions")));
    assert!(error.to_string().contains("https://www.googleapis.com/auth/calendar.events"), "{error}");
    let last = desk.state().await.health.last_error.unwrap();
    assert_eq!(last.message, error.to_string());
}

/// A clock that is three hours later each time somebody looks at it.
#[derive(Debug)]
struct Mad(ManualClock);

#[async_trait]
impl Clock for Mad {
    fn now(&self) -> DateTime<Utc> {
        self.0.advance(Duration::from_secs(3 * 3600));
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.advance(duration);
    }
}

#[tokio::test]
async fn a_wrong_clock_is_gone_around_and_one_that_cannot_be_is_said_with_how_far_it_is_off() {
    for hours in [-30, 5] {
        let off: DateTime<Utc> = "2026-11-23T08:00:00Z".parse().unwrap();
        let google = Arc::new(ManualClock::new(off + chrono::Duration::hours(hours)));
        let desk = Setup::default().google_time(google).desk().await;
        desk.enter(hour("g1", 1));
        desk.run().await;
        assert_eq!(desk.titles().await, ["g1"], "{hours}");
    }
    let google = Arc::new(Mad(ManualClock::new("2026-11-23T08:00:00Z".parse().unwrap())));
    let desk = Setup::default().google_time(google).desk().await;
    refused(&desk, ErrorKind::Clock, &["this machine's clock is", "behind", "Set the clock"]).await;
}

#[tokio::test]
async fn a_network_that_answers_in_google_s_place_is_told_apart_from_google() {
    for (fault, kind, word) in [
        (FaultKind::StatusHtml { code: 404 }, ErrorKind::Protocol, "proxy"),
        (FaultKind::Redirect { location: "https://login.example/".into() }, ErrorKind::Protocol, "redirect"),
    ] {
        let desk = Desk::new().await;
        desk.lawless();
        desk.enter(hour("g1", 1));
        desk.run().await;
        desk.fake().inject(Fault::new(fault).times(50));
        refused(&desk, kind, &[AMY, word]).await;
    }
}

#[tokio::test]
async fn a_binding_that_cannot_work_is_refused_before_anything_is_asked() {
    let desk = Desk::new().await;
    for (new, kind, word) in [
        (Binding::two_way("bob"), ErrorKind::Config, "names no calendar"),
        (Binding::two_way("bob").to("google", "primary"), ErrorKind::Config, "own address"),
        (Binding::two_way("bob").to("gogle", "b@example.com"), ErrorKind::Config, "gogle"),
        (Binding::two_way("bob").to("google", "AMY@example.com"), ErrorKind::Duplicate, "bound already"),
    ] {
        let error = desk.engine.bind(new).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(word) && error.cure_text().is_some(), "{error}");
    }
    assert_eq!(desk.fake().requests(), 0);
    assert_eq!(desk.engine.bindings().await.unwrap().len(), 1);
}

/// A desk over a database in a file, with one event and one appointment in step.
async fn with_file(path: &Path) -> Desk {
    let path = path.to_owned();
    let open = move |clock: Arc<ManualClock>| -> Arc<dyn Store> {
        let store = SqliteStore::builder(&path).clock(clock).busy_wait_max(Duration::from_millis(10));
        Arc::new(store.on_calling_thread().open().now_or_never().expect("it does not wait").unwrap())
    };
    let desk = Setup::default().store(open).desk().await;
    desk.enter(hour("g1", 1));
    desk.create(&visit("v1", "2026-12-05T09:00:00")).await;
    desk.run().await;
    desk.run().await;
    desk.settled().await;
    desk
}

/// Everything that people and calsync know of it.
fn contents(path: &Path) -> Vec<String> {
    let db = rusqlite::Connection::open(path).unwrap();
    let mut tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let names: Vec<String> = tables.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut rows = Vec::new();
    for name in names {
        let mut all = db.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
        let columns = all.column_count();
        let mut found = all.query(()).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values: Vec<String> =
                (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
            rows.push(format!("{name}: {}", values.join(", ")));
        }
    }
    rows
}

/// A run fails with this; what the store holds is what it held before.
async fn fails_and_leaves(desk: &Desk, path: &Path, kind: ErrorKind, words: &[&str]) {
    let (before, writes) = (contents(path), desk.writes());
    desk.clock.advance(Duration::from_secs(60));
    let error = desk.engine.run(&desk.binding).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(error.cure_text().is_some(), "no cure: {text}");
    assert!(text.contains(&path.display().to_string()), "no path: {text}");
    for word in words {
        assert!(text.contains(word), "no {word:?}: {text}");
    }
    assert_eq!((contents(path), desk.writes()), (before, writes));
}

#[tokio::test]
async fn a_database_that_somebody_else_has_locked_is_waited_for_and_then_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calsync.db");
    let desk = with_file(&path).await;
    desk.retouch("g1", json!({"location": "Dock 4"}));
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    fails_and_leaves(&desk, &path, ErrorKind::StoreBusy, &["locked", "will be tried again"]).await;
    db.execute_batch("COMMIT").unwrap();
    desk.run().await;
    let record = desk.record("g1").await;
    assert_eq!(desk.value(&record, "location").await, "Dock 4");
    desk.settled().await;
}

#[tokio::test]
async fn a_database_that_is_full_loses_nothing_and_goes_on_once_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calsync.db");
    let desk = with_file(&path).await;
    let db = rusqlite::Connection::open(&path).unwrap();
    let number = |pragma: &str| db.query_row(pragma, (), |row| row.get::<_, u32>(0)).unwrap();
    let full = u64::from(number("PRAGMA page_count")) * u64::from(number("PRAGMA page_size"));
    // Google has more than fits.
    for n in 1..=28 {
        desk.enter(with(hour(&format!("h{n:02}"), n), json!({"description": "x".repeat(8000)})));
    }
    let store = SqliteStore::builder(&path).clock(desk.clock.clone()).size_max(full).on_calling_thread();
    let small = desk.another_engine(Arc::new(store.open().await.unwrap()), Google::service_account(key()), 8);
    let error = small.run(&desk.binding).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreFull, "{error}");
    assert!(error.to_string().contains("Free some space"), "{error}");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert_eq!((desk.writes(), desk.titles().await.len()), (1, 2));
    drop(small);
    // There is room again; the lease of the run that broke off runs out by itself.
    desk.clock.advance(Duration::from_secs(180));
    let report = desk.run().await;
    assert_eq!(report.count(calsync_core::plan::Action::CreateLocal), 28, "{report}");
    desk.settled().await;
}

#[tokio::test]
async fn a_database_that_is_newer_or_of_another_environment_or_none_never_becomes_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calsync.db");
    drop(with_file(&path).await);
    let refused = async |environment: &str, kind: ErrorKind, words: &[&str]| {
        let before = contents(&path);
        let error = SqliteStore::builder(&path).environment(environment).open().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.cure_text().is_some(), "{error}");
        for word in words {
            assert!(error.to_string().contains(word), "no {word:?}: {error}");
        }
        assert_eq!(contents(&path), before);
    };
    refused("staging", ErrorKind::StoreEnvironment, &["made for production", "opened for staging"]).await;
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("UPDATE calsync_meta SET value = '99' WHERE name = 'schema'", ()).unwrap();
    drop(db);
    refused("production", ErrorKind::StoreNewer, &["newer version", "99"]).await;
    let other = directory.path().join("notes.txt");
    std::fs::write(&other, "Buy milk. ".repeat(100)).unwrap();
    let error = SqliteStore::open(&other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(
        error.to_string().contains("not a SQLite database") && error.to_string().contains("notes.txt"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "Buy milk. ".repeat(100));
}

#[tokio::test]
async fn a_store_that_turns_read_only_during_a_run_ends_it_with_its_own_words() {
    for calls in [1, 3, 8, 12, 16] {
        let good = Arc::new(AtomicI64::new(-1));
        let switch = good.clone();
        let shaky = move |clock: Arc<ManualClock>| -> Arc<dyn Store> {
            Arc::new(failing(MemoryStore::new(clock, "installation".into()), switch.clone(), || {
                Error::new(ErrorKind::StoreReadOnly, "the store cannot be written")
                    .cure("Let this user write the file.")
            }))
        };
        let desk = Setup::default().store(shaky).desk().await;
        desk.enter(hour("g1", 1));
        desk.create(&visit("v1", "2026-12-05T09:00:00")).await;
        good.store(calls, Ordering::Relaxed);
        let error = desk.try_run().await.unwrap_err();
        good.store(-1, Ordering::Relaxed);
        assert_eq!(
            (error.kind(), error.cure_text()),
            (ErrorKind::StoreReadOnly, Some("Let this user write the file."))
        );
        desk.clock.advance(Duration::from_secs(180));
        desk.run().await;
        desk.run().await;
        assert_eq!((desk.titles().await.len(), desk.living().len()), (2, 2), "after {calls} calls");
        desk.settled().await;
    }
}

/// Everything that a schedule may have, at most, over the longest span that may be asked for. Ends by itself, in bounded memory.
#[test]
fn the_largest_working_hours_that_are_accepted_are_compiled_and_asked_in_bounded_memory() {
    let minutes = || (0..DAY_PERIODS_MAX as u32).map(|at| Period::new(at * 60, at * 60 + 30));
    let week =
        [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
    let mut draft = Draft::new("America/New_York").every(week, minutes());
    let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap();
    for at in 0..LAYERS_MAX {
        let kind = if at % 2 == 0 { LayerKind::Leave } else { LayerKind::Extra };
        draft.layers.push(Layer::days(kind, day(1, 1, 1), day(9999, 12, 31)).at(minutes()));
    }
    let from: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let span = |days: i64| from..from + chrono::Duration::days(days);
    let refused = |draft: &Draft, days: i64| {
        let rota = Rota::new(draft.clone().check().unwrap());
        Hours::compile(&rota, span(days)).unwrap_err()
    };
    let error = refused(&draft, SPAN_DAYS_MAX);
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.to_string().contains("layer_periods_max 20000000"), "{error}");
    // As many as may be.
    draft.layers.truncate(22);
    assert_eq!(refused(&draft, SPAN_DAYS_MAX + 1).kind(), ErrorKind::Limit);
    let rota = Rota::new(draft.check().unwrap());
    let mut hours = None;
    let memory =
        allocation_counter::measure(|| hours = Some(Hours::compile(&rota, span(SPAN_DAYS_MAX)).unwrap()));
    assert!(memory.bytes_max < 200_000_000, "{memory:?}");
    let hours = hours.unwrap();
    let memory = allocation_counter::measure(|| drop(hours.work(span(SPAN_DAYS_MAX)).unwrap()));
    assert!(memory.bytes_max < 200_000_000, "{memory:?}");
}
