//! Tenants and bindings: no method shows one what belongs to another.

use super::super::case::{Case, cases};
use super::*;
use crate::binding::{BindingState, Listing};
use crate::store::{JournalEntry, Outcome, PlanHeader, RunRow, StoredRow, Which};

pub(super) fn cases() -> Vec<Case> {
    cases![
        tenants_with_the_same_names_see_nothing_of_each_other,
        bindings_of_one_tenant_have_their_own_rows,
        dropping_a_binding_touches_no_other,
    ]
}

/// One of everything, all under the same names, told apart by `who`.
async fn settle(ground: &Ground, tenant: &Tenant, id: &str, who: &str) {
    let batch = Batch { put_binding: Some(binding(tenant, id, who)), ..Batch::new(tenant.clone()) };
    ground.store.commit(batch).await.expect("settings");
    let mut batch = Batch::new(tenant.clone());
    batch.binding = Some(id.into());
    batch.groups = vec![group(|g| {
        g.links.push(Link { version: None, revision: Some(who.into()), ..link("rec", "key") }.into());
        g.remote.push(RemoteItem { revision: who.into(), ..item("key", true) });
        g.remote.push(RemoteItem { revision: who.into(), ..item("other", true) });
        g.marks.push(LocalMark { version: who.into(), ..mark("rec", "rec", "1") });
        g.outbox.push(Entry { attempts: who.len() as u32, ..entry("op", "rec", "rec") });
        g.journal.push(JournalEntry {
            at: START,
            run: "run".into(),
            record: "rec".into(),
            key: None,
            side: Which::Local,
            action: who.to_owned(),
            reason: String::new(),
            before: None,
            after: None,
            lost: None,
        });
    })];
    batch.state = Some(BindingState {
        listing: Listing { fingerprint: who.to_owned(), ..Listing::default() },
        ..BindingState::default()
    });
    batch.run = Some(RunRow {
        id: "run".into(),
        binding: id.into(),
        started: START,
        finished: START,
        outcome: Outcome::Complete,
        summary: json!(who),
        error: None,
    });
    ground.store.commit(batch).await.expect("rows");
}

/// Everything that can be asked about a binding, as text in which only this `who` may show.
async fn seen(ground: &Ground, tenant: &Tenant, id: &str) -> String {
    let (store, id) = (&ground.store, &BindingId::from(id));
    let mut text = String::new();
    let mut note = |part: &dyn std::fmt::Debug| text.push_str(&format!("{part:?}\n"));
    note(&store.binding(tenant, id).await.expect("binding").map(|b| b.agent));
    note(&store.state(tenant, id).await.expect("state").listing.fingerprint);
    note(&store.known(tenant, id, &["key".into()]).await.expect("known"));
    note(&store.links(tenant, id, &["rec".into()]).await.expect("links"));
    note(&store.unseen(tenant, id, 9, None, 9).await.expect("unseen"));
    for (which, root) in [(Which::Remote, "key"), (Which::Local, "rec")] {
        note(&store.families(tenant, id, which, None, 9).await.expect("families"));
        note(&store.family(tenant, id, which, root).await.expect("family"));
    }
    note(&store.unlinked_remote(tenant, id, None, 9).await.expect("unlinked"));
    note(&store.unlinked_local(tenant, id, None, 9).await.expect("unlinked"));
    note(&store.deselected(tenant, id).await.expect("deselected"));
    note(&store.linked(tenant, id).await.expect("linked"));
    let outbox = store.outbox(tenant, id, 0, 9).await.expect("outbox");
    note(&outbox.iter().map(|e| (&e.operation, e.attempts)).collect::<Vec<_>>());
    note(&store.runs(tenant, id, 9).await.expect("runs"));
    note(&store.journal(tenant, id, None, 9).await.expect("journal"));
    note(&store.journal(tenant, id, Some(&"rec".into()), 9).await.expect("journal"));
    text
}

#[track_caller]
fn only(text: &str, who: &str, others: &[&str]) {
    assert!(text.contains(who), "{who} sees its own rows: {text}");
    for other in others {
        assert!(!text.contains(other), "{who} sees rows of {other}: {text}");
    }
}

async fn tenants_with_the_same_names_see_nothing_of_each_other(ground: &Ground) {
    let tenants =
        [("t1", "zoe"), ("t2", "yan"), ("T1", "xia"), ("t1 ", "wim")].map(|(t, w)| (Tenant::from(t), w));
    for (tenant, who) in &tenants {
        settle(ground, tenant, "same", who).await;
        let mut batch = Batch::new(tenant.clone());
        batch.binding = Some("same".into());
        batch.groups = vec![group(|g| {
            g.records.push(create_for(who, "op", "rec", appointment(who, "2026-11-23T09:00:00")));
            let values = appointment(who, "2026-11-23T09:00:00");
            g.records.push(create_occurrence("op2", "occ", "rec", Slot::Time(START), values));
        })];
        batch.plan =
            Some(PlanHeader { id: "plan".into(), binding: "same".into(), made: START, summary: json!(who) });
        let row = StoredRow { number: 1, root: (Which::Local, "rec".to_owned()), row: json!(who) };
        batch.plan_rows = vec![row];
        assert_eq!(ground.store.commit(batch).await.expect("applied").moved, Vec::<usize>::new());
    }
    for (tenant, who) in &tenants {
        let others: Vec<_> = tenants.iter().map(|(_, other)| *other).filter(|other| other != who).collect();
        only(&seen(ground, tenant, "same").await, who, &others);
        let store = &ground.store;
        let agents: Vec<_> = store
            .bindings(tenant)
            .await
            .expect("bindings")
            .into_iter()
            .map(|b| b.agent.to_string())
            .collect();
        assert_eq!(agents, [*who]);
        let plan = store.plan(tenant, &"plan".into()).await.expect("plan");
        let rows = store.plan_rows(tenant, &"plan".into(), 0, 9).await.expect("rows");
        only(&format!("{plan:?}{rows:?}"), who, &others);
        let settings = store.binding(tenant, &"same".into()).await.expect("binding").expect("there");
        let end = START + chrono::Duration::days(1);
        let from = START - chrono::Duration::days(1);
        for records in [
            store.record_changes(tenant, None, None, 9).await.expect("changes").records,
            store.record_changes(tenant, Some(&settings), None, 9).await.expect("changes").records,
            store.records(tenant, &["rec".into()]).await.expect("records"),
            store.record_window(tenant, &(*who).into(), from, end).await.expect("window"),
            store.record_occurrences(tenant, &"rec".into()).await.expect("occurrences"),
        ] {
            assert!(!records.is_empty());
            for record in records {
                let summary = record.fields.as_ref().and_then(|fields| fields.get("summary"));
                assert_eq!(summary, Some(&json!(who)));
            }
        }
        for other in others {
            let window = store.record_window(tenant, &other.into(), from, end).await.expect("window");
            assert_eq!(window, []);
        }
    }
    let nobody = Tenant::from("nobody");
    assert_eq!(ground.store.bindings(&nobody).await.expect("bindings"), []);
    assert_eq!(ground.store.record_changes(&nobody, None, None, 9).await.expect("changes").records, []);
}

async fn bindings_of_one_tenant_have_their_own_rows(ground: &Ground) {
    for (id, who) in [("x", "zoe"), ("X", "yan"), ("x ", "xia")] {
        settle(ground, &ground.tenant, id, who).await;
    }
    only(&seen(ground, &ground.tenant, "x").await, "zoe", &["yan", "xia"]);
    only(&seen(ground, &ground.tenant, "X").await, "yan", &["zoe", "xia"]);
    only(&seen(ground, &ground.tenant, "x ").await, "xia", &["zoe", "yan"]);
}

async fn dropping_a_binding_touches_no_other(ground: &Ground) {
    let other = Tenant::from("globex");
    settle(ground, &ground.tenant, "x", "zoe").await;
    settle(ground, &ground.tenant, "y", "yan").await;
    settle(ground, &other, "x", "xia").await;
    let before = (seen(ground, &ground.tenant, "y").await, seen(ground, &other, "x").await);
    let mut batch = Batch::new(ground.tenant.clone());
    (batch.binding, batch.drop_binding) = (Some("x".into()), true);
    ground.store.commit(batch).await.expect("dropped");
    assert_eq!((seen(ground, &ground.tenant, "y").await, seen(ground, &other, "x").await), before);
}
