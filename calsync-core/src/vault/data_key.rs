//! The data keys of a tenant: rows of their own, each wrapped by a master key.
//!
//! A tenant has one data key, and two or more while a rotation is under way. They are numbered in the order in which they were
//! made, and the one with the highest number seals. Two workers who make the first at once both want to be number 1,
//! and the store lets one of them: the other takes what it made. The id is drawn at random and is what a seal names, so that a
//! tenant that was forgotten and begins at 1 again cannot be mistaken for the one before.
//!
//! A data key is read and unwrapped for each use and kept nowhere: what was forgotten is gone at once for every worker.

use super::key::{HOW_TO_MAKE, KEY_BYTES, MasterKey, PRINT_BYTES, hex, random};
use super::seal::{self, DATA_KEY_ID_BYTES, DataKeyId, Place, Wrapper};
use super::{Keys, Vault, altered, too_large};
use crate::error::{Error, ErrorKind, Result};
use crate::id::Tenant;
use crate::store::{SealedKind, SealedRow};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

/// How often something is tried anew because others were quicker. Each time somebody else got on.
pub(super) const TRIES_MAX: usize = 16;
/// How many rows are read at once.
pub(super) const PAGE: usize = 100;

/// What the row of a data key shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Facts {
    id: String,
    /// The id of the master key that wrapped it.
    master: String,
    /// Whether it seals; only `false` while it is being rotated out.
    current: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<chrono::DateTime<chrono::Utc>>,
}

/// A data key as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Wrapped {
    pub(super) row: SealedRow,
    pub(super) id: DataKeyId,
    facts: Facts,
}

/// A data key in use.
pub(super) struct DataKey {
    pub(super) id: DataKeyId,
    pub(super) bytes: Zeroizing<[u8; KEY_BYTES]>,
    /// As it was stored when it was read.
    pub(super) row: SealedRow,
}

impl Wrapped {
    fn of(row: SealedRow, tenant: &Tenant) -> Result<Self> {
        let facts: Option<Facts> = serde_json::from_value(row.facts.clone()).ok();
        let read = facts.and_then(|facts| Some((unhex(&facts.id)?, facts)));
        let (id, facts) = read.ok_or_else(|| altered(tenant, &row))?;
        Ok(Self { row, id, facts })
    }

    /// Whether rows may still be sealed with it.
    pub(super) fn current(&self) -> bool {
        self.facts.current
    }

    /// Which master key wrapped it.
    pub(super) fn wrapper(&self, tenant: &Tenant) -> Result<Wrapper> {
        let sealed = self.row.sealed.as_deref();
        sealed.and_then(seal::wrapped_by).ok_or_else(|| altered(tenant, &self.row))
    }

    /// Unwraps it with the key that wrapped it.
    pub(super) fn unwrap(&self, tenant: &Tenant, master: &MasterKey) -> Result<DataKey> {
        let wrapper = self.wrapper(tenant)?;
        if wrapper.print != master.print() {
            return Err(Error::new(
                ErrorKind::Config,
                "another master key has the id of the one that is needed",
            )
            .with("needed key", print(&wrapper.id, &wrapper.print))
            .with("given key", print(master.id(), &master.print()))
            .with("tenant", tenant)
            .cure(HOW_TO_FIND));
        }
        let sealed = self.row.sealed.as_deref().unwrap_or_default();
        let bytes = seal::unwrap(master, &self.id, place(tenant, &self.row), sealed);
        let bytes = bytes.ok_or_else(|| altered(tenant, &self.row))?;
        Ok(DataKey { id: self.id, bytes, row: self.row.clone() })
    }

    /// The same data key in its next version, wrapped by `master`.
    pub(super) fn rewrapped(
        &self,
        tenant: &Tenant,
        keys: &Keys,
        key: &DataKey,
        master: &MasterKey,
        current: bool,
    ) -> Result<SealedRow> {
        let facts = Facts { master: master.id().to_string(), current, ..self.facts.clone() };
        let mut row = SealedRow {
            version: self.row.version + 1,
            facts: json!(facts),
            sealed: None,
            ..self.row.clone()
        };
        let sealed = seal::wrap(master, &self.id, place(tenant, &row), &key.bytes, &*keys.entropy);
        row.sealed = Some(sealed.ok_or_else(|| too_large(tenant, &row))?);
        Ok(row)
    }
}

/// What to do about a master key that is not there.
const HOW_TO_FIND: &str = "Give the key provider the needed key as well, as an older one; if it is lost, nobody can open what it \
    wrapped: forget the tenant and connect its accounts again.";

impl Vault {
    /// The data keys of a tenant in the order in which they were made.
    pub(super) async fn data_keys(&self, tenant: &Tenant) -> Result<Vec<Wrapped>> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let rows = self.store.sealed_rows(tenant, SealedKind::DataKey, after.as_deref(), PAGE).await?;
            let Some(last) = rows.last() else { return Ok(found) };
            after = Some(last.name.clone());
            for row in rows {
                found.push(Wrapped::of(row, tenant)?);
            }
        }
    }

    /// The key that seals for this tenant; makes it if there is none.
    pub(super) async fn current_data_key(&self, tenant: &Tenant, keys: &Keys) -> Result<DataKey> {
        for _ in 0..TRIES_MAX {
            match self.data_keys(tenant).await?.last() {
                Some(newest) => return self.unwrap(tenant, keys, newest).await,
                None => {
                    if let Some(key) = self.make_data_key(tenant, keys, 1).await? {
                        return Ok(key);
                    }
                }
            }
        }
        Err(busy(tenant))
    }

    /// Makes the data key of this number; `None` if somebody else did.
    pub(super) async fn make_data_key(
        &self,
        tenant: &Tenant,
        keys: &Keys,
        number: u64,
    ) -> Result<Option<DataKey>> {
        let master = keys.provider.current().await?;
        let bytes = random(&*keys.entropy);
        let mut id = [0; DATA_KEY_ID_BYTES];
        keys.entropy.fill(&mut id);
        let facts = Facts {
            id: hex(&id),
            master: master.id().to_string(),
            current: true,
            created: self.clock.as_ref().map(|clock| clock.now()),
        };
        let mut row = SealedRow {
            kind: SealedKind::DataKey,
            name: format!("{number:010}"),
            version: 1,
            expires: None,
            facts: json!(facts),
            sealed: None,
        };
        let sealed = seal::wrap(&master, &id, place(tenant, &row), &bytes, &*keys.entropy);
        row.sealed = Some(sealed.ok_or_else(|| too_large(tenant, &row))?);
        let made = self.store.put_sealed(tenant, &row, None).await?;
        Ok(made.then_some(DataKey { id, bytes, row }))
    }

    /// Unwraps a data key with whichever master key wrapped it.
    pub(super) async fn unwrap(&self, tenant: &Tenant, keys: &Keys, key: &Wrapped) -> Result<DataKey> {
        let wrapper = key.wrapper(tenant)?;
        match keys.provider.key(&wrapper.id).await? {
            Some(master) => key.unwrap(tenant, &master),
            None => Err(missing(tenant, keys, &wrapper).await),
        }
    }
}

/// The number of a data key, by its name.
pub(super) fn number(row: &SealedRow) -> u64 {
    row.name.parse().unwrap_or_default()
}

pub(super) fn place<'a>(tenant: &'a Tenant, row: &'a SealedRow) -> Place<'a> {
    Place { tenant, kind: row.kind, name: &row.name, version: row.version }
}

/// The error for a master key that the provider does not have.
pub(super) async fn missing(tenant: &Tenant, keys: &Keys, needed: &Wrapper) -> Error {
    let error =
        Error::new(ErrorKind::Config, "the key provider does not have the master key that is needed here")
            .with("needed key", &needed.id);
    let error = match keys.provider.current().await {
        Ok(given) => error.with("given key", given.id()),
        Err(_) => error.with("given key", "none"),
    };
    error.with("tenant", tenant).cure(HOW_TO_FIND)
}

/// The error for somebody who lost every race.
pub(super) fn busy(tenant: &Tenant) -> Error {
    Error::new(ErrorKind::StoreBusy, "the keys of the tenant were changed by others each time it was tried")
        .with("tenant", tenant)
        .later()
}

/// The error for somebody without a key provider.
pub(super) fn no_keys() -> Error {
    Error::new(ErrorKind::Config, "secrets are kept and read only with a master key, and none is set")
        .cure(HOW_TO_MAKE)
}

fn print(id: &super::KeyId, print: &[u8; PRINT_BYTES]) -> String {
    format!("{id} (fingerprint {})", hex(print))
}

fn unhex(text: &str) -> Option<DataKeyId> {
    let mut id = [0; DATA_KEY_ID_BYTES];
    if text.len() != 2 * DATA_KEY_ID_BYTES || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(id)
}
