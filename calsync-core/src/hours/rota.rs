//! The hours of one person: schedules that many share, and what is the person's own.
//!
//! A hundred thousand people work by a few hundred patterns. So a pattern is stored once, and a person is a handful of bytes that
//! point at it; copies of a rota are the same rota.

use super::schedule::{Layer, Placed, Refused, Schedule, ScheduleVersion, check_layers};
use std::sync::Arc;

/// How many schedules a person may have one after the other.
pub const SCHEDULES_MAX: usize = 200;

/// What one person works by: shared schedules, one after the other, and layers of their own on top of them.
///
/// A person who moves, or travels, has a schedule in each zone. Own layers come after the schedule's: of two overrides on a
/// day the person's holds. Their dates are those of the schedule that holds on the day.
#[derive(Clone, Debug)]
pub struct Rota(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    schedules: Vec<Arc<Schedule>>,
    own: Vec<Placed>,
    version: ScheduleVersion,
}

impl Rota {
    /// One schedule, and nothing of one's own.
    pub fn new(schedule: impl Into<Arc<Schedule>>) -> Self {
        let schedule = schedule.into();
        let version = schedule.version().clone();
        Self(Arc::new(Parts { schedules: vec![schedule], own: Vec::new(), version }))
    }

    /// Schedules that hold one after the other, in any order, and layers of one's own. `version` is the CRM's name for all of it;
    /// `None` to be named after what it says.
    ///
    /// # Errors
    /// Two schedules that hold on the same day, a layer that cannot be taken as it is, or too many of either.
    pub fn of(
        schedules: impl IntoIterator<Item = Arc<Schedule>>,
        own: impl IntoIterator<Item = Layer>,
        version: Option<ScheduleVersion>,
    ) -> Result<Self, Refused> {
        let mut schedules: Vec<Arc<Schedule>> = schedules.into_iter().collect();
        if schedules.len() > SCHEDULES_MAX {
            return Err(Refused::new(format!("schedule {}", SCHEDULES_MAX + 1), "too many schedules"));
        }
        schedules.sort_by_key(|schedule| schedule.from());
        for pair in schedules.windows(2) {
            let apart = pair[0].until().zip(pair[1].from()).is_some_and(|(until, from)| until < from);
            if !apart {
                let from = pair[1].from().map_or("always".to_owned(), |from| format!("from {from}"));
                let place = format!("the schedule that holds {from}");
                return Err(Refused::new(place, "the one before it still holds then"));
            }
        }
        let own = check_layers(own.into_iter().collect())?;
        let version = version.unwrap_or_else(|| match (schedules.as_slice(), own.as_slice()) {
            ([one], []) => one.version().clone(),
            _ => {
                let versions: Vec<&ScheduleVersion> = schedules.iter().map(|one| one.version()).collect();
                let own: Vec<&Layer> = own.iter().map(|placed| &placed.layer).collect();
                ScheduleVersion::of(&(versions, own))
            }
        });
        Ok(Self(Arc::new(Parts { schedules, own, version })))
    }

    /// The schedules, by when they begin to hold.
    pub fn schedules(&self) -> &[Arc<Schedule>] {
        &self.0.schedules
    }

    /// The layers of one's own.
    pub fn own(&self) -> impl Iterator<Item = &Layer> {
        self.0.own.iter().map(|placed| &placed.layer)
    }

    pub(super) fn placed(&self) -> &[Placed] {
        &self.0.own
    }

    /// Names this state of it.
    pub fn version(&self) -> &ScheduleVersion {
        &self.0.version
    }
}
