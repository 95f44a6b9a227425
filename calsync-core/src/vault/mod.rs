//! Where secrets are kept: sealed rows in the store, which only the holder of the master key can read.
//!
//! Tokens and client secrets have to outlive the process, and the database that they are in is copied, dumped and mailed around. So
//! they are sealed before they get there, by two layers of keys. The host keeps a **master key** ([`KeyProvider`]); it wraps
//! **data keys**, one per tenant, which are rows of the store themselves; a data key seals that tenant's rows. Changing the master
//! key writes one small row per tenant, and forgetting a tenant's data key makes all copies of its secrets unreadable, in
//! backups as well once the master key has changed.
//!
//! The rules it keeps:
//!
//! * **No key, no secret.** Without a master key a secret is refused, not kept in the clear; what is not secret works as before.
//! * **A seal fits one place.** It is bound to tenant, kind, name, version and purpose: see `seal`.
//! * **Nothing is sealed by a key that is gone.** A row is put only while the key that sealed it stands
//!   ([`Store::put_sealed_while`]), so that a rotation can drop the old key.
//! * **Rotation can stop anywhere** and is gone on with by calling it again. It does not touch the versions of rows, so that
//!   nobody who refreshes a token meanwhile loses a race against it.
//! * **Nothing is said.** Errors name tenants, rows and key ids, never keys or content; `Debug` says `[redacted]`.
//!
//! What it does not do: it judges no expiry, knows no provider, and revokes nothing. It does not hide which accounts exist: facts are
//! in the clear.
//!
//! ```
//! use calsync_core::clock::{SystemClock, SystemEntropy};
//! use calsync_core::store::{MemoryStore, SealedKind};
//! use calsync_core::vault::{KeyBytes, Vault, generate};
//! use calsync_core::{Secret, Tenant};
//! use std::sync::Arc;
//!
//! # async fn example() -> calsync_core::Result<()> {
//! let store = Arc::new(MemoryStore::new(Arc::new(SystemClock), "here".into()));
//! let keys = KeyBytes::new(generate(&SystemEntropy).key);
//! let vault = Vault::new(store, Arc::new(keys), Arc::new(SystemEntropy));
//!
//! let acme = Tenant::from("acme");
//! let facts = serde_json::json!({"account": "amy@example.com"});
//! let token = Secret::new("1//0g-refresh");
//! assert!(vault.put(&acme, SealedKind::Grant, "amy", facts, Some(&token), None, None).await?);
//!
//! let grant = vault.get(&acme, SealedKind::Grant, "amy").await?.expect("it is kept");
//! assert_eq!(grant.secret.expect("a secret").reveal(), "1//0g-refresh");
//! assert_eq!((grant.version, grant.facts["account"].as_str()), (1, Some("amy@example.com")));
//! # Ok(()) }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
//! ```

mod data_key;
mod key;
mod provider;
mod rotate;
mod seal;
#[cfg(test)]
mod tests;

pub use key::{KEY_ID_BYTES_MAX, KeyId, MasterKey, NewKey, generate};
pub use provider::{KeyBytes, KeyCallback, KeyEnv, KeyFile, KeyProvider};
pub use rotate::Rotation;

use crate::audit::AuditEvent;
use crate::clock::{Clock, Entropy};
use crate::error::{Error, ErrorKind, Result};
use crate::id::Tenant;
use crate::planted::{self, Fault};
use crate::secret::Secret;
use crate::store::{SealedKind, SealedRow, Store};
use chrono::{DateTime, Utc};
use data_key::{DataKey, PAGE, TRIES_MAX, busy, no_keys, place};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Keeps secrets in a store. Cheap to clone; any number of workers may use the same store at once.
#[derive(Clone)]
pub struct Vault {
    store: Arc<dyn Store>,
    keys: Option<Keys>,
    clock: Option<Arc<dyn Clock>>,
}

#[derive(Clone)]
struct Keys {
    provider: Arc<dyn KeyProvider>,
    entropy: Arc<dyn Entropy>,
}

/// A row with its secret. `Debug` does not show the secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The version to expect when it is put again.
    pub version: u64,
    /// What is not secret about it.
    pub facts: Value,
    /// The secret, if it has one.
    pub secret: Option<Secret>,
    /// From when on it is of no use.
    pub expires: Option<DateTime<Utc>>,
}

/// A row as it may be shown to people.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Shown {
    /// Its name among the tenant's rows of that kind.
    pub name: String,
    /// Counts the writes of the row, from 1.
    pub version: u64,
    /// What is not secret about it.
    pub facts: Value,
    /// Whether it has a secret.
    pub secret: bool,
    /// From when on it is of no use.
    pub expires: Option<DateTime<Utc>>,
}

impl Vault {
    /// A vault that seals with the keys of this provider. `entropy` makes data keys and nonces: nothing but a source of good
    /// randomness ([`SystemEntropy`](crate::clock::SystemEntropy)) may be used with secrets that are real.
    pub fn new(store: Arc<dyn Store>, keys: Arc<dyn KeyProvider>, entropy: Arc<dyn Entropy>) -> Self {
        Self { store, keys: Some(Keys { provider: keys, entropy }), clock: None }
    }

    /// A vault that shows facts and refuses secrets.
    pub fn without_keys(store: Arc<dyn Store>) -> Self {
        Self { store, keys: None, clock: None }
    }

    /// Notes in the facts of each data key when it was made. Default: no time is noted.
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Compare and swap: keeps a row as version `expected + 1`, or with `None` as version 1 of what was not there; answers whether
    /// the stored version was the expected one, and if not changes nothing. Expiry is kept to the microsecond.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] without a master key, when there is a secret; what the key provider and the store say; and
    /// [`ErrorKind::StoreBusy`], to be tried again, when the tenant's keys were changed by others all the while.
    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of one row; a struct for them would be named once per call"
    )]
    pub async fn put(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        name: &str,
        facts: Value,
        secret: Option<&Secret>,
        expires: Option<DateTime<Utc>>,
        expected: Option<u64>,
    ) -> Result<bool> {
        self.put_and_tell(tenant, kind, name, facts, secret, expires, expected, &[]).await
    }

    /// As [`Vault::put`], and stores these events if and only if the row is stored.
    ///
    /// # Errors
    /// As [`Vault::put`].
    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of one row; a struct for them would be named once per call"
    )]
    pub async fn put_and_tell(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        name: &str,
        facts: Value,
        secret: Option<&Secret>,
        expires: Option<DateTime<Utc>>,
        expected: Option<u64>,
        events: &[AuditEvent],
    ) -> Result<bool> {
        not_a_data_key(kind)?;
        let version = expected.map_or(1, |version| version.saturating_add(1));
        let mut row = SealedRow { kind, name: name.to_owned(), version, expires, facts, sealed: None };
        let secret = secret.filter(|_| self.keys.is_some() || !planted::on(Fault::SecretLostUntold));
        let Some(secret) = secret else {
            return self.store.put_sealed_while(tenant, &row, expected, &[], events).await;
        };
        let keys = self.keys()?;
        for _ in 0..TRIES_MAX {
            let key = self.current_data_key(tenant, keys).await?;
            row.sealed = Some(keys.seal(tenant, &row, &key, secret)?);
            let standing =
                if planted::on(Fault::KeyMayBeGone) { &[] } else { std::slice::from_ref(&key.row) };
            if self.store.put_sealed_while(tenant, &row, expected, standing, events).await? {
                return Ok(true);
            }
            // Either the row moved, which is the caller's to know, or the key did, which is not.
            let stored = self.store.sealed(tenant, kind, name).await?;
            if stored.map(|row| row.version) != expected {
                return Ok(false);
            }
        }
        Err(busy(tenant))
    }

    /// A row with its secret, expired or not.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the master key that is needed is not there, naming it; [`ErrorKind::Store`] when the seal
    /// is broken.
    pub async fn get(&self, tenant: &Tenant, kind: SealedKind, name: &str) -> Result<Option<Opened>> {
        not_a_data_key(kind)?;
        Ok(self.read(tenant, kind, name).await?.map(|(_, opened)| opened))
    }

    /// Removes a row and answers with it; of several callers one gets it. `expected` is the version to take, `None` whichever
    /// is there. A row that cannot be opened stays.
    ///
    /// # Errors
    /// As [`Vault::get`].
    pub async fn take(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        name: &str,
        expected: Option<u64>,
    ) -> Result<Option<Opened>> {
        not_a_data_key(kind)?;
        for _ in 0..TRIES_MAX {
            // Opened first: once it is taken, a rotation may drop its key.
            let Some((row, opened)) = self.read(tenant, kind, name).await? else { return Ok(None) };
            if expected.is_some_and(|version| version != row.version) {
                return Ok(None);
            }
            match self.store.take_sealed(tenant, kind, name, Some(row.version)).await? {
                Some(taken) if row.stands(Some(&taken)) => return Ok(Some(opened)),
                Some(taken) => return self.opened(tenant, &taken).await.map(Some),
                // Somebody took it, or put another version.
                None if planted::on(Fault::TakenByMany) => return Ok(Some(opened)),
                None => {}
            }
        }
        Err(busy(tenant))
    }

    /// Removes a row without opening it; answers whether this call did. Needs no key. `expected` as in [`Vault::take`].
    pub async fn remove(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        name: &str,
        expected: Option<u64>,
    ) -> Result<bool> {
        not_a_data_key(kind)?;
        Ok(self.store.take_sealed(tenant, kind, name, expected).await?.is_some())
    }

    /// What may be shown of a row. Needs no key.
    pub async fn facts(&self, tenant: &Tenant, kind: SealedKind, name: &str) -> Result<Option<Shown>> {
        Ok(self.store.sealed(tenant, kind, name).await?.map(Shown::of))
    }

    /// What may be shown of the rows of a kind, by name after `after`. Needs no key.
    pub async fn list(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        after: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<Shown>> {
        let rows = self.store.sealed_rows(tenant, kind, after, count_max).await?;
        Ok(rows.into_iter().map(Shown::of).collect())
    }

    /// Seals a secret for a row that the caller puts itself. [`Vault::put`] is better: a rotation that ends between sealing and
    /// putting drops the key, and the row could not be opened.
    ///
    /// # Errors
    /// As [`Vault::put`].
    pub async fn seal(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        name: &str,
        version: u64,
        secret: &Secret,
    ) -> Result<Vec<u8>> {
        not_a_data_key(kind)?;
        let keys = self.keys()?;
        let key = self.current_data_key(tenant, keys).await?;
        let (name, facts) = (name.to_owned(), Value::Null);
        let row = SealedRow { kind, name, version, expires: None, facts, sealed: None };
        keys.seal(tenant, &row, &key, secret)
    }

    /// Opens the secret of a row as it was stored. One that was read before a rotation ended is under a key that is gone: read it
    /// again.
    ///
    /// # Errors
    /// As [`Vault::get`], and [`ErrorKind::NotFound`] when the row has no secret.
    pub async fn open(&self, tenant: &Tenant, row: &SealedRow) -> Result<Secret> {
        not_a_data_key(row.kind)?;
        let Some(sealed) = row.sealed.as_deref() else {
            return Err(about(Error::new(ErrorKind::NotFound, "the row has no secret"), tenant, row));
        };
        let keys = self.keys()?;
        let id = seal::sealed_by(sealed).ok_or_else(|| altered(tenant, row))?;
        let all = self.data_keys(tenant).await?;
        // Either the tenant was forgotten and a copy of the row was left over, or the row is not this tenant's.
        let key = all.iter().find(|key| key.id == id).ok_or_else(|| altered(tenant, row))?;
        open_with(tenant, row, &self.unwrap(tenant, keys, key).await?)
    }

    /// Deletes all sealed rows of a tenant, its data keys first, so that nothing of it can be opened from then on; answers how
    /// many rows that were. Needs no key, and is safe to repeat: what was left by an interrupted call is deleted then. Whoever
    /// still writes for this tenant makes rows anew: stop that first.
    pub async fn forget_tenant(&self, tenant: &Tenant) -> Result<u64> {
        let mut forgotten = 0;
        for kind in SealedKind::ALL {
            if kind == SealedKind::DataKey && planted::on(Fault::DataKeyLeft) {
                continue;
            }
            loop {
                let rows = self.store.sealed_rows(tenant, kind, None, PAGE).await?;
                if rows.is_empty() {
                    break;
                }
                for row in rows {
                    forgotten +=
                        u64::from(self.store.take_sealed(tenant, kind, &row.name, None).await?.is_some());
                }
            }
        }
        Ok(forgotten)
    }

    fn keys(&self) -> Result<&Keys> {
        self.keys.as_ref().ok_or_else(no_keys)
    }

    /// A row as it is stored, and opened. It is read again if it was sealed anew meanwhile, and its key dropped.
    async fn read(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        name: &str,
    ) -> Result<Option<(SealedRow, Opened)>> {
        let Some(mut row) = self.store.sealed(tenant, kind, name).await? else { return Ok(None) };
        for _ in 0..TRIES_MAX {
            let error = match self.opened(tenant, &row).await {
                Ok(opened) => return Ok(Some((row, opened))),
                Err(error) => error,
            };
            match self.store.sealed(tenant, kind, name).await? {
                Some(now) if row.stands(Some(&now)) => return Err(error),
                Some(now) => row = now,
                None => return Ok(None),
            }
        }
        Err(busy(tenant))
    }

    async fn opened(&self, tenant: &Tenant, row: &SealedRow) -> Result<Opened> {
        let secret = match row.sealed {
            Some(_) => Some(self.open(tenant, row).await?),
            None => None,
        };
        Ok(Opened { version: row.version, facts: row.facts.clone(), secret, expires: row.expires })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("store", &self.store)
            .field("keys", &self.keys.as_ref().map(|keys| &keys.provider))
            .finish_non_exhaustive()
    }
}

impl Keys {
    fn seal(&self, tenant: &Tenant, row: &SealedRow, key: &DataKey, secret: &Secret) -> Result<Vec<u8>> {
        let content = secret.reveal().as_bytes();
        let sealed = seal::seal(&key.bytes, &key.id, place(tenant, row), content, &*self.entropy);
        sealed.ok_or_else(|| too_large(tenant, row))
    }
}

impl Shown {
    fn of(row: SealedRow) -> Self {
        let SealedRow { name, version, facts, expires, sealed, .. } = row;
        Self { name, version, facts, secret: sealed.is_some(), expires }
    }
}

/// Opens a row with the data key that its seal names.
fn open_with(tenant: &Tenant, row: &SealedRow, key: &DataKey) -> Result<Secret> {
    let sealed = row.sealed.as_deref().unwrap_or_default();
    let content = seal::open(&key.bytes, place(tenant, row), sealed);
    let content = content.ok_or_else(|| altered(tenant, row))?;
    // A new string of exactly this length: one that had to shrink would leave a copy behind.
    let text = std::str::from_utf8(&content).map_err(|_| altered(tenant, row))?;
    Ok(Secret::new(text))
}

fn not_a_data_key(kind: SealedKind) -> Result<()> {
    match kind {
        SealedKind::DataKey => Err(Error::new(ErrorKind::Config, "data keys are the vault's own")
            .cure("Use Vault::rotate_data to change them.")),
        _ => Ok(()),
    }
}

fn about(error: Error, tenant: &Tenant, row: &SealedRow) -> Error {
    error.with("tenant", tenant).with("kind", row.kind).with("name", &row.name).with("version", row.version)
}

/// The error for a seal that does not open although the key is there.
fn altered(tenant: &Tenant, row: &SealedRow) -> Error {
    let error =
        Error::new(ErrorKind::Store, "a sealed row was altered, or belongs to another place or another key");
    about(error, tenant, row).cure(
        "If the database was restored or copied in part, restore all of its calsync_sealed rows from the same moment; otherwise remove \
         the row and connect the account again.",
    )
}

fn too_large(tenant: &Tenant, row: &SealedRow) -> Error {
    about(Error::new(ErrorKind::Limit, "this is too large to be sealed"), tenant, row)
}
