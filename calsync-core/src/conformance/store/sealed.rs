//! The vault's rows: whose they are, which version wins, and that one taker gets them.

use super::super::case::{Case, cases};
use super::{Ground, START};
use crate::id::Tenant;
use crate::store::{SealedKind, SealedRow};
use chrono::Duration;
use futures_util::future::join_all;
use serde_json::json;

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_sealed_row_is_read_as_it_was_put,
        a_sealed_row_is_swapped_only_from_the_expected_version,
        of_many_who_swap_a_sealed_row_at_once_one_does,
        of_many_who_make_a_sealed_row_at_once_one_does,
        a_sealed_row_is_taken_once_however_many_ask,
        a_sealed_row_is_taken_only_at_the_expected_version,
        a_sealed_row_is_put_only_while_the_rows_it_rests_on_stand,
        sealed_rows_of_other_tenants_kinds_and_names_are_left_alone,
        sealed_rows_are_paged_by_name,
        a_sealed_row_is_found_without_its_tenant,
        expired_sealed_rows_of_one_kind_are_forgotten_for_every_tenant,
        tenants_with_sealed_rows_are_paged_by_id,
    ]
}

fn row(kind: SealedKind, name: &str, version: u64, says: &str) -> SealedRow {
    let sealed = Some(says.as_bytes().to_vec());
    SealedRow { kind, name: name.to_owned(), version, expires: None, facts: json!({"says": says}), sealed }
}

fn grant(name: &str, version: u64, says: &str) -> SealedRow {
    row(SealedKind::Grant, name, version, says)
}

async fn put(ground: &Ground, tenant: &str, row: SealedRow, expected: Option<u64>) -> bool {
    ground.store.put_sealed(&tenant.into(), &row, expected).await.expect("it is stored")
}

async fn make(ground: &Ground, tenant: &str, row: SealedRow) {
    assert!(put(ground, tenant, row, None).await, "there was none");
}

async fn get(ground: &Ground, tenant: &str, kind: SealedKind, name: &str) -> Option<SealedRow> {
    ground.store.sealed(&tenant.into(), kind, name).await.expect("it is read")
}

async fn take(ground: &Ground, tenant: &str, name: &str, expected: Option<u64>) -> Option<SealedRow> {
    ground.store.take_sealed(&tenant.into(), SealedKind::Grant, name, expected).await.expect("it is taken")
}

async fn names(ground: &Ground, tenant: &str, after: Option<&str>, count_max: usize) -> Vec<String> {
    let rows = ground.store.sealed_rows(&tenant.into(), SealedKind::Grant, after, count_max).await;
    rows.expect("they are read").into_iter().map(|row| row.name).collect()
}

async fn a_sealed_row_is_read_as_it_was_put(ground: &Ground) {
    let every_byte: Vec<u8> = (0..=255).collect();
    for kind in SealedKind::ALL {
        assert_eq!(get(ground, "acme", kind, "amy").await, None, "{kind}");
        let full = SealedRow {
            expires: Some(START + Duration::microseconds(1)),
            facts: json!({"account": "amy@example.com", "scopes": ["ü", null, 1.5]}),
            sealed: Some(every_byte.clone()),
            ..row(kind, "amy", 1, "")
        };
        make(ground, "acme", full.clone()).await;
        assert_eq!(get(ground, "acme", kind, "amy").await, Some(full));
        let bare = SealedRow { facts: json!(null), sealed: None, ..row(kind, "", 7, "") };
        make(ground, "acme", bare.clone()).await;
        assert_eq!(get(ground, "acme", kind, "").await, Some(bare), "{kind}: an empty name is a name");
        let empty = SealedRow { sealed: Some(Vec::new()), ..row(kind, "empty", 1, "") };
        make(ground, "acme", empty.clone()).await;
        assert_eq!(get(ground, "acme", kind, "empty").await, Some(empty), "{kind}: no bytes are not nothing");
    }
}

async fn a_sealed_row_is_swapped_only_from_the_expected_version(ground: &Ground) {
    assert!(!put(ground, "acme", grant("amy", 2, "too early"), Some(1)).await, "there is nothing to swap");
    assert_eq!(get(ground, "acme", SealedKind::Grant, "amy").await, None);
    make(ground, "acme", grant("amy", 1, "first")).await;
    assert!(!put(ground, "acme", grant("amy", 1, "again"), None).await, "there is one");
    assert!(!put(ground, "acme", grant("amy", 3, "ahead"), Some(2)).await);
    assert_eq!(get(ground, "acme", SealedKind::Grant, "amy").await, Some(grant("amy", 1, "first")));
    let second = SealedRow { sealed: None, expires: Some(START), ..grant("amy", 2, "second") };
    assert!(put(ground, "acme", second.clone(), Some(1)).await);
    assert!(!put(ground, "acme", grant("amy", 2, "late"), Some(1)).await);
    assert_eq!(get(ground, "acme", SealedKind::Grant, "amy").await, Some(second), "all of it is replaced");
}

async fn of_many_who_swap_a_sealed_row_at_once_one_does(ground: &Ground) {
    make(ground, "acme", grant("amy", 1, "first")).await;
    let workers = (0..16).map(|n| put(ground, "acme", grant("amy", 2, &n.to_string()), Some(1)));
    let won = join_all(workers).await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    let winner = won.iter().position(|won| *won).expect("one won").to_string();
    assert_eq!(get(ground, "acme", SealedKind::Grant, "amy").await, Some(grant("amy", 2, &winner)));
}

async fn of_many_who_make_a_sealed_row_at_once_one_does(ground: &Ground) {
    let won = join_all((0..16).map(|n| put(ground, "acme", grant("amy", 1, &n.to_string()), None))).await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    let winner = won.iter().position(|won| *won).expect("one won").to_string();
    assert_eq!(get(ground, "acme", SealedKind::Grant, "amy").await, Some(grant("amy", 1, &winner)));
}

async fn a_sealed_row_is_taken_once_however_many_ask(ground: &Ground) {
    for expected in [None, Some(4)] {
        make(ground, "acme", grant("amy", 4, "once")).await;
        let taken = join_all((0..16).map(|_| take(ground, "acme", "amy", expected))).await;
        let taken: Vec<_> = taken.into_iter().flatten().collect();
        assert_eq!(taken, [grant("amy", 4, "once")]);
        assert_eq!(get(ground, "acme", SealedKind::Grant, "amy").await, None);
    }
}

async fn a_sealed_row_is_taken_only_at_the_expected_version(ground: &Ground) {
    assert_eq!(take(ground, "acme", "amy", None).await, None);
    make(ground, "acme", grant("amy", 2, "here")).await;
    for other in [1, 3] {
        assert_eq!(take(ground, "acme", "amy", Some(other)).await, None);
        assert!(get(ground, "acme", SealedKind::Grant, "amy").await.is_some(), "it stays");
    }
    assert_eq!(take(ground, "acme", "amy", Some(2)).await, Some(grant("amy", 2, "here")));
}

async fn a_sealed_row_is_put_only_while_the_rows_it_rests_on_stand(ground: &Ground) {
    let key = |version, says| row(SealedKind::DataKey, "1", version, says);
    let put_while = async |row: SealedRow, expected, standing: &[SealedRow]| {
        let put = ground.store.put_sealed_while(&"acme".into(), &row, expected, standing, &[]).await;
        put.expect("it is stored or not")
    };
    assert!(!put_while(grant("amy", 1, "no key"), None, &[key(1, "k")]).await, "there is no key");
    make(ground, "globex", key(1, "k")).await;
    assert!(!put_while(grant("amy", 1, "no key"), None, &[key(1, "k")]).await, "that is another's key");
    make(ground, "acme", key(1, "k")).await;
    assert!(!put_while(grant("amy", 1, "other version"), None, &[key(2, "k")]).await);
    assert!(!put_while(grant("amy", 1, "other bytes"), None, &[key(1, "K")]).await);
    let bare = SealedRow { sealed: None, ..key(1, "k") };
    assert!(!put_while(grant("amy", 1, "no bytes"), None, &[bare]).await);
    assert_eq!(get(ground, "acme", SealedKind::Grant, "amy").await, None);

    assert!(put_while(grant("amy", 1, "first"), None, &[key(1, "k")]).await);
    assert!(!put_while(grant("amy", 1, "again"), None, &[key(1, "k")]).await, "there is one already");
    assert!(!put_while(grant("amy", 3, "ahead"), Some(2), &[key(1, "k")]).await);
    let first = grant("amy", 1, "first");
    assert!(!put_while(grant("amy", 1, "late"), Some(1), &[key(1, "k"), grant("amy", 1, "was")]).await);
    assert_eq!(get(ground, "acme", SealedKind::Grant, "amy").await, Some(first.clone()));
    let same = SealedRow { facts: json!("facts do not matter"), ..first };
    assert!(put_while(grant("amy", 1, "under the same version"), Some(1), &[key(1, "k"), same]).await);
    let stored = get(ground, "acme", SealedKind::Grant, "amy").await;
    assert_eq!(stored, Some(grant("amy", 1, "under the same version")));
    assert!(put_while(grant("bob", 1, "on nothing"), None, &[]).await);
}

async fn sealed_rows_of_other_tenants_kinds_and_names_are_left_alone(ground: &Ground) {
    let places = [("t1", "amy"), ("t2", "amy"), ("T1", "amy"), ("t1 ", "amy"), ("t1", "Amy"), ("t1", "amy ")];
    let mut all = Vec::new();
    for kind in [SealedKind::Grant, SealedKind::Consent] {
        for (tenant, name) in places {
            let row = row(kind, name, 1, &format!("{kind} {tenant:?} {name:?}"));
            make(ground, tenant, row.clone()).await;
            all.push((tenant, row));
        }
    }
    assert!(put(ground, "t1", grant("amy", 2, "changed"), Some(1)).await);
    assert!(take(ground, "t2", "amy", None).await.is_some());
    all[0].1 = grant("amy", 2, "changed");
    for (n, (tenant, row)) in all.iter().enumerate() {
        let wanted = if n == 1 { None } else { Some(row.clone()) };
        assert_eq!(get(ground, tenant, row.kind, &row.name).await, wanted, "{tenant:?} {row:?}");
    }
    assert_eq!(names(ground, "t1", None, 9).await, ["Amy", "amy", "amy "]);
    assert_eq!(names(ground, "t2", None, 9).await, Vec::<String>::new());
    assert_eq!(names(ground, "nobody", None, 9).await, Vec::<String>::new());
}

async fn sealed_rows_are_paged_by_name(ground: &Ground) {
    for name in ["é", "b", "", "a", "B", "ab"] {
        make(ground, "acme", grant(name, 1, name)).await;
    }
    make(ground, "globex", grant("aa", 1, "of somebody else")).await;
    assert_eq!(names(ground, "acme", None, 9).await, ["", "B", "a", "ab", "b", "é"], "in the order of bytes");
    assert_eq!(names(ground, "acme", None, 2).await, ["", "B"]);
    assert_eq!(names(ground, "acme", Some("B"), 2).await, ["a", "ab"]);
    assert_eq!(names(ground, "acme", Some("aa"), 2).await, ["ab", "b"], "after a name that is not there");
    assert_eq!(names(ground, "acme", Some("é"), 2).await, Vec::<String>::new());
    assert_eq!(names(ground, "acme", None, 0).await, Vec::<String>::new());
    let rows = ground.store.sealed_rows(&"acme".into(), SealedKind::Grant, Some("b"), 9).await;
    assert_eq!(rows.expect("they are read"), [grant("é", 1, "é")], "whole rows");
}

async fn a_sealed_row_is_found_without_its_tenant(ground: &Ground) {
    let consent = |name: &str, says: &str| row(SealedKind::Consent, name, 1, says);
    make(ground, "globex", consent("h1", "of globex")).await;
    make(ground, "acme", consent("h2", "of acme")).await;
    make(ground, "acme", grant("h1", 1, "of another kind")).await;
    let find = async |name: &str| {
        let found = ground.store.find_sealed(SealedKind::Consent, name).await.expect("it is looked for");
        found.map(|(tenant, row)| (tenant.to_string(), row))
    };
    assert_eq!(find("h1").await, Some(("globex".to_owned(), consent("h1", "of globex"))));
    assert_eq!(find("h2").await, Some(("acme".to_owned(), consent("h2", "of acme"))));
    for other in ["h3", "H1", "h1 ", "h", "h%", "%", ""] {
        assert_eq!(find(other).await, None, "{other:?}");
    }
    make(ground, "acme", consent("h1", "of acme too")).await;
    assert_eq!(find("h1").await.map(|(tenant, _)| tenant), Some("acme".to_owned()), "the first by id");
}

async fn expired_sealed_rows_of_one_kind_are_forgotten_for_every_tenant(ground: &Ground) {
    let until = |kind, name: &str, seconds| SealedRow {
        expires: Some(START + Duration::seconds(seconds)),
        ..row(kind, name, 1, name)
    };
    for tenant in ["acme", "globex"] {
        for (name, seconds) in [("long ago", -1_000_000), ("just now", 0), ("soon", 1)] {
            make(ground, tenant, until(SealedKind::Grant, name, seconds)).await;
        }
        make(ground, tenant, grant("for ever", 1, "for ever")).await;
        make(ground, tenant, until(SealedKind::Consent, "another kind", -5)).await;
    }
    let stored = names(ground, "acme", None, 9).await;
    assert_eq!(stored, ["for ever", "just now", "long ago", "soon"], "it is not the store that judges");
    let drop = async |at| ground.store.drop_expired(SealedKind::Grant, at).await.expect("they are dropped");
    assert_eq!(drop(START).await, 4);
    assert_eq!(drop(START).await, 0);
    for tenant in ["acme", "globex"] {
        assert_eq!(names(ground, tenant, None, 9).await, ["for ever", "soon"]);
        assert!(get(ground, tenant, SealedKind::Consent, "another kind").await.is_some());
    }
    assert_eq!(drop(START + Duration::days(40_000)).await, 2);
}

async fn tenants_with_sealed_rows_are_paged_by_id(ground: &Ground) {
    for tenant in ["d", "b", "a", "c", "B"] {
        make(ground, tenant, grant("x", 1, "x")).await;
        make(ground, tenant, grant("y", 1, "y")).await;
    }
    make(ground, "other", row(SealedKind::Consent, "x", 1, "x")).await;
    let tenants = async |after: Option<&str>, count_max| {
        let after = after.map(Tenant::from);
        let found = ground.store.sealed_tenants(SealedKind::Grant, after.as_ref(), count_max).await;
        found.expect("they are read").iter().map(Tenant::to_string).collect::<Vec<_>>()
    };
    assert_eq!(tenants(None, 9).await, ["B", "a", "b", "c", "d"], "each once");
    assert_eq!(tenants(None, 2).await, ["B", "a"]);
    assert_eq!(tenants(Some("a"), 2).await, ["b", "c"]);
    for name in ["x", "y"] {
        assert!(take(ground, "b", name, None).await.is_some());
    }
    assert_eq!(tenants(Some("a"), 2).await, ["c", "d"], "who has none left is not told");
}
