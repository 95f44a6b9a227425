//! Families: everything that has to be decided together, in pages, each once.

use super::super::case::{Case, cases};
use super::*;
use crate::model::Record;
use crate::store::{Family, Which};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_root_of_which_nothing_is_known_has_an_empty_family,
        a_family_holds_both_sides_of_its_links_pending_or_not,
        what_is_not_linked_yet_is_a_family_of_its_own_side,
        roots_that_links_hold_together_are_one_family,
        a_record_that_moved_into_another_series_brings_its_link_along,
        a_mark_of_the_own_table_is_read_with_the_record_as_it_is_now,
        a_mark_that_holds_its_record_is_read_as_it_was_put,
        pending_families_come_in_pages_ordered_by_root,
        large_families_come_in_short_pages,
        a_family_with_several_pending_roots_is_listed_once_under_the_smallest,
        the_local_side_leaves_out_what_the_remote_side_has_pending,
    ]
}

async fn family(ground: &Ground, which: Which, root: &str) -> Family {
    ground.store.family(&ground.tenant, ground.id(), which, root).await.expect("a family")
}

async fn families(ground: &Ground, which: Which, after: Option<&str>, count_max: usize) -> Vec<Family> {
    ground.store.families(&ground.tenant, ground.id(), which, after, count_max).await.expect("families")
}

/// Records, keys, marks and operations of a family, in its own order.
fn names(family: &Family) -> String {
    let list = |names: Vec<&str>| names.join(" ");
    [
        list(family.links.iter().map(|link| link.record.as_str()).collect()),
        list(family.remote.iter().map(|item| item.key.as_str()).collect()),
        list(family.local.iter().map(|mark| mark.id.as_str()).collect()),
        list(family.outbox.iter().map(|entry| entry.operation.as_str()).collect()),
    ]
    .join(" | ")
}

fn roots(families: &[Family], which: Which) -> String {
    families.iter().filter_map(|family| family.root(which)).collect::<Vec<_>>().join(" ")
}

async fn a_root_of_which_nothing_is_known_has_an_empty_family(ground: &Ground) {
    assert_eq!(family(ground, Which::Remote, "r").await, Family::default());
    assert_eq!(family(ground, Which::Local, "r").await, Family::default());
    assert_eq!(families(ground, Which::Remote, None, 9).await, []);
    assert_eq!(families(ground, Which::Local, None, 9).await, []);
}

async fn a_family_holds_both_sides_of_its_links_pending_or_not(ground: &Ground) {
    ground
        .put([group(|g| {
            g.links.push(link_in("s", "s", "S", "S").into());
            g.links.push(link_in("s2", "s", "S#2", "S").into());
            g.links.push(link_in("s1", "s", "S#1", "S").into());
            g.links.push(link("other", "O").into());
            g.remote.extend([
                item_in("S#3", "S", false),
                item_in("S", "S", true),
                item_in("S#1", "S", false),
            ]);
            g.remote.push(item("O", true));
            g.marks.extend([mark("s9", "s", "3"), mark("s1", "s", "2"), mark("other", "other", "1")]);
            g.outbox.extend([entry("o2", "s2", "s"), entry("o1", "s", "s"), entry("o0", "other", "other")]);
        })])
        .await;
    let expected = "s s1 s2 | S S#1 S#3 | s1 s9 | o2 o1";
    let by_remote = family(ground, Which::Remote, "S").await;
    assert_eq!(names(&by_remote), expected);
    assert_eq!(family(ground, Which::Local, "s").await, by_remote);
    assert_eq!(names(&families(ground, Which::Remote, None, 9).await[1]), expected);
}

async fn what_is_not_linked_yet_is_a_family_of_its_own_side(ground: &Ground) {
    ground
        .put([group(|g| {
            g.remote.push(item("x", true));
            g.marks.push(mark("x", "x", "1"));
            g.outbox.push(entry("o", "x", "x"));
        })])
        .await;
    assert_eq!(names(&family(ground, Which::Remote, "x").await), " | x |  | ", "equal names are no link");
    assert_eq!(names(&family(ground, Which::Local, "x").await), " |  | x | o");
}

async fn roots_that_links_hold_together_are_one_family(ground: &Ground) {
    // A series that was split in the calendar, and whose second half is still one record's occurrence in the CRM.
    ground
        .put([group(|g| {
            g.links.extend([link_in("s", "s", "S", "S").into(), link_in("s1", "s", "T#1", "T").into()]);
            g.links.extend([link_in("t", "t", "T", "T").into(), link("lone", "L").into()]);
            g.remote.extend([item_in("S", "S", false), item_in("T", "T", true), item_in("T#2", "T", true)]);
            g.marks.extend([mark("t", "t", "1"), mark("s2", "s", "1")]);
            g.outbox.push(entry("o", "t", "t"));
        })])
        .await;
    let expected = "s s1 t | S T T#2 | s2 t | o";
    for (which, root) in
        [(Which::Remote, "S"), (Which::Remote, "T"), (Which::Local, "s"), (Which::Local, "t")]
    {
        assert_eq!(names(&family(ground, which, root).await), expected, "{which:?} {root}");
    }
}

async fn a_record_that_moved_into_another_series_brings_its_link_along(ground: &Ground) {
    ground
        .put([group(|g| {
            g.links.extend([link_in("a", "a", "A", "A").into(), link_in("s", "s", "S", "S").into()]);
            g.marks.push(mark("a", "s", "2"));
            g.remote.push(item("A", false));
        })])
        .await;
    let expected = "a s | A | a | ";
    for (which, root) in
        [(Which::Local, "s"), (Which::Local, "a"), (Which::Remote, "A"), (Which::Remote, "S")]
    {
        assert_eq!(names(&family(ground, which, root).await), expected, "{which:?} {root}");
    }
    ground.put([group(|g| g.outbox.push(entry("o", "s", "elsewhere")))]).await;
    for root in ["elsewhere", "s"] {
        assert_eq!(names(&family(ground, Which::Local, root).await), "a s | A | a | o", "{root}");
    }
}

async fn a_mark_of_the_own_table_is_read_with_the_record_as_it_is_now(ground: &Ground) {
    let first = ground.write(create("o1", "a", appointment("First", "2026-11-23T09:00:00"))).await;
    ground.put([group(|g| g.marks.push(mark("a", "a", first.as_str())))]).await;
    let read = async || {
        let mut family = family(ground, Which::Local, "a").await;
        family.local.pop().expect("a mark")
    };
    let mark_then = read().await;
    let record = mark_then.record.expect("filled in");
    assert_eq!((&mark_then.version, &record.version), (&first, &first));
    assert_eq!(record.fields, Some(appointment("First", "2026-11-23T09:00:00")));
    let second = ground.write(change("o2", "a", &first, patch(json!({"summary": "Second"})))).await;
    let mark_now = read().await;
    let record = mark_now.record.expect("filled in");
    assert_eq!((&mark_now.version, &record.version), (&first, &second), "the mark says what was observed");
    assert_eq!(record.fields, Some(appointment("Second", "2026-11-23T09:00:00")));
    let third = ground.write(change("o3", "a", &second, RecordChange::Delete)).await;
    let record = read().await.record.expect("filled in");
    assert_eq!((record.fields, record.agent.as_str()), (None, "amy"), "deleted, and still amy's");
    assert_eq!(record.version, third);
    let listed = families(ground, Which::Local, None, 9).await;
    assert!(listed[0].local[0].record.is_some(), "in a listing as well");
    ground.put([group(|g| g.marks.push(mark("never there", "s", "7")))]).await;
    let family = family(ground, Which::Local, "s").await;
    let record = family.local[0].record.as_ref().expect("filled in");
    assert_eq!((record.id.as_str(), record.version.as_str(), &record.fields), ("never there", "7", &None));
}

async fn a_mark_that_holds_its_record_is_read_as_it_was_put(ground: &Ground) {
    ground.write(create("o1", "a", appointment("Ours", "2026-11-23T09:00:00"))).await;
    let theirs = Record {
        id: "a".into(),
        version: "2026-11-23T09:00:00Z/77".into(),
        agent: "amy".into(),
        occurrence: None,
        fields: Some(appointment("Theirs", "2026-11-23T09:00:00")),
        sync: false,
        modified: START,
    };
    let put = LocalMark::of(&theirs, true);
    ground.put([group(|g| g.marks.push(put.clone()))]).await;
    assert_eq!(family(ground, Which::Local, "a").await.local, [put]);
}

async fn large_families_come_in_short_pages(ground: &Ground) {
    const MEGABYTE: usize = 1 << 20;
    let mut fields = Fields::new();
    fields.set("description", json!("x".repeat(MEGABYTE)));
    let large = |n: u32| RemoteItem { seen: Seen::Live(fields.clone()), ..item(&format!("K{n:02}"), true) };
    ground.put([group(|g| g.remote.extend((0..20).map(large)))]).await;
    let (mut after, mut seen) = (None, 0);
    loop {
        let page = families(ground, Which::Remote, after.as_deref(), 99).await;
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 8, "{} megabytes at once", page.len());
        seen += page.len();
        after = last.root(Which::Remote).map(str::to_owned);
    }
    assert_eq!(seen, 20);
}

async fn pending_families_come_in_pages_ordered_by_root(ground: &Ground) {
    ground
        .put([group(|g| {
            for n in 0..9 {
                g.remote.push(item_in(&format!("R{n}#x"), &format!("R{n}"), n % 2 == 0));
                g.remote.push(item_in(&format!("R{n}"), &format!("R{n}"), n % 4 == 0));
                g.marks.push(mark(&format!("l{n}"), &format!("l{n}"), "1"));
            }
        })])
        .await;
    for which in [Which::Remote, Which::Local] {
        let all = families(ground, which, None, 99).await;
        let expected = if which == Which::Remote { "R0 R2 R4 R6 R8" } else { "l0 l1 l2 l3 l4 l5 l6 l7 l8" };
        assert_eq!(roots(&all, which), expected);
        for count_max in 1..=4 {
            let mut paged = Vec::new();
            let mut after = None;
            for _ in 0..20 {
                let page = families(ground, which, after.as_deref(), count_max).await;
                assert!(page.len() <= count_max);
                let Some(last) = page.last() else { break };
                after = last.root(which).map(str::to_owned);
                paged.extend(page);
            }
            assert_eq!(paged, all, "{which:?} in pages of {count_max}");
        }
    }
    assert_eq!(families(ground, Which::Remote, None, 0).await, []);
    ground
        .put([group(|g| g.remote.extend([item_in("R4#x", "R4", false), item_in("R4", "R4", false)]))])
        .await;
    assert_eq!(roots(&families(ground, Which::Remote, Some("R2"), 9).await, Which::Remote), "R6 R8");
}

async fn a_family_with_several_pending_roots_is_listed_once_under_the_smallest(ground: &Ground) {
    ground
        .put([group(|g| {
            g.links.extend([link_in("s", "s", "B", "B").into(), link_in("t", "s", "D", "D").into()]);
            g.links.push(link_in("u", "s", "A", "A").into());
            g.remote.extend([item("A", false), item("B", true), item("C", true), item("D", true)]);
        })])
        .await;
    let all = families(ground, Which::Remote, None, 9).await;
    assert_eq!(roots(&all, Which::Remote), "B C");
    assert_eq!(names(&all[0]), "s t u | A B D |  | ");
    assert_eq!(roots(&families(ground, Which::Remote, None, 1).await, Which::Remote), "B");
    assert_eq!(roots(&families(ground, Which::Remote, Some("B"), 1).await, Which::Remote), "C");
    assert_eq!(roots(&families(ground, Which::Remote, Some("C"), 1).await, Which::Remote), "");
    ground.put([group(|g| g.remote.push(item("B", false)))]).await;
    assert_eq!(roots(&families(ground, Which::Remote, None, 9).await, Which::Remote), "C D");
}

async fn the_local_side_leaves_out_what_the_remote_side_has_pending(ground: &Ground) {
    ground
        .put([group(|g| {
            for n in 0..6 {
                g.links.push(link(&format!("l{n}"), &format!("R{n}")).into());
                g.remote.push(item(&format!("R{n}"), n % 2 == 0));
                g.marks.push(mark(&format!("l{n}"), &format!("l{n}"), "1"));
            }
        })])
        .await;
    assert_eq!(roots(&families(ground, Which::Remote, None, 9).await, Which::Remote), "R0 R2 R4");
    assert_eq!(roots(&families(ground, Which::Local, None, 9).await, Which::Local), "l1 l3 l5");
    assert_eq!(roots(&families(ground, Which::Local, None, 2).await, Which::Local), "l1 l3");
    assert_eq!(roots(&families(ground, Which::Local, Some("l3"), 2).await, Which::Local), "l5");
    ground.put([group(|g| g.remote.push(item("R0", false)))]).await;
    assert_eq!(roots(&families(ground, Which::Local, None, 9).await, Which::Local), "l0 l1 l3 l5");
}
