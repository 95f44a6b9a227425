//! Which records a binding is about.
//!
//! The scope is applied here and not by the service, to both sides alike, and only to what is not linked yet: what was in
//! scope once stays in step when it leaves it, and nothing is deleted on either side (C22). A series counts as one: its own
//! values decide, its occurrences follow it. Whatever cannot be told (an end that nobody knows, a kind that was invented
//! yesterday) is in scope.

use crate::error::{Error, ErrorKind, Result};
use crate::model::{EventType, Fields, Status, Visibility};
use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The longest window for the past, in days: a hundred years.
pub const PAST_DAYS_MAX: u32 = 36_500;
/// The years in which a binding can begin to look.
const SINCE_YEARS: std::ops::RangeInclusive<i32> = 1900..=2200;
/// The longest name of a kind of entry.
const TYPE_CHARS_MAX: usize = 64;
/// Most kinds that can be left out.
const TYPES_MAX: usize = 32;
/// Every kind of entry that this version knows.
const TYPES: [EventType; 6] = [
    EventType::Default,
    EventType::Birthday,
    EventType::FocusTime,
    EventType::FromGmail,
    EventType::OutOfOffice,
    EventType::WorkingLocation,
];

/// Which records a binding is about; by default all, except that what was over before it was made is not pushed. Each
/// filter leaves out what it names, so that what nobody thought of is in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// What ended before this day (in UTC) is left alone; 1900 to 2200. `None`, the default, for no such limit.
    pub since: Option<NaiveDate>,
    /// What ended more than this many days ago is left alone, counted anew in every run; 0 (whatever is over) to
    /// [`PAST_DAYS_MAX`]. `None`, the default, for no such limit. With `since`, the later of the two counts.
    pub past_days: Option<u32>,
    /// Whether appointments of the CRM that were over before the binding was made are pushed as well. Default: no, so that
    /// nobody is reminded of last year.
    pub push_past: bool,
    /// Statuses that are left alone; only [`Status::Tentative`] and such as the service invents. Default: none.
    pub statuses_left_out: BTreeSet<Status>,
    /// Whether what the calendar's own owner declined is left alone. Default: no, as it is still in the calendar (G38).
    pub declined_left_out: bool,
    /// Kinds of entry that are left alone, 32 at most, not all that there are. Default: none; a kind that is not named here
    /// passes, known or not (G35).
    pub types_left_out: BTreeSet<EventType>,
    /// Visibilities that are left alone. Default: none. To keep only the time of what is private, set
    /// [`private_detail`](crate::Binding::private_detail); this leaves it out altogether, and reads what is linked already as
    /// busy time.
    pub visibilities_left_out: BTreeSet<Visibility>,
}

impl Scope {
    /// Leaves out every known kind of entry but these.
    pub fn only_types(&mut self, types: impl IntoIterator<Item = EventType>) {
        let taken: BTreeSet<EventType> = types.into_iter().collect();
        self.types_left_out = TYPES.into_iter().filter(|kind| !taken.contains(kind)).collect();
    }

    /// Whether a record with these values is left out for its visibility.
    pub(crate) fn leaves_out_visibility(&self, fields: &Fields) -> bool {
        if self.visibilities_left_out.is_empty() {
            return false;
        }
        let visibility = fields.get("visibility").and_then(|v| v.as_str()).unwrap_or_default();
        self.visibilities_left_out.contains(&Visibility::from(visibility.to_ascii_lowercase()))
    }

    /// Why a record that is not linked is left alone; `None` when it is in scope. `end` is when its last occurrence is over,
    /// `own_place` the unit of the calendar's owner among the guests.
    pub(crate) fn left_alone(
        &self,
        fields: &Fields,
        end: Option<DateTime<Utc>>,
        own_place: &str,
        now: DateTime<Utc>,
    ) -> Option<&'static str> {
        let text = |unit: &str| fields.get(unit).and_then(|value| value.as_str()).map(str::to_owned);
        if let Some(end) = end {
            if self.since.is_some_and(|since| end <= since.and_time(NaiveTime::MIN).and_utc()) {
                return Some("it ended before the day from which this binding looks");
            }
            if self.past_days.is_some_and(|days| end <= now - Duration::days(i64::from(days))) {
                return Some("it ended longer ago than this binding looks back");
            }
        }
        if text("status").is_some_and(|status| self.statuses_left_out.contains(&Status::from(status))) {
            return Some("this binding leaves appointments of this status out");
        }
        let declined = || fields.get(own_place)?.get("response")?.as_str().map(|answer| answer == "declined");
        if self.declined_left_out && declined() == Some(true) {
            return Some("declined by the calendar's owner");
        }
        if self.types_left_out.contains(&text("event_type").map(EventType::from).unwrap_or_default()) {
            return Some("this binding leaves entries of this kind out");
        }
        if self.leaves_out_visibility(fields) {
            return Some("this binding leaves appointments of this visibility out");
        }
        None
    }

    /// Whether these settings can be meant.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the setting, and what it can be.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |setting: &'static str, why: &'static str, cure: &'static str| {
            Err(Error::new(ErrorKind::Config, why).with("setting", setting).cure(cure))
        };
        if self.since.is_some_and(|day| !SINCE_YEARS.contains(&day.year())) {
            return refuse("since", "the day is far from any calendar", "Name a day from 1900 to 2200.");
        }
        if self.past_days.is_some_and(|days| days > PAST_DAYS_MAX) {
            return refuse(
                "past_days",
                "the window for the past is longer than a hundred years",
                "Name at most 36500 days, or leave it away for no limit.",
            );
        }
        for status in &self.statuses_left_out {
            if matches!(status, Status::Confirmed | Status::Cancelled) || status.as_str().is_empty() {
                return refuse(
                    "statuses_left_out",
                    "without confirmed appointments nothing is left, and cancelled ones are deletions",
                    "Leave out Status::Tentative only.",
                );
            }
        }
        let types = &self.types_left_out;
        let sane = |name: &str| !name.is_empty() && name.chars().count() <= TYPE_CHARS_MAX;
        if types.len() > TYPES_MAX || !types.iter().all(|kind| sane(kind.as_str())) {
            return refuse(
                "types_left_out",
                "the kinds of entry are too many, or one has no name or a very long one",
                "Name at most 32 kinds of at most 64 characters.",
            );
        }
        if TYPES.iter().all(|kind| types.contains(kind)) {
            return refuse(
                "types_left_out",
                "every known kind of entry is left out",
                "Take at least one kind.",
            );
        }
        let open = |visibility: &Visibility| matches!(visibility, Visibility::Default);
        if self.visibilities_left_out.iter().any(|v| open(v) || v.as_str().is_empty()) {
            return refuse(
                "visibilities_left_out",
                "without ordinary appointments (visibility \"default\") hardly anything is left",
                "Leave out private, confidential or public.",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn left(scope: &Scope, fields: serde_json::Value, end: Option<&str>) -> bool {
        let fields = serde_json::from_value(fields).expect("a map");
        let now = "2026-11-23T08:00:00Z".parse().expect("a time");
        let end = end.map(|end| end.parse().expect("a time"));
        scope.left_alone(&fields, end, "attendee/amy@example.com", now).is_some()
    }

    #[test]
    fn every_filter_leaves_out_what_it_names_and_nothing_else() {
        let amy = |answer: &str| json!({"attendee/amy@example.com": {"response": answer}});
        let set = |arrange: fn(&mut Scope)| {
            let mut scope = Scope::default();
            arrange(&mut scope);
            scope
        };
        let since = set(|s| s.since = Some("2026-11-01".parse().expect("a date")));
        let window = set(|s| s.past_days = Some(7));
        let tentative = set(|s| s.statuses_left_out = [Status::Tentative].into());
        let declined = set(|s| s.declined_left_out = true);
        let focus = set(|s| s.types_left_out = [EventType::FocusTime].into());
        let ordinary = set(|s| s.only_types([EventType::Default]));
        let private = set(|s| s.visibilities_left_out = [Visibility::Private].into());
        for (scope, fields, end, is) in [
            (&since, json!({}), Some("2026-11-01T00:00:00Z"), true),
            (&since, json!({}), Some("2026-11-01T00:00:01Z"), false),
            (&since, json!({}), None, false),
            (&window, json!({}), Some("2026-11-16T08:00:00Z"), true),
            (&window, json!({}), Some("2026-11-16T08:00:01Z"), false),
            (&window, json!({}), None, false),
            (&tentative, json!({"status": "tentative"}), None, true),
            (&tentative, json!({}), None, false),
            (&tentative, json!({"status": "perhaps"}), None, false),
            (&declined, amy("declined"), None, true),
            (&declined, amy("tentative"), None, false),
            (&declined, json!({"attendee/bob@example.com": {"response": "declined"}}), None, false),
            (&declined, json!({}), None, false),
            (&focus, json!({"event_type": "focusTime"}), None, true),
            (&focus, json!({"event_type": "outOfOffice"}), None, false),
            (&focus, json!({"event_type": "hologram"}), None, false),
            (&focus, json!({}), None, false),
            (&ordinary, json!({"event_type": "birthday"}), None, true),
            (&ordinary, json!({"event_type": "hologram"}), None, false),
            (&ordinary, json!({}), None, false),
            (&private, json!({"visibility": "private"}), None, true),
            (&private, json!({"visibility": "PRIVATE"}), None, true),
            (&private, json!({"visibility": "confidential"}), None, false),
            (&private, json!({}), None, false),
            (&Scope::default(), json!({"status": "tentative", "visibility": "private"}), None, false),
        ] {
            assert_eq!(left(scope, fields.clone(), end), is, "{scope:?} {fields} {end:?}");
        }
    }

    #[test]
    fn nonsense_is_refused_by_the_name_of_the_setting() {
        type Case = (&'static str, fn(&mut Scope));
        let cases: [Case; 11] = [
            ("since", |s| s.since = "0001-01-01".parse().ok()),
            ("since", |s| s.since = "9999-01-01".parse().ok()),
            ("past_days", |s| s.past_days = Some(PAST_DAYS_MAX + 1)),
            ("statuses_left_out", |s| s.statuses_left_out = [Status::Confirmed].into()),
            ("statuses_left_out", |s| s.statuses_left_out = [Status::Cancelled].into()),
            ("statuses_left_out", |s| s.statuses_left_out = [Status::Other(String::new())].into()),
            ("types_left_out", |s| s.only_types([])),
            ("types_left_out", |s| s.types_left_out = [EventType::Other(String::new())].into()),
            ("types_left_out", |s| {
                s.types_left_out = (0..33).map(|n| EventType::Other(n.to_string())).collect()
            }),
            ("visibilities_left_out", |s| s.visibilities_left_out = [Visibility::Default].into()),
            ("visibilities_left_out", |s| {
                s.visibilities_left_out = [Visibility::Other(String::new())].into()
            }),
        ];
        for (setting, arrange) in cases {
            let mut scope = Scope::default();
            arrange(&mut scope);
            let error = scope.check().expect_err(setting).to_string();
            assert!(error.contains(&format!("setting {setting}")), "{error}");
        }
        let mut scope = Scope { past_days: Some(PAST_DAYS_MAX), ..Scope::default() };
        scope.since = "1900-01-01".parse().ok();
        scope.only_types([EventType::OutOfOffice]);
        scope.visibilities_left_out = [Visibility::Private, Visibility::Confidential].into();
        assert!(scope.check().is_ok());
    }
}
