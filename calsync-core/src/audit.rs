//! What happened to a tenant's connections and settings, one event each, for whoever asks later (S20).
//!
//! An event is written in the transaction of what it tells of, so that there is one if and only if that happened, also where a
//! process dies. Three things are no single transaction: a plan that is exported is told before its first row is written, a client that is
//! taken away and a tenant that leaves are told afterwards. An event holds no secret, and none of what is in appointments. Events are read with [`Engine::audit`] and
//! [`Engine::history`], and stay until [`Engine::forget_audit`].
//!
//! [`Engine::audit`]: crate::Engine::audit
//! [`Engine::history`]: crate::Engine::history
//! [`Engine::forget_audit`]: crate::Engine::forget_audit

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Audited {
    /// An account gave its consent, for the first time or again.
    Connected,
    /// The provider ended a grant: a refresh was refused for good. One that failed for the moment is not told.
    RefreshFailed,
    /// What an account or a service account grants is not what it was, or a binding's scope was changed.
    ScopeChanged,
    /// A grant was taken back and forgotten; about everything of a tenant, where `about` is empty.
    Disconnected,
    /// An OAuth client or the key of a service account was uploaded, or taken away.
    CredentialChanged,
    /// The way to connect was chosen.
    MethodChanged,
    /// Somebody said yes to what the guards hold back, or to deleting what calsync made.
    Confirmed,
    /// A plan was written into a file: titles and times left the store.
    Exported,
    /// The configuration was checked; the facts are the [`CheckReport`](crate::check::CheckReport).
    Checked,
}

impl Audited {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Connected,
        Self::RefreshFailed,
        Self::ScopeChanged,
        Self::Disconnected,
        Self::CredentialChanged,
        Self::MethodChanged,
        Self::Confirmed,
        Self::Exported,
        Self::Checked,
    ];

    /// The kind in one word, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::RefreshFailed => "refresh_failed",
            Self::ScopeChanged => "scope_changed",
            Self::Disconnected => "disconnected",
            Self::CredentialChanged => "credential_changed",
            Self::MethodChanged => "method_changed",
            Self::Confirmed => "confirmed",
            Self::Exported => "exported",
            Self::Checked => "checked",
        }
    }
}

impl fmt::Display for Audited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// The order in which events were stored; the store's to give, 0 in what is put.
    #[serde(default)]
    pub sequence: u64,
    /// When, to the microsecond.
    pub at: DateTime<Utc>,
    /// What happened.
    pub what: Audited,
    /// To which account, binding or plan.
    pub about: String,
    /// What else is worth knowing. Never a secret.
    #[serde(default)]
    pub facts: Value,
}

impl AuditEvent {
    /// An event without facts.
    pub fn new(what: Audited, about: impl Into<String>, at: DateTime<Utc>) -> Self {
        let at = DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at);
        Self { sequence: 0, at, what, about: about.into(), facts: Value::Null }
    }

    /// The same with these facts.
    pub fn with(self, facts: Value) -> Self {
        Self { facts, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_one_word_in_the_store_and_in_json() {
        for what in Audited::ALL {
            assert_eq!(serde_json::to_value(what).expect("JSON"), what.as_str());
        }
    }
}
