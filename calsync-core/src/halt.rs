//! The kill switch: who stopped all writing, when and why.
//!
//! A halt is kept in the store, so that it reaches every worker of every process, and stands until somebody takes it back.
//! Runs look for one before each page, each chunk of commits and each request that writes; a run that finds one stops there
//! ([`Outcome::Stopped`](crate::store::Outcome::Stopped)) and loses nothing. Plans are still drawn up: they write to neither
//! side, and show what waits.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A halt in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Of every tenant of the store, or of one.
    pub everyone: bool,
    /// Who halted, in the host's words.
    pub by: String,
    /// Why, in the host's words.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, reason, at, .. } = self;
        let whose = if self.everyone { "every tenant" } else { "this tenant" };
        let at = at.format("%Y-%m-%d %H:%M:%S");
        write!(f, "{by} halted all writing of {whose} at {at} UTC: {reason}")
    }
}
