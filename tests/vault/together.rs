//! Several workers at once, mixed at every call of the store.

use super::*;
use futures_util::future::{join, join_all};

#[tokio::test]
async fn s08_workers_who_make_the_first_data_key_at_once_end_with_one() {
    let store = memory();
    let workers = (0..8).map(|n| {
        let vault = vault(giving_way(store.clone()), KeyBytes::new(key(1)));
        async move { put(&vault, "acme", &n.to_string(), &format!("of {n}"), None).await }
    });
    for put in join_all(workers).await {
        assert!(put.unwrap());
    }
    assert_eq!(data_keys(&store, "acme").await.len(), 1);
    let vault = vault(store, KeyBytes::new(key(1)));
    for n in 0..8 {
        assert_eq!(got(&vault, "acme", &n.to_string()).await.unwrap(), format!("of {n}"));
    }
}

/// One write of every row at every moment of a rotation: `head_start` turns before it.
#[tokio::test]
pub(crate) async fn s07_s08_who_refreshes_a_token_during_a_rotation_loses_nothing_to_it() {
    for head_start in 0..60 {
        let store = memory();
        let keys = || KeyBytes::new(key(2)).older(key(1));
        let old = vault(store.clone(), KeyBytes::new(key(1)));
        for name in ["amy", "bob"] {
            assert!(put(&old, "acme", name, "first", None).await.unwrap());
        }
        let (data, master) =
            (vault(giving_way(store.clone()), keys()), vault(giving_way(store.clone()), keys()));
        let worker = vault(giving_way(store.clone()), keys());
        let refresh = async {
            for _ in 0..head_start {
                tokio::task::yield_now().await;
            }
            for name in ["bob", "amy", "new"] {
                let expected = (name != "new").then_some(1);
                assert!(
                    put(&worker, "acme", name, "refreshed", expected).await.unwrap(),
                    "{head_start}: {name}"
                );
            }
        };
        let rotate = async {
            let (tenant, second) = (Tenant::from("acme"), vault(giving_way(store.clone()), keys()));
            let (first, second) =
                join(data.rotate_data(&tenant, false), second.rotate_data(&tenant, false)).await;
            // Two rotations may get in each other's way; then they say that they will be tried again.
            for error in [first.err(), second.err()].into_iter().flatten() {
                assert_eq!(error.retry(), calsync_core::Retry::Later, "{head_start}: {error}");
            }
        };
        let reader = vault(giving_way(store.clone()), keys());
        let read = async {
            for _ in 0..10 {
                for name in ["amy", "bob"] {
                    let found = got(&reader, "acme", name).await;
                    let whole = matches!(found.as_deref(), Ok("first" | "refreshed"));
                    assert!(whole, "{head_start}: {name} is lost: {found:?}");
                }
            }
        };
        let workers = join(join(refresh, rotate), join(read, master.rotate_master(false)));
        let (_, ((), rotation)) = workers.await;
        rotation.unwrap_or_else(|error| panic!("{head_start}: {error}"));
        let vault = vault(store.clone(), keys());
        for name in ["amy", "bob", "new"] {
            let found = got(&vault, "acme", name).await;
            assert!(matches!(found.as_deref(), Ok("refreshed")), "{head_start}: {name} is lost: {found:?}");
        }
        for _ in 0..2 {
            vault.rotate_data(&"acme".into(), false).await.unwrap();
        }
        assert_eq!(data_keys(&store, "acme").await.len(), 1, "{head_start}");
    }
}

/// Waits so many turns before each write, with a row that is sealed already.
#[derive(Debug)]
struct HeldUp(u32);

#[async_trait]
impl Tap for HeldUp {
    async fn before(&self, call: &'static str) -> Result<()> {
        for _ in 0..if call == "put_sealed_while" { self.0 } else { 0 } {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn after(&self, _call: &'static str) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
pub(crate) async fn s08_who_is_held_up_before_a_write_puts_nothing_under_a_key_that_is_gone() {
    let mut late = 0;
    for turns in 0..120 {
        let store = memory();
        let keys = || KeyBytes::new(key(1));
        assert!(put(&vault(store.clone(), keys()), "acme", "amy", "first", None).await.unwrap());
        let worker = vault(TappedStore { inner: store.clone(), tap: HeldUp(turns) }, keys());
        let rotating = vault(giving_way(store.clone()), keys());
        let write = async {
            assert!(put(&worker, "acme", "bob", "new", None).await.unwrap());
            data_keys(&store, "acme").await
        };
        let (seen, rotation) = join(write, rotating.rotate_data(&"acme".into(), false)).await;
        late += usize::from(seen.len() == 1 && seen[0].name != "0000000001");
        assert!(rotation.unwrap().finished());
        let found = got(&vault(store.clone(), keys()), "acme", "bob").await;
        assert!(matches!(found.as_deref(), Ok("new")), "{turns} turns: it is lost: {found:?}");
    }
    assert!((1..120).contains(&late), "{late} were held up until the rotation was over");
}

#[tokio::test]
pub(crate) async fn s05_of_many_who_take_a_secret_at_once_one_gets_it() {
    let store = memory();
    assert!(put(&vault(store.clone(), KeyBytes::new(key(1))), "acme", "state", "once", None).await.unwrap());
    let takers = (0..8).map(|_| {
        let vault = vault(giving_way(store.clone()), KeyBytes::new(key(1)));
        async move { vault.take(&"acme".into(), KIND, "state", None).await.unwrap() }
    });
    assert_eq!(join_all(takers).await.into_iter().flatten().count(), 1);
}
