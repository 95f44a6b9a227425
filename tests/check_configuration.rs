//! "Check configuration" and "check calendars": each thing that can be missing is missing once, and the report says what, who can mend it
//! and what to paste; with everything in place all is ticked. Nothing is written, and no secret shows.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

#[path = "check/calendars.rs"]
mod calendars;
#[path = "check/counter.rs"]
mod counter;
#[path = "check/grants.rs"]
mod grants;
#[macro_use]
#[path = "planted/judge.rs"]
mod judge;
#[path = "check/network.rs"]
mod network;
#[path = "planted/check_configuration.rs"]
mod planted;
#[path = "check/service_accounts.rs"]
mod service_accounts;
