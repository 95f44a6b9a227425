//! The vault over a store that fails at any call, that others write at the same time, and that is a file; and keys in files and
//! variables.
//!
//! A rotation is interrupted at every call of the store, before it and after it, and called again: it has to end, nothing may
//! be lost on the way, and at every moment everything can be read.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

#[path = "vault/files.rs"]
mod files;
#[path = "vault/interrupted.rs"]
mod interrupted;
#[macro_use]
#[path = "planted/judge.rs"]
mod judge;
#[path = "planted/vault.rs"]
mod planted;
#[path = "vault/seals.rs"]
mod seals;
#[path = "vault/together.rs"]
mod together;

use async_trait::async_trait;
use calsync_core::clock::{ManualClock, SystemEntropy};
use calsync_core::store::{MemoryStore, SealedKind, SealedRow, Store};
use calsync_core::vault::{KeyBytes, MasterKey, Vault};
use calsync_core::{Result, Secret, Tenant};
use calsync_testkit::marked::{MarkedEntropy, key_bytes, refresh_token};
use calsync_testkit::tapped_store::{Tap, TappedStore};
use chrono::DateTime;
use serde_json::json;
use std::sync::Arc;

const KIND: SealedKind = SealedKind::Grant;

fn memory() -> MemoryStore {
    MemoryStore::new(Arc::new(ManualClock::new(DateTime::UNIX_EPOCH)), "here".into())
}

fn key(number: u8) -> MasterKey {
    MasterKey::new(key_bytes(number))
}

fn entropy() -> Arc<MarkedEntropy<SystemEntropy>> {
    Arc::new(MarkedEntropy::new(SystemEntropy))
}

fn vault(store: impl Store, keys: KeyBytes) -> Vault {
    Vault::new(Arc::new(store), Arc::new(keys), entropy())
}

async fn put(vault: &Vault, tenant: &str, name: &str, says: &str, expected: Option<u64>) -> Result<bool> {
    let secret = Secret::new(refresh_token(says));
    vault.put(&tenant.into(), KIND, name, json!({}), Some(&secret), None, expected).await
}

async fn got(vault: &Vault, tenant: &str, name: &str) -> Result<String> {
    let opened = vault.get(&tenant.into(), KIND, name).await?.expect("a row");
    let secret = opened.secret.expect("a secret");
    Ok(secret.reveal().strip_prefix(&refresh_token("")).expect("a marked secret").to_owned())
}

async fn data_keys(store: &impl Store, tenant: &str) -> Vec<SealedRow> {
    store.sealed_rows(&Tenant::from(tenant), SealedKind::DataKey, None, 99).await.unwrap()
}

/// Gives way around every call, so that futures of one task mix at every boundary.
#[derive(Debug)]
struct GiveWay;

#[async_trait]
impl Tap for GiveWay {
    async fn before(&self, _call: &'static str) -> Result<()> {
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn after(&self, _call: &'static str) -> Result<()> {
        tokio::task::yield_now().await;
        Ok(())
    }
}

fn giving_way<S>(inner: S) -> TappedStore<S, GiveWay> {
    TappedStore { inner, tap: GiveWay }
}
