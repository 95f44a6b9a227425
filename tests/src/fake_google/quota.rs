//! Requests per minute, counted in a sliding window.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};

use super::behaviour::{Behaviour, QuotaForm};
use super::refusal::Refusal;

/// A window for each user, and one (under the empty name) for the project.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quota {
    windows: BTreeMap<String, VecDeque<(i64, u32)>>,
}

impl Quota {
    /// Counts a request of this weight, or refuses it. A refused request costs nothing.
    pub(crate) fn charge(
        &mut self,
        now: DateTime<Utc>,
        user: &str,
        weight: u32,
        behaviour: &Behaviour,
    ) -> Result<(), Refusal> {
        let limits = [(user, behaviour.user_quota_per_minute), ("", behaviour.project_quota_per_minute)];
        for (name, limit) in limits {
            let Some(limit) = limit else { continue };
            let window = self.windows.entry(name.to_owned()).or_default();
            while window.front().is_some_and(|(at, _)| *at <= now.timestamp_millis() - 60_000) {
                window.pop_front();
            }
            if window.iter().map(|(_, weight)| weight).sum::<u32>() + weight > limit {
                return Err(refusal(name.is_empty(), behaviour.quota_form));
            }
        }
        for (name, limit) in limits {
            if limit.is_some() {
                let window = self.windows.entry(name.to_owned()).or_default();
                window.push_back((now.timestamp_millis(), weight));
            }
        }
        Ok(())
    }
}

fn refusal(project: bool, form: QuotaForm) -> Refusal {
    match (form, project) {
        (QuotaForm::TooMany, _) => {
            Refusal::new(429, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded")
        }
        (QuotaForm::Forbidden, true) => {
            Refusal::new(403, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded")
        }
        (QuotaForm::Forbidden, false) => {
            Refusal::new(403, "usageLimits", "userRateLimitExceeded", "User Rate Limit Exceeded")
        }
    }
}
