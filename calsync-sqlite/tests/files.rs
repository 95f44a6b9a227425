//! The file: what is wrong with it is said with path, cause and cure, and nothing about it is changed; what is in it stays.

#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use calsync_core::clock::ManualClock;
use calsync_core::host::{RecordChange, RecordWrite};
use calsync_core::model::Fields;
use calsync_core::store::{Batch, Committed, Group, Store};
use calsync_core::{Error, ErrorKind, Result, Retry, Tenant, Version};
use calsync_sqlite::SqliteStore;
use chrono::DateTime;
use rusqlite::Connection;
use serde_json::json;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tempfile::TempDir;

fn tenant() -> Tenant {
    "acme".into()
}

fn write(operation: &str, id: &str, expected: Option<Version>, summary: &str) -> Batch {
    let fields: Fields = [("summary".into(), json!(summary))].into_iter().collect();
    let change = match expected {
        None => RecordChange::Create { agent: "amy".into(), occurrence: None, fields },
        Some(_) => RecordChange::Patch {
            units: ["summary".into()].into(),
            fields,
            occurrence: None,
            agent: None,
            sync: None,
        },
    };
    let write = RecordWrite { operation: operation.into(), id: id.into(), expected, change };
    let mut batch = Batch::new(tenant());
    batch.groups = vec![Group { records: vec![write], ..Group::default() }];
    batch
}

async fn read(store: &SqliteStore, id: &str) -> Option<(Version, Option<String>)> {
    let record = store.records(&tenant(), &[id.into()]).await.expect("read").pop()?;
    let summary =
        record.fields.as_ref().and_then(|fields| fields.get("summary")?.as_str().map(str::to_owned));
    Some((record.version, summary))
}

/// A store with one appointment, closed.
async fn made() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("crm.db");
    let store = SqliteStore::open(&path).await.expect("made");
    store.commit(write("o1", "a", None, "Visit")).await.expect("written");
    (directory, path)
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("the file")
}

/// The error says which file, what is wrong and what to do.
#[track_caller]
fn says(error: &Error, kind: ErrorKind, path: &Path, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(&format!("store {}", path.display())), "no path: {text}");
    assert!(error.cure_text().is_some(), "no cure: {text}");
    for word in words {
        assert!(text.contains(word), "no {word:?}: {text}");
    }
}

#[tokio::test]
async fn a_store_that_is_opened_again_has_kept_everything() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("crm.db");
    let clock = Arc::new(ManualClock::new(DateTime::UNIX_EPOCH));
    let open = async || SqliteStore::builder(&path).clock(clock.clone()).open().await.expect("opens");
    let store = open().await;
    let installation = store.installation().await.expect("drawn");
    let written = store.commit(write("o1", "a", None, "Visit")).await.expect("written");
    let lease =
        store.lease(&tenant(), "run", "w1", Duration::from_secs(60)).await.expect("leases").expect("free");
    drop(store);
    assert!(!path.with_extension("db-wal").exists(), "the last one out tidies up");
    let store = open().await;
    assert_eq!(store.installation().await.expect("kept"), installation);
    let version = written.versions.get(&"a".into()).expect("a version").clone();
    assert_eq!(read(&store, "a").await, Some((version, Some("Visit".to_owned()))));
    assert_eq!(store.commit(write("o1", "a", None, "Visit")).await.expect("known"), written);
    assert_eq!(store.lease(&tenant(), "run", "w2", Duration::from_secs(60)).await.expect("leases"), None);
    assert!(store.renew(&tenant(), &lease, Duration::from_secs(60)).await.expect("leases"));
    drop(store);
    let before = bytes(&path);
    drop(open().await);
    assert_eq!(bytes(&path), before, "opening writes nothing");
}

#[tokio::test]
async fn two_installations_are_drawn_apart() {
    let (_one, one) = made().await;
    let (_other, other) = made().await;
    let one = SqliteStore::open(one).await.expect("opens").installation().await.expect("drawn");
    let other = SqliteStore::open(other).await.expect("opens").installation().await.expect("drawn");
    assert_ne!(one, other);
}

#[tokio::test]
async fn a_store_of_another_environment_is_refused_and_both_are_named() {
    let (_directory, path) = made().await;
    let before = bytes(&path);
    let error = SqliteStore::builder(&path).environment("staging").open().await.expect_err("refused");
    says(
        &error,
        ErrorKind::StoreEnvironment,
        &path,
        &["made for production", "opened for staging", "give staging a new"],
    );
    assert_eq!(bytes(&path), before);
    let staging = path.with_file_name("staging.db");
    drop(SqliteStore::builder(&staging).environment("staging").open().await.expect("made"));
    let error = SqliteStore::open(&staging).await.expect_err("refused");
    says(&error, ErrorKind::StoreEnvironment, &staging, &["made for staging", "opened for production"]);
    SqliteStore::builder(&staging).environment("staging").open().await.expect("its own");
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_the_version_is_named() {
    let (_directory, path) = made().await;
    let newer = "UPDATE calsync_meta SET value = '99' WHERE name = 'schema';
        UPDATE calsync_meta SET value = '7.1.0' WHERE name = 'written_by'";
    Connection::open(&path).expect("opens").execute_batch(newer).expect("accepted");
    let before = bytes(&path);
    let error = SqliteStore::open(&path).await.expect_err("refused");
    says(
        &error,
        ErrorKind::StoreNewer,
        &path,
        &["its schema 99", "known here 1", "Run version 7.1.0 of calsync"],
    );
    assert_eq!(bytes(&path), before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notes.txt");
    std::fs::write(&path, "Dear Amy, ".repeat(1_000)).expect("written");
    let before = bytes(&path);
    let error = SqliteStore::open(&path).await.expect_err("refused");
    says(&error, ErrorKind::Store, &path, &["not a SQLite database", "Check the path"]);
    assert_eq!(bytes(&path), before);
    assert_eq!(std::fs::read_dir(directory.path()).expect("listed").count(), 1, "nothing was put next to it");
}

#[tokio::test]
async fn a_damaged_store_is_refused_or_found_out_when_the_damage_is_met() {
    let (_directory, path) = made().await;
    let sound = bytes(&path);
    let damage = |from: usize, to: usize| {
        let mut damaged = sound.clone();
        damaged.get_mut(from..to).expect("long enough").fill(0xa5);
        std::fs::write(&path, &damaged).expect("written");
        damaged
    };
    let damaged = damage(100, 4096);
    let error = SqliteStore::open(&path).await.expect_err("refused");
    says(&error, ErrorKind::Store, &path, &["damaged", "Restore the file from a backup"]);
    assert_eq!(bytes(&path), damaged);
    damage(4096 * 2, sound.len());
    let error = async {
        let store = SqliteStore::open(&path).await?;
        store.record_changes(&tenant(), None, None, 10).await?;
        store.commit(write("o2", "b", None, "Visit")).await
    };
    says(&error.await.expect_err("found out"), ErrorKind::Store, &path, &["Restore the file from a backup"]);
}

#[tokio::test]
async fn a_row_that_calsync_never_wrote_is_reported_and_not_believed() {
    let (_directory, path) = made().await;
    let store = SqliteStore::open(&path).await.expect("opens");
    let odd = "INSERT INTO calsync_plan (tenant, id, body) VALUES ('acme', 'p', 'no JSON')";
    Connection::open(&path).expect("opens").execute_batch(odd).expect("accepted");
    let error = store.plan(&tenant(), &"p".into()).await.expect_err("unreadable");
    says(&error, ErrorKind::Store, &path, &["a row is not what it should be"]);
}

#[tokio::test]
async fn a_path_that_cannot_be_a_store_is_refused_in_plain_words() {
    let directory = tempfile::tempdir().expect("a directory");
    for (path, words) in [
        (directory.path().to_owned(), "is a directory"),
        (directory.path().join("missing").join("crm.db"), "does not exist"),
        (PathBuf::from(":memory:"), "needs a file"),
        (PathBuf::new(), "needs a file"),
    ] {
        let error = SqliteStore::open(&path).await.expect_err("refused");
        says(&error, ErrorKind::Config, &path, &[words]);
    }
    assert_eq!(std::fs::read_dir(directory.path()).expect("listed").count(), 0);
}

#[tokio::test]
async fn a_database_of_the_crm_takes_the_tables_in_unless_it_has_some_of_the_same_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("crm.db");
    let crm = Connection::open(&path).expect("opens");
    crm.execute_batch(
        "PRAGMA user_version = 41; CREATE TABLE customer (name TEXT); INSERT INTO customer VALUES ('Zoe')",
    )
    .expect("accepted");
    let store = SqliteStore::open(&path).await.expect("room for both");
    store.commit(write("o1", "a", None, "Visit")).await.expect("written");
    let customers: i64 = crm.query_row("SELECT count(*) FROM customer", (), |row| row.get(0)).expect("read");
    let version: i64 = crm.query_row("PRAGMA user_version", (), |row| row.get(0)).expect("read");
    assert_eq!((customers, version), (1, 41));
    let other = directory.path().join("other.db");
    Connection::open(&other).expect("opens").execute_batch("CREATE TABLE appointment (x)").expect("accepted");
    let before = bytes(&other);
    let error = SqliteStore::open(&other).await.expect_err("refused");
    says(&error, ErrorKind::Store, &other, &["table appointment", "a database file of its own"]);
    assert_eq!(bytes(&other), before);
}

#[tokio::test]
async fn a_store_that_somebody_has_locked_is_tried_again_later_and_nothing_is_lost() {
    let (_directory, path) = made().await;
    let brief = |path: &Path| SqliteStore::builder(path).busy_wait_max(Duration::from_millis(20));
    let store = brief(&path).open().await.expect("opens");
    let other = Connection::open(&path).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    for answer in [
        store.commit(write("o2", "b", None, "Visit")).await.map(|_| ()),
        store.lease(&tenant(), "run", "w", Duration::from_secs(60)).await.map(|_| ()),
    ] {
        let error = answer.expect_err("locked");
        says(&error, ErrorKind::StoreBusy, &path, &["another process", "Nothing was lost"]);
        assert_eq!(error.retry(), Retry::Later);
    }
    assert!(read(&store, "a").await.is_some(), "reading goes on");
    brief(&path).open().await.expect("and so does opening");
    other.execute_batch("COMMIT").expect("unlocked");
    store.commit(write("o2", "b", None, "Visit")).await.expect("unlocked");
    let new = path.with_file_name("new.db");
    let other = Connection::open(&new).expect("opens");
    other.execute_batch("CREATE TABLE t (x); BEGIN EXCLUSIVE").expect("locked");
    let before = bytes(&new);
    says(&brief(&new).open().await.expect_err("locked"), ErrorKind::StoreBusy, &new, &["another process"]);
    assert_eq!(bytes(&new), before);
}

#[tokio::test]
async fn a_full_store_takes_nothing_in_and_loses_nothing() {
    let (_directory, path) = made().await;
    let size = bytes(&path).len() as u64;
    let store = SqliteStore::builder(&path).size_max(size + 4096 * 4).open().await.expect("opens");
    let mut written = 0;
    let error = loop {
        let id = format!("r{written}");
        match store.commit(write(&format!("w{id}"), &id, None, &"long ".repeat(500))).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "the limit is reached");
    };
    says(&error, ErrorKind::StoreFull, &path, &["full", "nothing was lost"]);
    assert_eq!(error.retry(), Retry::Later);
    assert_eq!(read(&store, &format!("r{written}")).await, None);
    let changes = store.record_changes(&tenant(), None, None, 1_000).await.expect("readable");
    assert_eq!(changes.records.len(), written + 1);
    let lease = store.lease(&tenant(), "run", "w", Duration::from_secs(60)).await;
    assert!(lease.is_ok_and(|lease| lease.is_some()) || written > 0, "small things may still fit");
    drop(store);
    let store = SqliteStore::open(&path).await.expect("opens");
    store.commit(write("o2", "b", None, "Visit")).await.expect("there is room again");
    assert_eq!(
        store.record_changes(&tenant(), None, None, 1_000).await.expect("read").records.len(),
        written + 2
    );
}

#[tokio::test]
async fn there_is_no_room_for_a_new_store_on_a_full_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("crm.db");
    let error = SqliteStore::builder(&path).size_max(8 * 4096).open().await.expect_err("full");
    says(&error, ErrorKind::StoreFull, &path, &["Free some space"]);
    drop(SqliteStore::open(&path).await.expect("with room, it is made as if nothing had been"));
}

#[tokio::test]
async fn two_handles_on_one_file_take_turns_and_see_each_others_commits() {
    let (_directory, path) = made().await;
    let one = SqliteStore::open(&path).await.expect("opens");
    let other = SqliteStore::open(&path).await.expect("opens");
    let (version, _) = read(&one, "a").await.expect("there");
    let won = one.commit(write("o2", "a", Some(version.clone()), "one")).await.expect("applied");
    let lost = other.commit(write("o3", "a", Some(version), "other")).await.expect("applied");
    assert_eq!((won.moved, lost), (vec![], Committed { moved: vec![0], ..Committed::default() }));
    assert_eq!(read(&other, "a").await.expect("there").1.as_deref(), Some("one"));
    let lease =
        one.lease(&tenant(), "run", "w", Duration::from_secs(60)).await.expect("leases").expect("free");
    assert_eq!(other.lease(&tenant(), "run", "w", Duration::from_secs(60)).await.expect("leases"), None);
    assert!(other.renew(&tenant(), &lease, Duration::from_secs(60)).await.expect("leases"));
}

/// Counts in one appointment: reads it, and writes one more from what was read, until it is not too late.
async fn count(path: &Path, who: &str, times: u32) -> Result<()> {
    let store = SqliteStore::builder(path).busy_wait_max(Duration::from_secs(60)).open().await?;
    for turn in 0..times {
        for attempt in 0..10_000 {
            let (version, summary) = read(&store, "counter").await.expect("there");
            let next = summary.and_then(|text| text.parse::<u32>().ok()).expect("a number") + 1;
            let operation = format!("{who}/{turn}/{attempt}");
            let batch = write(&operation, "counter", Some(version), &next.to_string());
            if store.commit(batch).await?.moved.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

const COUNTING: &str = "CALSYNC_TEST_COUNTS_IN";

/// Not a test of its own: what the other process of the next test does.
#[tokio::test]
async fn another_process_counts() {
    if let Some(path) = std::env::var_os(COUNTING) {
        count(Path::new(&path), "other", 100).await.expect("counted");
    }
}

#[tokio::test]
async fn two_processes_on_one_file_lose_nothing_of_each_other() {
    let (_directory, path) = made().await;
    let store = SqliteStore::open(&path).await.expect("opens");
    store.commit(write("o2", "counter", None, "0")).await.expect("written");
    let mut other = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "another_process_counts", "--quiet"])
        .env(COUNTING, &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("started");
    count(&path, "one", 100).await.expect("counted");
    assert!(other.wait().expect("ended").success());
    assert_eq!(read(&store, "counter").await.expect("there").1.as_deref(), Some("200"));
}

/// An executor that is not tokio's: it polls, and sleeps until it is woken.
fn run_anywhere<T>(future: impl Future<Output = T>) -> T {
    struct Thread(std::thread::Thread);
    impl Wake for Thread {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Thread(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return answer;
        }
        std::thread::park();
    }
}

#[test]
fn a_store_works_on_any_executor() {
    let (_directory, path) = run_anywhere(made());
    let store = run_anywhere(SqliteStore::open(&path)).expect("opens");
    assert!(run_anywhere(read(&store, "a")).is_some());
}

#[test]
fn a_store_on_the_calling_thread_is_done_at_the_first_poll() {
    let (_directory, path) = run_anywhere(made());
    let once = |future: std::pin::Pin<Box<dyn Future<Output = bool> + '_>>| {
        matches!(pin!(future).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(true))
    };
    let mut store = None;
    assert!(once(Box::pin(async {
        store = SqliteStore::builder(&path).on_calling_thread().open().await.ok();
        store.is_some()
    })));
    let store = store.expect("open");
    assert!(once(Box::pin(async { store.commit(write("o2", "b", None, "Visit")).await.is_ok() })));
    assert!(once(Box::pin(async { read(&store, "b").await.is_some() })));
}
