//! Joins what both sides already hold: pure.
//!
//! On the first run of a binding, after a reconnection, a migration or a restored CRM, the same meetings stand on both sides and
//! nothing links them. Making each of them on the other side once more is what users of other systems suffered (G08, G27). So
//! before anything is made, what is on one side only is held against what is on the other side only:
//!
//! 1. the same iCalendar UID, once on each side, is the same meeting whatever else differs (RFC 5545, 3.8.4.7);
//! 2. the same title, start, end, rule and guests, once on each side, is the same meeting;
//! 3. so it is where one side names no guests: many CRMs do not keep them;
//! 4. where that leaves a choice (two alike on a side, or other guests), or a title is held back and only the time is known,
//!    nothing is guessed: they wait for a person.
//!
//! Only whole series and single appointments are matched; occurrences follow their series, slot by slot.

use super::ids;
use crate::id::{CalendarId, RecordId, RemoteId};
use crate::model::appointment::read_when;
use crate::model::{Fields, Unit, When};
use crate::planted::{self, Fault};
use crate::store::Which;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a record on one side can be recognised by. Hashes, so that a hundred thousand of them fit into memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The record of a series or a single appointment.
    pub id: String,
    /// Of its iCalendar UID.
    pub uid: Option<u64>,
    /// Of title, start, end and rule.
    pub content: u64,
    /// Of its guests but the calendar's own address; `None` where there are none.
    pub guests: Option<u64>,
    /// Whether its content tells it from others: not where the binding holds its title back.
    pub sure: bool,
    /// Whether the scope of the binding has it. Two that it leaves alone are not joined.
    pub in_scope: bool,
}

impl Candidate {
    /// Reads it from values as the provider can hold them; `None` for what has no time, or is cancelled.
    pub fn of(id: impl Into<String>, fields: &Fields, calendar: &CalendarId) -> Option<Self> {
        let (when, recurrence) = read_when(fields.get("when")?).ok()?;
        if fields.get("status").and_then(|status| status.as_str()) == Some("cancelled") {
            return None;
        }
        let (start, end) = match &when {
            When::Timed { start, end } => {
                (start.instant().ok()?.to_rfc3339(), end.instant().ok()?.to_rfc3339())
            }
            When::AllDay { start, end } => (start.to_string(), end.to_string()),
        };
        let text = |unit: &str| fields.get(unit).and_then(|value| value.as_str()).unwrap_or_default();
        let title = text("summary").split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let mut parts = vec![title, start, end];
        parts.extend(recurrence.canonical(matches!(when, When::AllDay { .. })));
        let organizer = super::observe::organizer(fields);
        let own = calendar.as_str().to_lowercase();
        let guests = fields.guests().filter_map(Unit::guest);
        let guests: Vec<&str> =
            guests.filter(|guest| *guest != own && Some(*guest) != organizer.as_deref()).collect();
        Some(Self {
            id: id.into(),
            uid: Some(text("ical_uid")).filter(|uid| !uid.is_empty()).map(|uid| short(&[uid])),
            content: short(&parts.iter().map(String::as_str).collect::<Vec<_>>()),
            guests: (!guests.is_empty()).then(|| short(&guests)),
            sure: true,
            in_scope: true,
        })
    }
}

fn short(parts: &[&str]) -> u64 {
    let hash = ids::hash(parts);
    hash[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Why two records are taken for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// They have the same UID.
    Identity,
    /// They have the same title, time and guests.
    Content,
    /// A person said so.
    Person,
}

impl By {
    /// For a row.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Identity => "on both sides already, with the same UID: joined",
            Self::Content => "on both sides already, with the same title, time and guests: joined",
            Self::Person => "somebody said that the two are the same: joined",
        }
    }
}

/// What was found to be the same on both sides, and what may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    joined: BTreeMap<RemoteId, (RecordId, By)>,
    records: BTreeMap<RecordId, RemoteId>,
    unclear: BTreeMap<(Which, String), Vec<String>>,
}

impl Pairing {
    /// Holds what is only in the CRM against what is only in the calendar.
    pub fn of(local: &[Candidate], remote: &[Candidate]) -> Self {
        let mut pairing = Self::default();
        let mut by_uid: BTreeMap<u64, Sides<'_>> = BTreeMap::new();
        gather(&mut by_uid, local, remote, |candidate| candidate.uid);
        for sides in by_uid.values() {
            if let ([local], [remote]) = (&sides.local[..], &sides.remote[..]) {
                pairing.join(local, remote, By::Identity);
            }
        }
        let mut by_content: BTreeMap<u64, Sides<'_>> = BTreeMap::new();
        let left = |candidates: &[Candidate], which| -> Vec<Candidate> {
            candidates.iter().filter(|candidate| !pairing.knows(which, &candidate.id)).cloned().collect()
        };
        let (local_left, remote_left) = (left(local, Which::Local), left(remote, Which::Remote));
        gather(&mut by_content, &local_left, &remote_left, |candidate| Some(candidate.content));
        for sides in by_content.into_values().filter(Sides::both) {
            pairing.by_guests(sides);
        }
        pairing.leave_alone(local, remote);
        pairing
    }

    /// What the scope leaves alone on both sides stays as it is on each; what one side has in scope, the other has as well.
    fn leave_alone(&mut self, local: &[Candidate], remote: &[Candidate]) {
        let out = |side: &[Candidate]| -> BTreeSet<String> {
            side.iter()
                .filter(|candidate| !candidate.in_scope)
                .map(|candidate| candidate.id.clone())
                .collect()
        };
        let (local, remote) = (out(local), out(remote));
        if local.is_empty() || remote.is_empty() {
            return;
        }
        let joined = self.joined.iter().filter(|(remote_id, (record, _))| {
            local.contains(record.as_str()) && remote.contains(remote_id.as_str())
        });
        for id in joined.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.part(Which::Remote, id.as_str());
        }
        self.unclear.retain(|(which, id), others| {
            let (own, other) = match which {
                Which::Local => (&local, &remote),
                Which::Remote => (&remote, &local),
            };
            !own.contains(id) || others.iter().any(|id| !other.contains(id))
        });
    }

    fn by_guests(&mut self, mut sides: Sides<'_>) {
        // Two hours that are taken at the same time may be two appointments: a person says.
        let sure = sides.local.iter().chain(&sides.remote).all(|candidate| candidate.sure);
        let mut by_guests: BTreeMap<Option<u64>, Sides<'_>> = BTreeMap::new();
        for candidate in &sides.local {
            by_guests.entry(candidate.guests).or_default().local.push(candidate);
        }
        for candidate in &sides.remote {
            by_guests.entry(candidate.guests).or_default().remote.push(candidate);
        }
        for same in by_guests.values().filter(|_| sure) {
            if let ([local], [remote]) = (&same.local[..], &same.remote[..]) {
                self.join(local, remote, By::Content);
            }
        }
        sides.local.retain(|candidate| !self.knows(Which::Local, &candidate.id));
        sides.remote.retain(|candidate| !self.knows(Which::Remote, &candidate.id));
        if let ([local], [remote]) = (&sides.local[..], &sides.remote[..])
            && sure
            && (local.guests.is_none() || remote.guests.is_none())
        {
            return self.join(local, remote, By::Content);
        }
        if planted::on(Fault::FirstOnesJoined)
            && let (Some(local), Some(remote)) = (sides.local.first(), sides.remote.first())
        {
            return self.join(local, remote, By::Content);
        }
        if sides.both() {
            let names = |side: &[&Candidate]| -> Vec<String> { side.iter().map(|c| c.id.clone()).collect() };
            let (locals, remotes) = (names(&sides.local), names(&sides.remote));
            for id in &locals {
                self.unclear.insert((Which::Local, id.clone()), remotes.clone());
            }
            for id in remotes {
                self.unclear.insert((Which::Remote, id), locals.clone());
            }
        }
    }

    fn join(&mut self, local: &Candidate, remote: &Candidate, by: By) {
        self.set(RemoteId::from(remote.id.as_str()), Some(RecordId::from(local.id.as_str())), by);
    }

    /// What somebody said about a record of the calendar, whatever was found before: the same as this one of the CRM, or as none.
    pub fn set(&mut self, remote: RemoteId, record: Option<RecordId>, by: By) {
        self.part(Which::Remote, remote.as_str());
        if let Some(record) = record {
            self.part(Which::Local, record.as_str());
            self.records.insert(record.clone(), remote.clone());
            self.joined.insert(remote, (record, by));
        }
    }

    /// A record has no counterpart.
    pub fn part(&mut self, which: Which, id: &str) {
        self.unclear.remove(&(which, id.to_owned()));
        match which {
            Which::Remote => {
                if let Some((record, _)) = self.joined.remove(&RemoteId::from(id)) {
                    self.records.remove(&record);
                }
            }
            Which::Local => {
                if let Some(remote) = self.records.remove(&RecordId::from(id)) {
                    self.joined.remove(&remote);
                }
            }
        }
    }

    /// The CRM's record that a record of the calendar is the same as, and why.
    pub fn record_of(&self, remote: &RemoteId) -> Option<(&RecordId, By)> {
        self.joined.get(remote).map(|(record, by)| (record, *by))
    }

    /// The calendar's record that a record of the CRM is the same as.
    pub fn remote_of(&self, record: &RecordId) -> Option<&RemoteId> {
        self.records.get(record)
    }

    /// What a record may be the same as, where it takes a person to say.
    pub fn unclear(&self, which: Which, id: &str) -> Option<&[String]> {
        self.unclear.get(&(which, id.to_owned())).map(Vec::as_slice)
    }

    fn knows(&self, which: Which, id: &str) -> bool {
        match which {
            Which::Remote => self.joined.contains_key(&RemoteId::from(id)),
            Which::Local => self.records.contains_key(&RecordId::from(id)),
        }
    }
}

/// Candidates that have something in common.
#[derive(Debug, Default)]
struct Sides<'a> {
    local: Vec<&'a Candidate>,
    remote: Vec<&'a Candidate>,
}

impl Sides<'_> {
    fn both(&self) -> bool {
        !self.local.is_empty() && !self.remote.is_empty()
    }
}

fn gather<'a>(
    sides: &mut BTreeMap<u64, Sides<'a>>,
    local: &'a [Candidate],
    remote: &'a [Candidate],
    key: impl Fn(&Candidate) -> Option<u64>,
) {
    for candidate in local {
        if let Some(key) = key(candidate) {
            sides.entry(key).or_default().local.push(candidate);
        }
    }
    for candidate in remote {
        if let Some(key) = key(candidate) {
            sides.entry(key).or_default().remote.push(candidate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// `id: title @ start; guests; uid`
    fn candidates(text: &str) -> Vec<Candidate> {
        let one = |text: &str| {
            let (id, rest) = text.split_once(':').expect("an id");
            let mut parts = rest.split(';').map(str::trim);
            let (title, start) = parts.next().and_then(|p| p.split_once('@')).expect("a title @ a start");
            let start: chrono::NaiveDateTime = start.trim().parse().expect("a start");
            let end = start + chrono::Duration::hours(1);
            let mut fields: Fields = serde_json::from_value(
                json!({"summary": title.trim(), "when": {"start": start, "end": end, "zone": "UTC"}}),
            )
            .expect("fields");
            for guest in parts.next().unwrap_or_default().split_whitespace() {
                fields.set(format!("attendee/{guest}"), json!({}));
            }
            fields
                .set("ical_uid", parts.next().filter(|uid| !uid.is_empty()).map_or(Value::Null, Value::from));
            Candidate::of(id.trim(), &fields, &"amy@x".into()).expect("a candidate")
        };
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(one).collect()
    }

    /// The pairs, and what is unclear, as text.
    #[track_caller]
    fn check(local: &str, remote: &str, expected: &str) {
        let pairing = Pairing::of(&candidates(local), &candidates(remote));
        let joined = pairing.joined.iter().map(|(remote, (record, by))| format!("{record}={remote} {by:?}"));
        let unclear = pairing
            .unclear
            .iter()
            .map(|((which, id), others)| format!("{which:?} {id}? {}", others.join(" ")));
        assert_eq!(joined.chain(unclear).collect::<Vec<_>>().join(", "), expected);
    }

    #[test]
    fn the_same_uid_is_the_same_meeting_whatever_else_differs() {
        check("l: Old @ 2026-12-01T09:00:00;; u", "r: New @ 2026-12-02T09:00:00; b@x; u", "l=r Identity");
    }

    #[test]
    fn a_uid_that_stands_twice_on_a_side_proves_nothing() {
        let local = "l1: A @ 2026-12-01T09:00:00;; u\n l2: B @ 2026-12-01T10:00:00;; u";
        check(local, "r: B @ 2026-12-01T10:00:00;; u", "l2=r Content");
        check(local, "r: C @ 2026-12-01T10:00:00;; u", "");
    }

    #[test]
    fn the_same_title_time_and_guests_are_the_same_meeting_in_any_case_and_spacing() {
        let local = "l: Site  visit @ 2026-12-01T09:00:00; b@x c@x";
        check(local, "r: site visit @ 2026-12-01T09:00:00; c@x amy@x b@x", "l=r Content");
        check(local, "r: site visit @ 2026-12-01T09:30:00; b@x c@x", "");
        check(local, "r: another visit @ 2026-12-01T09:00:00; b@x c@x", "");
    }

    #[test]
    fn a_side_that_names_no_guests_matches_and_other_guests_take_a_person() {
        check("l: A @ 2026-12-01T09:00:00", "r: A @ 2026-12-01T09:00:00; b@x", "l=r Content");
        check(
            "l: A @ 2026-12-01T09:00:00; c@x",
            "r: A @ 2026-12-01T09:00:00; b@x",
            "Remote r? l, Local l? r",
        );
    }

    #[test]
    fn of_several_alike_guests_tell_and_what_they_leave_open_waits() {
        let local = "l1: A @ 2026-12-01T09:00:00; b@x\n l2: A @ 2026-12-01T09:00:00; c@x";
        let remote = "r1: A @ 2026-12-01T09:00:00; c@x\n r2: A @ 2026-12-01T09:00:00; b@x";
        check(local, remote, "l2=r1 Content, l1=r2 Content");
        check(local, "r1: A @ 2026-12-01T09:00:00; c@x", "l2=r1 Content");
        check(
            "l1: A @ 2026-12-01T09:00:00\n l2: A @ 2026-12-01T09:00:00",
            "r: A @ 2026-12-01T09:00:00",
            "Remote r? l1 l2, Local l1? r, Local l2? r",
        );
    }

    #[test]
    fn what_a_person_says_replaces_what_was_found() {
        let mut pairing = Pairing::of(
            &candidates("l1: A @ 2026-12-01T09:00:00\n l2: B @ 2026-12-01T09:00:00"),
            &candidates("r1: A @ 2026-12-01T09:00:00\n r2: B @ 2026-12-01T09:00:00"),
        );
        pairing.set("r1".into(), Some("l2".into()), By::Person);
        assert_eq!(pairing.record_of(&"r1".into()), Some((&"l2".into(), By::Person)));
        assert_eq!(pairing.record_of(&"r2".into()), None);
        assert_eq!(pairing.remote_of(&"l1".into()), None);
        pairing.set("r1".into(), None, By::Person);
        assert_eq!(pairing, Pairing::default());
    }
}
