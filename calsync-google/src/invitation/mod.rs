//! Asking an agent to connect their own account.

pub mod text;
