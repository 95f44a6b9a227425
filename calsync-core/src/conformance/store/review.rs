//! What a review needs: what is on one side only, what was deselected, and plans that are done with.

use super::super::case::{Case, cases};
use super::*;
use crate::model::RemoteOccurrence;
use crate::store::{PlanHeader, StoredRow, Which};

pub(super) fn cases() -> Vec<Case> {
    cases![
        what_is_pending_and_unlinked_in_the_calendar_is_found_in_pages,
        what_is_marked_and_unlinked_in_the_crm_is_found_in_pages_with_its_record,
        roots_stay_deselected_until_they_are_selected_and_go_with_their_binding,
        a_plan_is_forgotten_with_its_rows,
        rows_that_say_a_group_is_done_stand_or_fall_with_it,
    ]
}

async fn what_is_pending_and_unlinked_in_the_calendar_is_found_in_pages(ground: &Ground) {
    let occurrence = RemoteItem {
        occurrence: Some(RemoteOccurrence { series: "c".into(), slot: Slot::Time(START) }),
        ..item_in("c#1", "c", true)
    };
    ground
        .put([group(|g| {
            g.remote.extend(["e", "b", "d", "a", "c"].map(|key| item(key, true)));
            g.remote.push(item("f", false));
            g.remote.push(RemoteItem { seen: Seen::Gone, ..item("a2", true) });
            g.remote.push(occurrence);
            g.links.push(link("rec", "d").into());
        })])
        .await;
    let read = async |after: Option<&str>, count_max| {
        let after = after.map(RemoteKey::from);
        let (tenant, id) = (&ground.tenant, ground.id());
        let items = ground.store.unlinked_remote(tenant, id, after.as_ref(), count_max).await;
        items.expect("items").iter().map(|item| item.key.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(read(None, 9).await, "a b c e", "neither linked, nor gone, nor settled, nor an occurrence");
    assert_eq!(read(None, 2).await, "a b");
    assert_eq!(read(Some("a"), 1).await, "b", "what was seen gone does not count");
    assert_eq!(read(Some("b"), 2).await, "c e");
    assert_eq!(read(Some("e"), 2).await, "");
}

async fn what_is_marked_and_unlinked_in_the_crm_is_found_in_pages_with_its_record(ground: &Ground) {
    let version = ground.write(create("o1", "b", appointment("B", "2026-11-23T09:00:00"))).await;
    ground
        .put([group(|g| {
            g.marks.push(mark("b", "b", version.as_str()));
            g.marks.extend([
                mark("a", "a", "1"),
                mark("c", "c", "1"),
                mark("c1", "c", "1"),
                mark("d", "d", "1"),
            ]);
            g.links.push(link("d", "D").into());
        })])
        .await;
    let read = async |after: Option<&str>, count_max| {
        let after = after.map(RecordId::from);
        ground
            .store
            .unlinked_local(&ground.tenant, ground.id(), after.as_ref(), count_max)
            .await
            .expect("marks")
    };
    let names = |marks: &[LocalMark]| marks.iter().map(|m| m.id.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(names(&read(None, 9).await), "a b c");
    assert_eq!(names(&read(Some("a"), 1).await), "b");
    let found = read(Some("a"), 1).await;
    let record = found[0].record.as_ref().expect("the record is filled in");
    assert_eq!(record.fields, Some(appointment("B", "2026-11-23T09:00:00")));
    assert_eq!(names(&read(Some("c"), 9).await), "");
}

async fn roots_stay_deselected_until_they_are_selected_and_go_with_their_binding(ground: &Ground) {
    let deselected = async || {
        let deselected = ground.store.deselected(&ground.tenant, ground.id()).await.expect("deselected");
        deselected.iter().map(|(which, root)| format!("{which:?} {root}")).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(deselected().await, "");
    let roots = [(Which::Local, "x"), (Which::Remote, "x"), (Which::Remote, "a")];
    let roots = roots.map(|(which, root)| (which, root.to_owned()));
    for _ in 0..2 {
        ground.put([group(|g| g.deselect.extend(roots.clone()))]).await;
        assert_eq!(deselected().await, "Remote a, Remote x, Local x");
    }
    ground.put([group(|g| g.select.push((Which::Remote, "x".to_owned())))]).await;
    assert_eq!(deselected().await, "Remote a, Local x");
    ground.put([group(|g| (g.deselect, g.select) = (vec![roots[2].clone()], vec![roots[2].clone()]))]).await;
    assert_eq!(deselected().await, "Remote a, Local x", "selected first, then deselected");
    let mut batch = ground.batch([]);
    batch.drop_binding = true;
    ground.store.commit(batch).await.expect("forgotten");
    assert_eq!(deselected().await, "");
}

async fn a_plan_is_forgotten_with_its_rows(ground: &Ground) {
    for id in ["p", "q"] {
        let mut batch = ground.batch([]);
        batch.plan =
            Some(PlanHeader { id: id.into(), binding: "b1".into(), made: START, summary: json!({}) });
        batch.plan_rows = vec![StoredRow { number: 1, root: (Which::Local, "a".to_owned()), row: json!(id) }];
        ground.store.commit(batch).await.expect("stored");
    }
    for _ in 0..2 {
        let mut batch = ground.batch([]);
        batch.drop_plan = Some("p".into());
        ground.store.commit(batch).await.expect("forgotten, or not there any more");
    }
    let plan = async |id: &str| {
        let header = ground.store.plan(&ground.tenant, &id.into()).await.expect("plan");
        let rows = ground.store.plan_rows(&ground.tenant, &id.into(), 0, 9).await.expect("rows");
        (header.is_some(), rows.len())
    };
    assert_eq!((plan("p").await, plan("q").await), ((false, 0), (true, 1)));
}

async fn rows_that_say_a_group_is_done_stand_or_fall_with_it(ground: &Ground) {
    let row = |number: u64, text: &str| StoredRow {
        number,
        root: (Which::Local, number.to_string()),
        row: json!(text),
    };
    let mut batch = ground.batch([]);
    batch.plan = Some(PlanHeader { id: "p".into(), binding: "b1".into(), made: START, summary: json!({}) });
    batch.plan_rows = vec![row(1, "open"), row(2, "open")];
    ground.store.commit(batch).await.expect("stored");
    let done = group(|g| g.plan_rows.push(row(1, "done")));
    let moved = group(|g| {
        g.plan_rows.push(row(2, "done"));
        g.expects.push(crate::store::Expect { record: "nobody".into(), version: Some("7".into()) });
    });
    let mut batch = ground.batch([done.clone(), moved]);
    batch.plan_of = Some("p".into());
    assert_eq!(ground.store.commit(batch).await.expect("applied").moved, [1]);
    let rows = ground.store.plan_rows(&ground.tenant, &"p".into(), 0, 9).await.expect("rows");
    assert_eq!(rows, [row(1, "done"), row(2, "open")]);
    refused(ground.store.commit(ground.batch([done])).await, ErrorKind::Invariant);
}
