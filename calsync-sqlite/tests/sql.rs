//! Plain SQL takes part: what a CRM writes into the table `appointment` is a change like any other.

#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use calsync_core::clock::ManualClock;
use calsync_core::host::{Changes, RecordChange, RecordWrite};
use calsync_core::model::{Fields, Record};
use calsync_core::store::{Batch, Committed, Group, Store};
use calsync_core::{Position, Tenant};
use calsync_sqlite::SqliteStore;
use chrono::{DateTime, Utc};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;

struct World {
    _directory: TempDir,
    store: SqliteStore,
    crm: Connection,
    tenant: Tenant,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("crm.db");
        let clock = Arc::new(ManualClock::new(DateTime::UNIX_EPOCH));
        let store = SqliteStore::builder(&path).clock(clock).open().await.expect("opens");
        let crm = Connection::open(path).expect("opens");
        Self { _directory: directory, store, crm, tenant: "acme".into() }
    }

    #[track_caller]
    fn sql(&self, statements: &str) {
        self.crm.execute_batch(statements).expect("accepted");
    }

    async fn changes(&self, after: Option<&Position>) -> Changes {
        self.store.record_changes(&self.tenant, None, after, 100).await.expect("changes")
    }

    async fn read(&self, id: &str) -> Option<Record> {
        self.store.records(&self.tenant, &[id.into()]).await.expect("records").pop()
    }

    async fn write(&self, write: RecordWrite) -> Committed {
        let mut batch = Batch::new(self.tenant.clone());
        batch.groups = vec![Group { records: vec![write], ..Group::default() }];
        self.store.commit(batch).await.expect("applied")
    }
}

fn fields(value: Value) -> Fields {
    serde_json::from_value(value).expect("a map")
}

fn create(operation: &str, id: &str) -> RecordWrite {
    let values = json!({"summary": "Visit",
        "when": {"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00", "zone": "Europe/Vienna"}});
    let change = RecordChange::Create { agent: "amy".into(), occurrence: None, fields: fields(values) };
    RecordWrite { operation: operation.into(), id: id.into(), expected: None, change }
}

/// The statements of the documentation, in order.
fn documented() -> Vec<&'static str> {
    let text = include_str!("../docs/appointment.md");
    let blocks = text.split("```sql\n").skip(1);
    blocks.filter_map(|block| block.split("```").next()).collect()
}

#[tokio::test]
async fn the_documented_statements_run_and_take_part() {
    let world = World::new().await;
    let blocks = documented();
    assert_eq!(blocks.len(), 5);
    for block in blocks {
        world.sql(block);
    }
    let changes = world.changes(None).await.records;
    let seen: Vec<_> = changes.iter().map(|r| (r.id.as_str(), r.fields.is_some())).collect();
    let expected = [("visit-7", false), ("lunch", true), ("standup", true), ("standup-cancelled-1", true)];
    assert_eq!(seen, expected);
    assert_eq!(
        json!(changes[1].fields),
        json!({"summary": "Lunch", "reminders": [{"method": "popup", "minutes": 10}],
            "attendee/bob@example.com": {"name": "Bob", "response": "accepted"}, "property/private/case": "4711",
            "when": {"start": "2026-11-24T12:30:00", "end": "2026-11-24T13:30:00", "zone": "Europe/Vienna"}})
    );
    let occurrences = world.store.record_occurrences(&world.tenant, &"standup".into()).await.expect("read");
    assert_eq!(occurrences, changes[3..]);
    let answers: Vec<(String, String)> = {
        let mut guests =
            world.crm.prepare(documented()[1].split(";\n\n").nth(1).expect("a query")).expect("valid");
        let rows = guests.query_map((), |row| Ok((row.get(0)?, row.get(2)?))).expect("rows");
        rows.collect::<Result<_, _>>().expect("rows")
    };
    assert_eq!(answers, [("Lunch".to_owned(), "accepted".to_owned())]);
}

#[tokio::test]
async fn a_change_by_sql_has_a_version_and_a_place_in_the_order_of_commits() {
    let world = World::new().await;
    world.write(create("o1", "ours")).await;
    world.sql(
        "INSERT INTO appointment (tenant, id, agent, summary) VALUES ('acme', 'theirs', 'amy', 'Theirs');
         INSERT INTO appointment (tenant, id, agent) VALUES ('globex', 'theirs', 'amy');",
    );
    world.write(create("o2", "ours too")).await;
    let first = world.changes(None).await;
    let seen: Vec<_> = first.records.iter().map(|r| (r.id.as_str(), r.version.as_str())).collect();
    assert_eq!(seen, [("ours", "1"), ("theirs", "2"), ("ours too", "4")]);
    world
        .sql("UPDATE appointment SET location = 'Dock 4' WHERE id IN ('ours', 'theirs') AND tenant = 'acme'");
    world.sql("DELETE FROM appointment WHERE id = 'ours too'");
    let second = world.changes(first.position.as_ref()).await;
    let seen: Vec<_> = second.records.iter().map(|r| (r.id.as_str(), r.fields.is_some())).collect();
    assert_eq!(seen, [("ours", true), ("theirs", true), ("ours too", false)]);
    let ours = world.read("ours").await.expect("there");
    assert_eq!(ours.fields.as_ref().and_then(|f| f.get("location")), Some(&json!("Dock 4")));
    assert_eq!(ours.fields.as_ref().and_then(|f| f.get("summary")), Some(&json!("Visit")));
    assert_eq!(world.read("ours too").await, None);
    let shown: i64 = world
        .crm
        .query_row("SELECT version FROM appointment WHERE id = 'ours'", (), |row| row.get(0))
        .expect("read");
    assert_eq!(shown.to_string(), ours.version.as_str());
}

#[tokio::test]
async fn calsync_never_writes_over_what_sql_changed_meanwhile() {
    let world = World::new().await;
    let made = world.write(create("o1", "a")).await;
    world.sql("UPDATE appointment SET summary = 'By hand' WHERE id = 'a'");
    let write = RecordWrite {
        operation: "o2".into(),
        id: "a".into(),
        expected: made.versions.get(&"a".into()).cloned(),
        change: RecordChange::Cancel,
    };
    assert_eq!(world.write(write).await.moved, [0]);
    let again = world.write(create("o1", "a")).await;
    assert_eq!(
        (again.moved, again.versions),
        (vec![], made.versions),
        "the creation is known to have happened"
    );
    world.sql("DELETE FROM appointment WHERE id = 'a'; INSERT INTO appointment (tenant, id, agent) VALUES ('acme', 'a', 'bob')");
    assert_eq!(world.write(create("o1", "a")).await.moved, [0], "it is somebody else's appointment now");
}

#[tokio::test]
async fn calsync_and_the_triggers_keep_the_same_books_one_after_the_other() {
    let world = World::new().await;
    let ids = |changes: &Changes| -> Vec<_> {
        changes
            .records
            .iter()
            .map(|r| (r.id.to_string(), r.version.to_string(), r.fields.is_some()))
            .collect()
    };
    let books = |id: &str, version: &str, there| vec![(id.to_owned(), version.to_owned(), there)];
    let mut position = None;
    let mut version = 0;
    for (operation, change) in [
        ("o1", create("o1", "a").change),
        ("o2", RecordChange::Cancel),
        ("moved", RecordChange::Cancel),
        ("o3", RecordChange::Delete),
    ] {
        let expected = (operation != "o1").then(|| version.to_string().into());
        let expected = if operation == "moved" { Some("1".into()) } else { expected };
        let written =
            world.write(RecordWrite { operation: operation.into(), id: "a".into(), expected, change });
        let moved = !written.await.moved.is_empty();
        assert_eq!(moved, operation == "moved");
        if !moved {
            version += 1;
            let changes = world.changes(position.as_ref()).await;
            assert_eq!(ids(&changes), books("a", &version.to_string(), operation != "o3"), "{operation}");
            position = changes.position;
        }
        if operation != "o3" {
            world.sql("UPDATE appointment SET summary = 'By hand' WHERE id = 'a'");
        } else {
            world.sql("INSERT INTO appointment (tenant, id, agent) VALUES ('acme', 'a', 'amy')");
        }
        version += 1;
        let changes = world.changes(position.as_ref()).await;
        assert_eq!(ids(&changes), books("a", &version.to_string(), true), "by SQL after {operation}");
        position = changes.position;
    }
}

#[tokio::test]
async fn a_transaction_of_the_crm_that_is_rolled_back_leaves_no_change() {
    let world = World::new().await;
    world.write(create("o1", "a")).await;
    let before = world.changes(None).await;
    world.sql("BEGIN; UPDATE appointment SET summary = 'x'; DELETE FROM appointment; ROLLBACK");
    assert_eq!(world.changes(None).await, before);
}

#[tokio::test]
async fn replacing_a_row_and_saving_it_unchanged_are_changes_and_nothing_is_counted_twice() {
    for recursive in [false, true] {
        let world = World::new().await;
        world.crm.pragma_update(None, "recursive_triggers", recursive).expect("set");
        world.write(create("o1", "a")).await;
        world.sql("REPLACE INTO appointment (tenant, id, agent, summary) VALUES ('acme', 'a', 'bob', 'New')");
        let changes = world.changes(None).await;
        assert_eq!(changes.records.len(), 1);
        assert_eq!(changes.records[0].agent.as_str(), "bob");
        world.sql("UPDATE appointment SET summary = summary");
        let next = world.changes(changes.position.as_ref()).await;
        assert_eq!(next.records.len(), 1);
        assert_eq!(world.read("a").await.as_ref(), next.records.first());
    }
}

#[tokio::test]
async fn the_time_of_modification_is_the_writers_or_the_tables() {
    let world = World::new().await;
    let given: DateTime<Utc> = "2026-11-23T09:00:00Z".parse().expect("an instant");
    world.sql(
        "INSERT INTO appointment (tenant, id, agent, modified) VALUES ('acme', 'given', 'amy', '2026-11-23T09:00:00Z');
         INSERT INTO appointment (tenant, id, agent) VALUES ('acme', 'not given', 'amy');",
    );
    assert_eq!(world.read("given").await.expect("there").modified, given);
    let by_table = world.read("not given").await.expect("there").modified;
    assert!(by_table > "2025-01-01T00:00:00Z".parse::<DateTime<Utc>>().expect("an instant"));
    world.sql("UPDATE appointment SET summary = 'x' WHERE id = 'given'");
    assert_ne!(world.read("given").await.expect("there").modified, given);
    world.sql("UPDATE appointment SET summary = 'y', modified = '2026-11-23T09:00:00Z' WHERE id = 'given'");
    assert_eq!(world.read("given").await.expect("there").modified, given);
    let before = world.changes(None).await;
    world.sql("UPDATE appointment SET modified = '2026-11-24T09:00:00Z'");
    assert_eq!(world.changes(before.position.as_ref()).await.records, [], "the time alone is no change");
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_with_what_was_expected() {
    let world = World::new().await;
    world.write(create("o1", "a")).await;
    let before = world.changes(None).await;
    for (set, expected) in [
        ("starts = '2026-11-23 09:00', ends = '2026-11-23 10:00'", "starts and ends are both written"),
        ("starts = '2026-11-23', ends = '2026-11-24'", "or both 2026-11-23, without"),
        ("zone = NULL", "starts and ends are both written"),
        ("ends = NULL", "starts and ends are both written"),
        ("recurrence = 'RRULE:FREQ=DAILY'", "recurrence is a JSON list"),
        ("recurrence = '{}'", "recurrence is a JSON list"),
        ("fields = '[]'", "fields is a JSON object"),
        ("fields = NULL", "NOT NULL"),
        ("series = 'b'", "an occurrence has a series and a slot"),
        ("series = 'b', slot = '2026-11-23'", "written 20261123 or"),
        ("sync = 2", "sync is 0 or 1"),
        ("modified = 'yesterday'", "modified is written"),
        ("version = 99", "cannot be set"),
        ("version = NULL", "cannot be set"),
        ("id = 'b'", "delete it and insert another"),
        ("tenant = 'globex'", "delete it and insert another"),
    ] {
        let error = world.crm.execute_batch(&format!("UPDATE appointment SET {set}")).expect_err(set);
        assert!(error.to_string().contains(expected), "{set}: {error}");
    }
    assert_eq!(world.changes(None).await, before);
}

#[tokio::test]
async fn columns_count_where_fields_say_something_else() {
    let world = World::new().await;
    world.sql(
        r#"INSERT INTO appointment (tenant, id, agent, summary, starts, ends, zone, fields) VALUES
             ('acme', 'a', 'amy', 'Column', '2026-11-23T09:00:00', '2026-11-23T10:00:00', 'UTC',
              '{"summary": "Field", "when": {"start": "1999-01-01", "end_zone": "Europe/Vienna"}}'),
             ('acme', 'b', 'amy', NULL, NULL, NULL, NULL, '{"summary": "Field", "when": "odd"}'),
             ('acme', 'c', 'amy', 'Column', '2026-11-23', '2026-11-24', NULL, '{"when": {"zone": "UTC", "end_later": true}}')"#,
    );
    let values = async |id: &str| json!(world.read(id).await.expect("there").fields);
    assert_eq!(
        values("a").await,
        json!({"summary": "Column", "when": {"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00",
            "zone": "UTC", "end_zone": "Europe/Vienna"}})
    );
    assert_eq!(values("b").await, json!({"summary": "Field", "when": "odd"}));
    assert_eq!(
        values("c").await,
        json!({"summary": "Column", "when": {"start": "2026-11-23", "end": "2026-11-24", "end_later": true}})
    );
    let all_day: Vec<i64> = {
        let mut query = world.crm.prepare("SELECT all_day FROM appointment ORDER BY id").expect("valid");
        query.query_map((), |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("rows")
    };
    assert_eq!(all_day, [0, 0, 1]);
}

#[tokio::test]
async fn a_text_with_a_nul_in_it_comes_back() {
    let world = World::new().await;
    let mut write = create("o1", "a\0b");
    let values = fields(json!({"summary": "one\0two", "extra": {"x": "\0"}}));
    write.change = RecordChange::Create { agent: "amy\0".into(), occurrence: None, fields: values.clone() };
    world.write(write).await;
    let record = world.read("a\0b").await.expect("there");
    assert_eq!((record.agent.as_str(), record.fields), ("amy\0", Some(values)));
    assert_eq!(world.read("a").await, None);
}
