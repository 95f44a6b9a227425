//! A seeded simulation of everything: the real engine and the real Google provider over a gated store and the fake Google.
//!
//! One seed is one history: who edits what on which side, which requests fail and how, where the process crashes and what
//! happens between two of its steps all follow from it. A history ends with its faults switched off; then both sides must
//! agree, nothing may be lost, doubled or brought back, nobody may have been mailed, and the next run must write nothing.
//!
//! In most histories people connect their accounts, take that back and connect again, and several workers may be at it at the same
//! time: what Google has of a grant must then work, and what it has not must be told.
//!
//! The oracle knows no planner. It compares what the two sides show (the CRM's own expansion of series, Google's own), and
//! what users wrote with what is visible or was kept in the journal.

pub mod coverage;
pub mod crm;
pub mod gate;
mod grants;
mod history;
pub mod injector;
mod oracle;
mod refreshes;
mod review;
pub mod sweep;
mod together;
pub mod transport;
mod upheaval;
mod user;
mod wire;
mod world;

pub use grants::Rotation;
pub use history::{History, run_history};
pub use oracle::{Shown, Violation, shown_by, shown_in_crm};
pub use refreshes::Refreshes;
pub use transport::Watch;
pub use world::{World, WorldSettings};
