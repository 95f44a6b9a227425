//! The real provider in front of the fake Google: what is written comes back, what goes wrong is told apart.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

#[path = "google_provider/answers.rs"]
mod answers;
#[path = "google_provider/listing.rs"]
mod listing;
#[path = "google_provider/scopes.rs"]
mod scopes;
#[path = "google_provider/world.rs"]
mod world;
#[path = "google_provider/writing.rs"]
mod writing;
