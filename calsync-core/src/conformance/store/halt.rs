//! Halts: of one tenant and of all, kept apart.

use super::super::case::{Case, cases};
use super::{Ground, START};
use crate::halt::Halt;

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_halt_stands_until_it_is_taken_back,
        a_halt_of_one_tenant_is_no_other_tenants,
        a_halt_of_every_tenant_comes_first_and_leaves_a_tenants_own_alone,
    ]
}

fn halt(everyone: bool, by: &str) -> Halt {
    Halt { everyone, by: by.to_owned(), reason: "a test".to_owned(), at: START }
}

async fn halted(ground: &Ground, tenant: &str) -> Option<Halt> {
    ground.store.halt(&tenant.into()).await.expect("it is read")
}

async fn set(ground: &Ground, tenant: Option<&str>, halt: Option<Halt>) {
    let tenant = tenant.map(crate::id::Tenant::from);
    ground.store.set_halt(tenant.as_ref(), halt).await.expect("it is stored");
}

async fn a_halt_stands_until_it_is_taken_back(ground: &Ground) {
    assert_eq!(halted(ground, "acme").await, None);
    set(ground, Some("acme"), None).await;
    set(ground, Some("acme"), Some(halt(false, "ann"))).await;
    assert_eq!(halted(ground, "acme").await, Some(halt(false, "ann")));
    set(ground, Some("acme"), Some(halt(false, "bob"))).await;
    assert_eq!(halted(ground, "acme").await, Some(halt(false, "bob")), "the last one counts");
    set(ground, Some("acme"), None).await;
    assert_eq!(halted(ground, "acme").await, None);
}

async fn a_halt_of_one_tenant_is_no_other_tenants(ground: &Ground) {
    for tenant in ["", "acme"] {
        set(ground, Some(tenant), Some(halt(false, "ann"))).await;
        assert_eq!(halted(ground, "globex").await, None, "{tenant:?}");
    }
    set(ground, Some("globex"), None).await;
    assert!(halted(ground, "acme").await.is_some());
}

async fn a_halt_of_every_tenant_comes_first_and_leaves_a_tenants_own_alone(ground: &Ground) {
    set(ground, Some("acme"), Some(halt(false, "ann"))).await;
    set(ground, None, Some(halt(true, "root"))).await;
    for tenant in ["acme", "globex", ""] {
        assert_eq!(halted(ground, tenant).await, Some(halt(true, "root")), "{tenant:?}");
    }
    set(ground, Some("acme"), None).await;
    assert_eq!(halted(ground, "acme").await, Some(halt(true, "root")));
    set(ground, Some("acme"), Some(halt(false, "ann"))).await;
    set(ground, None, None).await;
    assert_eq!(halted(ground, "acme").await, Some(halt(false, "ann")));
    assert_eq!(halted(ground, "globex").await, None);
}
