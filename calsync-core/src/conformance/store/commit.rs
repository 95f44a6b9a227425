//! Transactions: checked first, then group by group, each whole or not at all, durable or without a trace.

use super::super::case::{Case, cases};
use super::*;
use crate::binding::{BindingState, Listing};
use crate::store::{Expect, JournalEntry, LinkPut, Outcome, PlanHeader, RunRow, StoredRow, Which};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub(super) fn cases() -> Vec<Case> {
    cases![
        an_empty_transaction_changes_nothing,
        a_group_whose_ground_moved_is_left_out_whole_and_the_others_are_applied,
        of_a_group_that_is_left_out_what_it_leaves_otherwise_is_observed,
        a_group_with_one_moved_write_writes_none_of_its_records,
        an_expectation_tells_missing_deleted_and_exact_versions,
        a_later_group_sees_what_an_earlier_one_wrote,
        of_two_transactions_made_from_the_same_version_one_wins,
        of_two_transactions_at_the_same_time_one_wins,
        a_cancelled_transaction_happened_entirely_or_not_at_all,
        without_its_lease_a_transaction_writes_nothing,
        a_lease_that_expired_unnoticed_holds_until_somebody_takes_it,
        a_lease_is_given_back_in_the_transaction_that_says_so,
        under_settings_that_moved_a_transaction_writes_nothing,
        settings_are_replaced_by_their_next_version_only,
        a_calendar_is_bound_once_however_its_address_is_written,
        dropping_a_binding_forgets_its_rows_and_keeps_its_history,
        a_binding_that_is_dropped_and_put_at_once_starts_on_clean_ground,
        two_records_of_a_binding_cannot_share_a_remote_key,
        links_may_trade_their_keys_within_a_group,
        a_link_takes_the_version_that_its_groups_write_gives,
        a_transaction_whose_parts_do_not_fit_is_refused,
    ]
}

/// A group that leaves a trace in every table.
fn everything(record: &str, key: &str) -> Group {
    group(|g| {
        g.records.push(create(
            &format!("make {record}"),
            record,
            appointment("Visit", "2026-11-23T09:00:00"),
        ));
        g.links.push(link(record, key).into());
        g.remote.push(item(key, true));
        g.marks.push(mark(record, record, "1"));
        g.outbox.push(entry(&format!("write {record}"), record, record));
        g.journal.push(JournalEntry {
            at: START,
            run: "run1".into(),
            record: record.into(),
            key: Some(key.into()),
            side: Which::Local,
            action: "create".to_owned(),
            reason: "new".to_owned(),
            before: None,
            after: None,
            lost: None,
        });
    })
}

fn run(id: &str) -> RunRow {
    RunRow {
        id: id.into(),
        binding: "b1".into(),
        started: START,
        finished: START,
        outcome: Outcome::Complete,
        summary: json!({"created": 1}),
        error: None,
    }
}

/// A transaction that leaves a trace everywhere.
fn everywhere(ground: &Ground, record: &str, key: &str) -> Batch {
    let mut batch = ground.batch([everything(record, key)]);
    batch.run = Some(run("run1"));
    batch.state = Some(state());
    batch
}

fn state() -> BindingState {
    let listing = Listing { generation: 7, ..Listing::default() };
    BindingState { listing, ..BindingState::default() }
}

async fn an_empty_transaction_changes_nothing(ground: &Ground) {
    let committed = ground.store.commit(Batch::new(ground.tenant.clone())).await.expect("applied");
    assert_eq!(committed, Committed::default());
    assert_eq!(ground.traces(&[], &[]).await, NO_TRACES);
}

async fn a_group_whose_ground_moved_is_left_out_whole_and_the_others_are_applied(ground: &Ground) {
    let version = ground.write(create("o1", "here", appointment("Here", "2026-11-23T09:00:00"))).await;
    let expecting = |record: &str, key: &str, expect: Expect| {
        let mut group = everything(record, key);
        group.expects.push(expect);
        group
    };
    let here = |version: &str| Expect { record: "here".into(), version: Some(version.into()) };
    let batch = ground.batch([
        expecting("a", "ka", here("no such version")),
        expecting("b", "kb", here(version.as_str())),
        expecting("c", "kc", Expect { record: "here".into(), version: None }),
        expecting("d", "kd", Expect { record: "not here".into(), version: None }),
        expecting("e", "ke", Expect { record: "not here".into(), version: Some(version.clone()) }),
    ]);
    let committed = ground.store.commit(batch).await.expect("applied");
    assert_eq!(committed.moved, [0, 2, 4]);
    let written: Vec<_> = committed.versions.keys().map(RecordId::as_str).collect();
    assert_eq!(written, ["b", "d"]);
    assert_eq!(records_of(&ground.links(&["a", "b", "c", "d", "e"]).await), ["b", "d"]);
    let outbox = ground.store.outbox(&ground.tenant, ground.id(), 0, 10).await.expect("outbox");
    assert_eq!(outbox.iter().map(|e| e.record.as_str()).collect::<Vec<_>>(), ["b", "d"]);
    let journal = ground.store.journal(&ground.tenant, ground.id(), None, 10).await.expect("journal");
    assert_eq!(journal.len(), 2);
    let records = ground.store.records(&ground.tenant, &["a".into(), "c".into(), "e".into()]).await;
    assert_eq!(records.expect("records"), []);
    for absent in ["a", "c", "e"] {
        let family = ground.store.family(&ground.tenant, ground.id(), Which::Local, absent).await;
        assert_eq!(family.expect("a family"), Default::default(), "of {absent}");
        let family =
            ground.store.family(&ground.tenant, ground.id(), Which::Remote, &format!("k{absent}")).await;
        assert_eq!(family.expect("a family"), Default::default(), "of k{absent}");
    }
}

async fn of_a_group_that_is_left_out_what_it_leaves_otherwise_is_observed(ground: &Ground) {
    ground.write(create("o1", "there", appointment("There", "2026-11-23T09:00:00"))).await;
    let decided = |record: &str, key: &str| {
        group(|g| {
            g.records.push(create(
                &format!("make {record}"),
                record,
                appointment("New", "2026-11-23T09:00:00"),
            ));
            g.links.push(link(record, key).into());
            g.remote.push(item(key, false));
            g.otherwise.push(item(key, true));
        })
    };
    let batch = ground.batch([decided("there", "k1"), decided("new", "k2")]);
    assert_eq!(ground.store.commit(batch).await.expect("applied").moved, [0]);
    let pending =
        ground.store.families(&ground.tenant, ground.id(), Which::Remote, None, 10).await.expect("families");
    assert_eq!(pending.iter().map(|family| &family.remote[..]).collect::<Vec<_>>(), [[item("k1", true)]]);
    let keys = ["k1".into(), "k2".into()];
    let (links, items) = ground.store.known(&ground.tenant, ground.id(), &keys).await.expect("known");
    assert_eq!((records_of(&links), items.len()), (vec!["new"], 2));
    let settled = items.iter().find(|item| item.key.as_str() == "k2");
    assert_eq!(settled, Some(&item("k2", false)));
}

async fn a_group_with_one_moved_write_writes_none_of_its_records(ground: &Ground) {
    let version = ground.write(create("o1", "a", appointment("A", "2026-11-23T09:00:00"))).await;
    let batch = ground.batch([group(|g| {
        g.records.push(change("o2", "a", &version, RecordChange::Cancel));
        g.records.push(change("o3", "b", &version, RecordChange::Cancel));
    })]);
    let committed = ground.store.commit(batch).await.expect("applied");
    assert_eq!((committed.moved, committed.versions.len()), (vec![0], 0));
    let records = ground.store.records(&ground.tenant, &["a".into()]).await.expect("records");
    assert_eq!(records[0].version, version);
    let next = ground.write(change("o2", "a", &version, RecordChange::Cancel)).await;
    assert_ne!(next, version, "the operation did not count as done");
}

async fn an_expectation_tells_missing_deleted_and_exact_versions(ground: &Ground) {
    let first = ground.write(create("o1", "a", appointment("A", "2026-11-23T09:00:00"))).await;
    let holds = async |record: &str, version: Option<&Version>| {
        let expect = Expect { record: record.into(), version: version.cloned() };
        let batch = ground.batch([group(|g| g.expects.push(expect))]);
        ground.store.commit(batch).await.expect("applied").moved.is_empty()
    };
    assert!(holds("a", Some(&first)).await);
    assert!(!holds("a", None).await);
    assert!(holds("b", None).await);
    let second = ground.write(change("o2", "a", &first, RecordChange::Cancel)).await;
    assert!(!holds("a", Some(&first)).await);
    assert!(holds("a", Some(&second)).await);
    assert!(!holds("a", None).await, "cancelled is not deleted in the table");
    let third = ground.write(change("o3", "a", &second, RecordChange::Delete)).await;
    assert!(holds("a", None).await, "deleted");
    assert!(holds("a", Some(&third)).await, "deleted, and nothing since");
    assert!(!holds("a", Some(&second)).await);
}

async fn a_later_group_sees_what_an_earlier_one_wrote(ground: &Ground) {
    let expect_none = Expect { record: "a".into(), version: None };
    let batch = ground.batch([
        group(|g| g.records.push(create("o1", "a", appointment("A", "2026-11-23T09:00:00")))),
        group(|g| g.expects.push(expect_none)),
        group(|g| g.records.push(create("o2", "a", appointment("B", "2026-11-23T09:00:00")))),
    ]);
    let committed = ground.store.commit(batch).await.expect("applied");
    assert_eq!(committed.moved, [1, 2]);
    let records = ground.store.records(&ground.tenant, &["a".into()]).await.expect("records");
    assert_eq!(records[0].fields, Some(appointment("A", "2026-11-23T09:00:00")));
    assert_eq!(committed.versions.get(&"a".into()), Some(&records[0].version));
}

async fn of_two_transactions_made_from_the_same_version_one_wins(ground: &Ground) {
    let version = ground.write(create("o1", "a", appointment("A", "2026-11-23T09:00:00"))).await;
    assert!(!ground.moves(change("o2", "a", &version, patch(json!({"location": "here"})))).await);
    assert!(ground.moves(change("o3", "a", &version, patch(json!({"location": "there"})))).await);
    let records = ground.store.records(&ground.tenant, &["a".into()]).await.expect("records");
    let location = records[0].fields.as_ref().and_then(|fields| fields.get("location"));
    assert_eq!(location, Some(&json!("here")));
}

async fn of_two_transactions_at_the_same_time_one_wins(ground: &Ground) {
    let mut version = ground.write(create("o0", "a", appointment("A", "2026-11-23T09:00:00"))).await;
    for round in 0..20 {
        let write = |who: &str| {
            let write = change(&format!("{who}{round}"), "a", &version, patch(json!({"location": who})));
            ground.store.commit(ground.batch([group(|g| g.records.push(write))]))
        };
        let (one, other) = both(write("one"), write("other")).await;
        let (one, other) = (one.expect("applied"), other.expect("applied"));
        assert_eq!(one.moved.len() + other.moved.len(), 1, "round {round}");
        version = one.versions.values().chain(other.versions.values()).next().expect("a version").clone();
    }
}

async fn a_cancelled_transaction_happened_entirely_or_not_at_all(ground: &Ground) {
    for round in 0..20 {
        let (record, key) = (format!("r{round}"), format!("k{round}"));
        {
            let mut commit = pin!(ground.store.commit(ground.batch([everything(&record, &key)])));
            let _ = commit.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        // Transactions are one after the other: when this one is done, the cancelled one is over.
        ground.put([]).await;
        let family = ground.store.family(&ground.tenant, ground.id(), Which::Local, &record).await;
        let family = family.expect("a family");
        let parts = [family.links.len(), family.remote.len(), family.local.len(), family.outbox.len()];
        let records = ground.store.records(&ground.tenant, &[record.as_str().into()]).await.expect("records");
        assert!(parts == [1; 4] && records.len() == 1 || parts == [0; 4] && records.is_empty(), "{parts:?}");
    }
}

async fn without_its_lease_a_transaction_writes_nothing(ground: &Ground) {
    let stale = ground.take("run/b1", "w1").await;
    ground.clock.advance(MINUTE);
    let held = ground.take("run/b1", "w2").await;
    let never = Lease { name: "never taken".to_owned(), ..held.clone() };
    let other = Lease { owner: "w1".to_owned(), ..held.clone() };
    let ahead = Lease { fence: held.fence + 1, ..held.clone() };
    for lease in [stale, never, other, ahead] {
        let mut batch = everywhere(ground, "a", "ka");
        batch.fence = Some(lease);
        refused(ground.store.commit(batch).await, ErrorKind::LeaseLost);
    }
    let mut batch = everywhere(ground, "a", "ka");
    ground.store.release(&ground.tenant, &held).await.expect("given back");
    batch.fence = Some(held);
    refused(ground.store.commit(batch).await, ErrorKind::LeaseLost);
    assert_eq!(ground.traces(&["a"], &["ka"]).await, NO_TRACES);
    let mut batch = everywhere(ground, "a", "ka");
    batch.fence = Some(ground.take("run/b1", "w3").await);
    ground.store.commit(batch).await.expect("applied under the lease");
    assert_ne!(ground.traces(&["a"], &["ka"]).await, NO_TRACES);
}

async fn a_lease_that_expired_unnoticed_holds_until_somebody_takes_it(ground: &Ground) {
    let lease = ground.take("run/b1", "w1").await;
    ground.clock.advance(MINUTE * 10);
    let mut batch = ground.batch([everything("a", "ka")]);
    batch.fence = Some(lease);
    let committed = ground.store.commit(batch).await.expect("nobody else has it, so nobody else writes");
    assert_eq!(committed.moved, Vec::<usize>::new());
}

async fn a_lease_is_given_back_in_the_transaction_that_says_so(ground: &Ground) {
    let lease = ground.take("run/b1", "w1").await;
    let mut batch = ground.batch([]);
    (batch.fence, batch.release) = (Some(lease.clone()), true);
    ground.store.commit(batch.clone()).await.expect("applied");
    refused(ground.store.commit(batch).await, ErrorKind::LeaseLost);
    assert!(ground.take("run/b1", "w2").await.fence > lease.fence);
}

async fn under_settings_that_moved_a_transaction_writes_nothing(ground: &Ground) {
    for version in [0, 2] {
        let mut batch = everywhere(ground, "a", "ka");
        batch.settings = Some(version);
        refused(ground.store.commit(batch).await, ErrorKind::PreconditionFailed);
    }
    let mut batch = everywhere(ground, "a", "ka");
    batch.binding = Some("no such binding".into());
    batch.run = None;
    batch.settings = Some(1);
    refused(ground.store.commit(batch).await, ErrorKind::PreconditionFailed);
    assert_eq!(ground.traces(&["a"], &["ka"]).await, NO_TRACES);
    let lease = ground.take("run/b1", "w1").await;
    let batch = Batch { groups: vec![everything("a", "ka")], ..Batch::of(&ground.binding, &lease) };
    assert_eq!(ground.store.commit(batch).await.expect("applied").moved, Vec::<usize>::new());
}

async fn settings_are_replaced_by_their_next_version_only(ground: &Ground) {
    let put = |id: &str, version: u64, paused: bool| {
        let mut batch = Batch::new(ground.tenant.clone());
        let settings = Binding { version, paused, ..binding(&ground.tenant, id, "amy") };
        batch.groups = vec![group(|g| {
            g.records.push(create(&format!("{id}{version}"), id, appointment("A", "2026-11-23T09:00:00")));
        })];
        batch.put_binding = Some(settings);
        ground.store.commit(batch)
    };
    refused(put("b1", 1, true).await, ErrorKind::PreconditionFailed);
    refused(put("b1", 3, true).await, ErrorKind::PreconditionFailed);
    refused(put("b2", 2, true).await, ErrorKind::PreconditionFailed);
    let records = ground.store.records(&ground.tenant, &["b1".into(), "b2".into()]).await.expect("records");
    assert_eq!(records, [], "nothing else of the transaction was written");
    assert!(!ground.store.binding(&ground.tenant, ground.id()).await.expect("read").expect("there").paused);
    put("b1", 2, true).await.expect("the next version");
    put("b0", 1, false).await.expect("a new binding");
    let bindings = ground.store.bindings(&ground.tenant).await.expect("bindings");
    let known: Vec<_> = bindings.iter().map(|b| (b.id.as_str(), b.version, b.paused)).collect();
    assert_eq!(known, [("b0", 1, false), ("b1", 2, true)]);
    assert_eq!(
        ground.store.binding(&ground.tenant, ground.id()).await.expect("read").as_ref(),
        bindings.get(1)
    );
    assert_eq!(ground.store.binding(&ground.tenant, &"b3".into()).await.expect("read"), None);
}

async fn a_calendar_is_bound_once_however_its_address_is_written(ground: &Ground) {
    let to = |id: &str, calendar: &str| {
        let mut settings = binding(&ground.tenant, id, "amy");
        settings.target.calendar = calendar.into();
        settings
    };
    let put = |settings: Binding| {
        let mut batch = Batch::new(settings.tenant.clone());
        batch.put_binding = Some(settings);
        ground.store.commit(batch)
    };
    put(to("b2", "Team@Example.com")).await.expect("a new binding");
    let error = put(to("b3", "team@example.com")).await.expect_err("it is bound already");
    assert_eq!(error.kind(), ErrorKind::Duplicate, "{error}");
    assert!(error.to_string().contains("b2"), "the other is named: {error}");
    assert_eq!(ground.store.binding(&ground.tenant, &"b3".into()).await.expect("read"), None);
    // Another provider's calendar of that name is another one, and so is another tenant's.
    put(Binding { provider: "stone".into(), ..to("b3", "team@example.com") }).await.expect("another one");
    put(Binding { tenant: "elsewhere".into(), ..to("b3", "team@example.com") }).await.expect("another one");
    // Its own settings may be written again; and what was dropped is free.
    put(Binding { version: 2, ..to("b2", "team@example.com") }).await.expect("the next version");
    let mut drop = Batch::new(ground.tenant.clone());
    (drop.binding, drop.drop_binding) = (Some("b2".into()), true);
    ground.store.commit(drop).await.expect("dropped");
    put(to("b4", "TEAM@example.com")).await.expect("it is free again");
}

async fn dropping_a_binding_forgets_its_rows_and_keeps_its_history(ground: &Ground) {
    let mut batch = everywhere(ground, "a", "ka");
    batch.plan = Some(PlanHeader { id: "p1".into(), binding: "b1".into(), made: START, summary: json!({}) });
    ground.store.commit(batch).await.expect("applied");
    let mut drop = ground.batch([]);
    drop.drop_binding = true;
    ground.store.commit(drop).await.expect("dropped");
    let store = &ground.store;
    assert_eq!(store.binding(&ground.tenant, ground.id()).await.expect("read"), None);
    assert_eq!(store.bindings(&ground.tenant).await.expect("read"), []);
    assert_eq!(store.state(&ground.tenant, ground.id()).await.expect("read"), BindingState::default());
    assert_eq!(store.linked(&ground.tenant, ground.id()).await.expect("read"), 0);
    assert_eq!(ground.links(&["a"]).await, []);
    for (which, root) in [(Which::Local, "a"), (Which::Remote, "ka")] {
        let family = store.family(&ground.tenant, ground.id(), which, root).await.expect("a family");
        assert_eq!(family, Default::default());
        assert_eq!(store.families(&ground.tenant, ground.id(), which, None, 9).await.expect("none"), []);
    }
    assert_eq!(store.outbox(&ground.tenant, ground.id(), 0, 9).await.expect("outbox"), []);
    assert_eq!(store.runs(&ground.tenant, ground.id(), 9).await.expect("runs").len(), 1);
    assert_eq!(store.journal(&ground.tenant, ground.id(), None, 9).await.expect("journal").len(), 1);
    assert!(store.plan(&ground.tenant, &"p1".into()).await.expect("plan").is_some());
    assert_eq!(store.records(&ground.tenant, &["a".into()]).await.expect("records").len(), 1);
    // Its keys are free again.
    ground.put_binding(ground.binding.clone()).await;
    ground.put([group(|g| g.links.push(link("b", "ka").into()))]).await;
}

async fn a_binding_that_is_dropped_and_put_at_once_starts_on_clean_ground(ground: &Ground) {
    ground.store.commit(everywhere(ground, "a", "ka")).await.expect("applied");
    let mut batch = ground.batch([group(|g| g.links.push(link("b", "ka").into()))]);
    batch.drop_binding = true;
    batch.put_binding = Some(Binding { version: 2, paused: true, ..ground.binding.clone() });
    ground.store.commit(batch).await.expect("applied");
    assert_eq!(records_of(&ground.links(&["a", "b"]).await), ["b"]);
    assert_eq!(
        ground.store.state(&ground.tenant, ground.id()).await.expect("state"),
        BindingState::default()
    );
    let settings = ground.store.binding(&ground.tenant, ground.id()).await.expect("read").expect("there");
    assert_eq!((settings.version, settings.paused), (2, true));
}

async fn two_records_of_a_binding_cannot_share_a_remote_key(ground: &Ground) {
    ground.put([group(|g| g.links.push(link("a", "ka").into()))]).await;
    let batch = ground.batch([everything("b", "kb"), group(|g| g.links.push(link("c", "ka").into()))]);
    refused(ground.store.commit(batch).await, ErrorKind::Invariant);
    assert_eq!(ground.traces(&["b", "c"], &["kb"]).await, NO_TRACES, "not even the first group");
    let batch = ground.batch([group(|g| {
        g.links.push(link("c", "kc").into());
        g.links.push(link("d", "kc").into());
    })]);
    refused(ground.store.commit(batch).await, ErrorKind::Invariant);
    assert_eq!(records_of(&ground.links(&["a", "c", "d"]).await), ["a"]);
    let again = Link { incarnation: 1, ..link("a", "ka") };
    ground.put([group(|g| g.links.push(again.clone().into()))]).await;
    assert_eq!(ground.links(&["a"]).await, [again], "a link replaces the one of the same record");
    ground.put([group(|g| g.links.push(link("a", "ka2").into()))]).await;
    ground.put([group(|g| g.links.push(link("c", "ka").into()))]).await;
    assert_eq!(records_of(&ground.links(&["a", "c"]).await), ["a", "c"], "the old key is free");
}

async fn links_may_trade_their_keys_within_a_group(ground: &Ground) {
    ground.put([group(|g| g.links.extend([link("a", "ka").into(), link("b", "kb").into()]))]).await;
    ground.put([group(|g| g.links.extend([link("a", "kb").into(), link("b", "ka").into()]))]).await;
    let links = ground.links(&["a", "b"]).await;
    assert_eq!(links.iter().map(|l| l.key.as_str()).collect::<Vec<_>>(), ["kb", "ka"]);
    ground
        .put([group(|g| {
            g.unlink.push("a".into());
            g.links.push(link("c", "kb").into());
        })])
        .await;
    assert_eq!(records_of(&ground.links(&["a", "b", "c"]).await), ["b", "c"]);
    let (links, _) = ground.store.known(&ground.tenant, ground.id(), &["kb".into()]).await.expect("known");
    assert_eq!(records_of(&links), ["c"]);
}

async fn a_link_takes_the_version_that_its_groups_write_gives(ground: &Ground) {
    let committed = ground
        .put([group(|g| {
            g.records.push(create("o1", "a", appointment("A", "2026-11-23T09:00:00")));
            g.links.push(LinkPut { link: link("a", "ka"), version_from_write: true });
        })])
        .await;
    let version = committed.versions.get(&"a".into());
    assert!(version.is_some());
    assert_eq!(ground.links(&["a"]).await[0].version.as_ref(), version);
}

async fn a_transaction_whose_parts_do_not_fit_is_refused(ground: &Ground) {
    let plan = PlanHeader { id: "p".into(), binding: "b1".into(), made: START, summary: json!({}) };
    let row = StoredRow { number: 1, root: (Which::Local, "a".to_owned()), row: json!({}) };
    type Strange = (&'static str, fn(&mut Batch));
    let strange: [Strange; 9] = [
        ("rows without a binding", |b| b.binding = None),
        ("the lease of nobody given back", |b| b.release = true),
        ("another tenant's settings", |b| {
            b.put_binding = Some(binding(&"globex".into(), "b1", "amy"));
        }),
        ("another binding's settings", |b| {
            b.put_binding = Some(binding(&b.tenant, "b2", "amy"));
        }),
        ("another binding's run", |b| {
            b.run = Some(RunRow { binding: "b2".into(), ..run("r") });
        }),
        ("rows of a binding that is dropped", |b| b.drop_binding = true),
        ("the same record twice", |b| {
            let write = b.groups[0].records[0].clone();
            b.groups[0].records.push(write);
        }),
        ("the same link twice", |b| {
            let put = b.groups[0].links[0].clone();
            b.groups[0].links.push(put);
        }),
        ("a version from a write that is not there", |b| {
            b.groups[0].records.clear();
            b.groups[0].links[0].version_from_write = true;
        }),
    ];
    for (what, make_strange) in strange {
        let mut batch = ground.batch([everything("a", "ka")]);
        make_strange(&mut batch);
        let error = ground.store.commit(batch).await.expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Invariant, "{what}: {error}");
    }
    let mut batch = ground.batch([everything("a", "ka")]);
    (batch.plan_rows, batch.plan_of) = (vec![row.clone()], Some("no such plan".into()));
    refused(ground.store.commit(batch).await, ErrorKind::NotFound);
    let mut batch = ground.batch([everything("a", "ka")]);
    batch.plan_rows = vec![row];
    refused(ground.store.commit(batch).await, ErrorKind::Invariant);
    let mut batch = ground.batch([everything("a", "ka")]);
    batch.plan = Some(PlanHeader { binding: "b2".into(), ..plan });
    refused(ground.store.commit(batch).await, ErrorKind::Invariant);
    assert_eq!(ground.traces(&["a"], &["ka"]).await, NO_TRACES);
}

/// Polls two futures in turn until both are done.
async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut one, mut other) = (None, None);
    poll_fn(|context| {
        if one.is_none()
            && let Poll::Ready(answer) = a.as_mut().poll(context)
        {
            one = Some(answer);
        }
        if other.is_none()
            && let Poll::Ready(answer) = b.as_mut().poll(context)
        {
            other = Some(answer);
        }
        match (one.take(), other.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            (had_one, had_other) => {
                (one, other) = (had_one, had_other);
                Poll::Pending
            }
        }
    })
    .await
}
