//! calsync-core
