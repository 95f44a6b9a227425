//! How much one run and one hour may do: the settings of the guards.
//!
//! Nobody minds one deletion, and nobody wants ten thousand because a filter was mistyped or a calendar was emptied by
//! mistake. So each kind of write has a limit on each side of a binding, as a number and as a share of what is linked, per
//! run and per hour. What is over a limit is held back as a whole: half a mistake is no better than all of it. It is reported
//! with what would have been done, and a person confirms it once ([`Engine::confirm`](crate::Engine::confirm)) or raises the
//! limit.
//!
//! What is counted: a series with all its occurrences is one, like a single record. Making it, changing it and taking it away
//! are counted each for itself; changed and cancelled occurrences together are one change of their series. An occurrence
//! whose series is not kept in step (an invitation to one date) is a single record. What both sides have to be told of counts
//! on each side. What was counted and is sent again, because it was refused or its answer was lost, is not counted again.
//!
//! Here are settings only. [`guard`](crate::guard) keeps the accounts and says what a limit means for what is planned.

use crate::error::{Error, ErrorKind, Result};
use crate::store::Which;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of write, as limits tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A series or a single record is made, or made again.
    Create,
    /// One is changed, or its occurrences are.
    Update,
    /// One is taken away: deleted, or in the CRM cancelled.
    Delete,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Delete];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        })
    }
}

/// So many: the larger of a number and a share of what is linked.
///
/// With both at 0, nothing of the kind is done without being confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// This many series or single records.
    pub count: u32,
    /// This many per hundred of what was linked when the run began, 0 to 100; parts of one do not count.
    pub percent: u32,
}

impl Allowance {
    /// Nothing: every one is confirmed by a person first.
    pub const NOTHING: Self = Self { count: 0, percent: 0 };

    /// A number, whatever is linked.
    pub const fn count(count: u32) -> Self {
        Self { count, percent: 0 }
    }

    /// The number that holds for a binding with `linked` records.
    pub fn of(self, linked: u64) -> u64 {
        u64::from(self.count).max(linked.saturating_mul(u64::from(self.percent)) / 100)
    }
}

impl Default for Allowance {
    /// Ten, or ten in a hundred: what a person deletes in a day of tidying up, and far from what a mistake deletes.
    fn default() -> Self {
        Self { count: 10, percent: 10 }
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.count, self.percent) {
            (0, 0) => f.write_str("none"),
            (count, 0) => write!(f, "{count}"),
            (0, percent) => write!(f, "{percent} %"),
            (count, percent) => write!(f, "the larger of {count} and {percent} %"),
        }
    }
}

/// The limits of one kind of write on one side. `None` is no limit, and the default but for deletions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// In all passes of one run together.
    #[serde(default)]
    pub per_run: Option<Allowance>,
    /// In one hour, over all runs. The hour is counted in steps of five minutes, so that a write counts for 60 to 65 minutes.
    #[serde(default)]
    pub per_hour: Option<Allowance>,
}

impl Limit {
    /// None.
    pub const NONE: Self = Self { per_run: None, per_hour: None };

    /// A limit per run alone.
    pub const fn per_run(allowance: Allowance) -> Self {
        Self { per_run: Some(allowance), per_hour: None }
    }

    /// A limit per hour alone.
    pub const fn per_hour(allowance: Allowance) -> Self {
        Self { per_run: None, per_hour: Some(allowance) }
    }

    /// Whether there is any.
    pub fn is_set(&self) -> bool {
        *self != Self::NONE
    }
}

/// The limits of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideLimits {
    /// Of what is made there. Default: none, or the first run of a large calendar would ask.
    #[serde(default)]
    pub create: Limit,
    /// Of what is changed there. Default: none.
    #[serde(default)]
    pub update: Limit,
    /// Of what is taken away there. Default: the larger of ten and ten in a hundred per run, and no limit per hour.
    #[serde(default = "deletions")]
    pub delete: Limit,
}

fn deletions() -> Limit {
    Limit::per_run(Allowance::default())
}

impl Default for SideLimits {
    fn default() -> Self {
        Self { create: Limit::NONE, update: Limit::NONE, delete: deletions() }
    }
}

/// How much one run and one hour of a binding may do, by side and kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// In the CRM.
    #[serde(default)]
    pub crm: SideLimits,
    /// In the calendar.
    #[serde(default)]
    pub calendar: SideLimits,
}

impl Limits {
    /// The default, with this allowance of deletions per run on each side.
    pub fn deletions_max(max: Allowance) -> Self {
        let mut limits = Self::default();
        limits.crm.delete.per_run = Some(max);
        limits.calendar.delete.per_run = Some(max);
        limits
    }

    /// The limit of one kind on one side.
    pub fn of(&self, side: Which, kind: Kind) -> Limit {
        let side = match side {
            Which::Local => &self.crm,
            Which::Remote => &self.calendar,
        };
        match kind {
            Kind::Create => side.create,
            Kind::Update => side.update,
            Kind::Delete => side.delete,
        }
    }

    /// Whether every limit means something.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a share of more than a hundred in a hundred: it would never hold anything back, although
    /// somebody set it to.
    pub fn check(&self) -> Result<()> {
        for side in [Which::Local, Which::Remote] {
            for kind in Kind::ALL {
                let limit = self.of(side, kind);
                for (span, allowance) in [("per_run", limit.per_run), ("per_hour", limit.per_hour)] {
                    if let Some(allowance) = allowance.filter(|allowance| allowance.percent > 100) {
                        let side = if side == Which::Local { "crm" } else { "calendar" };
                        return Err(Error::new(
                            ErrorKind::Config,
                            "a limit allows more than a hundred in a hundred of what is linked",
                        )
                        .with("limit", format_args!("{side}.{kind}.{span}"))
                        .with("percent", allowance.percent)
                        .cure("Give a share of 0 to 100, or leave the limit out (None) where there should be none."));
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_the_larger_of_a_number_and_a_share() {
        for (count, percent, linked, allowed) in [
            (10, 10, 0, 10),
            (10, 10, 100, 10),
            (10, 10, 109, 10),
            (10, 10, 110, 11),
            (10, 10, 1_000, 100),
            (0, 10, 9, 0),
            (0, 0, 1_000_000, 0),
            (0, 100, 7, 7),
            (u32::MAX, 100, u64::MAX, u64::MAX / 100),
        ] {
            assert_eq!(Allowance { count, percent }.of(linked), allowed, "{count} {percent} {linked}");
        }
    }

    #[test]
    fn a_share_of_more_than_all_is_refused_and_the_error_names_the_limit() {
        let mut limits = Limits::default();
        limits.check().expect("the default means something");
        limits.calendar.create.per_hour = Some(Allowance { count: 5, percent: 101 });
        let error = limits.check().expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(
            error.to_string(),
            "configuration: a limit allows more than a hundred in a hundred of what is linked (limit \
             calendar.create.per_hour, percent 101). Give a share of 0 to 100, or leave the limit out (None) where there \
             should be none."
        );
    }

    #[test]
    fn settings_that_name_no_limits_have_the_usual_ones() {
        assert_eq!(serde_json::from_str::<Limits>("{}").expect("empty"), Limits::default());
        assert_eq!(Limits::default().crm.delete.per_run, Some(Allowance { count: 10, percent: 10 }));
        let none: Limits = serde_json::from_str(r#"{"crm": {"delete": {}}}"#).expect("no limit");
        assert_eq!(none.crm.delete, Limit::NONE);
    }
}
