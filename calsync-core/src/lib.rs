//! Keeps a CRM's appointments and a remote calendar the same, both ways.

pub mod binding;
pub mod calendar;
pub mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod engine;
mod error;
pub mod host;
pub mod http;
mod id;
pub mod model;
pub mod plan;
pub mod provider;
pub mod report;
mod secret;
pub mod store;
mod zone;
mod zone_windows;

pub use binding::Binding;
pub use engine::Engine;
pub use error::{Error, ErrorKind, Result, Retry};
pub use id::*;
pub use report::Report;
pub use secret::Secret;
pub use zone::{Wall, Zone};
