//! What is put can be asked for, as it was, in the promised order, and no more of it than asked for.

use super::super::case::{Case, cases};
use super::*;
use crate::binding::{BindingState, Health, HoursJudged, LastError, Listing};
use crate::guard::Accounts;
use crate::hours::{Check, ScheduleVersion, Warning, WarningKey};
use crate::model::RemoteOccurrence;
use crate::store::{
    Answer, JournalEntry, LinkPut, Outcome, PlanHeader, RunRow, StoredRow, WarningPlace, Which,
};
use std::collections::BTreeSet;

pub(super) fn cases() -> Vec<Case> {
    cases![
        the_installation_stays_the_same,
        progress_is_kept_and_starts_out_empty,
        links_and_observations_are_found_by_key_and_by_record,
        every_value_of_a_link_an_observation_and_an_entry_comes_back_as_it_was,
        links_that_a_listing_did_not_show_are_found_in_pages,
        living_links_are_counted,
        an_observation_is_replaced_and_forgotten,
        what_an_older_listing_showed_is_forgotten_unless_both_sides_agreed_on_it,
        a_mark_is_taken_away_unless_a_newer_version_was_marked,
        the_outbox_keeps_its_order_and_a_replaced_entry_its_place,
        the_journal_is_read_newest_first,
        links_are_read_in_order_of_their_records,
        warnings_are_replaced_withdrawn_and_read_in_order,
        runs_are_read_newest_first,
        a_plan_is_kept_and_its_rows_are_read_in_order,
        long_and_unusual_ids_are_kept_apart_and_come_back_as_they_were,
    ]
}

async fn the_installation_stays_the_same(ground: &Ground) {
    let installation = ground.store.installation().await.expect("there is one");
    assert_ne!(installation.as_str(), "");
    ground.put([]).await;
    assert_eq!(ground.store.installation().await.expect("still"), installation);
}

async fn progress_is_kept_and_starts_out_empty(ground: &Ground) {
    let read = async || ground.store.state(&ground.tenant, ground.id()).await.expect("progress");
    assert_eq!(read().await, BindingState::default());
    let state = BindingState {
        listing: Listing {
            cursor: Some("sync token ✓".into()),
            page: Some("page".into()),
            full: true,
            generation: 3,
            swept: true,
            fingerprint: "singleEvents=false".to_owned(),
        },
        position: Some("12".into()),
        health: Health {
            last_attempt: Some(START),
            last_success: None,
            last_error: Some(LastError {
                at: START,
                run: "r".into(),
                kind: ErrorKind::Forbidden,
                message: "shared as \"free/busy\" only".to_owned(),
            }),
        },
        guard: Accounts::default(),
        hours: Some(HoursJudged { version: ScheduleVersion::new("v1 ✓"), until: START }),
    };
    for state in [state, BindingState::default()] {
        let mut batch = ground.batch([]);
        batch.state = Some(state.clone());
        ground.store.commit(batch).await.expect("applied");
        assert_eq!(read().await, state);
    }
}

async fn links_and_observations_are_found_by_key_and_by_record(ground: &Ground) {
    ground
        .put([group(|g| {
            g.links.extend([link("a", "ka").into(), link("b", "kb").into()]);
            g.remote.extend([item("kb", true), item("kc", false)]);
        })])
        .await;
    let keys: Vec<RemoteKey> = ["ka", "kb", "kb", "kc", "kd"].map(RemoteKey::from).to_vec();
    let (mut links, mut items) = ground.store.known(&ground.tenant, ground.id(), &keys).await.expect("known");
    links.sort_by(|a, b| a.record.cmp(&b.record));
    items.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(links, [link("a", "ka"), link("b", "kb")]);
    assert_eq!(items, [item("kb", true), item("kc", false)]);
    assert_eq!(records_of(&ground.links(&["b", "b", "x"]).await), ["b"]);
    let nothing = ground.store.known(&ground.tenant, ground.id(), &[]).await.expect("known");
    assert_eq!(nothing, (vec![], vec![]));
}

async fn every_value_of_a_link_an_observation_and_an_entry_comes_back_as_it_was(ground: &Ground) {
    let slot: Slot = "20261123T160000Z".parse().expect("a slot");
    let values = fields(json!({
        "summary": "Visit “Ünïcode” \u{1f4c5} \u{202e}",
        "when": {"start": "2026-11-23", "end": "2026-11-24", "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]},
        "attendee/amy@example.com": {"response": "accepted"},
        "extra": {"number": 0.1, "large": 18_446_744_073_709_551_615_u64, "small": -9_007_199_254_740_993_i64,
            "nested": [[], {}, null, false, ""]},
    }));
    let rich = Link {
        slot: Some(slot),
        base: Some(State::Live(values.clone())),
        normaliser: 4_000_000_000,
        version: None,
        revision: None,
        incarnation: 3,
        answer: Some(Answer { local_wins: true, version: Some("1".into()), revision: None }),
        ..link_in("a", "series", "remote#20261123T160000Z", "remote")
    };
    let gone = Link { base: Some(State::Gone), ..link("b", "kb") };
    let new = Link { base: None, ..link("c", "kc") };
    let occurrence = Some(RemoteOccurrence { series: "remote".into(), slot });
    let seen = [Seen::Base, Seen::Live(values.clone()), Seen::Gone, Seen::Unreadable("no start".to_owned())];
    let items: Vec<_> = (seen.into_iter().enumerate())
        .map(|(n, seen)| RemoteItem {
            occurrence: occurrence.clone(),
            updated: START.checked_add_signed(chrono::Duration::nanoseconds(n as i64)),
            writable: Writable::OwnCopy { me: "amy@example.com".to_owned() },
            generation: u64::from(u32::MAX) + n as u64,
            seen,
            ..item(&format!("i{n}"), n % 2 == 0)
        })
        .collect();
    let write = Write {
        operation: "o2".into(),
        mail: Mail::Guests,
        action: WriteAction::Update {
            id: "r".into(),
            revision: Some("\"r2\"".into()),
            units: ["summary".into(), "when".into()].into(),
            fields: values.clone(),
            revive: true,
        },
    };
    let base = State::Live(values.clone());
    let entries = [
        Entry {
            state: EntryState::Parked { kind: ErrorKind::Invalid, reason: "too long".to_owned() },
            attempts: 7,
            intent: Intent::Remote {
                write,
                occurrence: occurrence.clone(),
                base: base.clone(),
                version: Some("4".into()),
            },
            ..entry("o2", "a", "series")
        },
        Entry {
            state: EntryState::Sent,
            intent: Intent::Local {
                write: change("o3", "a", &"4".into(), patch(json!({"summary": "x"}))),
                base,
                revision: Some("\"r3\"".into()),
                agrees: false,
                version: Some("4".into()),
            },
            ..entry("o3", "a", "series")
        },
    ];
    ground
        .put([group(|g| {
            g.links.extend([rich.clone().into(), gone.clone().into(), new.clone().into()]);
            g.remote.extend(items.clone());
            g.outbox.extend(entries.clone());
        })])
        .await;
    assert_eq!(ground.links(&["a", "b", "c"]).await, [rich, gone, new]);
    let keys: Vec<RemoteKey> = items.iter().map(|item| item.key.clone()).collect();
    let (_, mut found) = ground.store.known(&ground.tenant, ground.id(), &keys).await.expect("known");
    found.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found, items);
    let outbox = ground.store.outbox(&ground.tenant, ground.id(), 0, 9).await.expect("outbox");
    let without_place: Vec<_> = outbox.into_iter().map(|entry| Entry { sequence: 0, ..entry }).collect();
    assert_eq!(without_place, entries);
}

async fn links_that_a_listing_did_not_show_are_found_in_pages(ground: &Ground) {
    let generation = |key: &str, generation| RemoteItem { generation, ..item(key, false) };
    ground
        .put([group(|g| {
            for n in 1..=7 {
                g.links.push(link(&format!("r{}", 9 - n), &format!("k{n}")).into());
            }
            g.links.push(Link { base: Some(State::Gone), ..link("gone", "k8") }.into());
            for key in ["k9", "ka", "kb"] {
                g.links.push(Link { base: None, ..link(&format!("new {key}"), key) }.into());
            }
            g.remote.extend([
                generation("k8", 1),
                generation("ka", 1),
                generation("kb", 2),
                generation("k1", 1),
                generation("k2", 2),
                generation("k4", 2),
                generation("k5", 1),
            ]);
        })])
        .await;
    let unseen = async |generation, after: Option<&str>, count_max| {
        let after = after.map(RemoteKey::from);
        let links = ground.store.unseen(&ground.tenant, ground.id(), generation, after.as_ref(), count_max);
        let links = links.await.expect("unseen");
        links.iter().map(|link| link.key.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(unseen(2, None, 99).await, "k1 k3 k5 k6 k7 ka");
    assert_eq!(unseen(2, None, 2).await, "k1 k3");
    assert_eq!(unseen(2, Some("k3"), 2).await, "k5 k6");
    assert_eq!(unseen(2, Some("k6"), 2).await, "k7 ka");
    assert_eq!(unseen(2, Some("k6"), 1).await, "k7");
    assert_eq!(unseen(2, Some("k7"), 2).await, "ka");
    assert_eq!(unseen(2, Some("ka"), 2).await, "");
    assert_eq!(unseen(1, None, 99).await, "k3 k6 k7");
    assert_eq!(unseen(3, None, 99).await, "k1 k2 k3 k4 k5 k6 k7 ka kb");
}

async fn living_links_are_counted(ground: &Ground) {
    let linked = async || ground.store.linked(&ground.tenant, ground.id()).await.expect("a number");
    assert_eq!(linked().await, 0);
    let gone = Link { base: Some(State::Gone), ..link("b", "kb") };
    let new = Link { base: None, ..link("c", "kc") };
    ground.put([group(|g| g.links.extend([link("a", "ka").into(), gone.into(), new.into()]))]).await;
    assert_eq!(linked().await, 1);
    ground.put([group(|g| g.links.extend([link("b", "kb").into(), link("c", "kc").into()]))]).await;
    assert_eq!(linked().await, 3);
    let gone = Link { base: Some(State::Gone), ..link("a", "ka") };
    ground
        .put([group(|g| {
            g.links.push(gone.into());
            g.unlink.extend(["b".into(), "b".into(), "never linked".into()]);
        })])
        .await;
    assert_eq!(linked().await, 1);
}

async fn an_observation_is_replaced_and_forgotten(ground: &Ground) {
    let known = async |key: &str| {
        ground.store.known(&ground.tenant, ground.id(), &[key.into()]).await.expect("known").1
    };
    ground.put([group(|g| g.remote.push(item("k", true)))]).await;
    let moved = RemoteItem { generation: 2, ..item_in("k", "series", false) };
    ground.put([group(|g| g.remote.push(moved.clone()))]).await;
    assert_eq!(known("k").await, [moved]);
    let family = ground.store.family(&ground.tenant, ground.id(), Which::Remote, "k").await;
    assert_eq!(family.expect("a family").remote, [], "it belongs to another root now");
    ground.put([group(|g| g.forget.extend(["k".into(), "never seen".into()]))]).await;
    assert_eq!(known("k").await, []);
}

async fn what_an_older_listing_showed_is_forgotten_unless_both_sides_agreed_on_it(ground: &Ground) {
    let keys = ["alone", "alone now", "meant", "agreed", "gone"];
    let seen =
        |key: &str| RemoteItem { generation: if key == "alone now" { 3 } else { 2 }, ..item(key, true) };
    let meant = Link { base: None, ..link("a", "meant") };
    let gone = Link { base: Some(State::Gone), ..link("c", "gone") };
    ground
        .put([group(|g| {
            g.remote.extend(keys.map(seen));
            g.links.extend([meant.into(), link("b", "agreed").into(), gone.into()]);
        })])
        .await;
    let left = async |before: u64| {
        let mut batch = ground.batch([]);
        batch.forget_before = Some(before);
        ground.store.commit(batch).await.expect("applied");
        let keys = keys.map(RemoteKey::from);
        let known = ground.store.known(&ground.tenant, ground.id(), &keys).await.expect("known").1;
        known.iter().map(|item| item.key.to_string()).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(left(2).await.len(), 5);
    assert_eq!(left(3).await, ["agreed", "alone now", "gone"]);
    assert_eq!(ground.links(&["a", "b", "c"]).await.len(), 3, "no link goes with it");
}

async fn a_mark_is_taken_away_unless_a_newer_version_was_marked(ground: &Ground) {
    let marks = async || {
        let families = ground.store.families(&ground.tenant, ground.id(), Which::Local, None, 99).await;
        let marks = families.expect("families").into_iter().flat_map(|family| family.local);
        marks.map(|mark| format!("{}@{}", mark.id, mark.version)).collect::<Vec<_>>().join(" ")
    };
    let unmark = |record: &str, version: &str| group(|g| g.unmark.push((record.into(), version.into())));
    ground.put([group(|g| g.marks.extend([mark("a", "a", "9"), mark("b", "b", "10")]))]).await;
    assert_eq!(marks().await, "a@9 b@10");
    ground.put([unmark("a", "8"), unmark("b", "9"), unmark("c", "9")]).await;
    assert_eq!(marks().await, "a@9 b@10", "newer versions were marked; 10 is newer than 9");
    ground.put([unmark("a", "9")]).await;
    assert_eq!(marks().await, "b@10");
    ground.put([unmark("b", "11")]).await;
    assert_eq!(marks().await, "", "dealing with a later version settles an earlier mark");
    let hosts = |version: &str| LocalMark {
        record: Some(crate::model::Record {
            id: "h".into(),
            version: version.into(),
            agent: "amy".into(),
            occurrence: None,
            fields: None,
            sync: true,
            modified: START,
        }),
        ..mark("h", "h", version)
    };
    ground.put([group(|g| g.marks.push(hosts("7")))]).await;
    ground.put([group(|g| g.marks.push(hosts("5")))]).await;
    ground.put([unmark("h", "7")]).await;
    assert_eq!(marks().await, "h@5", "versions of another host have no order");
    ground.put([unmark("h", "5")]).await;
    assert_eq!(marks().await, "");
    ground.put([group(|g| g.marks.extend([mark("a", "a", "9"), mark("b", "b", "10")]))]).await;
    ground.put([group(|g| g.unmark_any.extend(["a".into(), "never marked".into()]))]).await;
    assert_eq!(marks().await, "b@10");
    ground.put([group(|g| g.unmark_any.push("b".into()))]).await;
    assert_eq!(marks().await, "");
}

async fn the_outbox_keeps_its_order_and_a_replaced_entry_its_place(ground: &Ground) {
    let outbox = async |after, count_max| {
        ground.store.outbox(&ground.tenant, ground.id(), after, count_max).await.expect("outbox")
    };
    let names =
        |entries: &[Entry]| entries.iter().map(|e| e.operation.to_string()).collect::<Vec<_>>().join(" ");
    ground.put([group(|g| g.outbox.extend([entry("o3", "a", "a"), entry("o1", "b", "b")]))]).await;
    ground.put([group(|g| g.outbox.push(entry("o2", "c", "c")))]).await;
    let first = outbox(0, 99).await;
    assert_eq!(names(&first), "o3 o1 o2");
    assert!(first[0].sequence > 0 && first.is_sorted_by(|a, b| a.sequence < b.sequence));
    let sent = Entry { state: EntryState::Sent, attempts: 1, sequence: 77, ..entry("o1", "moved", "moved") };
    ground.put([group(|g| g.outbox.push(sent.clone()))]).await;
    let second = outbox(0, 99).await;
    assert_eq!(names(&second), "o3 o1 o2");
    assert_eq!(second[1], Entry { sequence: first[1].sequence, ..sent });
    assert_eq!(names(&outbox(first[0].sequence, 1).await), "o1");
    assert_eq!(names(&outbox(first[2].sequence, 9).await), "");
    ground.put([group(|g| g.outbox_drop.extend(["o3".into(), "o2".into(), "unknown".into()]))]).await;
    ground.put([group(|g| g.outbox.push(entry("o2", "c", "c")))]).await;
    let third = outbox(0, 99).await;
    assert_eq!(names(&third), "o1 o2");
    assert!(third[1].sequence > first[2].sequence, "a dropped entry leaves no place behind");
}

async fn links_are_read_in_order_of_their_records(ground: &Ground) {
    let records = ["a", "b", "c", "d"];
    let links = records.map(|record| link(record, record));
    ground.put([group(|g| g.links.extend(links.iter().rev().cloned().map(LinkPut::from)))]).await;
    let read = async |after: Option<&str>, count_max| {
        let after = after.map(RecordId::from);
        let links = ground.store.links_after(&ground.tenant, ground.id(), after.as_ref(), count_max).await;
        links.expect("links")
    };
    assert_eq!(read(None, 99).await, links);
    assert_eq!(read(None, 2).await, links[..2]);
    assert_eq!(read(Some("b"), 1).await, links[2..3]);
    assert_eq!(read(Some("d"), 9).await, []);
}

async fn warnings_are_replaced_withdrawn_and_read_in_order(ground: &Ground) {
    let warning = |event: &str, slot: Option<&str>, person: &str, version: &str| Warning {
        key: WarningKey {
            person: person.into(),
            event: event.into(),
            occurrence: slot.map(|slot| slot.parse().expect("a slot")),
            version: ScheduleVersion::new(version),
        },
        check: Check::no_schedule(START, START),
    };
    let all = [
        warning("a", None, "amy", "1"),
        warning("b", Some("20261201T090000Z"), "amy", "1"),
        warning("b", Some("20261201T090000Z"), "amy", "2"),
        warning("b", Some("20261201T090000Z"), "bob ✓", "1"),
        warning("b", Some("20261202T090000Z"), "amy", "1"),
    ];
    let put = async |warned: &[Warning], unwarned: &[Warning]| {
        let mut batch = ground.batch([]);
        batch.warned = warned.to_vec();
        batch.unwarned = unwarned.iter().map(|warning| warning.key.clone()).collect();
        ground.store.commit(batch).await.expect("a commit");
    };
    let read = async |event: Option<&str>, after: Option<&Warning>, count_max| {
        let (event, after) = (event.map(RecordId::from), after.map(|after| WarningPlace::of(&after.key)));
        let found =
            ground.store.warnings(&ground.tenant, ground.id(), event.as_ref(), after.as_ref(), count_max);
        found.await.expect("warnings")
    };
    put(&[all[4].clone(), all[2].clone(), all[0].clone()], &[]).await;
    put(&[all[3].clone(), all[1].clone()], &[]).await;
    assert_eq!(read(None, None, 99).await, all);
    assert_eq!(read(None, Some(&all[1]), 2).await, all[2..4]);
    assert_eq!(read(Some("b"), None, 99).await, all[1..]);
    assert_eq!(read(Some("b"), Some(&all[3]), 99).await, all[4..]);
    assert_eq!(read(Some("x"), None, 99).await, []);
    let other =
        Warning { check: Check::no_schedule(START, START + chrono::Duration::hours(1)), ..all[0].clone() };
    // One that is withdrawn and raised in the same transaction stands.
    put(std::slice::from_ref(&other), &[all[0].clone(), all[4].clone()]).await;
    assert_eq!(read(None, None, 99).await, [&[other], &all[1..4]].concat());
}

async fn the_journal_is_read_newest_first(ground: &Ground) {
    let line = |n: u32, record: &str| JournalEntry {
        at: START,
        run: "run".into(),
        record: record.into(),
        key: (n == 1).then(|| "key".into()),
        side: if n == 2 { Which::Local } else { Which::Remote },
        action: format!("action {n}"),
        reason: "both sides changed the title".to_owned(),
        before: Some(fields(json!({"summary": "before"}))),
        after: None,
        lost: (n == 2).then(|| fields(json!({"summary": "lost"}))),
    };
    ground.put([group(|g| g.journal.extend([line(1, "a"), line(2, "b")]))]).await;
    ground.put([group(|g| g.journal.push(line(3, "a")))]).await;
    let journal = async |record: Option<&str>, count_max| {
        let record = record.map(RecordId::from);
        ground.store.journal(&ground.tenant, ground.id(), record.as_ref(), count_max).await.expect("journal")
    };
    assert_eq!(journal(None, 99).await, [line(3, "a"), line(2, "b"), line(1, "a")]);
    assert_eq!(journal(None, 1).await, [line(3, "a")]);
    assert_eq!(journal(Some("a"), 99).await, [line(3, "a"), line(1, "a")]);
    assert_eq!(journal(Some("a"), 1).await, [line(3, "a")]);
    assert_eq!(journal(Some("x"), 99).await, []);
}

async fn runs_are_read_newest_first(ground: &Ground) {
    let run = |id: &str, outcome| RunRow {
        id: id.into(),
        binding: "b1".into(),
        started: START,
        finished: START,
        outcome,
        summary: json!({"requests": 3}),
        error: (outcome == Outcome::Failed).then(|| "no network".to_owned()),
    };
    let put = async |run: RunRow| {
        let mut batch = ground.batch([]);
        batch.run = Some(run);
        ground.store.commit(batch).await.expect("applied");
    };
    put(run("r9", Outcome::Stopped)).await;
    put(run("r1", Outcome::Failed)).await;
    put(run("r9", Outcome::Complete)).await;
    let runs =
        async |count_max| ground.store.runs(&ground.tenant, ground.id(), count_max).await.expect("runs");
    assert_eq!(runs(9).await, [run("r1", Outcome::Failed), run("r9", Outcome::Complete)]);
    assert_eq!(runs(1).await, [run("r1", Outcome::Failed)]);
}

async fn a_plan_is_kept_and_its_rows_are_read_in_order(ground: &Ground) {
    let header = |summary: Value| PlanHeader { id: "p".into(), binding: "b1".into(), made: START, summary };
    let row = |number: u64, text: &str| StoredRow {
        number,
        root: (Which::Remote, format!("root {number}")),
        row: json!({"text": text}),
    };
    let rows = async |after, count_max| {
        ground.store.plan_rows(&ground.tenant, &"p".into(), after, count_max).await.expect("rows")
    };
    assert_eq!(ground.store.plan(&ground.tenant, &"p".into()).await.expect("plan"), None);
    assert_eq!(rows(0, 9).await, []);
    let mut batch = ground.batch([]);
    (batch.plan, batch.plan_rows) = (Some(header(json!({"rows": 11}))), vec![row(2, "two"), row(1, "one")]);
    ground.store.commit(batch).await.expect("applied");
    let mut batch = ground.batch([]);
    batch.plan_of = Some("p".into());
    batch.plan_rows = (3..=11).map(|n| row(n, "more")).chain([row(2, "again")]).collect();
    ground.store.commit(batch).await.expect("applied");
    assert_eq!(
        ground.store.plan(&ground.tenant, &"p".into()).await.expect("plan"),
        Some(header(json!({"rows": 11})))
    );
    assert_eq!(rows(0, 2).await, [row(1, "one"), row(2, "again")]);
    assert_eq!(rows(9, 9).await, [row(10, "more"), row(11, "more")]);
    let mut batch = ground.batch([]);
    (batch.plan, batch.plan_rows) = (Some(header(json!({}))), vec![row(1, "anew")]);
    ground.store.commit(batch).await.expect("applied");
    assert_eq!(rows(0, 9).await, [row(1, "anew")], "a plan that is put again begins with its first rows");
}

async fn long_and_unusual_ids_are_kept_apart_and_come_back_as_they_were(ground: &Ground) {
    let long = "x".repeat(1_100);
    let longer = format!("{long}y");
    let ids = [
        long.as_str(),
        &longer,
        "a",
        "A",
        "a ",
        " a",
        "ä",
        "a\u{308}",
        "İ",
        "i",
        "ß",
        "ss",
        "%",
        "_",
        "'",
        "\"",
        "\\",
        "{\"a\":1}",
        "1",
        "01",
        "1.0",
        "\u{1f4c5}",
        "a#b",
        "a/b",
        "a\nb",
        "null",
    ];
    ground
        .put([group(|g| {
            for (n, id) in ids.iter().enumerate() {
                g.links.push(Link { incarnation: n as u32, ..link(id, id) }.into());
                g.remote.push(RemoteItem { generation: n as u64, ..item(id, true) });
                g.outbox.push(entry(id, id, id));
                g.records.push(create(&format!("make {id}"), id, appointment(id, "2026-11-23T09:00:00")));
            }
        })])
        .await;
    for (n, id) in ids.iter().enumerate() {
        let links = ground.links(&[id]).await;
        assert_eq!(links, [Link { incarnation: n as u32, ..link(id, id) }]);
        let (by_key, items) =
            ground.store.known(&ground.tenant, ground.id(), &[(*id).into()]).await.expect("known");
        assert_eq!(by_key, links);
        assert_eq!(items, [RemoteItem { generation: n as u64, ..item(id, true) }]);
        let family =
            ground.store.family(&ground.tenant, ground.id(), Which::Local, id).await.expect("family");
        assert_eq!((family.links.len(), family.remote.len(), family.outbox.len()), (1, 1, 1), "{id}");
        let records = ground.store.records(&ground.tenant, &[(*id).into()]).await.expect("records");
        assert_eq!(records.len(), 1, "{id}");
        assert_eq!(records[0].fields, Some(appointment(id, "2026-11-23T09:00:00")));
    }
    // Order is the order of the bytes of UTF-8.
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    let links = ground.store.unseen(&ground.tenant, ground.id(), 99, None, 99).await.expect("unseen");
    assert_eq!(links.iter().map(|link| link.key.as_str()).collect::<Vec<_>>(), sorted);
    let families = ground.store.families(&ground.tenant, ground.id(), Which::Remote, None, 99).await;
    let families = families.expect("families");
    let roots: Vec<_> = families.iter().filter_map(|family| family.root(Which::Remote)).collect();
    assert_eq!(roots, sorted);
}
