//! Events: in order, told once, and only of what happened.

use super::super::case::{Case, cases};
use super::{Ground, START};
use crate::audit::{AuditEvent, Audited};
use crate::id::Tenant;
use crate::store::{Batch, SealedKind, SealedRow};
use chrono::Duration;
use serde_json::json;

pub(super) fn cases() -> Vec<Case> {
    cases![
        events_are_read_newest_first_of_one_kind_or_of_all_and_by_pages,
        an_event_is_stored_with_its_transaction_or_not_at_all,
        an_event_of_a_sealed_row_is_stored_if_and_only_if_the_row_is,
        old_events_of_one_tenant_are_forgotten,
    ]
}

fn event(what: Audited, about: &str) -> AuditEvent {
    AuditEvent::new(what, about, START).with(json!({"scopes": ["a", "b"]}))
}

async fn told(ground: &Ground, tenant: &str, what: Option<Audited>, before: Option<u64>) -> Vec<AuditEvent> {
    ground.store.audit(&tenant.into(), what, before, 100).await.expect("events are read")
}

async fn names(ground: &Ground, tenant: &str, what: Option<Audited>) -> Vec<String> {
    told(ground, tenant, what, None).await.into_iter().map(|event| event.about).collect()
}

async fn tell(ground: &Ground, tenant: &str, events: impl IntoIterator<Item = AuditEvent>) {
    let mut batch = Batch::new(tenant.into());
    batch.events.extend(events);
    ground.store.commit(batch).await.expect("events need nothing else");
}

async fn events_are_read_newest_first_of_one_kind_or_of_all_and_by_pages(ground: &Ground) {
    tell(ground, "acme", [event(Audited::Connected, "amy"), event(Audited::Exported, "p")]).await;
    tell(ground, "globex", [event(Audited::Connected, "zoe")]).await;
    // Older by its own time, and told later.
    let early = AuditEvent { at: START - Duration::microseconds(1), ..event(Audited::Connected, "bob") };
    tell(ground, "acme", [early.clone()]).await;
    assert_eq!(names(ground, "acme", None).await, ["bob", "p", "amy"]);
    assert_eq!(names(ground, "acme", Some(Audited::Connected)).await, ["bob", "amy"]);
    assert_eq!(names(ground, "acme", Some(Audited::Checked)).await, Vec::<String>::new());
    assert_eq!(names(ground, "globex", None).await, ["zoe"]);
    assert_eq!(names(ground, "nobody", None).await, Vec::<String>::new());
    let all = told(ground, "acme", None, None).await;
    assert_eq!(AuditEvent { sequence: 0, ..all[0].clone() }, early, "all of it is there");
    assert!(all[0].sequence > all[1].sequence && all[1].sequence > all[2].sequence, "{all:?}");
    assert_eq!(told(ground, "acme", None, Some(all[0].sequence)).await, all[1..]);
    let connected = told(ground, "acme", Some(Audited::Connected), Some(all[0].sequence)).await;
    assert_eq!(connected, all[2..]);
    let page = ground.store.audit(&"acme".into(), None, None, 2).await.expect("events are read");
    assert_eq!(page, all[..2]);
}

async fn an_event_is_stored_with_its_transaction_or_not_at_all(ground: &Ground) {
    let mut batch = ground.batch([]);
    batch.put_binding = Some(ground.binding.clone());
    batch.events.push(event(Audited::ScopeChanged, "b1"));
    ground.store.commit(batch).await.expect_err("the settings are there already");
    let mut batch = ground.batch([]);
    let mut lease = ground.take("run", "somebody").await;
    lease.fence += 1;
    batch.fence = Some(lease);
    batch.events.push(event(Audited::Confirmed, "b1"));
    ground.store.commit(batch).await.expect_err("that is not the lease");
    assert_eq!(names(ground, "acme", None).await, Vec::<String>::new());
}

async fn an_event_of_a_sealed_row_is_stored_if_and_only_if_the_row_is(ground: &Ground) {
    let acme = Tenant::from("acme");
    let row = |version, name: &str| SealedRow {
        kind: SealedKind::Grant,
        name: name.to_owned(),
        version,
        expires: None,
        facts: json!({}),
        sealed: None,
    };
    let put = async |row: SealedRow, expected, standing: &[SealedRow]| {
        let events = [event(Audited::Connected, &row.name), event(Audited::ScopeChanged, &row.name)];
        let put = ground.store.put_sealed_while(&acme, &row, expected, standing, &events).await;
        put.expect("it is stored or not")
    };
    assert!(!put(row(2, "amy"), Some(1), &[]).await);
    assert!(!put(row(1, "amy"), None, &[row(1, "key")]).await);
    assert_eq!(names(ground, "acme", None).await, Vec::<String>::new());
    assert!(put(row(1, "amy"), None, &[]).await);
    assert!(!put(row(1, "amy"), None, &[]).await);
    assert!(put(row(1, "bob"), None, &[row(1, "amy")]).await);
    assert_eq!(names(ground, "acme", None).await, ["bob", "bob", "amy", "amy"]);
    assert_eq!(names(ground, "acme", Some(Audited::ScopeChanged)).await, ["bob", "amy"]);
}

async fn old_events_of_one_tenant_are_forgotten(ground: &Ground) {
    for tenant in ["acme", "globex"] {
        for (name, seconds) in [("long ago", -1_000_000), ("before", -1), ("now", 0), ("later", 1)] {
            let at = START + Duration::seconds(seconds);
            tell(ground, tenant, [AuditEvent { at, ..event(Audited::Checked, name) }]).await;
        }
    }
    let forget = async |tenant: &str| ground.store.forget_audit(&tenant.into(), START).await.expect("it is");
    assert_eq!(forget("acme").await, 2);
    assert_eq!(forget("acme").await, 0);
    assert_eq!(forget("nobody").await, 0);
    assert_eq!(names(ground, "acme", None).await, ["later", "now"]);
    assert_eq!(names(ground, "globex", None).await.len(), 4);
    let last = told(ground, "acme", None, None).await[0].sequence;
    tell(ground, "acme", [event(Audited::Checked, "next")]).await;
    assert!(told(ground, "acme", None, None).await[0].sequence > last, "no number is given twice");
}
