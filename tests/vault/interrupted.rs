//! Interrupted at every call.

use super::*;
use calsync_core::{Error, ErrorKind};
use std::sync::atomic::{AtomicI64, Ordering};

/// Fails at one call and all that follow: before it, or after it was carried out.
#[derive(Debug)]
struct Stop {
    left: AtomicI64,
    carried_out: bool,
}

impl Stop {
    fn at(call: i64, carried_out: bool) -> Self {
        Self { left: AtomicI64::new(call), carried_out }
    }

    fn error() -> Error {
        Error::new(ErrorKind::Unavailable, "the connection is gone").later()
    }
}

#[async_trait]
impl Tap for Stop {
    async fn before(&self, _call: &'static str) -> Result<()> {
        let left = self.left.fetch_sub(1, Ordering::Relaxed);
        if left < 0 || (left == 0 && !self.carried_out) { Err(Self::error()) } else { Ok(()) }
    }

    async fn after(&self, _call: &'static str) -> Result<()> {
        if self.left.load(Ordering::Relaxed) < 0 { Err(Self::error()) } else { Ok(()) }
    }
}

async fn settled() -> MemoryStore {
    let store = memory();
    let vault = vault(store.clone(), KeyBytes::new(key(1)));
    for tenant in ["acme", "globex"] {
        for name in ["amy", "bob", "zoe"] {
            assert!(put(&vault, tenant, name, &format!("{tenant} {name}"), None).await.unwrap());
        }
    }
    store
}

async fn readable(vault: &Vault, at: &str) {
    for tenant in ["acme", "globex"] {
        for name in ["amy", "bob", "zoe"] {
            let found = got(vault, tenant, name).await;
            assert_eq!(found.as_deref().ok(), Some(&*format!("{tenant} {name}")), "{at}: {found:?}");
        }
    }
}

/// Interrupts `job` at every call and answers how often it was.
async fn interrupt(job: impl AsyncFn(Vault) -> Result<()>, check: impl AsyncFn(&MemoryStore, &str)) -> i64 {
    let keys = || KeyBytes::new(key(2)).older(key(1));
    let mut interrupted = 0;
    for carried_out in [false, true] {
        for call in 0.. {
            let store = settled().await;
            let tapped = TappedStore { inner: store.clone(), tap: Stop::at(call, carried_out) };
            let answer = job(vault(tapped, keys())).await;
            let at = format!("stopped {} call {call}", if carried_out { "after" } else { "before" });
            readable(&vault(store.clone(), keys()), &at).await;
            match answer {
                Ok(()) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{at}: {error}"),
            }
            interrupted += 1;
            job(vault(store.clone(), keys()))
                .await
                .unwrap_or_else(|error| panic!("{at}, and again: {error}"));
            readable(&vault(store.clone(), keys()), &at).await;
            check(&store, &at).await;
        }
    }
    interrupted
}

#[tokio::test]
pub(crate) async fn s08_a_rotation_of_the_master_key_that_is_interrupted_anywhere_ends_when_it_is_called_again()
 {
    let job = async |vault: Vault| {
        let rotation = vault.rotate_master(false).await?;
        assert!(rotation.finished(), "{rotation:?}");
        Ok(())
    };
    let check = async |store: &MemoryStore, at: &str| {
        readable(&vault(store.clone(), KeyBytes::new(key(2))), at).await;
        for tenant in ["acme", "globex"] {
            let keys = data_keys(store, tenant).await;
            assert_eq!((keys.len(), &keys[0].version), (1, &2), "{at}: wrapped anew once");
        }
    };
    assert!(interrupt(job, check).await > 8);
}

#[tokio::test]
pub(crate) async fn s08_a_rotation_of_a_data_key_that_is_interrupted_anywhere_ends_when_it_is_called_again() {
    let job = async |vault: Vault| {
        let rotation = vault.rotate_data(&"acme".into(), false).await?;
        assert!(rotation.finished(), "{rotation:?}");
        Ok(())
    };
    let check = async |store: &MemoryStore, at: &str| {
        let keys = data_keys(store, "acme").await;
        assert_eq!(keys.len(), 1, "{at}: the old keys are gone");
        assert_ne!(keys[0].name, "0000000001", "{at}");
        assert_eq!(data_keys(store, "globex").await[0].version, 1, "{at}: another tenant");
        for row in store.sealed_rows(&"acme".into(), KIND, None, 9).await.unwrap() {
            assert_eq!(row.version, 1, "{at}: versions stay");
        }
    };
    assert!(interrupt(job, check).await > 20);
}

#[tokio::test]
pub(crate) async fn s11_forgetting_that_is_interrupted_anywhere_ends_when_it_is_called_again() {
    for carried_out in [false, true] {
        for call in 0.. {
            let store = settled().await;
            let tapped = TappedStore { inner: store.clone(), tap: Stop::at(call, carried_out) };
            let answer = Vault::without_keys(Arc::new(tapped)).forget_tenant(&"acme".into()).await;
            let done = answer.is_ok();
            Vault::without_keys(Arc::new(store.clone())).forget_tenant(&"acme".into()).await.unwrap();
            for kind in SealedKind::ALL {
                assert_eq!(
                    store.sealed_rows(&"acme".into(), kind, None, 9).await.unwrap(),
                    [],
                    "call {call}"
                );
            }
            assert_eq!(store.sealed_rows(&"globex".into(), KIND, None, 9).await.unwrap().len(), 3);
            if done {
                break;
            }
        }
    }
}
