//! Longer texts. Their code runs with the tests.

#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}

#[doc = include_str!("../docs/embedding.md")]
pub mod embedding {}

#[doc = include_str!("../docs/semantics.md")]
pub mod semantics {}

#[doc = include_str!("../docs/recurrence.md")]
pub mod recurrence {}

#[doc = include_str!("../docs/working-hours.md")]
pub mod working_hours {}

#[doc = include_str!("../docs/security.md")]
pub mod security {}

#[doc = include_str!("../CHANGELOG.md")]
pub mod changelog {}
