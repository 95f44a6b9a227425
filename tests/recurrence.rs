//! Recurrence rules against what other engines make of them, and against themselves.
//!
//! `data/recurrence/README.md` says where the cases come from and what they mean.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

#[path = "recurrence/allocations.rs"]
mod allocations;
#[path = "recurrence/bad_lines.rs"]
mod bad_lines;
#[path = "recurrence/calendars.rs"]
mod calendars;
#[path = "recurrence/canonical.rs"]
mod canonical;
#[path = "recurrence/corpus.rs"]
mod corpus;
#[path = "recurrence/edits.rs"]
mod edits;
#[path = "recurrence/fuzz.rs"]
mod fuzz;
#[path = "recurrence/google.rs"]
mod google;
#[path = "recurrence/overrides.rs"]
mod overrides;
#[path = "recurrence/second_opinion.rs"]
mod second_opinion;
#[path = "recurrence/seek.rs"]
mod seek;
#[path = "recurrence/slow.rs"]
mod slow;
#[path = "recurrence/strict.rs"]
mod strict;
