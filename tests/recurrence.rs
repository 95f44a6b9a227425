//! Recurrence rules against what other engines make of them, and against themselves.
//!
//! `data/recurrence/README.md` says where the cases come from and what they mean.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

#[path = "recurrence/calendars.rs"]
mod calendars;
#[path = "recurrence/corpus.rs"]
mod corpus;
#[path = "recurrence/overrides.rs"]
mod overrides;
#[path = "recurrence/slow.rs"]
mod slow;
