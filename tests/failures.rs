//! What users of other systems report as failures, as cases that calsync survives.
//!
//! Each test is named after the failure (`g…`) or the invariant (`c…`) that it is about, and drives the real engine with the
//! real Google provider against the fake Google. Each exchange passes Google's own description of the API on the way.
//!
//! `planted/` breaks calsync's promises one by one and shows that these tests notice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

#[path = "failures/adoption.rs"]
mod adoption;
#[path = "failures/bulk.rs"]
mod bulk;
#[path = "failures/credentials.rs"]
mod credentials;
#[path = "failures/deletions.rs"]
mod deletions;
#[path = "failures/desk.rs"]
mod desk;
#[path = "failures/forgotten.rs"]
mod forgotten;
#[path = "failures/guards.rs"]
mod guards;
#[path = "failures/guests.rs"]
mod guests;
#[path = "failures/guests_out.rs"]
mod guests_out;
#[path = "failures/hours.rs"]
mod hours;
#[macro_use]
#[path = "planted/judge.rs"]
mod judge;
#[path = "failures/kinds.rs"]
mod kinds;
#[path = "failures/leases.rs"]
mod leases;
#[path = "failures/leaving.rs"]
mod leaving;
#[path = "failures/listing.rs"]
mod listing;
#[path = "failures/log.rs"]
mod log;
#[path = "failures/moments.rs"]
mod moments;
#[path = "failures/own_table.rs"]
mod own_table;
#[path = "failures/own_tables.rs"]
mod own_tables;
#[path = "planted/failures.rs"]
mod planted;
#[path = "planted/all.rs"]
mod planted_all;
#[path = "planted/histories.rs"]
mod planted_histories;
#[path = "failures/privacy.rs"]
mod privacy;
#[path = "failures/recovery.rs"]
mod recovery;
#[path = "failures/review.rs"]
mod review;
#[path = "failures/rules.rs"]
mod rules;
#[path = "failures/scope.rs"]
mod scope;
#[path = "failures/series.rs"]
mod series;
#[path = "failures/shaky_store.rs"]
mod shaky_store;
#[path = "failures/splits.rs"]
mod splits;
#[path = "failures/times.rs"]
mod times;
#[path = "failures/wire.rs"]
mod wire;
#[path = "failures/zones.rs"]
mod zones;
