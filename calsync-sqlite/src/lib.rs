//! calsync-sqlite
