//! Links, operations, and the rows that tell people what was decided.

use super::Planner;
use crate::binding::Detail;
use crate::host::RecordChange;
use crate::id::{OperationId, RecordId};
use crate::model::appointment::read_when;
use crate::model::{Fields, State, Unit, When, normalise};
use crate::plan::ids;
use crate::plan::observe::Pair;
use crate::plan::row::{Action, GUESTS_MAX, Row};
use crate::plan::scope::last_end;
use crate::planted::{self, Fault};
use crate::provider::Mail;
use crate::store::{Expect, JournalEntry, Link, RemoteItem};
use std::collections::BTreeSet;

impl<'a> Planner<'a> {
    /// The link of a remote record that is seen for the first time.
    pub(super) fn link_of(&self, pair: &Pair<'_>, item: &RemoteItem, root: Option<&Link>) -> Link {
        let record = match (pair.record, pair.slot, root) {
            (Some(record), ..) => record.id.clone(),
            (None, Some(slot), Some(root)) => ids::occurrence_record(&root.record, &slot),
            (None, ..) => ids::record_id(self.rules.installation, self.rules.binding, &item.key),
        };
        Link {
            record_root: root.map_or_else(|| record.clone(), |root| root.record.clone()),
            record,
            key: item.key.clone(),
            remote: item.id.clone(),
            remote_root: item.root.clone(),
            slot: pair.slot,
            base: None,
            normaliser: normalise::VERSION,
            version: None,
            revision: None,
            incarnation: 0,
            mirror: pair.view.mirror,
            detail: pair.view.detail,
            adopted: false,
            guests_out: pair.view.guests_out,
            answer: None,
        }
    }

    /// The link of an occurrence under the series as it is now.
    pub(super) fn link_under(&self, pair: &Pair<'_>, item: &RemoteItem, root: &Link) -> Link {
        match pair.link {
            Some(link) if link.key == item.key => link.clone(),
            Some(link) => Link { record: link.record.clone(), ..self.link_of(pair, item, Some(root)) },
            None => self.link_of(pair, item, Some(root)),
        }
    }

    pub(super) fn operation(&self, what: &str, pair: &Pair<'_>, record: RecordId) -> OperationId {
        let versions = (pair.version().map(|v| v.as_str()), pair.revision().map(|r| r.as_str()));
        let what = self.in_detail(what, pair);
        ids::operation(self.rules.installation, self.rules.binding, &what, &record, versions, pair.link)
    }

    pub(super) fn operation_of(&self, what: &str, pair: &Pair<'_>, link: &Link) -> OperationId {
        let versions = (pair.version().map(|v| v.as_str()), pair.revision().map(|r| r.as_str()));
        let what = self.in_detail(what, pair);
        ids::operation(self.rules.installation, self.rules.binding, &what, &link.record, versions, Some(link))
    }

    /// The same decision with more or less detail is another operation: what was planned with more must not be sent.
    pub(super) fn in_detail(&self, what: &str, pair: &Pair<'_>) -> String {
        match pair.view.detail {
            Detail::Full => what.to_owned(),
            Detail::TitleOnly => format!("{what}/title"),
            Detail::BusyOnly => format!("{what}/busy"),
        }
    }

    /// Flags and values are read in the transaction that plans the write: every record that was read must still be there as it was.
    pub(super) fn expect_what_was_read(&mut self) {
        if !self.rules.own_table || !self.plan.writes() || planted::on(Fault::FlagReadTooEarly) {
            return;
        }
        let mut expects: Vec<Expect> = Vec::new();
        for record in self.family.local.iter().filter_map(|mark| mark.record.as_ref()) {
            let version = record.fields.is_some().then(|| record.version.clone());
            expects.push(Expect { record: record.id.clone(), version });
        }
        // An occurrence is made for whoever has its series: if that changed unseen, it is decided anew.
        let series = self.plan.group.records.iter().filter_map(|write| match &write.change {
            RecordChange::Create { occurrence, .. } => {
                occurrence.as_ref().map(|occurrence| &occurrence.series)
            }
            _ => None,
        });
        for series in series.collect::<BTreeSet<_>>() {
            let written = self.plan.group.records.iter().any(|write| write.id == *series);
            let version = self.family.links.iter().find(|link| link.record == *series);
            if let Some(version) = version.and_then(|link| link.version.clone())
                && !written
                && !expects.iter().any(|expect| expect.record == *series)
            {
                expects.push(Expect { record: series.clone(), version: Some(version) });
            }
        }
        self.plan.group.expects.extend(expects);
    }

    /// The journal goes with the group, so that there is an entry exactly when a write was planned, and once.
    pub(super) fn write_down(&mut self) {
        for row in self.plan.rows.iter().filter(|row| row.writes() && !row.again) {
            let Some(record) = row.record.clone().or_else(|| {
                row.key.as_ref().map(|key| ids::record_id(self.rules.installation, self.rules.binding, key))
            }) else {
                continue;
            };
            self.plan.group.journal.push(JournalEntry {
                at: self.rules.now,
                run: self.rules.run.clone(),
                record,
                key: row.key.clone(),
                side: row.action.side(),
                action: row.action.as_str().to_owned(),
                reason: row.reason.clone(),
                before: row.before.clone(),
                // What is made is there to be seen; the first entry that changes it has it as what was there before.
                after: if row.action.creates() { None } else { row.after.clone() },
                lost: row.lost.clone(),
            });
        }
    }

    pub(super) fn blank_row(&self, pair: &Pair<'_>, action: Action, reason: &str) -> Row {
        let fields = pair.local.fields.as_ref().or(pair.remote.fields.as_ref());
        let base = pair.agreed.as_ref().and_then(State::fields);
        let shown = fields.or(base).or(pair.inherited.as_ref());
        let private = !pair.view.keeps("summary") || shown.is_some_and(crate::detail::private);
        let summary = shown.and_then(|fields| fields.get("summary")).and_then(|s| s.as_str());
        Row {
            action,
            slot: pair.slot,
            again: false,
            record: pair.link.map(|link| &link.record).or(pair.record.map(|record| &record.id)).cloned(),
            key: pair.item.map(|item| &item.key).or(pair.link.map(|link| &link.key)).cloned(),
            summary: if private { None } else { Some(summary.unwrap_or("(no title)").to_owned()) },
            starts: shown.and_then(|fields| fields.get("when")).and_then(starts),
            reason: reason.to_owned(),
            units: BTreeSet::new(),
            before: None,
            after: None,
            lost: None,
            hours: None,
            waiting: None,
            conflict: false,
            candidates: Vec::new(),
            guests: Vec::new(),
            guests_told: 0,
            guests_untold: 0,
            versions: (pair.version().map(|v| v.to_string()), pair.revision().map(|r| r.to_string())),
        }
    }

    /// Who is told about a write that leads to these values. About what is over already, nobody: a calendar that is put in
    /// order must not remind people of last year (G02). Nor about what both sides had already and are put in step (G08, G27).
    pub(super) fn mail(&self, link: Option<&Link>, fields: Option<&Fields>) -> Mail {
        if planted::on(Fault::MailWithoutLeave) {
            return Mail::Guests;
        }
        if link.is_some_and(|link| link.guests_out) {
            return Mail::Nobody;
        }
        if link.is_some_and(|link| link.adopted) && !planted::on(Fault::MailAboutJoining) {
            return Mail::Nobody;
        }
        match fields.and_then(last_end) {
            Some(end) if end <= self.rules.now && !planted::on(Fault::MailAboutThePast) => Mail::Nobody,
            _ => self.rules.binding.mail,
        }
    }

    /// Adds a row for something that is written, and its journal entry.
    pub(super) fn row(
        &mut self,
        pair: &Pair<'_>,
        action: Action,
        reason: &str,
        units: BTreeSet<Unit>,
        after: Option<&Fields>,
    ) -> &mut Row {
        let mut row = self.blank_row(pair, action, reason);
        let target = match action {
            Action::CreateLocal | Action::UpdateLocal | Action::DeleteLocal | Action::Merge => &pair.local,
            _ => &pair.remote,
        };
        row.before = target
            .fields
            .as_ref()
            .map(|fields| if units.is_empty() { fields.clone() } else { fields.only(&units) });
        row.after = after.map(|fields| fields.only(&units));
        if matches!(action, Action::CreateRemote | Action::UpdateRemote | Action::DeleteRemote) {
            let fields = after.or(pair.remote.fields.as_ref());
            // Those who stay or come, and those who are taken off the list.
            let guests: BTreeSet<&str> =
                fields.into_iter().flat_map(Fields::guests).chain(&units).filter_map(Unit::guest).collect();
            if row.summary.is_some() {
                row.guests = guests.iter().take(GUESTS_MAX).map(|&address| address.to_owned()).collect();
            }
            let guests = u32::try_from(guests.len()).unwrap_or(u32::MAX);
            match self.mail(pair.link.map(|link| pair.rebased(link.clone())).as_ref(), fields) {
                Mail::Nobody => row.guests_untold = guests,
                Mail::Guests | Mail::ExternalGuests => row.guests_told = guests,
            }
        }
        row.units = units;
        self.plan.rows.push(row);
        let at = self.plan.rows.len() - 1;
        &mut self.plan.rows[at]
    }
}

/// When something begins, for people.
fn starts(when: &serde_json::Value) -> Option<String> {
    let (when, _) = read_when(when).ok()?;
    Some(match when {
        When::AllDay { start, .. } => start.to_string(),
        When::Timed { start, .. } => format!("{} {}", start.time.format("%Y-%m-%d %H:%M"), start.zone),
    })
}
