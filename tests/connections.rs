//! Connecting to Google over the real flow: client files, consent, grants, refreshes, methods; against the fake's own pages.
//!
//! Each test drives [`Connections`](calsync_google::connect::Connections) over the real calls; a person in front of a browser is the
//! fake's. Invariants are named by their ids (`s05_…`), failures of other systems by theirs (`g30_…`).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

#[path = "connections/client.rs"]
mod client;
#[path = "connections/consent.rs"]
mod consent;
#[path = "connections/engine.rs"]
mod engine;
#[path = "connections/grants.rs"]
mod grants;
#[path = "connections/here.rs"]
mod here;
#[path = "connections/history.rs"]
mod history;
#[path = "connections/invitations.rs"]
mod invitations;
#[macro_use]
#[path = "planted/judge.rs"]
mod judge;
#[path = "connections/leave.rs"]
mod leave;
#[path = "failures/log.rs"]
mod log;
#[path = "connections/office.rs"]
mod office;
#[path = "connections/on_disk.rs"]
mod on_disk;
#[path = "planted/connections.rs"]
mod planted;
#[path = "connections/printed.rs"]
mod printed;
#[path = "connections/races.rs"]
mod races;
#[path = "connections/secrets.rs"]
mod secrets;
#[path = "connections/shared_account.rs"]
mod shared_account;
#[path = "connections/token_endpoint.rs"]
mod token_endpoint;
