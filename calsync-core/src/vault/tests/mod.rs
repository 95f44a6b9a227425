//! The vault over the store in memory. What needs more stores than one, or one that fails, is in the tests of the workspace.

mod keys;
mod places;
mod rotation;

use super::*;
use crate::clock::{Entropy, ManualClock, SeededEntropy};
use crate::store::MemoryStore;
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};

const CANARY: &str = "1//0neversay-refresh-token";
const KIND: SealedKind = SealedKind::Grant;

fn store() -> MemoryStore {
    crate::captured::begin();
    let clock = ManualClock::new(DateTime::from_timestamp(1_795_435_200, 0).expect("a time"));
    MemoryStore::new(Arc::new(clock), "here".into())
}

/// A master key that is told apart by its number.
fn key(number: u8) -> MasterKey {
    let mut bytes = [number; 32];
    mark(&mut bytes);
    MasterKey::new(bytes)
}

fn vault_with(store: &MemoryStore, keys: KeyBytes) -> Vault {
    Vault::new(Arc::new(store.clone()), Arc::new(keys), Arc::new(entropy()))
}

/// A word in every key, to be looked for in all that tests print and log.
fn mark(bytes: &mut [u8]) {
    bytes[..8].copy_from_slice(b"neversay");
}

/// Random bytes, the keys among them marked.
#[derive(Debug)]
struct Marked(SeededEntropy);

impl Entropy for Marked {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
        if bytes.len() == 32 {
            mark(bytes);
        }
    }
}

/// Other bytes each time: two vaults that draw the same ids and keys are no two vaults.
fn entropy() -> Marked {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    Marked(SeededEntropy::new(DRAWN.fetch_add(1, Ordering::Relaxed)))
}

fn vault(store: &MemoryStore) -> Vault {
    vault_with(store, KeyBytes::new(key(1)))
}

async fn put(vault: &Vault, tenant: &str, name: &str, secret: &str) {
    let (facts, secret) = (json!({"account": name}), Secret::new(secret));
    let put = vault.put(&tenant.into(), KIND, name, facts, Some(&secret), None, None).await;
    assert!(put.expect("it is kept"), "there was none");
}

async fn got(vault: &Vault, tenant: &str, name: &str) -> Result<String> {
    let opened = vault.get(&tenant.into(), KIND, name).await?.expect("a row");
    Ok(opened.secret.expect("a secret").reveal().to_owned())
}

#[track_caller]
fn silent(text: &str) {
    for canary in [CANARY, "neversay"] {
        assert!(!text.contains(canary), "it says the secret: {text}");
    }
}

#[tokio::test]
async fn s08_a_secret_comes_back_and_is_nowhere_in_the_store() {
    let store = store();
    let vault = vault(&store).with_clock(Arc::new(ManualClock::new(DateTime::UNIX_EPOCH)));
    let expires = Some(DateTime::UNIX_EPOCH);
    let secret = Secret::new(CANARY);
    let facts = json!({"account": "amy@example.com"});
    assert!(
        vault.put(&"acme".into(), KIND, "amy", facts.clone(), Some(&secret), expires, None).await.unwrap()
    );
    let opened = vault.get(&"acme".into(), KIND, "amy").await.unwrap().expect("a row");
    assert_eq!((opened.version, &opened.facts, opened.expires), (1, &facts, expires));
    assert_eq!(opened.secret.as_ref().expect("a secret").reveal(), CANARY);
    silent(&format!(
        "{opened:?} {opened:#?} {vault:?} {:?}",
        store.sealed(&"acme".into(), KIND, "amy").await
    ));
    silent(&store.snapshot().to_string());
    let row = store.sealed(&"acme".into(), KIND, "amy").await.unwrap().expect("a row");
    silent(&String::from_utf8_lossy(&row.sealed.expect("sealed")));
    let data_key = vault.list(&"acme".into(), SealedKind::DataKey, None, 9).await.unwrap();
    assert_eq!(data_key[0].facts["master"], key(1).id().as_str());
    assert_eq!(data_key[0].facts["created"], "1970-01-01T00:00:00Z");
}

#[tokio::test]
async fn s08_the_same_secret_is_never_sealed_to_the_same_bytes() {
    let store = store();
    let vault = vault(&store);
    let (acme, secret) = (Tenant::from("acme"), Secret::new(CANARY));
    let first = vault.seal(&acme, KIND, "amy", 1, &secret).await.unwrap();
    let second = vault.seal(&acme, KIND, "amy", 1, &secret).await.unwrap();
    assert_ne!(first, second);
}

#[tokio::test]
async fn s08_without_a_key_a_secret_is_refused_and_told_how_to_make_one_and_facts_are_shown() {
    let store = store();
    put(&vault(&store), "acme", "amy", CANARY).await;
    let before = store.snapshot();
    let vault = Vault::without_keys(Arc::new(store.clone()));
    let (acme, secret) = (Tenant::from("acme"), Secret::new(CANARY));
    let mut errors = vec![
        vault.put(&acme, KIND, "bob", json!({}), Some(&secret), None, None).await.expect_err("no key"),
        vault.get(&acme, KIND, "amy").await.expect_err("no key"),
        vault.take(&acme, KIND, "amy", None).await.expect_err("no key"),
        vault.seal(&acme, KIND, "bob", 1, &secret).await.expect_err("no key"),
        vault.rotate_master(true).await.expect_err("no key"),
    ];
    errors.push(vault.rotate_data(&acme, true).await.expect_err("no key"));
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = error.to_string();
        assert!(text.contains("openssl rand -base64 32") && text.contains("KeyFile"), "{text}");
        silent(&text);
    }
    assert_eq!(store.snapshot(), before, "nothing was written or taken");
    let shown = vault.facts(&acme, KIND, "amy").await.unwrap().expect("a row");
    assert_eq!((shown.facts, shown.secret), (json!({"account": "amy"}), true));
    assert!(vault.put(&acme, SealedKind::Setting, "colour", json!("red"), None, None, None).await.unwrap());
    let setting = vault.get(&acme, SealedKind::Setting, "colour").await.unwrap().expect("a row");
    assert!(setting.secret.is_none());
    assert!(vault.remove(&acme, KIND, "amy", Some(1)).await.unwrap());
}

#[tokio::test]
async fn s07_a_late_writer_changes_nothing_and_is_told() {
    let store = store();
    let vault = vault(&store);
    put(&vault, "acme", "amy", "first").await;
    let swap = async |secret: &str, expected| {
        let secret = Secret::new(secret);
        vault.put(&"acme".into(), KIND, "amy", json!({}), Some(&secret), None, expected).await.unwrap()
    };
    assert!(!swap("again", None).await, "there is one");
    assert!(!swap("ahead", Some(2)).await);
    assert!(swap("second", Some(1)).await);
    assert!(!swap("late", Some(1)).await);
    assert_eq!(got(&vault, "acme", "amy").await.unwrap(), "second");
    assert_eq!(vault.facts(&"acme".into(), KIND, "amy").await.unwrap().expect("a row").version, 2);
}

#[tokio::test]
async fn what_is_taken_is_taken_once_and_only_what_can_be_opened_is() {
    let store = store();
    put(&vault(&store), "acme", "amy", CANARY).await;
    let other = vault_with(&store, KeyBytes::new(key(2)));
    other.take(&"acme".into(), KIND, "amy", None).await.expect_err("the key is another one");
    let vault = vault(&store);
    assert!(vault.take(&"acme".into(), KIND, "amy", Some(2)).await.unwrap().is_none(), "another version");
    let taken = vault.take(&"acme".into(), KIND, "amy", Some(1)).await.unwrap().expect("it is still there");
    assert_eq!(taken.secret.expect("a secret").reveal(), CANARY);
    assert!(vault.take(&"acme".into(), KIND, "amy", None).await.unwrap().is_none());
}

#[tokio::test]
async fn data_keys_are_not_for_callers() {
    let store = store();
    let vault = vault(&store);
    put(&vault, "acme", "amy", CANARY).await;
    let acme = Tenant::from("acme");
    let name = vault.list(&acme, SealedKind::DataKey, None, 9).await.unwrap()[0].name.clone();
    let kind = SealedKind::DataKey;
    vault.get(&acme, kind, &name).await.expect_err("it is refused");
    vault.take(&acme, kind, &name, None).await.expect_err("it is refused");
    vault.remove(&acme, kind, &name, None).await.expect_err("it is refused");
    vault.put(&acme, kind, "x", json!({}), None, None, None).await.expect_err("it is refused");
    let row = store.sealed(&acme, kind, &name).await.unwrap().expect("a row");
    vault.open(&acme, &row).await.expect_err("it is refused");
}

#[tokio::test]
async fn s11_what_is_forgotten_cannot_be_opened_not_even_from_a_copy_of_its_rows() {
    let store = store();
    let vault = vault(&store);
    for (tenant, name) in [("acme", "amy"), ("acme", "bob"), ("globex", "amy")] {
        put(&vault, tenant, name, CANARY).await;
    }
    let (acme, globex) = (Tenant::from("acme"), store.copy());
    let copied = store.sealed(&acme, KIND, "amy").await.unwrap().expect("a row");
    assert_eq!(vault.forget_tenant(&acme).await.unwrap(), 3);
    assert_eq!(vault.forget_tenant(&acme).await.unwrap(), 0);
    for kind in SealedKind::ALL {
        assert_eq!(store.sealed_rows(&acme, kind, None, 9).await.unwrap(), []);
    }
    vault.open(&acme, &copied).await.expect_err("its key is gone");
    put(&vault, "acme", "zoe", "of the next time").await;
    vault.open(&acme, &copied).await.expect_err("the new key is another");
    assert_eq!(got(&vault, "globex", "amy").await.unwrap(), CANARY);
    assert_eq!(
        store.sealed_rows(&"globex".into(), KIND, None, 9).await.unwrap(),
        globex.sealed_rows(&"globex".into(), KIND, None, 9).await.unwrap(),
    );
}
