//! Changing keys, at both levels, while everything goes on.
//!
//! **The master key** ([`Vault::rotate_master`]): every data key that another key wrapped is wrapped anew by the provider's current
//! one. Rows are not touched. Each data key is swapped by itself, so the work can stop between any two and is done when there
//! is nothing left to do; only then may the old key be taken from the provider.
//!
//! **A tenant's data key** ([`Vault::rotate_data`]):
//!
//! ```text
//! make      the key with the next number; whoever looks for a key from now on takes it
//! retire    write the old key's row anew: whoever had looked before cannot put a row with it any more
//! re-seal   every row that the old key sealed, at the same version, only while nobody changed it
//! drop      the old key, if no row is left that needs it
//! ```
//!
//! After any interruption there are two keys, which is how the next call knows that it has to go on and not to begin. A row that does
//! not open stays as it is, is told, and keeps the key that its seal names: it may be mended from a backup. If only such rows
//! are left, the next call begins a new rotation.

use super::data_key::{DataKey, PAGE, TRIES_MAX, Wrapped, busy, missing, number};
use super::{Keys, Vault, altered, open_with, seal};
use crate::error::{Error, Result};
use crate::id::Tenant;
use crate::planted::{self, Fault};
use crate::store::{SealedKind, SealedRow};

/// What a rotation did, or in a dry run would do.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Rotation {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Whether it went on with a rotation of data keys that was interrupted, instead of beginning one.
    pub resumed: bool,
    /// How many tenants had rows that the rotation concerns.
    pub tenants: u64,
    /// How many rows (data keys, for the master key) are under the new key since this call.
    pub rows_done: u64,
    /// How many are not: in a dry run all that would be done, otherwise those that failed.
    pub rows_left: u64,
    /// How many old data keys were dropped.
    pub keys_dropped: u64,
    /// The rows that could not be opened, and why. They are left as they are.
    pub failed: Vec<(Tenant, Error)>,
}

impl Rotation {
    /// Whether nothing is left to do: the old key is needed no more.
    pub fn finished(&self) -> bool {
        self.rows_left == 0
    }

    fn fail(&mut self, tenant: &Tenant, error: Error) {
        self.rows_left += u64::from(!planted::on(Fault::FailureIsFinished));
        self.failed.push((tenant.clone(), error));
    }
}

impl Vault {
    /// Wraps every data key, of every tenant, by the key provider's current master key. To change the master key, make the new one
    /// the provider's current one in every worker, with the old one behind it; call this until it is
    /// [finished](Rotation::finished); then take the old one away. Safe to interrupt and to repeat, and to run in several workers.
    ///
    /// A data key that cannot be unwrapped is told in [`Rotation::failed`] and does not stop the others.
    ///
    /// # Errors
    /// What the key provider and the store say.
    ///
    /// ```
    /// # use calsync_core::clock::{SystemClock, SystemEntropy};
    /// # use calsync_core::store::{MemoryStore, SealedKind};
    /// # use calsync_core::vault::{KeyBytes, Vault, generate};
    /// # use calsync_core::{Secret, Tenant};
    /// # use std::sync::Arc;
    /// # async fn example() -> calsync_core::Result<()> {
    /// # let store = Arc::new(MemoryStore::new(Arc::new(SystemClock), "here".into()));
    /// # let (old, new) = (generate(&SystemEntropy).key, generate(&SystemEntropy).key);
    /// # let entropy = Arc::new(SystemEntropy);
    /// # let before = Vault::new(store.clone(), Arc::new(KeyBytes::new(old.clone())), entropy.clone());
    /// # let token = Secret::new("1//0g-refresh");
    /// # let (acme, kind) = (Tenant::from("acme"), SealedKind::Grant);
    /// # before.put(&acme, kind, "amy", serde_json::json!({}), Some(&token), None, None).await?;
    /// let vault = Vault::new(store.clone(), Arc::new(KeyBytes::new(new.clone()).older(old)), entropy.clone());
    /// assert_eq!(vault.rotate_master(true).await?.rows_left, 1); // a dry run
    /// assert!(vault.rotate_master(false).await?.finished());
    ///
    /// let vault = Vault::new(store, Arc::new(KeyBytes::new(new)), entropy);
    /// assert!(vault.get(&acme, kind, "amy").await?.is_some());
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
    /// ```
    pub async fn rotate_master(&self, dry_run: bool) -> Result<Rotation> {
        let keys = self.keys()?;
        let mut done = Rotation { dry_run, ..Rotation::default() };
        let mut after = None;
        loop {
            let tenants = self.store.sealed_tenants(SealedKind::DataKey, after.as_ref(), PAGE).await?;
            let Some(last) = tenants.last() else { return Ok(done) };
            after = Some(last.clone());
            for tenant in &tenants {
                let before = done.rows_done + done.rows_left;
                match self.data_keys(tenant).await {
                    Ok(wrapped) => {
                        for key in wrapped {
                            self.rewrap(tenant, keys, key, &mut done).await?;
                        }
                    }
                    // One tenant's damaged row is that tenant's trouble; a store that does not answer is everybody's.
                    Err(error)
                        if error.kind() == crate::ErrorKind::Store
                            && error.retry() == crate::Retry::Never =>
                    {
                        done.fail(tenant, error);
                    }
                    Err(error) => return Err(error),
                }
                done.tenants += u64::from(done.rows_done + done.rows_left > before);
            }
        }
    }

    /// Wraps one data key by the current master key, if another one wrapped it.
    async fn rewrap(
        &self,
        tenant: &Tenant,
        keys: &Keys,
        wrapped: Wrapped,
        done: &mut Rotation,
    ) -> Result<()> {
        let mut wrapped = wrapped;
        for _ in 0..TRIES_MAX {
            let master = keys.provider.current().await?;
            let wrapper = match wrapped.wrapper(tenant) {
                Ok(wrapper) if wrapper.is(&master) || planted::on(Fault::MasterNotCompared) => return Ok(()),
                Ok(wrapper) => wrapper,
                Err(error) => {
                    done.fail(tenant, error);
                    return Ok(());
                }
            };
            let opened = match keys.provider.key(&wrapper.id).await? {
                Some(old) => wrapped.unwrap(tenant, &old),
                None => Err(missing(tenant, keys, &wrapper).await),
            };
            let key = match opened {
                Ok(key) => key,
                Err(error) => {
                    done.fail(tenant, error);
                    return Ok(());
                }
            };
            if done.dry_run && !planted::on(Fault::DryRunWrites) {
                done.rows_left += 1;
                return Ok(());
            }
            let row = wrapped.rewrapped(tenant, keys, &key, &master, wrapped.current())?;
            if self.swap(tenant, &row, &[wrapped.row]).await? {
                done.rows_done += 1;
                return Ok(());
            }
            // Another worker was quicker; or a rotation of data keys dropped it.
            let all = self.data_keys(tenant).await?;
            match all.into_iter().find(|key| key.row.name == row.name) {
                Some(now) => wrapped = now,
                None => return Ok(()),
            }
        }
        Err(busy(tenant))
    }

    /// Seals all rows of a tenant with a new data key and drops the old one; goes on with a rotation that was interrupted if there is
    /// one ([`Rotation::resumed`]). Safe to interrupt and to repeat, and to run in several workers.
    ///
    /// A row that cannot be opened is told in [`Rotation::failed`] and does not stop the others.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] when a data key cannot be unwrapped; what the key provider and the store say.
    pub async fn rotate_data(&self, tenant: &Tenant, dry_run: bool) -> Result<Rotation> {
        let keys = self.keys()?;
        let wrapped = self.data_keys(tenant).await?;
        let Some(newest) = wrapped.last() else { return Ok(Rotation { dry_run, ..Rotation::default() }) };
        let begun = wrapped.len() > 1;
        if begun && planted::on(Fault::InterruptedIsDone) {
            return Ok(Rotation::default());
        }
        if begun {
            let rotation = self.rotate_once(tenant, keys, true, dry_run).await?;
            // What is left does not open and will not by itself: it must not stand in the way of a new rotation.
            let stuck = rotation.rows_done == 0 && rotation.keys_dropped == 0;
            let stuck = stuck && rotation.rows_left == rotation.failed.len() as u64 && rotation.rows_left > 0;
            if !stuck {
                return Ok(rotation);
            }
        }
        if !dry_run {
            // If another worker made it first, the two of them do the rest together.
            self.make_data_key(tenant, keys, number(&newest.row) + 1).await?;
        }
        self.rotate_once(tenant, keys, false, dry_run).await
    }

    async fn rotate_once(
        &self,
        tenant: &Tenant,
        keys: &Keys,
        resumed: bool,
        dry_run: bool,
    ) -> Result<Rotation> {
        let mut rotation = Rotation { dry_run, resumed, ..Rotation::default() };
        let mut opened = Vec::new();
        for wrapped in self.data_keys(tenant).await? {
            opened.push((self.unwrap(tenant, keys, &wrapped).await?, wrapped));
        }
        // In a dry run of a rotation that has not begun, the new key is not there yet and all the others are old.
        let mut new = if dry_run && !resumed { None } else { opened.pop().map(|(key, _)| key) };
        let reads_only = dry_run || planted::on(Fault::OldKeyNotRetired);
        if let (false, Some(new)) = (reads_only, &new) {
            self.retire(tenant, keys, new, &mut opened).await?;
        }
        let old: Vec<DataKey> = opened.into_iter().map(|(key, _)| key).collect();
        let mut needed = vec![false; old.len()];
        for kind in SealedKind::ALL.into_iter().filter(|kind| *kind != SealedKind::DataKey) {
            let mut after = None;
            loop {
                let rows = self.store.sealed_rows(tenant, kind, after.as_deref(), PAGE).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.name.clone());
                for row in rows {
                    let left = self.reseal(tenant, keys, row, &old, new.as_mut(), &mut rotation).await?;
                    if let Some(needed) = left.and_then(|key| needed.get_mut(key)) {
                        *needed = true;
                    }
                }
            }
        }
        rotation.tenants = u64::from(rotation.rows_done + rotation.rows_left > 0 || !old.is_empty());
        if !dry_run {
            let dropped = |needed: bool| !needed || planted::on(Fault::NeededKeyDropped);
            for (key, _) in old.iter().zip(&needed).filter(|(_, needed)| dropped(**needed)) {
                let dropped = self
                    .store
                    .take_sealed(tenant, SealedKind::DataKey, &key.row.name, Some(key.row.version))
                    .await?;
                rotation.keys_dropped += u64::from(dropped.is_some());
            }
        }
        Ok(rotation)
    }

    /// Writes the rows of old keys anew, so that nothing can be put by anybody who looked at them before.
    async fn retire(
        &self,
        tenant: &Tenant,
        keys: &Keys,
        new: &DataKey,
        old: &mut Vec<(DataKey, Wrapped)>,
    ) -> Result<()> {
        let mut retired = Vec::new();
        for (key, wrapped) in std::mem::take(old) {
            retired.extend(self.retire_one(tenant, keys, new, key, wrapped).await?);
        }
        *old = retired;
        Ok(())
    }

    async fn retire_one(
        &self,
        tenant: &Tenant,
        keys: &Keys,
        new: &DataKey,
        key: DataKey,
        wrapped: Wrapped,
    ) -> Result<Option<(DataKey, Wrapped)>> {
        let (mut key, mut wrapped) = (key, wrapped);
        for _ in 0..TRIES_MAX {
            if !wrapped.current() {
                return Ok(Some((key, wrapped)));
            }
            let master = keys.provider.current().await?;
            let row = wrapped.rewrapped(tenant, keys, &key, &master, false)?;
            self.swap(tenant, &row, &[wrapped.row]).await?;
            // Read again in either case: it may have been another worker, or the master key's rotation.
            let all = self.data_keys(tenant).await?;
            match all.into_iter().find(|other| other.row.name == row.name && other.id != new.id) {
                Some(now) => {
                    key = self.unwrap(tenant, keys, &now).await?;
                    wrapped = now;
                }
                None => return Ok(None),
            }
        }
        Err(busy(tenant))
    }

    /// Seals a row with the new key, if an old one sealed it. Answers which of the old ones it still needs.
    async fn reseal(
        &self,
        tenant: &Tenant,
        keys: &Keys,
        row: SealedRow,
        old: &[DataKey],
        new: Option<&mut DataKey>,
        rotation: &mut Rotation,
    ) -> Result<Option<usize>> {
        let (mut row, mut new) = (row, new);
        for _ in 0..TRIES_MAX {
            let Some(sealed) = row.sealed.as_deref() else { return Ok(None) };
            let Some(id) = seal::sealed_by(sealed) else {
                rotation.fail(tenant, altered(tenant, &row));
                return Ok(None);
            };
            if new.as_ref().is_some_and(|new| new.id == id) {
                return Ok(None);
            }
            let Some(at) = old.iter().position(|key| key.id == id) else {
                // Under a key that is newer than this rotation, or under none that there is.
                if !self.data_keys(tenant).await?.iter().any(|key| key.id == id) {
                    rotation.fail(tenant, altered(tenant, &row));
                }
                return Ok(None);
            };
            let secret = match open_with(tenant, &row, &old[at]) {
                Ok(secret) => secret,
                Err(error) => {
                    rotation.fail(tenant, error);
                    return Ok(Some(at));
                }
            };
            let Some(new) = new.as_mut().filter(|_| !rotation.dry_run) else {
                rotation.rows_left += 1;
                return Ok(Some(at));
            };
            let version = row.version + u64::from(planted::on(Fault::RotationIsAWrite));
            let mut resealed = SealedRow { version, ..row.clone() };
            resealed.sealed = Some(keys.seal(tenant, &resealed, new, &secret)?);
            if self.swap(tenant, &resealed, &[row, new.row.clone()]).await? {
                rotation.rows_done += 1;
                return Ok(None);
            }
            // The new key may have been wrapped anew. If it is on its way out itself, that rotation goes first.
            let keys_now = self.data_keys(tenant).await?;
            match keys_now.into_iter().find(|key| key.id == new.id && key.current()) {
                Some(now) => new.row = now.row,
                None => return Err(busy(tenant)),
            }
            // Or somebody changed the row, and then it is under the new key; or took it away.
            match self.store.sealed(tenant, resealed.kind, &resealed.name).await? {
                Some(now) => row = now,
                None => return Ok(None),
            }
        }
        Err(busy(tenant))
    }

    /// Replaces the first of `standing` by `row`, if all of them are still there unchanged.
    async fn swap(&self, tenant: &Tenant, row: &SealedRow, standing: &[SealedRow]) -> Result<bool> {
        let expected = standing.first().map(|row| row.version);
        self.store.put_sealed_while(tenant, row, expected, standing, &[]).await
    }
}
