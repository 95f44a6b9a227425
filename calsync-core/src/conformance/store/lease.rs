//! Leases: one holder at a time, by the store's clock, and a fence that only grows.

use super::super::case::{Case, cases};
use super::{Ground, MINUTE, START};
use crate::store::Lease;
use std::time::Duration;

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_lease_is_somebodys_until_it_expires_or_is_given_back,
        a_restarted_worker_is_somebody_else_even_under_the_same_name,
        a_fence_is_larger_than_any_before_it,
        renewing_prolongs_a_lease_and_tells_who_lost_it,
        giving_back_a_lease_of_before_leaves_the_present_one_alone,
        a_clock_that_was_set_back_does_not_make_a_lease_last_for_ever,
        leases_of_other_names_and_tenants_are_others,
    ]
}

async fn take(ground: &Ground, owner: &str) -> Option<Lease> {
    ground.store.lease(&ground.tenant, "run/b1", owner, MINUTE).await.expect("leases work")
}

async fn a_lease_is_somebodys_until_it_expires_or_is_given_back(ground: &Ground) {
    let first = take(ground, "w1").await.expect("free");
    assert_eq!((first.name.as_str(), first.owner.as_str()), ("run/b1", "w1"));
    assert_eq!(take(ground, "w2").await, None, "somebody has it");
    ground.clock.advance(MINUTE - Duration::from_secs(1));
    assert_eq!(take(ground, "w2").await, None, "until its last second");
    ground.clock.advance(Duration::from_secs(1));
    let second = take(ground, "w2").await.expect("expired");
    ground.store.release(&ground.tenant, &second).await.expect("given back");
    assert!(take(ground, "w3").await.is_some(), "given back");
}

async fn a_restarted_worker_is_somebody_else_even_under_the_same_name(ground: &Ground) {
    let before = take(ground, "w1").await.expect("free");
    assert_eq!(take(ground, "w1").await, None, "the lease is not handed out twice");
    ground.clock.advance(MINUTE);
    let after = take(ground, "w1").await.expect("expired");
    assert!(!ground.store.renew(&ground.tenant, &before, MINUTE).await.expect("renewed"));
    assert!(ground.store.renew(&ground.tenant, &after, MINUTE).await.expect("renewed"));
}

async fn a_fence_is_larger_than_any_before_it(ground: &Ground) {
    let mut last = 0;
    for round in 0..6 {
        let lease = take(ground, "w").await.expect("free");
        assert!(lease.fence > last, "{} after {last}", lease.fence);
        last = lease.fence;
        match round % 3 {
            0 => ground.store.release(&ground.tenant, &lease).await.expect("given back"),
            1 => ground.clock.advance(MINUTE),
            _ => {
                let mut batch = ground.batch([]);
                (batch.fence, batch.release, batch.drop_binding) = (Some(lease), true, true);
                ground.store.commit(batch).await.expect("given back with the binding");
            }
        }
    }
}

async fn renewing_prolongs_a_lease_and_tells_who_lost_it(ground: &Ground) {
    let first = take(ground, "w1").await.expect("free");
    ground.clock.advance(Duration::from_secs(40));
    assert!(ground.store.renew(&ground.tenant, &first, MINUTE).await.expect("renewed"));
    ground.clock.advance(Duration::from_secs(40));
    assert_eq!(take(ground, "w2").await, None, "prolonged from the moment of renewal");
    ground.clock.advance(Duration::from_secs(40));
    let renewed = ground.store.renew(&ground.tenant, &first, MINUTE).await.expect("renewed");
    assert!(renewed, "expired, but nobody took it");
    ground.clock.advance(MINUTE);
    let second = take(ground, "w2").await.expect("expired");
    assert!(!ground.store.renew(&ground.tenant, &first, MINUTE).await.expect("renewed"), "taken over");
    for stranger in [
        Lease { owner: "w1".to_owned(), ..second.clone() },
        Lease { fence: second.fence + 1, ..second.clone() },
    ] {
        let renewed = ground.store.renew(&ground.tenant, &stranger, MINUTE).await.expect("renewed");
        assert!(!renewed, "owner and fence both count");
    }
    ground.store.release(&ground.tenant, &second).await.expect("given back");
    assert!(!ground.store.renew(&ground.tenant, &second, MINUTE).await.expect("renewed"), "given back");
    let never = Lease { name: "never".to_owned(), owner: "w".to_owned(), fence: 1 };
    assert!(!ground.store.renew(&ground.tenant, &never, MINUTE).await.expect("renewed"), "never taken");
}

async fn giving_back_a_lease_of_before_leaves_the_present_one_alone(ground: &Ground) {
    let first = take(ground, "w1").await.expect("free");
    ground.clock.advance(MINUTE);
    let second = take(ground, "w2").await.expect("expired");
    ground.store.release(&ground.tenant, &first).await.expect("nothing happens");
    assert_eq!(take(ground, "w3").await, None);
    assert!(ground.store.renew(&ground.tenant, &second, MINUTE).await.expect("renewed"));
}

async fn a_clock_that_was_set_back_does_not_make_a_lease_last_for_ever(ground: &Ground) {
    ground.clock.set(START + chrono::Duration::days(3650));
    take(ground, "w1").await.expect("free");
    ground.clock.set(START);
    assert_eq!(take(ground, "w2").await, None, "it is still somebody's");
    ground.clock.advance(MINUTE);
    assert!(take(ground, "w2").await.is_some(), "no longer than it was taken for");
}

async fn leases_of_other_names_and_tenants_are_others(ground: &Ground) {
    let ours = take(ground, "w1").await.expect("free");
    let other = ground.store.lease(&ground.tenant, "run/b2", "w2", MINUTE).await.expect("leases work");
    assert!(other.is_some());
    let theirs = ground.store.lease(&"globex".into(), "run/b1", "w2", MINUTE).await.expect("leases work");
    assert!(theirs.is_some());
    assert!(!ground.store.renew(&"globex".into(), &ours, MINUTE).await.expect("renewed"));
    ground.store.release(&"globex".into(), &ours).await.expect("nothing happens");
    assert_eq!(take(ground, "w3").await, None);
}
