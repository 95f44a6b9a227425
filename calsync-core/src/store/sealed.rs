//! Rows whose content a store cannot read: keys, clients, grants, consents, invitations and settings.
//!
//! A row has facts, which anyone may see, and bytes that were sealed by the [`vault`](crate::vault). To a store they are bytes:
//! it compares versions and hands out a row to one taker, and decides nothing. It does not judge expiry either: a row stays
//! until somebody takes it or [`Store::drop_expired`](super::Store::drop_expired) forgets it, and who reads it compares the time.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// What a sealed row is about. The kind is part of its key, and of what its seal is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SealedKind {
    /// A key that seals the other rows of its tenant, itself wrapped by the master key.
    DataKey,
    /// What calsync is known by at a provider: a client id and its secret, a service account's key.
    Client,
    /// What a person granted: their refresh and access tokens.
    Grant,
    /// A consent that was begun and waits for the browser to come back; its name is the hash of the state parameter.
    Consent,
    /// An invitation to connect; its name is the hash of the token in it.
    Invitation,
    /// A setting that holds a secret.
    Setting,
}

impl SealedKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::DataKey, Self::Client, Self::Grant, Self::Consent, Self::Invitation, Self::Setting];

    /// The kind in one word, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DataKey => "data_key",
            Self::Client => "client",
            Self::Grant => "grant",
            Self::Consent => "consent",
            Self::Invitation => "invitation",
            Self::Setting => "setting",
        }
    }
}

impl fmt::Display for SealedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A row of one tenant, known by its kind and name. `Debug` shows the facts and how many bytes are sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedRow {
    /// What it is about.
    pub kind: SealedKind,
    /// Its name among the tenant's rows of that kind: an opaque string, never a secret.
    pub name: String,
    /// Counts the writes of the row, from 1. A row that was removed and made again begins at 1 again.
    pub version: u64,
    /// From when on it is of no use, kept to the microsecond; `None` for ever.
    #[serde(default)]
    pub expires: Option<DateTime<Utc>>,
    /// What may be shown to people and searched; never secret.
    #[serde(default)]
    pub facts: Value,
    /// What only the vault can read, if there is anything to hide.
    #[serde(default)]
    pub sealed: Option<Vec<u8>>,
}

impl SealedRow {
    /// Whether it is of no use any more: `expires` is not after `now`.
    pub fn expired(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether `stored` is this row, unchanged: the same version with the same sealed bytes. Two seals of one content differ,
    /// so a row that was removed and made again is another one.
    pub fn stands(&self, stored: Option<&Self>) -> bool {
        stored.is_some_and(|stored| stored.version == self.version && stored.sealed == self.sealed)
    }
}

impl fmt::Debug for SealedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedRow")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("version", &self.version)
            .field("expires", &self.expires)
            .field("facts", &self.facts)
            .field("sealed", &self.sealed.as_ref().map(|bytes| format!("{} bytes", bytes.len())))
            .finish()
    }
}
