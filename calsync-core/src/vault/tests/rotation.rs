//! Rotation of both kinds of keys, undisturbed. Interruptions and other workers are in the tests of the workspace.

use super::*;

/// Two tenants with three grants and a setting each, under key 1.
async fn settled() -> MemoryStore {
    let store = store();
    let vault = vault(&store);
    for tenant in ["acme", "globex"] {
        for name in ["amy", "bob", "zoe"] {
            put(&vault, tenant, name, &format!("{CANARY} {tenant} {name}")).await;
        }
        let set = vault.put(&tenant.into(), SealedKind::Setting, "bare", json!(1), None, None, None).await;
        assert!(set.unwrap());
    }
    store
}

async fn readable(vault: &Vault, tenant: &str) {
    for name in ["amy", "bob", "zoe"] {
        assert_eq!(got(vault, tenant, name).await.unwrap(), format!("{CANARY} {tenant} {name}"));
    }
}

async fn data_keys(store: &MemoryStore, tenant: &str) -> Vec<SealedRow> {
    store.sealed_rows(&tenant.into(), SealedKind::DataKey, None, 9).await.unwrap()
}

fn counts(rotation: &Rotation) -> (u64, u64, u64, u64) {
    (rotation.tenants, rotation.rows_done, rotation.rows_left, rotation.keys_dropped)
}

#[tokio::test]
async fn s08_the_master_key_is_changed_and_no_row_is_touched() {
    let store = settled().await;
    let rows = store.sealed_rows(&"acme".into(), KIND, None, 9).await.unwrap();
    let before = store.snapshot();
    let both = vault_with(&store, KeyBytes::new(key(2)).older(key(1)));
    let dry = both.rotate_master(true).await.unwrap();
    assert_eq!((counts(&dry), dry.dry_run, dry.finished()), ((2, 0, 2, 0), true, false));
    assert_eq!(store.snapshot(), before, "a dry run writes nothing");

    let done = both.rotate_master(false).await.unwrap();
    assert_eq!((counts(&done), done.finished()), ((2, 2, 0, 0), true));
    assert_eq!(store.sealed_rows(&"acme".into(), KIND, None, 9).await.unwrap(), rows);
    let after = store.snapshot();
    let again = both.rotate_master(false).await.unwrap();
    assert_eq!((counts(&again), store.snapshot() == after), ((0, 0, 0, 0), true), "nothing is left to do");

    let new = vault_with(&store, KeyBytes::new(key(2)));
    for tenant in ["acme", "globex"] {
        readable(&new, tenant).await;
        assert_eq!(data_keys(&store, tenant).await[0].facts["master"], key(2).id().as_str());
    }
    let error = got(&vault(&store), "acme", "amy").await.expect_err("the old key is of no use");
    assert!(error.to_string().contains(&format!("needed key {}", key(2).id())), "{error}");
}

#[tokio::test]
async fn s08_a_data_key_that_does_not_open_is_told_and_the_other_tenants_go_on() {
    let store = settled().await;
    let foreign = vault_with(&store, KeyBytes::new(key(9)));
    put(&foreign, "between", "amy", "of a lost key").await;
    let both = vault_with(&store, KeyBytes::new(key(2)).older(key(1)));
    for dry_run in [true, false] {
        let rotation = both.rotate_master(dry_run).await.unwrap();
        assert_eq!(rotation.failed.len(), 1);
        assert_eq!(rotation.failed[0].0.as_str(), "between");
        let error = rotation.failed[0].1.to_string();
        assert!(error.contains(&format!("needed key {}", key(9).id())), "{error}");
        assert_eq!(rotation.rows_left, if dry_run { 3 } else { 1 });
        assert!(!rotation.finished());
    }
    let new = vault_with(&store, KeyBytes::new(key(2)));
    readable(&new, "acme").await;
    readable(&new, "globex").await;
}

#[tokio::test]
async fn s08_a_data_key_is_changed_and_versions_stay() {
    let store = settled().await;
    let vault = vault(&store);
    let acme = Tenant::from("acme");
    let (old, rows) =
        (data_keys(&store, "acme").await, store.sealed_rows(&acme, KIND, None, 9).await.unwrap());
    let (before, globex) = (store.snapshot(), data_keys(&store, "globex").await);
    let dry = vault.rotate_data(&acme, true).await.unwrap();
    assert_eq!((counts(&dry), dry.resumed), ((1, 0, 3, 0), false));
    assert_eq!(store.snapshot(), before, "a dry run writes nothing");

    let done = vault.rotate_data(&acme, false).await.unwrap();
    assert_eq!((counts(&done), done.resumed, done.finished()), ((1, 3, 0, 1), false, true));
    let new = data_keys(&store, "acme").await;
    assert_eq!(new.len(), 1, "the old one is gone");
    assert_ne!(new[0].facts["id"], old[0].facts["id"]);
    assert_eq!(data_keys(&store, "globex").await, globex);
    readable(&vault, "acme").await;
    readable(&vault, "globex").await;
    for (was, is) in rows.iter().zip(store.sealed_rows(&acme, KIND, None, 9).await.unwrap()) {
        assert_eq!((was.version, &was.facts), (is.version, &is.facts));
        assert_ne!(was.sealed, is.sealed);
        vault.open(&acme, was).await.expect_err("its key is gone");
    }
    let secret = Secret::new("refreshed meanwhile");
    assert!(vault.put(&acme, KIND, "amy", json!({}), Some(&secret), None, Some(1)).await.unwrap());
    assert_eq!(counts(&vault.rotate_data(&"nobody".into(), false).await.unwrap()), (0, 0, 0, 0));
}

#[tokio::test]
async fn s08_a_row_that_does_not_open_keeps_its_key_and_hinders_no_later_rotation() {
    let store = settled().await;
    let vault = vault(&store);
    let acme = Tenant::from("acme");
    let right = store.sealed(&acme, KIND, "bob").await.unwrap().expect("a row");
    let mut sealed = right.sealed.clone().expect("sealed");
    *sealed.last_mut().expect("bytes") ^= 1;
    let damaged = SealedRow { sealed: Some(sealed), ..right.clone() };
    assert!(store.put_sealed(&acme, &damaged, Some(1)).await.unwrap());
    for round in 0..3 {
        let rotation = vault.rotate_data(&acme, false).await.unwrap();
        assert_eq!(
            (rotation.rows_done, rotation.rows_left, rotation.failed.len()),
            (2, 1, 1),
            "round {round}"
        );
        assert!(rotation.failed[0].1.to_string().contains("name bob"), "{:?}", rotation.failed);
        assert_eq!(data_keys(&store, "acme").await.len(), 2, "round {round}: its key, and the newest");
    }
    assert_eq!(store.sealed(&acme, KIND, "bob").await.unwrap(), Some(damaged), "it is left as it is");
    assert!(store.put_sealed(&acme, &right, Some(1)).await.unwrap());
    let mended = vault.rotate_data(&acme, false).await.unwrap();
    assert_eq!((mended.rows_done, mended.keys_dropped, mended.resumed), (1, 1, true));
    readable(&vault, "acme").await;
}

#[tokio::test]
async fn a_row_whose_key_is_unknown_is_told_and_keeps_no_key() {
    let store = settled().await;
    let vault = vault(&store);
    let acme = Tenant::from("acme");
    for (name, sealed) in [("garbage", vec![7; 90]), ("foreign", [&[1][..], &[7; 90]].concat())] {
        let sealed = Some(sealed);
        let row =
            SealedRow { kind: KIND, name: name.into(), version: 1, expires: None, facts: json!({}), sealed };
        assert!(store.put_sealed(&acme, &row, None).await.unwrap());
    }
    let rotation = vault.rotate_data(&acme, false).await.unwrap();
    assert_eq!((rotation.rows_done, rotation.rows_left, rotation.keys_dropped), (3, 2, 1));
    assert_eq!(data_keys(&store, "acme").await.len(), 1);
}
