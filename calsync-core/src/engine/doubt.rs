//! A full listing that suddenly lacks most of what is linked is not believed at once.
//!
//! A calendar that was just unshared, a filter that was mistyped, a service having a bad day: all of them look like a calendar
//! that somebody emptied. So before anything is concluded from what a listing did not show, it is counted. If more than ten
//! records and more than half of what is linked are missing, the calendar is listed once more in the same run. If the second
//! listing lacks as much, nothing is read by id and nothing is removed; the rest of the run goes on, and the report says so
//! ([`Over::Listing`]). The next run lists everything again, until a person confirms what is missing.

use super::run::Pass;
use crate::error::Result;
use crate::guard::{Held, Over, TITLES_MAX, missing_max};
use crate::limits::Kind;
use crate::model::State;
use crate::planted::{self, Fault};
use crate::report::Listed;
use crate::store::{Link, Which};

/// What to make of a listing that has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// What it lacks is read by id.
    Believed,
    /// Everything is listed once more.
    Again,
    /// It waits for a person.
    Held,
}

impl Pass<'_> {
    /// Counts what a full listing lacks.
    pub(super) async fn doubt(&mut self) -> Result<Doubt> {
        if !self.state.listing.full {
            return Ok(Doubt::Believed);
        }
        let (store, count_max) = (&self.engine.shared.store, self.engine.shared.settings.page_records_max);
        let (tenant, id) = (&self.binding.tenant, &self.binding.id);
        let (mut missing, mut after, mut titles, mut linked) = (0, None, Vec::new(), None);
        loop {
            let generation = self.state.listing.generation;
            let unseen = store.unseen(tenant, id, generation, after.as_ref(), count_max).await?;
            missing += unseen.len() as u64;
            titles.extend(unseen.iter().take(TITLES_MAX - titles.len()).map(title));
            after = unseen.last().map(|link| link.key.clone());
            // The usual case reads one page and knows.
            if missing <= missing_max(0) && unseen.len() < count_max {
                return Ok(Doubt::Believed);
            }
            if linked.is_none() {
                linked = Some(store.linked(tenant, id).await?);
            }
            if unseen.len() < count_max {
                break;
            }
        }
        let linked = linked.unwrap_or_default();
        let allowed = if planted::on(Fault::EmptyListingBelieved) { linked } else { missing_max(linked) };
        if missing <= allowed || missing <= self.state.guard.confirmed_missing(self.now()) {
            return Ok(Doubt::Believed);
        }
        if !self.listed_again {
            self.listed_again = true;
            tracing::warn!(binding = %self.binding.id, missing, linked, "listed again: most of what is linked was missing");
            let fingerprint = self.state.listing.fingerprint.clone();
            self.list_everything(fingerprint);
            self.report.listed = Listed::Again;
            let mut batch = self.batch();
            batch.state = Some(self.state.clone());
            self.commit(batch).await?;
            return Ok(Doubt::Again);
        }
        self.report.held.push(Held {
            side: Which::Local,
            kind: Kind::Delete,
            over: Over::Listing,
            planned: missing,
            allowed,
            done: 0,
            linked,
            titles,
        });
        Ok(Doubt::Held)
    }
}

/// The title that both sides last agreed on, unless it is private.
fn title(link: &Link) -> Option<String> {
    let fields = link.base.as_ref().and_then(State::fields)?;
    let private = fields.get("visibility").and_then(|value| value.as_str());
    if matches!(private, Some("private" | "confidential")) {
        return None;
    }
    let summary = fields.get("summary").and_then(|value| value.as_str());
    Some(summary.unwrap_or("(no title)").to_owned())
}
