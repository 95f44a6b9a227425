//! Listings: pages, tokens, filters, and what becomes of deleted events.

use super::*;
