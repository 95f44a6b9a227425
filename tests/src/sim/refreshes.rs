//! Single flight, as Google sees it (S7): whoever asks for a new token while somebody has a good one asked for nothing.

use super::gate::Gate;
use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long a token is certainly used: its hour, less what it is renewed ahead of its end, less what repeating a request may take.
const GOOD: Duration = Duration::seconds(3599 - 225 - 300);
/// After so long others may take it that whoever refreshes a grant is dead; a little less than the lease.
const STALLED: Duration = Duration::seconds(50);

/// Whether a request asks for a new token with a grant.
pub(super) fn is_one(request: &http::Request<Bytes>) -> bool {
    request.uri().path() == "/token"
        && std::str::from_utf8(request.body()).is_ok_and(|body| body.contains("grant_type=refresh_token"))
}

/// The tokens that were given anew, account by account.
#[derive(Debug, Default)]
pub struct Refreshes {
    last: BTreeMap<String, Given>,
    lost: BTreeSet<String>,
    /// Whose grant may be another one at any moment, so that a new token is perhaps nobody's.
    changing: BTreeSet<String>,
    needless: Vec<String>,
    count: u64,
}

#[derive(Debug)]
struct Given {
    at: DateTime<Utc>,
    to: Arc<Gate>,
}

impl Given {
    /// Whoever has it cannot give it to others any more, or not in time.
    fn is_lost(&self, now: DateTime<Utc>) -> bool {
        self.to.crashed() || (self.to.refreshing() && now - self.at >= STALLED)
    }
}

impl Refreshes {
    /// Google gave a new token for this account.
    pub(super) fn given(&mut self, account: &str, now: DateTime<Utc>, to: &Arc<Gate>, arrives: bool) {
        self.count += 1;
        if let Some(last) = self.last.remove(account) {
            if last.is_lost(now) {
                self.lost.insert(account.to_owned());
            } else if now < last.at + GOOD && !self.changing.contains(account) {
                self.needless.push(format!("{account} at {now}, after {}", last.at));
            }
        }
        if arrives {
            self.last.insert(account.to_owned(), Given { at: now, to: Arc::clone(to) });
        } else {
            self.lost.insert(account.to_owned());
        }
    }

    /// Google accepts none of them any more.
    pub(super) fn none_is_good_any_more(&mut self) {
        self.last.clear();
    }

    /// Somebody may give another grant from now on, or not any more.
    pub(super) fn changes(&mut self, account: &str, may: bool) {
        self.forget(account);
        if may {
            self.changing.insert(account.to_owned());
        } else {
            self.changing.remove(account);
        }
    }

    /// The account gave another grant, or took its own back.
    pub(super) fn forget(&mut self, account: &str) {
        self.last.remove(account);
    }

    /// Tokens that were asked for although somebody had a good one.
    pub(super) fn take_needless(&mut self) -> Vec<String> {
        std::mem::take(&mut self.needless)
    }

    /// The accounts of which something was given that nobody could keep.
    pub(super) fn take_lost(&mut self, now: DateTime<Utc>) -> BTreeSet<String> {
        let gone =
            self.last.iter().filter(|(_, given)| given.is_lost(now)).map(|(account, _)| account.clone());
        self.lost.extend(gone);
        std::mem::take(&mut self.lost)
    }

    /// How many were given.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}
