//! Runnable examples of calsync; each opens with how to run it.
//!
//! ```sh
//! cargo run -p calsync-examples --example quickstart
//! ```
//!
//! Here is only what examples share: a Google to talk to without an account ([`fake_google`]), a database that an earlier run
//! left ([`database`]), a comparison of both sides that knows nothing of calsync's planner ([`sides`]), and text tables.

pub mod database;
pub mod fake_google;
pub mod sides;
pub mod table;

/// What an example fails with.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The code in the README is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
