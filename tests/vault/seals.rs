//! What somebody can do who copies, moves and writes rows of the database, but has no master key: nothing.

use super::*;
use calsync_core::{Error, ErrorKind};

const CANARY: &str = "1//0g-neversay";

/// Somebody writes this row into the database.
async fn write(store: &impl Store, tenant: &str, row: &SealedRow, expected: Option<u64>) {
    assert!(store.put_sealed(&Tenant::from(tenant), row, expected).await.unwrap());
}

async fn row(store: &impl Store, tenant: &str, name: &str) -> SealedRow {
    store.sealed(&Tenant::from(tenant), KIND, name).await.unwrap().expect("a row")
}

/// A store with Amy's secret, and the vault that put it there.
async fn settled() -> (MemoryStore, Vault) {
    let store = memory();
    let vault = vault(store.clone(), KeyBytes::new(key(1)));
    assert!(put(&vault, "acme", "amy", CANARY, None).await.unwrap());
    (store, vault)
}

#[tokio::test]
pub(crate) async fn s08_a_secret_is_nowhere_in_the_store_and_no_two_seals_of_it_are_the_same() {
    let (store, vault) = settled().await;
    let seal = async |name| row(&store, "acme", name).await.sealed.expect("sealed");
    let amy = seal("amy").await;
    assert!(!amy.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "it is there to be read");
    assert!(put(&vault, "acme", "bob", CANARY, None).await.unwrap());
    // Format and key are the same, and then comes the nonce.
    let nonce = |seal: &[u8]| seal[1 + 16..1 + 16 + 24].to_vec();
    assert_ne!(nonce(&amy), nonce(&seal("bob").await));
}

#[tokio::test]
pub(crate) async fn s08_a_row_that_is_copied_to_another_tenant_with_all_its_keys_does_not_open_there() {
    let (store, vault) = settled().await;
    for key in data_keys(&store, "acme").await {
        write(&store, "globex", &key, None).await;
    }
    write(&store, "globex", &row(&store, "acme", "amy").await, None).await;
    let opened = got(&vault, "globex", "amy").await;
    assert_eq!(opened.as_ref().err().map(Error::kind), Some(ErrorKind::Store), "{opened:?}");
    assert_eq!(got(&vault, "acme", "amy").await.unwrap(), CANARY);
}

#[tokio::test]
pub(crate) async fn s08_a_row_opens_under_no_other_kind_name_or_version() {
    let (store, vault) = settled().await;
    let row = row(&store, "acme", "amy").await;
    let opens = async |moved: SealedRow| vault.open(&"acme".into(), &moved).await.is_ok();
    assert!(opens(row.clone()).await);
    assert!(!opens(SealedRow { kind: SealedKind::Setting, ..row.clone() }).await, "another kind");
    assert!(!opens(SealedRow { name: "bob".into(), ..row.clone() }).await, "another name");
    assert!(!opens(SealedRow { version: 2, ..row }).await, "another version");
}

#[tokio::test]
pub(crate) async fn s08_without_a_key_a_secret_is_refused_and_nothing_of_it_is_kept() {
    let store = memory();
    let kept = put(&Vault::without_keys(Arc::new(store.clone())), "acme", "amy", CANARY, None).await;
    assert_eq!(kept.as_ref().err().map(Error::kind), Some(ErrorKind::Config), "{kept:?}");
    assert!(kept.unwrap_err().to_string().contains("openssl rand -base64 32"));
    assert_eq!(store.sealed_rows(&"acme".into(), KIND, None, 9).await.unwrap(), []);
}

#[tokio::test]
pub(crate) async fn s08_a_row_that_does_not_open_keeps_its_key_through_a_rotation_and_can_be_mended() {
    let (store, vault) = settled().await;
    let whole = row(&store, "acme", "amy").await;
    let mut sealed = whole.sealed.clone().expect("sealed");
    *sealed.last_mut().expect("bytes") ^= 1;
    write(&store, "acme", &SealedRow { sealed: Some(sealed), ..whole.clone() }, Some(1)).await;
    let rotation = vault.rotate_data(&"acme".into(), false).await.unwrap();
    assert!(!rotation.finished() && rotation.failed.len() == 1, "{rotation:?}");
    // As it was, from a backup.
    write(&store, "acme", &whole, Some(1)).await;
    let mended = got(&vault, "acme", "amy").await;
    assert!(matches!(mended.as_deref(), Ok(CANARY)), "its key is gone: {mended:?}");
}

#[tokio::test]
pub(crate) async fn s08_a_rotation_of_the_master_key_is_not_finished_while_a_key_needs_the_old_one() {
    let (store, _) = settled().await;
    let lost = vault(store.clone(), KeyBytes::new(key(9)));
    assert!(put(&lost, "globex", "amy", CANARY, None).await.unwrap());
    let both = vault(store.clone(), KeyBytes::new(key(2)).older(key(1)));
    let before = store.snapshot();
    assert!(!both.rotate_master(true).await.unwrap().finished());
    assert_eq!(store.snapshot(), before, "a dry run writes nothing");
    let rotation = both.rotate_master(false).await.unwrap();
    assert_eq!((rotation.rows_done, rotation.failed.len()), (1, 1));
    assert!(!rotation.finished(), "a key is needed that is not here: {rotation:?}");
}
